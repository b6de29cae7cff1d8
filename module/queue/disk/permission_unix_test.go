//go:build unix

package disk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestPermissions(t *testing.T) {
	for mode, want := range map[os.FileMode]string{
		0o700: "", 0o750: "others can read", 0o701: "others can read", 0o755: "others can read", 0o770: "a group can write",
		0o702: "error", 0o777: "error", 0o777 | os.ModeSticky: "error",
	} {
		dir := filepath.Join(t.TempDir(), "queue")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		core, seen := observer.New(zap.WarnLevel)
		store, err := (&Backend{dir: dir, Sync: syncAlways}).Open(zap.New(core))
		if err == nil {
			store.Close()
		}
		if want == "error" {
			if err == nil || !strings.Contains(err.Error(), "everyone can write to the queue directory "+dir) {
				t.Errorf("%v: %v", mode, err)
			}
			continue
		}
		var logged []string
		for _, entry := range seen.All() {
			logged = append(logged, entry.Message)
		}
		if all := strings.Join(logged, "\n"); err != nil || !strings.Contains(all, want) || want == "" && all != "" {
			t.Errorf("%v: %v, logged %q, want %q", mode, err, all, want)
		}
	}
}
