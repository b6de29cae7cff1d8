package rig

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"
)

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
