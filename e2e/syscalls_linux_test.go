package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// syncControl names the file that tells a gateway what becomes of its fsync
// and fdatasync: the content hold makes them wait, fail makes them fail with
// EIO, and all others let them pass.
const syncControl = "GATEWAY_E2E_SYNC"

func init() {
	control := os.Getenv(syncControl)
	if control == "" {
		return
	}
	listener, err := interceptSyncs()
	if err != nil {
		fmt.Fprintln(os.Stderr, "seccomp:", err)
		os.Exit(1)
	}
	go superviseSyncs(listener, control)
}

// controlledDisk is the disk below a gateway, as far as a test can control it.
type controlledDisk struct {
	t       *testing.T
	control string
}

// controlDisk puts a gateway that is not running yet on a disk that is
// controlled.
func controlDisk(g *gateway) *controlledDisk {
	d := &controlledDisk{g.t, filepath.Join(g.dir, "sync")}
	d.set("pass")
	g.env = append(g.env, syncControl+"="+d.control)
	return d
}

func (d *controlledDisk) set(what string) {
	d.t.Helper()
	if err := os.WriteFile(d.control, []byte(what), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// waitUntilHeld waits until a sync is being held back.
func (d *controlledDisk) waitUntilHeld() {
	d.t.Helper()
	eventually(d.t, "a sync is held back", func() bool {
		_, err := os.Stat(d.control + ".held")
		return err == nil
	})
}

// interceptSyncs puts all threads of the process under a seccomp filter that
// asks who has the listener about each fsync and fdatasync.
func interceptSyncs() (listener int, err error) {
	statement := func(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }
	equals := func(k uint32, jump uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: jump, K: k}
	}
	filter := []unix.SockFilter{
		statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, 0), // the system call's number
		equals(unix.SYS_FDATASYNC, 2),
		equals(unix.SYS_FSYNC, 1),
		statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW),
		statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_USER_NOTIF),
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}

// superviseSyncs decides about each sync as the control file says.
func superviseSyncs(listener int, control string) {
	type notification struct { // struct seccomp_notif
		id         uint64
		pid, flags uint32
		data       [64]byte
	}
	type response struct { // struct seccomp_notif_resp
		id    uint64
		value int64
		err   int32
		flags uint32
	}
	for {
		var sync notification
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&sync)))
		if errno != 0 {
			continue // interrupted, or the thread has gone
		}
		answer := response{id: sync.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if readControl(control) == "fail" {
			answer.err, answer.flags = -int32(unix.EIO), 0
		}
		unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&answer)))
	}
}

// readControl returns what the control file says, once that is not hold.
func readControl(control string) string {
	for {
		content, _ := os.ReadFile(control)
		if string(content) != "hold" {
			return string(content)
		}
		_ = os.WriteFile(control+".held", nil, 0o600)
		time.Sleep(time.Millisecond)
	}
}

// limitFiles limits how large a file of the gateway may become. To a process
// this is a full disk: its writes fail.
func (g *gateway) limitFiles(bytes uint64) {
	g.t.Helper()
	limit := unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}
	if err := unix.Prlimit(g.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		g.t.Fatal(err)
	}
}

// minding has start run in a thread without the privilege to pass over file
// permissions, so that a child that is started there minds them even if the
// tests run as root. The thread ends with it.
func minding(t *testing.T, start func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_DAC_OVERRIDE, 0, 0, 0)
		if os.Geteuid() != 0 && errors.Is(err, unix.EPERM) {
			err = nil // has no privileges anyway
		}
		if err == nil {
			start()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatalf("dropping a privilege: %v", err)
	}
}
