package scheme

import (
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/share"
)

// The calls that requests cause which name keys that are not known.
const (
	fetchBurst = 8               // at once, by one address; also of a whole set
	fetchPause = 5 * time.Second // between two calls after that

	strangersBurst = 64                     // at once, by all addresses
	strangersPause = 100 * time.Millisecond // between two calls after that

	maxAddresses = 4096 // whose calls are counted
)

// newPace returns the limit of the calls for one name, or by one address.
func newPace() *rate.Limiter { return rate.NewLimiter(rate.Every(fetchPause), fetchBurst) }

// callShares divides the calls for names that are not known among client addresses.
type callShares struct {
	all       *rate.Limiter
	addresses *lru.Cache[netip.Addr, *rate.Limiter]
}

func newCallShares() *callShares {
	addresses, _ := lru.New[netip.Addr, *rate.Limiter](maxAddresses) // which fails only for a size below one
	return &callShares{rate.NewLimiter(rate.Every(strangersPause), strangersBurst), addresses}
}

// allow takes a call of a client's share, or returns false if the share is used up.
// It is never called twice at once.
func (s *callShares) allow(client string) bool {
	address := share.Address(client)
	own, known := s.addresses.Get(address)
	if !known {
		own = newPace()
		s.addresses.Add(address, own)
	}
	// What is refused for one reason costs nothing of the other share.
	return own.Tokens() >= 1 && s.all.Allow() && own.Allow()
}
