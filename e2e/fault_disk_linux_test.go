package e2e

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A fault of the disk comes and goes under load, and under a configuration that
// changes all the time. Meanwhile events are refused; afterwards they are taken
// without anybody doing anything, and in the end the process is killed.
func TestFaultDisk(t *testing.T) {
	faults := map[string]struct {
		prepare func(t *testing.T, g *gateway) (begin, end func())
		total   bool // not a single event can be stored meanwhile
	}{
		"disk full":        {fillsUp, false}, // space inside the files may become free
		"fsync fails":      {syncsFail, true},
		"fsync takes long": {syncsHang, true},
		"files read-only":  {turnsReadOnly, true},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chance := dice(t)
			moment := func() { time.Sleep(time.Duration(chance.Int64N(int64(300 * time.Millisecond)))) }
			app := newInbox(t)
			sites := func(more string) string { return insignerSite(app.address+quick, more) }
			g := newGateway(t)
			begin, end := fault.prepare(t, g)
			g.write(queueIn, sites(""))
			g.run()
			outside := g.outside()
			load := g.underLoadOf("load", 8, func(id string) (*response, error) {
				time.Sleep(20 * time.Millisecond) // what was delivered is kept, and must not fill the disk by itself
				return outside.sendLarge(id)
			})
			reloads := g.reloading(sites)
			f := figures{fault: name, times: rounds(2, 20)}
			for range f.times {
				load.untilTaken(t, time.Now())
				moment()
				begin()
				load.untilNotTaken(t)
				before := load.count()
				moment()
				if n := load.count() - before; n > 0 && fault.total {
					t.Errorf("%d events were acknowledged meanwhile", n)
				}
				began := time.Now()
				end()
				f.recoveries = append(f.recoveries, load.untilTaken(t, began))
			}
			t.Logf("%d reloads", reloads.stop())
			load.stop()
			g.kill()
			g.run()
			app.account(t, g, load, f)
		})
	}
}

// fillsUp puts the queue on a small disk that something else fills up.
func fillsUp(t *testing.T, g *gateway) (begin, end func()) {
	queue := filepath.Join(g.dir, "queue")
	if err := os.Mkdir(queue, 0o700); err != nil {
		t.Fatal(err)
	}
	size := fmt.Sprintf("mode=0700,size=%dm", rounds(256, 1024))
	if err := unix.Mount("tmpfs", queue, "tmpfs", 0, size); err != nil {
		t.Logf("no disk of its own (%v): its writes are made to fail instead", err)
		return func() { g.limitFiles(0) }, func() { g.limitFiles(1 << 40) }
	}
	t.Cleanup(func() {
		g.stop()
		if err := unix.Unmount(queue, 0); err != nil {
			t.Errorf("unmounting %s: %v", queue, err)
		}
	})
	ballast := filepath.Join(queue, "ballast")
	begin = func() {
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := io.Copy(f, zeros{}); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("filling the disk ends with %v", err)
		}
	}
	end = func() {
		if err := os.Remove(ballast); err != nil {
			t.Error(err)
		}
	}
	return begin, end
}

// syncsFail has each fsync and fdatasync fail with EIO.
func syncsFail(_ *testing.T, g *gateway) (begin, end func()) {
	disk := controlDisk(g)
	return func() { disk.set("fail") }, func() { disk.set("pass") }
}

// syncsHang has no fsync and no fdatasync return.
func syncsHang(_ *testing.T, g *gateway) (begin, end func()) {
	disk := controlDisk(g)
	return func() { disk.set("hold") }, func() { disk.set("pass") }
}

// turnsReadOnly has the gateway start again without the right to write to the
// queue's files, or to make new ones.
func turnsReadOnly(t *testing.T, g *gateway) (begin, end func()) {
	permit := func(bits fs.FileMode) {
		err := filepath.WalkDir(filepath.Join(g.dir, "queue"), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			mode := bits &^ 0o111
			if entry.IsDir() {
				mode = bits
			}
			return os.Chmod(path, mode)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	begin = func() {
		g.kill()
		permit(0o500)
		minding(t, func() { g.spawn("run", "--config", g.config) })
		g.waitReady()
	}
	return begin, func() { permit(0o700) }
}

// untilNotTaken waits until no event has been acknowledged for a while, though
// they are being sent.
func (l *load) untilNotTaken(t *testing.T) {
	t.Helper()
	const while = 300 * time.Millisecond
	acked, since := l.count(), time.Now()
	eventually(t, "no event is acknowledged", func() bool {
		if n := l.count(); n != acked {
			acked, since = n, time.Now()
		}
		return time.Since(since) > while
	})
}
