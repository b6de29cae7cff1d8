package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal returns the two ends of a terminal.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return person, program
}

// TestOperatorIsAsked answers the question that replay and drop ask on a
// terminal.
func TestOperatorIsAsked(t *testing.T) {
	t.Parallel()
	app := newApp(t, status(http.StatusGone))
	g := start(t, insignerSite(app.address, ""))
	g.mustSend("1")
	g.waitForState("1", "app", "dead")
	app.setAnswer(nil)
	ask := func(answer string) (output string, status int) {
		person, program := terminal(t)
		if _, err := person.WriteString(answer); err != nil {
			t.Fatal(err)
		}
		var out buffer
		cmd := exec.Command(os.Args[0], "webhook", "replay", "--source", "insigner", "--address", g.admin)
		cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = g.env, g.dir, program, &out, &out
		_ = cmd.Run()
		return out.String(), cmd.ProcessState.ExitCode()
	}
	const question = "This sends 1 delivery of 1 event again. Go on? [y/N] "
	for _, no := range []string{"n\n", "\n", "yellow\n"} {
		if out, status := ask(no); status != 1 || out != question+"Error: nothing was done\n" {
			t.Errorf("answered %q: exit %d, %s", no, status, out)
		}
	}
	if n := len(app.deliveries()); n != 1 {
		t.Fatalf("%d attempts after no, want 1", n)
	}
	if out, status := ask("y\n"); status != 0 || !strings.HasPrefix(out, question+"replay: 1 delivery of 1 event\n") {
		t.Errorf("answered yes: exit %d, %s", status, out)
	}
	g.waitForState("1", "app", "delivered")
}
