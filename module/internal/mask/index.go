package mask

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"strings"
)

// index finds many texts at once, by their first eight bytes. Each text has that many.
type index struct {
	texts []string
	first map[uint64]int32 // the position of the last text with these bytes, from 1
	next  []int32          // for each text, that of the one before it with the same bytes; 0: none

	// filter has a bit for what the bytes are hashed to: most of what is looked up is
	// not there.
	filter []uint64
	shift  uint
}

func newIndex(texts []string) index {
	size := bits.Len(uint(len(texts))) + 4 // 16 bits for a text, at least
	x := index{
		texts: texts, first: make(map[uint64]int32, len(texts)), next: make([]int32, len(texts)),
		filter: make([]uint64, max(1, 1<<size/64)), shift: uint(64 - size),
	}
	for i, text := range texts {
		key := binary.LittleEndian.Uint64([]byte(text[:least]))
		x.next[i], x.first[key] = x.first[key], int32(i+1)
		bit := x.bit(key)
		x.filter[bit/64] |= 1 << (bit % 64)
	}
	return x
}

// bit returns the place in the filter of eight bytes.
func (x *index) bit(key uint64) uint64 { return key * 0x9e3779b97f4a7c15 >> x.shift }

// in yields where texts of the index stand in a text.
func (x *index) in(text string) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		if len(x.texts) == 0 {
			return
		}
		for at := 0; at+least <= len(text); at++ {
			key := binary.LittleEndian.Uint64([]byte(text[at : at+least]))
			if bit := x.bit(key); x.filter[bit/64]&(1<<(bit%64)) == 0 {
				continue
			}
			for i := x.first[key]; i > 0; i = x.next[i-1] {
				if found := x.texts[i-1]; strings.HasPrefix(text[at:], found) && !yield(at, at+len(found)) {
					return
				}
			}
		}
	}
}
