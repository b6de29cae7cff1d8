package module

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// watched is a file or directory of secrets in a test.
type watched struct {
	*tenantFile
	t *testing.T
}

// watch loads a file or a directory. The secret "wrong" is one that does not fit.
func watch(t *testing.T, path string) *watched {
	t.Helper()
	f := newTenantFile(path, func(tenant string, secrets []string) ([]string, error) {
		if slices.Contains(secrets, "wrong") {
			return nil, errors.New("a secret does not fit")
		}
		return secrets, checkTenant(tenant, secrets)
	})
	if err := f.load(); err != nil {
		t.Fatal(err)
	}
	return &watched{f, t}
}

// wants compares the secrets, in the words of a file with lines, and what is wrong.
func (w *watched) wants(tenants, problem string) {
	w.t.Helper()
	known := make(map[string][]string)
	w.addTo(known)
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(known)) {
		lines = append(lines, name+" "+strings.Join(known[name], " "))
	}
	if got := strings.Join(lines, ", "); got != tenants {
		w.t.Errorf("the tenants are %q, want %q", got, tenants)
	}
	if got := w.problem(); (problem == "") != (got == "") || !strings.Contains(got, problem) {
		w.t.Errorf("the problem is %q, want %q", got, problem)
	}
}

// look looks twice, and reports whether anything is different.
func (w *watched) look() bool {
	first := w.refresh()
	return w.refresh() || first
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestTenantFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tenants")
	write(t, path, "# comment\nacme a1 a2\n\n  globex\tg1  \r\n")
	f := watch(t, path)
	f.wants("acme a1 a2, globex g1", "")
	if f.look() {
		t.Error("nothing has changed")
	}

	write(t, path, "acme a2\ninitech i1\n")
	if f.refresh() {
		t.Error("a change counts at once, though it may go on")
	}
	f.wants("acme a1 a2, globex g1", "")
	if !f.refresh() {
		t.Error("the change does not count")
	}
	f.wants("acme a2, initech i1", "")

	for content, problem := range map[string]string{
		"acme a3\nb/d s\n":     fmt.Sprintf("is not a name of a tenant; %s, at %s:2", tenantRule, path),
		"acme a3\nglobex\n":    "tenant globex has no secret, at " + path + ":2",
		"acme a3\nacme a4\n":   "tenant acme is given twice; put all of its secrets on one line, at " + path + ":2",
		"\nacme wrong\n":       "a secret does not fit, at " + path + ":2",
		"acme 'a3 a4'\n":       "quotes mean nothing here",
		"":                     path + " holds no tenant any more",
		"# none\n":             path + " holds no tenant any more",
		"\x00\x01\x02 binary ": "is not a name of a tenant",
	} {
		write(t, path, content)
		f.look()
		f.wants("acme a2, initech i1", problem)
		if f.look() {
			t.Errorf("%q is a change once more", content)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f.look()
	f.wants("acme a2, initech i1", path+" cannot be read: no such file or directory")
	write(t, path, "acme a5\n")
	f.look()
	f.wants("acme a5", "")
}

// A file that is being written is not read before the writer is done.
func TestTenantFileBeingWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tenants")
	write(t, path, "acme a1\nglobex g1\n")
	f := watch(t, path)
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, part := range []string{"acme", " a2\n", "glob", "ex g2\n"} {
		_, _ = w.WriteString(part)
		if f.refresh() {
			t.Error("half a file was read")
		}
		f.wants("acme a1, globex g1", "")
	}
	if !f.look() {
		t.Error("the whole file was not read")
	}
	f.wants("acme a2, globex g2", "")
}

func TestTenantDirectory(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	write(t, in("acme"), "a1\n\na 2 \n")
	write(t, in("globex"), "g1")
	write(t, in(".hidden"), "x")
	if err := os.Mkdir(in("sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	f := watch(t, dir)
	f.wants("acme a1 a 2 , globex g1", "")

	write(t, in("acme"), "a3\n")
	write(t, in("initech"), "i1\n")
	if err := os.Remove(in("globex")); err != nil {
		t.Fatal(err)
	}
	if f.refresh() {
		t.Error("a change counts at once")
	}
	f.refresh()
	f.wants("acme a3, initech i1", "")

	// What is wrong with one tenant is no concern of the others.
	write(t, in("acme"), "wrong\n")
	write(t, in("initech"), "i2\n")
	write(t, in("b d"), "s\n")
	f.look()
	f.wants("acme a3, initech i2", "a secret does not fit, in "+in("acme")+", and 1 more")
	write(t, in("acme"), "a4\n")
	_ = os.Remove(in("b d"))
	f.look()
	f.wants("acme a4, initech i2", "")

	// A directory that is empty was rather not mounted than emptied.
	for _, name := range []string{"acme", "initech"} {
		_ = os.Remove(in(name))
	}
	f.look()
	f.wants("acme a4, initech i2", dir+" holds no tenant any more")
	write(t, in("acme"), "a5\n")
	f.look()
	f.wants("acme a5", "")
}

// What cannot be read keeps what it had, and is read once that is possible: its time need
// not change.
func TestTenantUnreadable(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "acme")
	write(t, file, "a1")
	f := watch(t, dir)
	write(t, file, "a2")
	real := f.check
	f.check = func(string, []string) ([]string, error) {
		return nil, &os.PathError{Op: "open", Path: file, Err: os.ErrPermission}
	}
	if !f.look() {
		t.Error("it is no change")
	}
	f.wants("acme a1", "permission denied")
	if f.look() {
		t.Error("it is a change again")
	}
	f.check = real
	f.look()
	f.wants("acme a2", "")

	pipe := filepath.Join(dir, "globex")
	if err := os.Symlink(os.DevNull, pipe); err != nil {
		t.Fatal(err)
	}
	f.look()
	f.wants("acme a2", pipe+" cannot be read: it is no regular file")
}

// Kubernetes replaces a directory of secrets by changing where a link leads.
func TestTenantLinks(t *testing.T) {
	dir := t.TempDir()
	for version, secret := range map[string]string{"v1": "a1", "v2": "a2"} {
		if err := os.Mkdir(filepath.Join(dir, ".."+version), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, ".."+version, "acme"), secret)
	}
	point := func(version string) {
		_ = os.Remove(filepath.Join(dir, "..next"))
		if err := errors.Join(os.Symlink(".."+version, filepath.Join(dir, "..next")), os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data"))); err != nil {
			t.Fatal(err)
		}
	}
	point("v1")
	if err := os.Symlink(filepath.Join("..data", "acme"), filepath.Join(dir, "acme")); err != nil {
		t.Fatal(err)
	}
	f := watch(t, dir)
	f.wants("acme a1", "")
	point("v2")
	f.look()
	f.wants("acme a2", "")
}
