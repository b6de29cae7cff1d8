// Package share divides something scarce, such as memory or places, among
// sources and client addresses, so that no stranger can take the others' part.
package share

import (
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
)

// UsedUp is the error of whoever gets nothing because a share is used up: that of an
// address or a source, or what there is for all. It says what was asked for.
type UsedUp string

func (e UsedUp) Error() string { return string(e) }

// Pool is a number of units of which many take some and give them back.
//
// While less than half of the pool is taken, anybody gets anything. Beyond half,
// neither an address nor a source gets more than it leaves to the others. The last
// part of the pool is a reserve for small claims. Each address gets a little of the
// reserve, whatever the source, and each source that holds little gets more of it,
// whatever the address: all clients behind a proxy may have one.
type Pool struct {
	size    int64
	reserve int64 // of the size, for small claims
	small   int64 // a claim of so many units is small

	used atomic.Int64

	mu        sync.Mutex
	addresses map[netip.Addr]int64
	sources   map[string]int64
}

// smallClaims is how many small claims of full size an address has in the reserve.
const smallClaims = 4

// NewPool returns a pool of size units. Claims of more than small units in all
// leave reserve units to those that are smaller.
func NewPool(size, reserve, small int64) *Pool {
	return &Pool{
		size: size, reserve: reserve, small: small,
		addresses: make(map[netip.Addr]int64), sources: make(map[string]int64),
	}
}

// Claim is what one request, or one event, holds of a pool.
type Claim struct {
	Source string // empty: the claim counts only against its address
	Client string // its IP address

	units   int64
	counted int64 // of the units, those that count against source and address
	address netip.Addr
}

// Address returns what counts as one address: an IPv4 address, or the /64 network
// that an IPv6 address is in. Text that is no address, such as that of a Unix
// socket, is the zero address.
func Address(text string) netip.Addr {
	text, _, _ = strings.Cut(text, "%")
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	ip = ip.Unmap()
	if ip.Is4() {
		return ip
	}
	network, _ := ip.Prefix(64) // which fails for more bits than an address has
	return network.Addr()
}

// Take takes n more units for a claim, or none. It returns false if the claim's
// source or address has its share.
func (p *Pool) Take(c *Claim, n int64) bool {
	return p.take(c, n, false)
}

// Keep takes n more units for a claim that got them before, in another process
// say, even if they are more than its share.
func (p *Pool) Keep(c *Claim, n int64) { p.take(c, n, true) }

func (p *Pool) take(c *Claim, n int64, kept bool) bool {
	for used := p.used.Load(); used+n <= p.size/4; used = p.used.Load() {
		if p.used.CompareAndSwap(used, used+n) { // nobody's share matters, so nothing is counted
			c.units += n
			return true
		}
	}
	if c.counted == 0 {
		c.address = Address(c.Client)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// What is refused never counts as used: others would be refused for it.
	if used := p.used.Load() + n; !kept && used > p.size/2 && !p.fits(c, n, p.size-used) {
		return false
	}
	p.used.Add(n)
	p.addresses[c.address] += n
	if c.Source != "" {
		p.sources[c.Source] += n
	}
	c.units += n
	c.counted += n
	return true
}

// fits reports whether a claim gets n more units that leave so many.
func (p *Pool) fits(c *Claim, n, left int64) bool {
	address, source := p.addresses[c.address]+n, int64(0)
	small := c.units+n <= p.small && left >= 0
	if small && address <= smallClaims*p.small {
		return true
	}
	if c.Source != "" {
		source = p.sources[c.Source] + n
		if small && source <= left/4 {
			return true
		}
	}
	left -= p.reserve
	return left >= 0 && address <= left+n && source <= left+n
}

// Give gives back all that a claim holds.
func (p *Pool) Give(c *Claim) {
	p.used.Add(-c.units)
	if c.counted > 0 {
		p.mu.Lock()
		lessen(p.addresses, c.address, c.counted)
		if c.Source != "" {
			lessen(p.sources, c.Source, c.counted)
		}
		p.mu.Unlock()
	}
	c.units, c.counted = 0, 0
}

func lessen[K comparable](held map[K]int64, by K, n int64) {
	if held[by] -= n; held[by] <= 0 {
		delete(held, by)
	}
}

// Used returns how many units are taken.
func (p *Pool) Used() int64 { return p.used.Load() }
