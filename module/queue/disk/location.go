package disk

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// location is where in the journal the request of an event lies. The queue file
// has it in place of the request, which is written only once.
type location struct {
	file         int
	offset, size uint32 // of the request's record
}

const (
	locationVersion = 2 // where a record has recordVersion
	locationSize    = recordPrefix + 12
)

// seal encodes the location of an event's request as a record.
func (l location) seal(id queue.ID) []byte {
	record := make([]byte, recordPrefix, locationSize)
	record[0] = locationVersion
	record = binary.LittleEndian.AppendUint32(record, uint32(l.file))
	record = binary.LittleEndian.AppendUint32(record, l.offset)
	record = binary.LittleEndian.AppendUint32(record, l.size)
	binary.BigEndian.PutUint32(record[1:], checksum(id[:], record))
	return record
}

// parseLocation reads a location. ok is false if the record is none, but the
// request itself. Errors are errDamaged.
func parseLocation(id, record []byte) (l location, ok bool, err error) {
	if len(record) != locationSize || record[0] != locationVersion {
		return location{}, false, nil
	}
	if binary.BigEndian.Uint32(record[1:]) != checksum(id, record) {
		return location{}, true, fmt.Errorf("%w: wrong checksum", errDamaged)
	}
	return location{
		file:   int(binary.LittleEndian.Uint32(record[recordPrefix:])),
		offset: binary.LittleEndian.Uint32(record[recordPrefix+4:]),
		size:   binary.LittleEndian.Uint32(record[recordPrefix+8:]),
	}, true, nil
}

// isRequest reports whether a record is that of an event's request, or of its
// location.
func isRequest(key, record []byte) bool {
	if len(key) != idSize {
		return false
	}
	if _, ok, err := parseLocation(key, record); ok {
		return err == nil
	}
	return unseal(key, record, new(queue.Request)) == nil
}

// tally counts the requests that lie in the location's file.
func (l location) tally() (tallyKey, queue.Tally) {
	return fileTally(l.file), queue.Tally{Count: 1, Bytes: int64(l.size)}
}

// fileTally is what the requests in a file of the journal are counted under.
func fileTally(number int) tallyKey {
	return tallyKey{kind: countFile, source: strconv.Itoa(number)}
}
