package operate

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPrivateKeyTooLarge gives keys that are too long, and one that is just not.
func TestPrivateKeyTooLarge(t *testing.T) {
	const says = "larger than 65536 bytes"
	most := strings.Repeat("k", maxPrivateKey)
	if key, err := readPrivateKey(strings.NewReader(most)); string(key) != most || err != nil {
		t.Errorf("of the longest key, %d bytes were read: %v", len(key), err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, []byte(most+"k"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &sender{keyFile: file}
	if err := s.readKey(); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), file) {
		t.Errorf("the command says %v", err)
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader(most+"k"))
	if _, err := sendSamples(nil, r); !errors.As(err, new(InvalidError)) || !strings.Contains(err.Error(), says) {
		t.Errorf("the endpoint says %v", err)
	}
}
