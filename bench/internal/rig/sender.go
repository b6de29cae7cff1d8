package rig

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// sender posts webhooks, one after the other, over a connection of its own.
type sender interface {
	// send posts a webhook and reads its answer, which must be 200.
	send(id uint64) error
	close()
}

func (l Load) newSender(address string) (sender, error) {
	if l.HTTP2 {
		return newHTTP2Sender(address, l), nil
	}
	s := newPlainSender(address, l)
	return s, s.dial()
}

// plainSender speaks HTTP/1.1. It costs as little as it can: it writes a
// prepared request and looks at no more of the answer than it must.
type plainSender struct {
	address       string
	fresh         bool // each webhook takes a new connection
	conn          net.Conn
	answers       *bufio.Reader
	hook          *webhook
	request       []byte
	id, signature []byte // parts of the request's head
}

func newPlainSender(address string, l Load) *plainSender {
	signature := l.Prefix + strings.Repeat("0", 2*sha256.Size)
	request := []byte("POST " + l.Path + " HTTP/1.1\r\n" +
		"Host: " + address + "\r\n" +
		"User-Agent: inSigner-Webhooks/1.0\r\n" +
		"Content-Type: application/json\r\n" +
		"Content-Length: " + strconv.Itoa(l.Body) + "\r\n" +
		"X-InSigner-Event: document.completed\r\n" +
		"X-InSigner-Timestamp: 1779969600\r\n" +
		"X-InSigner-Delivery-Id: " + noID + "\r\n" +
		l.Header + ": " + signature + "\r\n" +
		"\r\n" + payload(l.Body))
	part := func(text string) []byte {
		at := bytes.Index(request, []byte(text))
		return request[at : at+len(text)]
	}
	return &plainSender{
		address:   address,
		fresh:     l.Fresh,
		answers:   bufio.NewReader(nil),
		hook:      newWebhook(request[len(request)-l.Body:], l.Prefix),
		request:   request,
		id:        part(noID),
		signature: part(signature),
	}
}

func (s *plainSender) dial() (err error) {
	if s.conn, err = net.Dial("tcp", s.address); err == nil {
		s.answers.Reset(s.conn)
	}
	return err
}

func (s *plainSender) send(id uint64) error {
	if s.conn == nil {
		if err := s.dial(); err != nil {
			return err
		}
	}
	s.hook.sign(id)
	copy(s.id, s.hook.id)
	copy(s.signature, s.hook.signature)
	if _, err := s.conn.Write(s.request); err != nil {
		return err
	}
	start, err := readMessage(s.answers)
	if err == nil && start != "HTTP/1.1 200 OK" {
		err = fmt.Errorf("answered %q", start)
	}
	if s.fresh {
		s.close()
	}
	return err
}

// close closes the connection without a trace: thousands a second would
// otherwise use up the ports.
func (s *plainSender) close() {
	if s.conn != nil {
		_ = s.conn.(*net.TCPConn).SetLinger(0)
		s.conn.Close()
		s.conn = nil
	}
}

// readMessage reads an HTTP message with a Content-Length and returns its first
// line, the status line say, if it is the usual one.
func readMessage(r *bufio.Reader) (start string, err error) {
	length := 0
	for n := 0; ; n++ {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		line = bytes.TrimSuffix(line, []byte("\r\n"))
		switch name, value, _ := bytes.Cut(line, []byte(": ")); {
		case n == 0 && string(line) == "HTTP/1.1 200 OK":
			start = "HTTP/1.1 200 OK" // without a copy
		case n == 0:
			start = string(line)
		case len(line) == 0:
			_, err := r.Discard(length)
			return start, err
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return "", err
			}
		}
	}
}

// http2Sender speaks HTTP/2 over TLS.
type http2Sender struct {
	url       string
	header    string // that has the signature
	transport *http.Transport
	hook      *webhook
}

func newHTTP2Sender(address string, l Load) *http2Sender {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	return &http2Sender{
		url:    "https://" + address + l.Path,
		header: l.Header,
		transport: &http.Transport{
			Protocols:       protocols,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		},
		hook: newWebhook([]byte(payload(l.Body)), l.Prefix),
	}
}

func (s *http2Sender) send(id uint64) error {
	s.hook.sign(id)
	req, err := http.NewRequest("POST", s.url, bytes.NewReader(s.hook.body))
	if err != nil {
		return err
	}
	req.Header = http.Header{
		"User-Agent":             {"inSigner-Webhooks/1.0"},
		"Content-Type":           {"application/json"},
		"X-Insigner-Event":       {"document.completed"},
		"X-Insigner-Timestamp":   {"1779969600"},
		"X-Insigner-Delivery-Id": {string(s.hook.id)},
		s.header:                 {string(s.hook.signature)},
	}
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		err = errors.Join(err, fmt.Errorf("answered %s %s", resp.Proto, resp.Status))
	}
	return err
}

func (s *http2Sender) close() { s.transport.CloseIdleConnections() }
