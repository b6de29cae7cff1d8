package payload_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/internal/payload"
)

func gzipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return b.Bytes()
}

func TestGunzip(t *testing.T) {
	for _, text := range []string{"", "plain", "\x1f"} {
		if got, err := payload.Gunzip([]byte(text)); string(got) != text || err != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if got, err := payload.Gunzip(gzipped(`{"a":1}`)); string(got) != `{"a":1}` || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := payload.Gunzip(gzipped("text")[:12]); err == nil {
		t.Error("half a file is taken")
	}
	if got, err := payload.Gunzip(gzipped(strings.Repeat("a", 64<<10))); len(got) != 64<<10 || err != nil {
		t.Errorf("64 KiB: %d bytes, %v", len(got), err)
	}
	for _, size := range []int{64<<10 + 1, 100 << 20} {
		if got, err := payload.Gunzip(gzipped(strings.Repeat("a", size))); !errors.Is(err, payload.ErrTooLarge) || got != nil {
			t.Errorf("%d: %d bytes, %v", size, len(got), err)
		}
	}
	two := append(gzipped("a"), gzipped("b")...)
	if got, err := payload.Gunzip(two); string(got) != "ab" || err != nil {
		t.Errorf("two members: %q, %v", got, err)
	}
}
