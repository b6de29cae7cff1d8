package e2e

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// clockControl names the file that tells a gateway by how many seconds its
// clock is wrong.
const clockControl = "GATEWAY_E2E_CLOCK"

func init() {
	if control := os.Getenv(clockControl); control != "" {
		if err := bendClock(control); err != nil {
			fmt.Fprintln(os.Stderr, "bending the clock:", err)
			os.Exit(1)
		}
	}
}

// wrongClock is the clock of one gateway. The machine's is left alone.
type wrongClock struct {
	t    *testing.T
	file *os.File
}

// controlClock gives a gateway that is not running yet a clock that can be set.
func controlClock(g *gateway) *wrongClock {
	file, err := os.Create(filepath.Join(g.dir, "clock"))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { file.Close() })
	c := &wrongClock{g.t, file}
	c.set(0)
	g.env = append(g.env, clockControl+"="+file.Name())
	return c
}

// set has the clock show another time from now on.
func (c *wrongClock) set(wrongBy time.Duration) {
	c.t.Helper()
	if _, err := c.file.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(wrongBy/time.Second)), 0); err != nil {
		c.t.Fatal(err)
	}
}

// bendClock changes the code by which this process reads the clock: what the
// kernel has mapped into it for that purpose. The new code asks the kernel, and
// adds the number in the control file to the seconds of the wall clock.
func bendClock(control string) error {
	f, err := os.OpenFile(control, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	seconds, err := unix.Mmap(int(f.Fd()), 0, 8, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	memory, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer memory.Close()
	read, unused, err := clockCode(memory)
	if err != nil {
		return err
	}

	// Go never calls gettimeofday, so its place is free. Arguments are a
	// clock's number in edi and a pointer to seconds and nanoseconds in rsi.
	code := []byte{
		0xb8, unix.SYS_CLOCK_GETTIME, 0, 0, 0, // mov eax, clock_gettime
		0x0f, 0x05, // syscall
		0x85, 0xff, // test edi, edi
		0x75, 16, // jne return: not the wall clock
		0x48, 0xb9, 0, 0, 0, 0, 0, 0, 0, 0, // mov rcx, seconds
		0x48, 0x8b, 0x09, // mov rcx, [rcx]
		0x48, 0x01, 0x0e, // add [rsi], rcx
		0xc3, // return
	}
	binary.LittleEndian.PutUint64(code[13:], uint64(uintptr(unsafe.Pointer(&seconds[0]))))
	if _, err := memory.WriteAt(code, unused); err != nil {
		return err
	}
	jump := binary.LittleEndian.AppendUint32([]byte{0xe9}, uint32(unused-(read+5)))
	_, err = memory.WriteAt(append(jump, 0, 0, 0), read) // eight bytes are written at once
	return err
}

// clockCode returns the addresses of the process's clock_gettime and of its
// gettimeofday.
func clockCode(memory *os.File) (clockGettime, gettimeofday int64, err error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		if !strings.Contains(line, "[vdso]") {
			continue
		}
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err != nil {
			return 0, 0, err
		}
		image := make([]byte, to-from)
		if _, err := memory.ReadAt(image, from); err != nil {
			return 0, 0, err
		}
		file, err := elf.NewFile(bytes.NewReader(image))
		if err != nil {
			return 0, 0, err
		}
		symbols, err := file.DynamicSymbols()
		if err != nil {
			return 0, 0, err
		}
		for _, s := range symbols {
			switch s.Name {
			case "__vdso_clock_gettime":
				clockGettime = from + int64(s.Value)
			case "__vdso_gettimeofday":
				gettimeofday = from + int64(s.Value)
			}
		}
	}
	if clockGettime == 0 || gettimeofday == 0 {
		return 0, 0, fmt.Errorf("found no code to read the clock")
	}
	return clockGettime, gettimeofday, nil
}
