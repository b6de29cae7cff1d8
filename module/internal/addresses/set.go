// Package addresses holds the addresses that may send: sets of them, how they are
// written, and those that providers publish.
package addresses

import (
	"net/netip"
	"slices"
)

// Set is a set of addresses. Its ranges are sorted and do not touch, so that a
// binary search finds an address.
type Set []span

// span is a range of addresses. Both ends belong to the range.
type span struct{ first, last netip.Addr }

// NewSet returns the addresses of networks.
func NewSet(networks []netip.Prefix) Set {
	ranges := make(Set, len(networks))
	for i, network := range networks {
		ranges[i] = span{network.Masked().Addr(), lastOf(network)}
	}
	slices.SortFunc(ranges, func(a, b span) int { return a.first.Compare(b.first) })
	set := ranges[:0]
	for _, r := range ranges {
		if n := len(set); n > 0 && set[n-1].meets(r) {
			if set[n-1].last.Less(r.last) {
				set[n-1].last = r.last
			}
			continue
		}
		set = append(set, r)
	}
	return slices.Clip(set)
}

// meets reports whether a range overlaps the next range, which does not begin
// before it, or touches that range.
func (r span) meets(next span) bool {
	return !r.last.Less(next.first) || r.last.Next() == next.first
}

// lastOf returns the last address of a network.
func lastOf(network netip.Prefix) netip.Addr {
	bytes := network.Addr().AsSlice()
	for bit := network.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}

// Covers reports whether all addresses of another set are in the set.
func (s Set) Covers(other Set) bool {
	return !slices.ContainsFunc(other, func(r span) bool {
		return !slices.ContainsFunc(s, func(own span) bool { return !r.first.Less(own.first) && !own.last.Less(r.last) })
	})
}

// Contains reports whether an address is in the set.
func (s Set) Contains(ip netip.Addr) bool {
	i, _ := slices.BinarySearchFunc(s, ip, func(r span, ip netip.Addr) int { return r.last.Compare(ip) })
	return i < len(s) && !ip.Less(s[i].first)
}
