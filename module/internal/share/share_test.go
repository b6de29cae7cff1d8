package share

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
)

const mib = 1 << 20

func claim(source, address string) *Claim { return &Claim{Source: source, Client: address} }

// fill has an address take units in steps until it gets no more.
func fill(p *Pool, source, address string, step int64) (claims []*Claim, taken int64) {
	for {
		c := claim(source, address)
		if !p.Take(c, step) {
			return claims, taken
		}
		claims, taken = append(claims, c), taken+step
	}
}

func TestOneStrangerLeavesHalf(t *testing.T) {
	for _, step := range []int64{4 << 10, 64 << 10, mib, 25 * mib} {
		p := NewPool(256*mib, 64*mib, 64<<10)
		_, taken := fill(p, "other", "192.0.2.1", step)
		if taken > 160*mib {
			t.Errorf("in steps of %d one address takes %d MiB", step, taken/mib)
		}
		if c := claim("mine", "192.0.2.2"); !p.Take(c, 30*mib) {
			t.Errorf("in steps of %d one address leaves others less than 30 MiB", step)
		}
	}
}

// TestManyStrangersLeaveSomething has strangers at many addresses take what they
// can of many sources. A small request to any source passes all the same.
func TestManyStrangersLeaveSomething(t *testing.T) {
	p := NewPool(256*mib, 64*mib, 64<<10)
	for i := range 200 {
		for _, step := range []int64{25 * mib, mib, 64 << 10} {
			fill(p, fmt.Sprintf("s%d", i%3), fmt.Sprintf("192.0.2.%d", i), step)
		}
	}
	for i := range 3 {
		if !p.Take(claim(fmt.Sprintf("s%d", i), "198.51.100.1"), 8<<10) {
			t.Errorf("a small request to source %d is refused with %d MiB used", i, p.Used()/mib)
		}
	}
}

// TestOneAddressForAll has a stranger behind the same proxy as everybody else take
// what a source has. Small requests to other sources pass.
func TestOneAddressForAll(t *testing.T) {
	p := NewPool(256*mib, 64*mib, 64<<10)
	for i := range 10 {
		for _, step := range []int64{25 * mib, mib, 64 << 10, 4 << 10} {
			fill(p, fmt.Sprintf("attacked %d", i), "192.0.2.1", step)
		}
	}
	for i := range 50 {
		if !p.Take(claim("mine", "192.0.2.1"), 8<<10) {
			t.Fatalf("small request %d to another source is refused with %d MiB used", i, p.Used()/mib)
		}
	}
}

// TestSourceLeavesOthersTheirs has a botnet fill one source with large bodies.
func TestSourceLeavesOthersTheirs(t *testing.T) {
	p := NewPool(256*mib, 64*mib, 64<<10)
	for i := range 250 {
		fill(p, "attacked", fmt.Sprintf("192.0.2.%d", i), 10*mib)
	}
	if p.Used() > 160*mib || !p.Take(claim("mine", "198.51.100.1"), 25*mib) {
		t.Errorf("one source takes %d MiB", p.Used()/mib)
	}
}

// TestWithoutSource has strangers at several addresses take what they can of a pool
// whose claims name no source. Each address that comes later gets something.
func TestWithoutSource(t *testing.T) {
	p := NewPool(1<<20, 1<<18, 64)
	var claims []*Claim
	for i, least := range []int64{1 << 19, 1 << 17, 1 << 14} {
		more, taken := fill(p, "", fmt.Sprintf("192.0.2.%d", i), 64)
		if claims = append(claims, more...); taken < least {
			t.Errorf("address %d gets %d of %d units", i, taken, p.size)
		}
	}
	if first := p.addresses[Address("192.0.2.0")]; first > p.size/2 {
		t.Errorf("the first address has %d of %d units", first, p.size)
	}
	for i := range 200 {
		if c := claim("", fmt.Sprintf("198.51.100.%d", i)); !p.Take(c, 64) {
			t.Fatalf("address %d gets nothing with %d of %d units used", i, p.Used(), p.size)
		} else {
			claims = append(claims, c)
		}
	}
	for _, c := range claims {
		p.Give(c)
	}
	if p.Used() != 0 || len(p.addresses) != 0 || len(p.sources) != 0 {
		t.Errorf("%d used, %v, %v", p.Used(), p.addresses, p.sources)
	}
}

func TestKeptSharesCount(t *testing.T) {
	p := NewPool(1000, 250, 1)
	stranger, other := claim("", "192.0.2.1"), claim("", "192.0.2.2")
	for range 900 {
		p.Keep(stranger, 1)
	}
	if stranger.units != 900 || p.Take(stranger, 1) {
		t.Errorf("the stranger has %d units, and gets more", stranger.units)
	}
	if !p.Take(other, 1) {
		t.Error("another address gets nothing")
	}
}

func TestSharesAreGivenBack(t *testing.T) {
	p := NewPool(256*mib, 64*mib, 64<<10)
	var claims []*Claim
	for i := range 50 {
		more, _ := fill(p, "s", fmt.Sprintf("192.0.2.%d", i), 3*mib)
		claims = append(claims, more...)
	}
	for _, i := range rand.Perm(len(claims)) {
		p.Give(claims[i])
		p.Give(claims[i]) // which holds nothing any more
	}
	if p.Used() != 0 || len(p.addresses) != 0 || len(p.sources) != 0 {
		t.Errorf("%d used, %v, %v", p.Used(), p.addresses, p.sources)
	}
}

func TestSharesAtOnce(t *testing.T) {
	p := NewPool(mib, mib/4, 1<<10)
	var work sync.WaitGroup
	for i := range 16 {
		work.Go(func() {
			for range 2000 {
				c := claim(fmt.Sprint(i%3), fmt.Sprintf("192.0.2.%d", i%5))
				for p.Take(c, 32<<10) && c.units < 200<<10 {
				}
				if used := p.Used(); used > mib+16*(32<<10) { // of attempts that are under way
					t.Errorf("%d used", used)
				}
				p.Give(c)
			}
		})
	}
	work.Wait()
	if p.Used() != 0 || len(p.addresses) != 0 || len(p.sources) != 0 {
		t.Errorf("%d used, %v, %v", p.Used(), p.addresses, p.sources)
	}
}

func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1":             "192.0.2.1",
		"::ffff:192.0.2.1":      "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":  "2001:db8:1:2::",
		"2001:db8:1:2::1%eth0":  "2001:db8:1:2::",
		"2001:db8:1:3:3:4:5:66": "2001:db8:1:3::",
	} {
		if got := Address(text); got != netip.MustParseAddr(want) {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	if Address("@").IsValid() {
		t.Error("a Unix socket has an address")
	}
}
