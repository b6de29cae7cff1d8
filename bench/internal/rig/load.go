package rig

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Secret is what webhooks are signed with.
const Secret = "bench-secret"

// BodySize is how many bytes the body of a webhook has.
const BodySize = 2 << 10

// A webhook is written once and then changed in place: event ID and signature
// have a fixed length.
const (
	noID        = "evt_0000000000000000"
	noSignature = "0000000000000000000000000000000000000000000000000000000000000000"
)

// Client posts webhooks. It costs as little as it can, because it runs on the
// server's cores: one goroutine for each connection writes a prepared request,
// waits for the answer, and looks at no more of that than it must.
type Client struct {
	// Answered is how many requests each address has answered with 200.
	Answered map[string]int

	connections int
	ids         atomic.Uint64
	senders     map[string][]*sender // by the address of the site
}

// NewClient returns a client with so many keep-alive connections to each site.
func NewClient(connections int) *Client {
	return &Client{
		Answered:    make(map[string]int),
		connections: connections,
		senders:     make(map[string][]*sender),
	}
}

// Close closes all connections. The next webhooks go over new ones.
func (c *Client) Close() {
	for _, senders := range c.senders {
		for _, s := range senders {
			s.conn.Close()
		}
	}
	clear(c.senders)
}

// Turn is what came of posting webhooks.
type Turn struct {
	Requests int
	Took     time.Duration
	CPU      time.Duration // of the server alone; the client does not know it
}

// Rate returns the requests per second.
func (t Turn) Rate() float64 { return float64(t.Requests) / t.Took.Seconds() }

// Cost returns the server's CPU time per request, in microseconds.
func (t Turn) Cost() float64 { return float64(t.CPU.Microseconds()) / float64(t.Requests) }

// Post posts webhooks to a site until the time is over.
func (c *Client) Post(ctx context.Context, address string, length time.Duration) (Turn, error) {
	limited, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	t, err := c.postWhile(limited, address, func() bool { return true })
	if err == nil {
		err = ctx.Err()
	}
	return t, err
}

// PostCount posts a number of webhooks to a site.
func (c *Client) PostCount(ctx context.Context, address string, requests int) (Turn, error) {
	var left atomic.Int64
	left.Store(int64(requests))
	t, err := c.postWhile(ctx, address, func() bool { return left.Add(-1) >= 0 })
	if err == nil {
		err = ctx.Err()
	}
	return t, err
}

// PostFirst posts one webhook, again and again until it is answered with 200.
func (c *Client) PostFirst(ctx context.Context, address string) error {
	for id := c.ids.Add(1); ; {
		s, err := newSender(address)
		if err == nil {
			err = s.send(id)
			s.conn.Close()
		}
		if err == nil {
			c.Answered[address]++
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// postWhile posts webhooks as long as there are more and the context has not ended.
func (c *Client) postWhile(ctx context.Context, address string, more func() bool) (Turn, error) {
	for len(c.senders[address]) < c.connections {
		s, err := newSender(address)
		if err != nil {
			return Turn{}, err
		}
		c.senders[address] = append(c.senders[address], s)
	}
	var over atomic.Bool
	defer context.AfterFunc(ctx, func() { over.Store(true) })()

	senders := c.senders[address]
	counts, errs := make([]int, len(senders)), make([]error, len(senders))
	var wg sync.WaitGroup
	began := time.Now()
	for i, s := range senders {
		wg.Go(func() {
			for !over.Load() && errs[i] == nil && more() {
				if errs[i] = s.send(c.ids.Add(1)); errs[i] == nil {
					counts[i]++
				}
			}
		})
	}
	wg.Wait()
	t := Turn{Took: time.Since(began)}
	for _, n := range counts {
		t.Requests += n
	}
	c.Answered[address] += t.Requests
	return t, errors.Join(errs...)
}

// sender posts webhooks over one connection.
type sender struct {
	conn    net.Conn
	answers *bufio.Reader
	request []byte
	// Parts of the request.
	headID, signature, bodyID, body []byte
	mac                             hash.Hash
	sum                             []byte
}

func newSender(address string) (*sender, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &sender{conn: conn, answers: bufio.NewReader(conn), mac: hmac.New(sha256.New, []byte(Secret))}
	s.request = webhook(address)
	part := func(offset int, text string) []byte { return s.request[offset : offset+len(text)] }
	s.headID = part(bytes.Index(s.request, []byte(noID)), noID)
	s.signature = part(bytes.Index(s.request, []byte(noSignature)), noSignature)
	s.bodyID = part(bytes.LastIndex(s.request, []byte(noID)), noID)
	s.body = s.request[len(s.request)-BodySize:]
	return s, nil
}

// send posts a webhook and reads its answer, which must be 200.
func (s *sender) send(id uint64) error {
	digits := s.bodyID[len("evt_"):]
	for i := range digits {
		digits[i] = "0123456789abcdef"[id>>(60-4*i)&15]
	}
	copy(s.headID, s.bodyID)
	s.mac.Reset()
	s.mac.Write(s.body)
	s.sum = s.mac.Sum(s.sum[:0])
	hex.Encode(s.signature, s.sum)
	if _, err := s.conn.Write(s.request); err != nil {
		return err
	}
	start, err := readMessage(s.answers)
	if err == nil && start != "HTTP/1.1 200 OK" {
		err = fmt.Errorf("answered %q", start)
	}
	return err
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

// webhook returns a request as inSigner posts it, without ID and signature.
func webhook(host string) []byte {
	body := payload()
	return []byte("POST /webhooks/insigner HTTP/1.1\r\n" +
		"Host: " + host + "\r\n" +
		"User-Agent: inSigner-Webhooks/1.0\r\n" +
		"Content-Type: application/json\r\n" +
		"Content-Length: " + strconv.Itoa(len(body)) + "\r\n" +
		"X-InSigner-Event: document.completed\r\n" +
		"X-InSigner-Delivery-Id: " + noID + "\r\n" +
		"X-InSigner-Timestamp: 1779969600\r\n" +
		"X-InSigner-Signature: sha256=" + noSignature + "\r\n" +
		"\r\n" + body)
}

// payload returns a body of BodySize: a document with as many signers as it
// takes, and a comment that fills up the rest.
func payload() string {
	var signers []string
	for i := range 9 {
		signers = append(signers, fmt.Sprintf(`{"id":"sgn_%06d","name":"Jane Smith","email":"jane.smith.%d@example.com",`+
			`"status":"completed","completedAt":"2026-05-28T12:00:0%dZ","role":"signer","order":%d}`, 4711+i, i, i, i))
	}
	head := `{"id":"` + noID + `","event":"document.completed","api_version":"2026-05-28",` +
		`"created_at":"2026-05-28T12:00:00Z","data":{"document":{"id":"doc_abc123","title":"NDA for Acme",` +
		`"status":"completed","completedAt":"2026-05-28T12:00:00Z"},"signers":[` + strings.Join(signers, ",") + `],"comment":"`
	tail := `"}}`
	return head + strings.Repeat("x", BodySize-len(head)-len(tail)) + tail
}

// Upstream is the app that webhooks are delivered to. It takes them all.
type Upstream struct {
	net.Listener
	Requests atomic.Int64
}

// NewUpstream starts an upstream at an address.
func NewUpstream(address string) (*Upstream, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	u := &Upstream{Listener: l}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go u.serve(conn)
		}
	}()
	return u, nil
}

func (u *Upstream) serve(conn net.Conn) {
	defer conn.Close()
	requests := bufio.NewReader(conn)
	for {
		if _, err := readMessage(requests); err != nil {
			return
		}
		u.Requests.Add(1)
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}

// WaitFor waits until the upstream has got so many requests.
func (u *Upstream) WaitFor(ctx context.Context, requests int64) error {
	for u.Requests.Load() < requests {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the upstream got %d requests of %d: %w", u.Requests.Load(), requests, ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// Median returns the median of values, which it sorts.
func Median(values []float64) float64 {
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}
