package payload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// What compressed content may grow to. A few bytes can stand for gigabytes.
const (
	MaxDecoded   = 16 << 20
	MaxRatio     = 100      // of what it grows to and what it was
	freeDecoded  = 64 << 10 // which may be more than that
	maxEncodings = 2        // one in the other
	maxWindow    = 8 << 20  // of zstd, see RFC 9659
)

// ErrTooLarge says that compressed content grows beyond its bounds.
var ErrTooLarge = errors.New("compressed content that grows too large")

// Decompress undoes a Content-Encoding, if the content does not grow beyond the limit,
// MaxDecoded or MaxRatio.
func Decompress(contentEncoding string, content []byte, limit int) ([]byte, error) {
	encodings := strings.Split(contentEncoding, ",")
	if len(encodings) > maxEncodings {
		return nil, fmt.Errorf("content with more than %d encodings", maxEncodings)
	}
	limit = min(limit, MaxDecoded, max(freeDecoded, MaxRatio*len(content)))
	for i := len(encodings) - 1; i >= 0; i-- {
		var err error
		name := strings.ToLower(strings.TrimSpace(encodings[i]))
		if content, err = decompress(name, content, limit); err != nil {
			return nil, err
		}
	}
	return content, nil
}

// Gunzip returns what a gzip file holds, and anything else as it is.
func Gunzip(content []byte) ([]byte, error) {
	if Sniff(content) != "gzip" {
		return content, nil
	}
	return Decompress("gzip", content, MaxDecoded)
}

// Sniff returns the encoding that content begins with, if that is gzip or zstd; "" for
// anything else.
func Sniff(content []byte) string {
	switch {
	case bytes.HasPrefix(content, []byte{0x1f, 0x8b}):
		return "gzip"
	case bytes.HasPrefix(content, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "zstd"
	}
	return ""
}

func decompress(encoding string, content []byte, limit int) ([]byte, error) {
	if encoding == "" || encoding == "identity" || len(content) == 0 {
		return content, nil
	}
	r, err := decompressor(encoding, content)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var to bytes.Buffer
	n, err := to.ReadFrom(io.LimitReader(r, int64(limit)+1))
	switch {
	case n > int64(limit):
		return nil, fmt.Errorf("%w: beyond %d bytes", ErrTooLarge, limit)
	case err != nil:
		return nil, fmt.Errorf("not valid %s: %w", encoding, err)
	}
	return to.Bytes(), nil
}

func decompressor(encoding string, content []byte) (r io.ReadCloser, err error) {
	from := bytes.NewReader(content)
	switch encoding {
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(from)
	case "deflate": // with the frame of zlib, or by some senders without it
		if r, err = zlib.NewReader(from); err != nil {
			from.Reset(content)
			r, err = flate.NewReader(from), nil
		}
	case "br":
		return io.NopCloser(brotli.NewReader(from)), nil
	case "zstd":
		var d *zstd.Decoder
		d, err = zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err == nil {
			return d.IOReadCloser(), nil
		}
	default:
		return nil, fmt.Errorf("encoded as %.20q, which is unknown", encoding)
	}
	if err != nil {
		return nil, fmt.Errorf("not valid %s: %w", encoding, err)
	}
	return r, nil
}
