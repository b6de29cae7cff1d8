package queue

import (
	"math"
	"math/bits"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// pageEntries is how many entries a page has: as many as a page has bits for them, and
// as fill a block of the allocator (3456 bytes).
const pageEntries = 61

// dedupEntries are the entries of a dedup window, in the order in which they came. They lie
// in pages without pointers: the garbage collector would look at each of a million
// entries again and again, and looks at the pages only.
type dedupEntries struct {
	numbers map[DedupKey]uint64                // of the entries, in the order in which they came
	pages   *simplelru.LRU[uint64, *dedupPage] // by number / pageEntries, oldest first
	next    uint64
}

type dedupPage struct {
	keys   [pageEntries]DedupKey
	values [pageEntries]dedupEntry
	used   uint64 // a bit for each entry that is not removed
}

func newDedupEntries() *dedupEntries {
	pages, _ := simplelru.NewLRU[uint64, *dedupPage](math.MaxInt, nil) // fails for sizes below 1 only
	return &dedupEntries{numbers: make(map[DedupKey]uint64), pages: pages}
}

func (e *dedupEntries) len() int { return len(e.numbers) }

// get returns an entry. It leaves the order as it is.
func (e *dedupEntries) get(key DedupKey) (r dedupEntry, ok bool) {
	number, ok := e.numbers[key]
	if !ok {
		return r, false
	}
	page, _ := e.pages.Peek(number / pageEntries)
	return page.values[number%pageEntries], true
}

// add adds an entry under a new key, as the newest one.
func (e *dedupEntries) add(key DedupKey, r dedupEntry) {
	page, ok := e.pages.Peek(e.next / pageEntries)
	if !ok {
		page = new(dedupPage)
		e.pages.Add(e.next/pageEntries, page)
	}
	slot := e.next % pageEntries
	page.keys[slot], page.values[slot] = key, r
	page.used |= 1 << slot
	e.numbers[key] = e.next
	e.next++
}

func (e *dedupEntries) remove(key DedupKey) {
	number, ok := e.numbers[key]
	if !ok {
		return
	}
	delete(e.numbers, key)
	page, _ := e.pages.Peek(number / pageEntries)
	if page.used &^= 1 << (number % pageEntries); page.used == 0 {
		e.pages.Remove(number / pageEntries)
	}
}

// oldest returns the entry that came first.
func (e *dedupEntries) oldest() (key DedupKey, r dedupEntry, ok bool) {
	_, page, ok := e.pages.GetOldest()
	if !ok {
		return key, r, false
	}
	slot := bits.TrailingZeros64(page.used)
	return page.keys[slot], page.values[slot], true
}
