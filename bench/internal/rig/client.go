package rig

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Load is how webhooks are posted.
type Load struct {
	Connections int  // at once, to each site
	Body        int  // bytes; 0 means BodySize
	HTTP2       bool // over TLS, else HTTP/1.1 without it
	Fresh       bool // each webhook over a new connection, else keep-alive
	Target           // zero means inSigner's
}

// Target says where a webhook goes, and how it is signed: HMAC-SHA256 of the
// body in hex.
type Target struct {
	Path   string // where it is posted to
	Header string // that has the signature
	Prefix string // of the signature
}

var insigner = Target{Path: Path, Header: "X-Insigner-Signature", Prefix: "sha256="}

// Client posts webhooks. It costs as little as it can, because it runs on the
// server's cores: one goroutine for each connection.
type Client struct {
	// Answered is how many requests each address has answered with 200.
	Answered map[string]int

	load    Load
	ids     atomic.Uint64
	senders map[string][]sender // by the address of the site
}

// NewClient returns a client for a load.
func NewClient(load Load) *Client {
	if load.Body == 0 {
		load.Body = BodySize
	}
	if load.Target == (Target{}) {
		load.Target = insigner
	}
	return &Client{Answered: make(map[string]int), load: load, senders: make(map[string][]sender)}
}

// Close closes all connections. The next webhooks go over new ones.
func (c *Client) Close() {
	for _, senders := range c.senders {
		for _, s := range senders {
			s.close()
		}
	}
	clear(c.senders)
}

// Turn is what came of posting webhooks.
type Turn struct {
	Requests  int
	Took      time.Duration
	Latencies []time.Duration // of each request, in no order
}

// Rate returns the requests per second.
func (t Turn) Rate() float64 { return float64(t.Requests) / t.Took.Seconds() }

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
		s, err := c.load.newSender(address)
		if err == nil {
			err = s.send(id)
			s.close()
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
	for len(c.senders[address]) < c.load.Connections {
		s, err := c.load.newSender(address)
		if err != nil {
			return Turn{}, err
		}
		c.senders[address] = append(c.senders[address], s)
	}
	var over atomic.Bool
	defer context.AfterFunc(ctx, func() { over.Store(true) })()

	senders := c.senders[address]
	latencies, errs := make([][]time.Duration, len(senders)), make([]error, len(senders))
	var wg sync.WaitGroup
	began := time.Now()
	for i, s := range senders {
		wg.Go(func() {
			for !over.Load() && more() {
				sent := time.Now()
				if errs[i] = s.send(c.ids.Add(1)); errs[i] != nil {
					return
				}
				latencies[i] = append(latencies[i], time.Since(sent))
			}
		})
	}
	wg.Wait()
	t := Turn{Took: time.Since(began), Latencies: slices.Concat(latencies...)}
	t.Requests = len(t.Latencies)
	c.Answered[address] += t.Requests
	return t, errors.Join(errs...)
}
