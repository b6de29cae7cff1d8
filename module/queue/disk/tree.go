package disk

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"os"
)

// The part of bbolt's file format that is needed to read a file which bbolt itself
// cannot read any more. The format is fixed: bbolt's version 2 since 2014.
const (
	pageHeader  = 16 // id, flags, count, overflow
	elementSize = 16
	metaSize    = 64

	branchPage = 1
	leafPage   = 2
	boltMagic  = 0xED0CDAED
	isBucket   = 1 // of a leaf element
)

var native = binary.NativeEndian

// tree reads the pages of a bbolt file without trusting any of them.
type tree struct {
	file     *os.File
	pageSize int64
	pages    uint64 // in the file
	root     uint64 // 0: nothing leads to the buckets
	reached  map[uint64]bool
	lost     int // pages that could not be read
}

// openTree looks for the newest meta page that is intact.
func openTree(file *os.File) (*tree, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	t := &tree{file: file, pageSize: filePageSize, reached: make(map[uint64]bool)}
	t.pages = uint64(info.Size() / t.pageSize)
	var newest uint64
	for id := range uint64(2) {
		meta := make([]byte, metaSize)
		if _, err := file.ReadAt(meta, int64(id)*t.pageSize+pageHeader); err != nil {
			continue
		}
		sum := fnv.New64a()
		sum.Write(meta[:metaSize-8])
		if native.Uint32(meta) != boltMagic || native.Uint64(meta[metaSize-8:]) != sum.Sum64() {
			continue
		}
		if txid := native.Uint64(meta[48:]); t.root == 0 || txid > newest {
			t.root, newest = native.Uint64(meta[16:]), txid
		}
	}
	return t, nil
}

var errPage = errors.New("page is damaged")

// page reads a page with its overflow pages.
func (t *tree) page(id uint64) (page []byte, err error) {
	if id < 2 || id >= t.pages {
		return nil, errPage
	}
	header := make([]byte, pageHeader)
	if _, err := t.file.ReadAt(header, int64(id)*t.pageSize); err != nil {
		return nil, err
	}
	overflow := uint64(native.Uint32(header[12:]))
	if flags := native.Uint16(header[8:]); native.Uint64(header) != id || flags != branchPage && flags != leafPage || overflow >= t.pages-id {
		return nil, errPage
	}
	page = make([]byte, int64(1+overflow)*t.pageSize)
	_, err = t.file.ReadAt(page, int64(id)*t.pageSize)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return page, err
}

// element returns an element of a page, and the page from there on: the positions in an
// element count from its beginning.
func element(page []byte, i int) (e, at []byte, ok bool) {
	offset := pageHeader + i*elementSize
	if offset+elementSize > len(page) {
		return nil, nil, false
	}
	return page[offset : offset+elementSize], page[offset:], true
}

// leaf yields the entries of a leaf page.
func leaf(page []byte, yield func(flags uint32, key, value []byte)) {
	for i := range int(native.Uint16(page[10:])) {
		e, at, ok := element(page, i)
		if !ok {
			return
		}
		pos, keys, values := int64(native.Uint32(e[4:])), int64(native.Uint32(e[8:])), int64(native.Uint32(e[12:]))
		if pos+keys+values > int64(len(at)) {
			continue
		}
		yield(native.Uint32(e), at[pos:pos+keys], at[pos+keys:pos+keys+values])
	}
}

// walk yields the entries below a page, with the leaf page that they are on.
func (t *tree) walk(id uint64, yield func(page uint64, flags uint32, key, value []byte)) {
	if t.reached[id] {
		return
	}
	page, err := t.page(id)
	if err != nil {
		t.lost++
		return
	}
	for i := range uint64(len(page)) / uint64(t.pageSize) {
		t.reached[id+i] = true
	}
	if native.Uint16(page[8:]) == leafPage {
		leaf(page, func(flags uint32, key, value []byte) { yield(id, flags, key, value) })
		return
	}
	for i := range int(native.Uint16(page[10:])) {
		if e, _, ok := element(page, i); ok {
			t.walk(native.Uint64(e[8:]), yield)
		}
	}
}

// buckets returns the root pages of the file's buckets. It yields the entries of buckets
// that are too small to have a page.
func (t *tree) buckets(small func(bucket string, key, value []byte)) map[string]uint64 {
	roots := make(map[string]uint64)
	if t.root == 0 {
		return roots
	}
	t.walk(t.root, func(_ uint64, flags uint32, name, value []byte) {
		if flags&isBucket == 0 || len(value) < pageHeader {
			return
		}
		bucket := string(name)
		if root := native.Uint64(value); root != 0 {
			roots[bucket] = root
		} else if page := value[pageHeader:]; len(page) >= pageHeader {
			leaf(page, func(_ uint32, key, value []byte) { small(bucket, key, value) })
		}
	})
	if t.lost > 0 {
		t.root = 0
	}
	return roots
}

// strays yields the entries of leaf pages that nothing leads to: free pages, and pages
// below a lost one.
func (t *tree) strays(yield func(page uint64, key, value []byte) bool) {
	for id := uint64(2); id < t.pages; id++ {
		if t.reached[id] {
			continue
		}
		page, err := t.page(id)
		if err != nil || native.Uint16(page[8:]) != leafPage {
			continue
		}
		more := true
		leaf(page, func(_ uint32, key, value []byte) { more = more && yield(id, key, value) })
		if !more {
			return
		}
	}
}
