package provider

import "context"

// fetcher is a scheme that may have to fetch the key that a request names.
type fetcher interface {
	scheme
	fetch(ctx context.Context, r *Request) error
}

// fetch fetches the key that a request names, for the first proof that can.
func (ps *proofs) fetch(ctx context.Context, r *Request) error {
	err := error(NoKey)
	for _, p := range ps.list {
		if f, ok := p.scheme.(fetcher); ok && p.applies(r) {
			if err = f.fetch(ctx, r); err == nil {
				return nil
			}
		}
	}
	return err
}

// Fetch implements Fetcher.
func (k *Known) Fetch(ctx context.Context, r *Request) error { return k.proofs.fetch(ctx, r) }

// Fetch implements Fetcher.
func (c *Custom) Fetch(ctx context.Context, r *Request) error { return c.proofs.fetch(ctx, r) }

// Interface guards
var (
	_ Fetcher = (*Known)(nil)
	_ Fetcher = (*Custom)(nil)
)
