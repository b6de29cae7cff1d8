package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/fxamacker/cbor/v2"
)

// A record is a version byte, a checksum and CBOR. bbolt's pages carry no
// checksums, so every record brings its own. It covers the key as well: a
// record that turns up in another one's place is damaged, too.
const (
	recordVersion = 1
	recordPrefix  = 1 + crc32.Size
)

var errDamaged = errors.New("record is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var encoding, decoding = func() (cbor.UserBufferEncMode, cbor.DecMode) {
	enc, err := cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC}.UserBufferEncMode()
	if err != nil {
		panic(err)
	}
	// Header values and URIs hold whatever bytes the sender chose.
	dec, err := cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
}()

// seal encodes a value as the record that lies under a key. size is a guess at
// the length of the record.
func seal(key []byte, value any, size int) ([]byte, error) {
	return sealTo(bytes.NewBuffer(make([]byte, 0, size)), key, value)
}

// sealTo adds the record to the end of buf.
func sealTo(buf *bytes.Buffer, key []byte, value any) ([]byte, error) {
	start := buf.Len()
	buf.Write(make([]byte, recordPrefix))
	if err := encoding.MarshalToBuffer(value, buf); err != nil {
		return nil, fmt.Errorf("encoding record: %w", err)
	}
	record := buf.Bytes()[start:]
	record[0] = recordVersion
	binary.BigEndian.PutUint32(record[1:], checksum(key, record))
	return record, nil
}

// unseal decodes the record that lies under a key. What it decodes shares no
// memory with the record. Errors are errDamaged.
func unseal(key, record []byte, value any) error {
	if err := checkSeal(key, record); err != nil {
		return err
	}
	if err := decoding.Unmarshal(record[recordPrefix:], value); err != nil {
		return fmt.Errorf("%w: %v", errDamaged, err)
	}
	return nil
}

// checkSeal tells whether a record is intact.
func checkSeal(key, record []byte) error {
	if len(record) < recordPrefix {
		return fmt.Errorf("%w: too short", errDamaged)
	}
	if record[0] != recordVersion {
		return fmt.Errorf("%w: unknown version %d", errDamaged, record[0])
	}
	if binary.BigEndian.Uint32(record[1:]) != checksum(key, record) {
		return fmt.Errorf("%w: wrong checksum", errDamaged)
	}
	return nil
}

func checksum(key, record []byte) uint32 {
	sum := crc32.Update(0, castagnoli, key)
	sum = crc32.Update(sum, castagnoli, record[:1])
	return crc32.Update(sum, castagnoli, record[recordPrefix:])
}
