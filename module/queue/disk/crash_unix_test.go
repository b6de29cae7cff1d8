//go:build unix

package disk

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/queue/queuetest"
)

// The test binary is its own child: a process to kill, or one whose files must
// not grow.
const (
	childJob = "DISK_TEST_CHILD"
	childDir = "DISK_TEST_DIR"
)

func TestMain(m *testing.M) {
	jobs := map[string]func(dir string) error{"append": appendForever, "together": togetherForever, "fill": fillAndRecover, "": nil}
	job, ok := jobs[os.Getenv(childJob)]
	if !ok || job == nil {
		os.Exit(m.Run())
	}
	if err := job(os.Getenv(childDir)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func child(t *testing.T, job, dir string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childJob+"="+job, childDir+"="+dir)
	return cmd
}

// bodyOf returns a body that tells whether it is complete.
func bodyOf(id queue.ID) []byte { return bytes.Repeat(id[:], 50+int(id[15])) }

// appendForever prints the ID of each event as soon as it is acknowledged.
func appendForever(dir string) error {
	s, err := Open(dir, zap.NewNop())
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				e := queuetest.NewEvent(&testing.T{}, "github", start, "app")
				e.Request.Body = bodyOf(e.ID)
				if err := appendOne(context.Background(), s, e, func() {}); err != nil {
					fmt.Println(err)
					return
				}
				fmt.Println(e.ID)
			}
		})
	}
	wg.Wait()
	return nil
}

func TestAcknowledgedEventsSurviveSIGKILL(t *testing.T) {
	dir := t.TempDir()
	var acknowledged []string
	for range 3 {
		acknowledged = append(acknowledged, appendUntilKilled(t, dir)...)
	}
	s := openStore(t, dir)
	for _, line := range acknowledged {
		id, err := uuid.Parse(line)
		if err != nil {
			t.Fatalf("the child says %q", line)
		}
		e, err := s.Get(t.Context(), id)
		if err != nil {
			t.Fatalf("event %s: %v", id, err)
		}
		if !bytes.Equal(e.Request.Body, bodyOf(id)) {
			t.Errorf("event %s came back with another body", id)
		}
	}
	sum := make(counters)
	err := s.List(t.Context(), queue.ID{}, func(e *queue.Event) bool {
		sum.count(e)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := s.Usage().Total; n != sum[counterKey{kind: countAll}] || n.Count < int64(len(acknowledged)) {
		t.Errorf("%d events were acknowledged, %+v are counted, %+v are listed", len(acknowledged), n, sum[counterKey{kind: countAll}])
	}
	events, _, err := s.Claim(t.Context(), queue.RouteKey{Source: "github", Route: "app"}, start, time.Minute, len(acknowledged))
	if err != nil || len(events) != len(acknowledged) {
		t.Errorf("%d of %d events are due: %v", len(events), len(acknowledged), err)
	}
}

func appendUntilKilled(t *testing.T, dir string) (acknowledged []string) {
	t.Helper()
	cmd := child(t, "append", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	enough := 1 + rand.IntN(300)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		acknowledged = append(acknowledged, lines.Text())
		if len(acknowledged) == enough {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if len(acknowledged) < enough {
		t.Fatalf("the child ended after %q", acknowledged)
	}
	return acknowledged
}

func TestFullDisk(t *testing.T) {
	out, err := child(t, "fill", t.TempDir()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// limit is how large a file of this process may become.
func limit(size uint64) error {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	old.Cur = min(size, old.Max)
	return unix.Setrlimit(unix.RLIMIT_FSIZE, &old)
}

// fillAndRecover runs out of space, first before there is a file and then in
// the middle of things, and goes on when there is space again.
func fillAndRecover(dir string) error {
	if err := limit(10_000); err != nil {
		return err
	}
	s, err := Open(dir, zap.NewNop())
	if err != nil {
		return fmt.Errorf("opening on a full disk: %w", err)
	}
	acknowledged := make(map[queue.ID]bool)
	add := func() error {
		e := queuetest.NewEvent(&testing.T{}, "github", start, "app")
		e.Request.Body = bytes.Repeat(e.ID[:], 8<<10)
		err := appendOne(context.Background(), s, e, func() {})
		if err == nil {
			acknowledged[e.ID] = true
			// Without a backlog the queue file is as large on a slow machine as on a fast one.
			err = s.catchUp(context.Background())
		}
		if err != nil && !errors.Is(err, queue.ErrUnavailable) {
			return fmt.Errorf("a full disk is answered with %w", err)
		}
		return nil
	}
	for _, size := range []uint64{24 << 20, 40 << 20} {
		for range 3 { // nothing helps
			if err := add(); err != nil {
				return err
			}
		}
		before := len(acknowledged)
		if err := limit(size); err != nil {
			return err
		}
		for deadline := time.Now().Add(10 * time.Second); len(acknowledged) < before+20; time.Sleep(time.Millisecond) {
			if err := add(); err != nil {
				return err
			}
			if time.Now().After(deadline) {
				return errors.New("there is space again, and the store does not take it")
			}
		}
		for full := false; !full; {
			before := len(acknowledged)
			if err := add(); err != nil {
				return err
			}
			full = len(acknowledged) == before
		}
	}
	// Even a removal needs a few pages, but then it makes room for many.
	if err := errors.Join(limit(60<<20), makeRoom(s, acknowledged)); err != nil {
		return err
	}
	for enough := len(acknowledged) + 50; len(acknowledged) < enough; {
		before := len(acknowledged)
		if err := add(); err != nil || len(acknowledged) == before {
			return fmt.Errorf("after events were removed from a full disk others are not taken: %w", err)
		}
	}
	if err := limit(1 << 40); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = Open(dir, zap.NewNop()); err != nil {
		return err
	}
	for id := range acknowledged {
		if e, err := s.Get(context.Background(), id); err != nil || !strings.HasPrefix(string(e.Request.Body), string(id[:])) {
			return fmt.Errorf("event %s is lost: %w", id, err)
		}
	}
	if n := s.Usage().Total.Count; n < int64(len(acknowledged)) || n > int64(len(acknowledged))+2 {
		return fmt.Errorf("%d events were acknowledged, %d are counted", len(acknowledged), n)
	}
	return s.Close()
}

// makeRoom removes half of the events from a store whose disk was full.
func makeRoom(s *Store, acknowledged map[queue.ID]bool) error {
	deadline := time.Now().Add(10 * time.Second)
	for half := len(acknowledged) / 2; len(acknowledged) > half; {
		for id := range acknowledged {
			switch err := s.Remove(context.Background(), id); {
			case err == nil, errors.Is(err, queue.ErrNotFound): // removed by a try whose outcome was unknown
				delete(acknowledged, id)
			case !errors.Is(err, queue.ErrUnavailable) || time.Now().After(deadline):
				return fmt.Errorf("removing from a full disk: %w", err)
			default:
				time.Sleep(time.Millisecond)
			}
			break
		}
	}
	return nil
}
