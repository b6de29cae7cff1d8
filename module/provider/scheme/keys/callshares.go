package keys

import (
	"hash/maphash"
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/internal/share"
)

// Limits on the calls that requests cause by naming unknown keys.
const (
	FetchBurst = 8               // at once, by one address; also of a whole set
	FetchPause = 5 * time.Second // between two calls after that

	StrangersBurst = 64                     // at once, by all addresses
	StrangersPause = 100 * time.Millisecond // between two calls after that

	AgainBurst = 8           // at once, for names that come again
	AgainPause = time.Second // between two calls after that, and until a name counts as one that comes again

	MaxAddresses = 4096    // whose calls are counted
	maxRefused   = 1 << 16 // names that are remembered
)

// newLimiter returns the limit of the calls for one name, or by one address.
func newLimiter() *rate.Limiter { return rate.NewLimiter(rate.Every(FetchPause), FetchBurst) }

// callShares divides the calls for names that are not known among client addresses.
//
// A reserve is for names that were refused and come again: a provider sends a webhook
// again that was answered 503, from whatever address, and all of its webhooks name the
// same few keys. Names that a stranger makes up come once. The zero value is ready.
type callShares struct {
	all, again *rate.Limiter
	addresses  *lru.Cache[netip.Addr, *rate.Limiter]
	refused    []refusedName // by the hash of the name; nil until there is one
}

// refusedName is a name that was refused. A hash stands for it, since a stranger may
// name a lot.
type refusedName struct {
	hash uint64
	at   int64 // Unix nanoseconds
}

var nameSeed = maphash.MakeSeed()

// allow takes a call for a name of a client's share, or of the reserve. It returns false
// if these are used up. It is never called twice at once.
func (s *callShares) allow(name, client string, now time.Time) bool {
	if s.all == nil {
		s.all = rate.NewLimiter(rate.Every(StrangersPause), StrangersBurst)
		s.again = rate.NewLimiter(rate.Every(AgainPause), AgainBurst)
		s.addresses, _ = lru.New[netip.Addr, *rate.Limiter](MaxAddresses) // which fails only for a size below one
	}
	address := share.Address(client)
	own, known := s.addresses.Get(address)
	if !known {
		own = newLimiter()
		s.addresses.Add(address, own)
	}
	// What is refused for one reason costs nothing of the other share.
	if own.TokensAt(now) >= 1 && s.all.AllowN(now, 1) {
		return own.AllowN(now, 1)
	}
	return s.comesAgain(name, now) && s.again.AllowN(now, 1)
}

// comesAgain reports whether a name was refused some time ago, and remembers that it is
// refused now.
func (s *callShares) comesAgain(name string, now time.Time) bool {
	if s.refused == nil {
		s.refused = make([]refusedName, maxRefused)
	}
	hash := maphash.String(nameSeed, name)
	before := &s.refused[hash%maxRefused]
	if before.hash == hash {
		return now.UnixNano()-before.at >= int64(AgainPause)
	}
	*before = refusedName{hash, now.UnixNano()}
	return false
}
