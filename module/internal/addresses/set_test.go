package addresses

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

func TestIPSet(t *testing.T) {
	for _, test := range []struct {
		networks []string
		in, out  []string
		ranges   int
	}{
		{nil, nil, []string{"0.0.0.0", "::"}, 0},
		{[]string{"192.0.2.0/24"}, []string{"192.0.2.0", "192.0.2.255"}, []string{"192.0.1.255", "192.0.3.0", "::ffff:192.0.2.1", "::"}, 1},
		{[]string{"192.0.2.7/24"}, []string{"192.0.2.0", "192.0.2.255"}, []string{"192.0.3.0"}, 1},
		{[]string{"192.0.2.1/32", "192.0.2.3/32"}, []string{"192.0.2.1", "192.0.2.3"}, []string{"192.0.2.0", "192.0.2.2", "192.0.2.4"}, 2},
		{[]string{"192.0.2.128/25", "192.0.2.0/25"}, []string{"192.0.2.127", "192.0.2.128"}, []string{"192.0.3.0"}, 1},
		{[]string{"10.0.0.0/8", "10.1.0.0/16", "10.1.0.0/16"}, []string{"10.255.255.255"}, []string{"11.0.0.0"}, 1},
		{[]string{"255.255.255.255/32", "::/128"}, []string{"255.255.255.255", "::"}, []string{"::1", "255.255.255.254"}, 2},
		{[]string{"0.0.0.0/0"}, []string{"0.0.0.0", "255.255.255.255"}, []string{"::", "::1"}, 1},
		{[]string{"2001:db8::/32", "ffff::/16"}, []string{"2001:db8:ffff::1", "ffff:ffff::"}, []string{"2001:db9::", "32.1.13.184"}, 2},
	} {
		var networks []netip.Prefix
		for _, text := range test.networks {
			networks = append(networks, netip.MustParsePrefix(text))
		}
		set := NewSet(networks)
		if len(set) != test.ranges {
			t.Errorf("%v are %d ranges, want %d", test.networks, len(set), test.ranges)
		}
		for _, ip := range test.in {
			if !set.Contains(netip.MustParseAddr(ip)) {
				t.Errorf("%s is not in %v", ip, test.networks)
			}
		}
		for _, ip := range test.out {
			if set.Contains(netip.MustParseAddr(ip)) {
				t.Errorf("%s is in %v", ip, test.networks)
			}
		}
	}
}

// TestIPSetIsTheNetworks compares random sets with a look at one network after
// the other. They lie so close together that they overlap and touch.
func TestIPSetIsTheNetworks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	address := func() netip.Addr {
		if random.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte{10, 0, byte(random.IntN(4)), byte(random.Uint32())})
		}
		return netip.AddrFrom16([16]byte{0: 0x20, 14: byte(random.IntN(4)), 15: byte(random.Uint32())})
	}
	found := 0
	for range 300 {
		var networks []netip.Prefix
		for range random.IntN(60) {
			ip := address()
			networks = append(networks, netip.PrefixFrom(ip, ip.BitLen()-random.IntN(8)))
		}
		set := NewSet(networks)
		for i, r := range set {
			if i > 0 && !(set[i-1].last.Less(r.first) && set[i-1].last.Next() != r.first) {
				t.Fatalf("ranges %v and %v touch", set[i-1], r)
			}
		}
		for range 300 {
			ip := address()
			want := slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
			if got := set.Contains(ip); got != want {
				t.Fatalf("%s in %v is %t, want %t", ip, networks, got, want)
			}
			if want {
				found++
			}
		}
	}
	if found < 10_000 || found > 80_000 {
		t.Errorf("%d of 90000 addresses were found, which shows little", found)
	}
}

func TestIPSetAllocatesNothing(t *testing.T) {
	set := scattered(1000)
	ip := netip.MustParseAddr("10.7.7.7")
	if n := testing.AllocsPerRun(100, func() { set.Contains(ip) }); n != 0 {
		t.Errorf("a look-up allocates %v times", n)
	}
}

func BenchmarkIPSet(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			set := scattered(n)
			if len(set) != n {
				b.Fatalf("%d ranges", len(set))
			}
			ip := netip.MustParseAddr("10.7.7.7")
			for b.Loop() {
				set.Contains(ip)
			}
		})
	}
}

// scattered returns a set of n networks that do not touch.
func scattered(n int) Set {
	networks := make([]netip.Prefix, n)
	for i := range networks {
		networks[i] = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 25)
	}
	return NewSet(networks)
}
