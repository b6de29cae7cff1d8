//go:build unix

package disk

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/queuetest"
)

// newParts returns the events of one request. The delivery ID of each names the request.
func newParts(t testing.TB, n, size int) (parts []*queue.Event) {
	for i := range n {
		e := queuetest.NewEvent(t, "github", start, "app")
		e.Part = queue.Part{Number: i + 1, Of: n}
		e.Request.Body = bytes.Repeat(e.ID[:], 1+size/16)
		parts = append(parts, e)
	}
	for _, e := range parts {
		e.DeliveryID = parts[0].ID.String()
	}
	return parts
}

// requests counts the parts that a store has of each request, and fails the test unless
// it has all of them.
func requests(t *testing.T, s *Store) map[string]int {
	t.Helper()
	found, want := make(map[string]int), make(map[string]int)
	err := s.List(t.Context(), queue.ID{}, func(e *queue.Event) bool {
		found[e.DeliveryID]++
		want[e.DeliveryID] = max(e.Part.Of, 1)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for request, n := range found {
		if n != want[request] {
			t.Errorf("the store has %d of the %d events of a request", n, want[request])
		}
	}
	return found
}

// One sync and one transaction serve all events of a request, however many there are.
func TestTogetherIsOneSync(t *testing.T) {
	s := openStore(t, t.TempDir())
	appendNew(t, s)
	frames, transactions := s.files.Load().journal.seq, s.transactions.Load()
	if err := queuetest.Append(t.Context(), s, newParts(t, 10_000, 300)...); err != nil {
		t.Fatal(err)
	}
	if n := s.files.Load().journal.seq - frames; n != 1 {
		t.Errorf("%d syncs", n)
	}
	if n := s.transactions.Load() - transactions; n != 1 {
		t.Errorf("%d transactions", n)
	}
}

// The last frame of a journal may be cut off by a crash. Of the request in it, either all
// events are stored or none.
func TestTornFrameHasNoParts(t *testing.T) {
	s := openStore(t, t.TempDir())
	appendNew(t, s) // makes the files
	release := block(t, s)
	defer release()
	whole, torn := newParts(t, 300, 100), newParts(t, 300, 100)
	for _, parts := range [][]*queue.Event{whole, torn} {
		if _, err := s.Append(t.Context(), parts, func() {}); err != nil {
			t.Fatal(err)
		}
	}
	_, data, frames := journalOf(t, s.dir)
	last := frames[len(frames)-1]
	for _, cut := range []int{40, blockSize, 5 * blockSize, len(last.records)/blockSize*blockSize - 1, len(last.records) + frameHeader - 1} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(s.dir)); err != nil {
			t.Fatal(err)
		}
		half := slices.Clone(data)
		clear(half[int(last.offset)+cut:])
		path, _, _ := journalOf(t, dir)
		if err := os.WriteFile(path, half, 0o600); err != nil {
			t.Fatal(err)
		}
		after := openStore(t, dir)
		found := requests(t, after)
		if found[whole[0].DeliveryID] != 300 || found[torn[0].DeliveryID] != 0 {
			t.Errorf("cut off at %d: %d and %d events are stored", cut, found[whole[0].DeliveryID], found[torn[0].DeliveryID])
		}
	}
}

// togetherForever prints the name of each request as soon as it is acknowledged.
func togetherForever(dir string) error {
	s, err := Open(dir, zap.NewNop())
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				parts := newParts(&testing.T{}, 2+rand.IntN(700), 4<<10)
				if _, err := s.Append(context.Background(), parts, func() {}); err != nil {
					fmt.Println(err)
					return
				}
				fmt.Println(parts[0].DeliveryID)
			}
		})
	}
	wg.Wait()
	return nil
}

func TestRequestsSurviveSIGKILLWhole(t *testing.T) {
	dir := t.TempDir()
	for range 4 {
		cmd := child(t, "together", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var acknowledged []string
		enough := 1 + rand.IntN(30)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			acknowledged = append(acknowledged, lines.Text())
			if len(acknowledged) == enough {
				time.Sleep(rand.N(20 * time.Millisecond)) // the moment is to be any moment
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
		if len(acknowledged) < enough {
			t.Fatalf("the child ended after %q", acknowledged)
		}
		s := openStore(t, dir)
		found := requests(t, s)
		for _, request := range acknowledged {
			if found[request] == 0 {
				t.Errorf("request %s was acknowledged and is lost", request)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFilesOfBefore opens files that were written by the code before events had a tenant
// and a part. The journal has an event that the queue file lacks.
func TestFilesOfBefore(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"events.db", "journal-1"} {
		unpack(t, filepath.Join("testdata", "format-2", name+".gz"), filepath.Join(dir, name))
	}
	s := openStore(t, dir)
	var types []string
	err := s.List(t.Context(), queue.ID{}, func(listed *queue.Event) bool {
		types = append(types, listed.Type)
		e, err := s.Get(t.Context(), listed.ID)
		if err != nil {
			t.Fatal(err)
		}
		if e.Tenant != "" || e.Part != (queue.Part{}) {
			t.Errorf("%s has the tenant %q and is part %v", e.Type, e.Tenant, e.Part)
		}
		identity := queue.Identity{Key: queue.IDKey(e.Type + "-1"), Body: queue.DigestBody([]byte(e.Type))}
		if e.Dedup.Identity != identity || e.Delivery("log").Key != "k" || string(e.Request.Body) != `{"type":"`+e.Type+`"}` ||
			!reflect.DeepEqual(e.Request.Header["X-Many"], []string{"a", "b"}) {
			t.Errorf("read %+v\n%+v", e, e.Request)
		}
		return true
	})
	if err != nil || strings.Join(types, " ") != "journalled waiting done" {
		t.Fatalf("listed %q: %v", types, err)
	}
	if paused, err := s.Paused(); err != nil || len(paused) != 1 {
		t.Errorf("paused are %v: %v", paused, err)
	}
	claimed, _, err := s.Claim(t.Context(), queue.RouteKey{Source: "shop", Route: "log"}, start, time.Minute, 9)
	if err != nil || len(claimed) != 1 || claimed[0].Type != "waiting" {
		t.Errorf("claimed %v: %v", claimed, err)
	}
}

func unpack(t *testing.T, from, to string) {
	t.Helper()
	packed, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	plain, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(plain)
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
