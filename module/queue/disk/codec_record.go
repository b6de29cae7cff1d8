package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A record is a version byte, a checksum and content: a message of codec_event.go, or
// numbers of a fixed width. bbolt's pages have no checksums, so every record has one.
// The checksum covers the key as well: a record under the key of another one is damaged,
// too.
const (
	recordVersion = 2
	recordPrefix  = 1 + crc32.Size
)

var errDamaged = errors.New("record is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openRecord begins a record at the end of buf. The caller appends the content, and
// calls seal.
func openRecord(buf []byte) []byte {
	return append(buf, make([]byte, recordPrefix)...)
}

// seal completes the record that is to be stored under a key.
func seal(key, record []byte) []byte {
	record[0] = recordVersion
	binary.BigEndian.PutUint32(record[1:], checksum(key, record))
	return record
}

// unseal returns the content of the record that is stored under a key. Its errors are
// errDamaged.
func unseal(key, record []byte) (content []byte, err error) {
	if len(record) < recordPrefix {
		return nil, fmt.Errorf("%w: too short", errDamaged)
	}
	if record[0] != recordVersion {
		return nil, fmt.Errorf("%w: unknown version %d", errDamaged, record[0])
	}
	if binary.BigEndian.Uint32(record[1:]) != checksum(key, record) {
		return nil, fmt.Errorf("%w: wrong checksum", errDamaged)
	}
	return record[recordPrefix:], nil
}

// appendNumbers appends a record of numbers that is to be stored under a key.
func appendNumbers(buf, key []byte, numbers ...uint64) []byte {
	start := len(buf)
	buf = openRecord(buf)
	for _, n := range numbers {
		buf = binary.BigEndian.AppendUint64(buf, n)
	}
	seal(key, buf[start:])
	return buf
}

// unsealNumbers reads the numbers of the record that is stored under a key.
func unsealNumbers(key, record []byte, to ...*uint64) error {
	content, err := unseal(key, record)
	if err != nil {
		return err
	}
	if len(content) != 8*len(to) {
		return fmt.Errorf("%w: %d bytes instead of %d numbers", errDamaged, len(content), len(to))
	}
	for i, n := range to {
		*n = binary.BigEndian.Uint64(content[8*i:])
	}
	return nil
}

func checksum(key, record []byte) uint32 {
	sum := crc32.Update(0, castagnoli, key)
	sum = crc32.Update(sum, castagnoli, record[:1])
	return crc32.Update(sum, castagnoli, record[recordPrefix:])
}
