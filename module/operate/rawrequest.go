package operate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strings"
)

// maxRawRequest is the size of the largest raw request that is read, in bytes.
const maxRawRequest = 64 << 20

// openRaw opens the file of a raw request; - is the standard input.
func openRaw(file string, stdin io.Reader) ([]byte, error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxRawRequest+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxRawRequest {
		return nil, fmt.Errorf("the request is larger than %d bytes", maxRawRequest)
	}
	return raw, nil
}

// parseRaw reads a request as it stands on the wire: request line, headers, an
// empty line, and the body, which goes to the end whatever its length is said
// to be.
func parseRaw(raw []byte) (*http.Request, []byte, error) {
	in := bufio.NewReader(bytes.NewReader(raw))
	text := textproto.NewReader(in)
	line, err := text.ReadLine()
	if err != nil {
		return nil, nil, errors.New("the request is empty")
	}
	method, rest, _ := strings.Cut(line, " ")
	if i := strings.LastIndex(rest, " HTTP/"); i >= 0 {
		rest = rest[:i]
	}
	if method == "" || rest == "" {
		return nil, nil, fmt.Errorf("%q is no request line such as: POST /hook HTTP/1.1", line)
	}
	target, err := url.ParseRequestURI(rest)
	if err != nil {
		return nil, nil, fmt.Errorf("%q is no target of a request", rest)
	}
	header, err := text.ReadMIMEHeader()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("reading headers: %v", err)
	}
	body, err := io.ReadAll(in)
	if err != nil {
		return nil, nil, err
	}
	host := target.Host
	if host == "" {
		host = header.Get("Host")
	}
	header.Del("Host")
	return &http.Request{Method: method, URL: target, Host: host, Header: http.Header(header)}, body, nil
}
