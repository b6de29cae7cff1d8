package disk

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
)

// A frame is what one sync of the journal makes durable: a header, and the
// records of one or more events. It begins at a multiple of blockSize, so that the
// write of a frame never touches a block of the one before. The events of one request
// share a frame.
//
//	header:  magic, salt, sequence number, length of the records, their checksum, checksum of the header
//	records: for each event its ID, the lengths of head and request, head, request
const (
	blockSize   = 4 << 10
	frameMagic  = 0x57474a31 // WGJ1
	frameHeader = 32
	recordFixed = idSize + 8 // ID and lengths
)

// frame is what is known of a frame that was found in a journal.
type frame struct {
	salt    uint64 // tells whose it is
	seq     uint64
	offset  int64
	records []byte
	whole   bool // the checksum is right
	torn    bool // a crash has cut the frame off: nobody was told that its events are stored
}

// appendRecord adds an event to the frame in buf, which has room for the header.
func appendRecord(buf []byte, in *inserted) []byte {
	buf = append(buf, in.event.ID[:]...)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(in.head)))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(in.request)))
	return append(append(buf, in.head...), in.request...)
}

// finishFrame writes the header and fills up the last block.
func finishFrame(buf []byte, salt, seq uint64) []byte {
	records := buf[frameHeader:]
	binary.LittleEndian.PutUint32(buf[0:], frameMagic)
	binary.LittleEndian.PutUint64(buf[4:], salt)
	binary.LittleEndian.PutUint64(buf[12:], seq)
	binary.LittleEndian.PutUint32(buf[20:], uint32(len(records)))
	binary.LittleEndian.PutUint32(buf[24:], crc32.Checksum(records, castagnoli))
	binary.LittleEndian.PutUint32(buf[28:], crc32.Checksum(buf[:28], castagnoli))
	return append(buf, make([]byte, padding(len(buf)))...)
}

// padding is what n bytes lack to a whole number of blocks.
func padding(n int) int { return (blockSize - n%blockSize) % blockSize }

// parseFrame reads the frame that data begins with. Without a header that is
// intact there is none.
func parseFrame(data []byte) (f frame, ok bool) {
	if len(data) < frameHeader ||
		binary.LittleEndian.Uint32(data) != frameMagic ||
		binary.LittleEndian.Uint32(data[28:]) != crc32.Checksum(data[:28], castagnoli) {
		return frame{}, false
	}
	f.salt = binary.LittleEndian.Uint64(data[4:])
	f.seq = binary.LittleEndian.Uint64(data[12:])
	end := min(frameHeader+int64(binary.LittleEndian.Uint32(data[20:])), int64(len(data)))
	f.records = data[frameHeader:end]
	f.whole = binary.LittleEndian.Uint32(data[24:]) == crc32.Checksum(f.records, castagnoli)
	return f, true
}

// scanFrames finds the frames in the content of a journal file: those written
// last, and behind them what is left of older ones.
func scanFrames(data []byte) (frames []frame) {
	for at := 0; at < len(data); {
		f, ok := parseFrame(data[at:])
		next := at + blockSize
		if ok {
			f.offset = int64(at)
			frames = append(frames, f)
			if f.whole {
				size := frameHeader + len(f.records)
				next = at + size + padding(size)
			}
		}
		at = next
	}
	return frames
}

// cutRecord takes the first record from what a frame holds. It returns no rest
// where the lengths make no sense.
func cutRecord(records []byte) (id queue.ID, head, request, rest []byte) {
	if len(records) < recordFixed {
		return id, nil, nil, nil
	}
	id, rest = queue.ID(records[:idSize]), records[recordFixed:]
	heads := int64(binary.LittleEndian.Uint32(records[idSize:]))
	requests := int64(binary.LittleEndian.Uint32(records[idSize+4:]))
	if heads+requests > int64(len(rest)) {
		return id, nil, nil, nil
	}
	return id, rest[:heads], rest[heads : heads+requests], rest[heads+requests:]
}
