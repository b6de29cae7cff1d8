package module

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// tenantFile is a file or a directory with the secrets of tenants, which may change while
// they are in use. What is wrong in a file leaves in use what the file had before.
type tenantFile struct {
	path  string
	check func(tenant string, secrets []string) ([]string, error)

	files  map[string]*tenantPart
	seen   map[string]fs.FileInfo // of files that have changed, or are gone: nil
	failed error                  // why the files cannot be listed
}

// tenantPart is what one of the files has.
type tenantPart struct {
	info    fs.FileInfo
	secrets map[string][]string
	failed  error // why a later version is not in use
}

func newTenantFile(path string, check func(string, []string) ([]string, error)) *tenantFile {
	return &tenantFile{path: path, check: check, files: make(map[string]*tenantPart), seen: make(map[string]fs.FileInfo)}
}

// load reads all files. Nothing may be wrong in them.
func (f *tenantFile) load() error {
	found, err := f.list()
	if err != nil {
		return err
	}
	for name, info := range found {
		secrets, err := f.read(name)
		if err != nil {
			return err
		}
		f.files[name] = &tenantPart{info: info, secrets: secrets}
	}
	return nil
}

// refresh reads again the files that have changed, and reports whether anything is
// different. A file may be caught while it is being written, so a change counts once
// two looks have seen it.
func (f *tenantFile) refresh() (changed bool) {
	found, err := f.list()
	if err == nil && len(found) == 0 && len(f.files) > 0 {
		err = fmt.Errorf("%s holds no tenant any more", f.path)
	}
	changed = fmt.Sprint(err) != fmt.Sprint(f.failed)
	if f.failed = err; err != nil {
		return changed
	}
	for name := range f.files {
		if found[name] == nil && f.settled(name, nil) {
			delete(f.files, name)
			changed = true
		}
	}
	for name, info := range found {
		part := f.files[name]
		if part == nil {
			part = new(tenantPart)
		}
		if same(part.info, info) {
			delete(f.seen, name)
		} else if f.settled(name, info) {
			f.files[name] = f.again(name, info, part)
			changed = changed || f.files[name].failed == nil || fmt.Sprint(f.files[name].failed) != fmt.Sprint(part.failed)
		}
	}
	return changed
}

// settled reports whether the look before this one has seen the same.
func (f *tenantFile) settled(name string, info fs.FileInfo) bool {
	before, known := f.seen[name]
	if known && (before == nil && info == nil || same(before, info)) {
		delete(f.seen, name)
		return true
	}
	f.seen[name] = info
	return false
}

// again reads a file again. One that cannot be read is tried once more later: it need not
// change for that.
func (f *tenantFile) again(name string, info fs.FileInfo, before *tenantPart) *tenantPart {
	secrets, err := f.read(name)
	if err != nil {
		secrets = before.secrets
	}
	if errors.As(err, new(*fs.PathError)) {
		info = nil
	}
	return &tenantPart{info, secrets, err}
}

// problem says what is wrong in the files.
func (f *tenantFile) problem() string {
	if f.failed != nil {
		return f.failed.Error()
	}
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		if err := f.files[name].failed; err != nil {
			problems = append(problems, err.Error())
		}
	}
	if n := len(problems); n > 1 {
		return fmt.Sprintf("%s, and %d more", problems[0], n-1)
	}
	return strings.Join(problems, "")
}

// addTo adds the secrets of all files.
func (f *tenantFile) addTo(secrets map[string][]string) {
	for _, part := range f.files {
		maps.Copy(secrets, part.secrets)
	}
}

// list returns the files. In a directory, one whose name begins with a dot does not
// count, and neither does a directory.
func (f *tenantFile) list() (found map[string]fs.FileInfo, err error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, unreadable(f.path, err)
	}
	if !info.IsDir() {
		return map[string]fs.FileInfo{f.path: info}, nil
	}
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil, unreadable(f.path, err)
	}
	found = make(map[string]fs.FileInfo, len(entries))
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		name := filepath.Join(f.path, entry.Name())
		info, err := os.Stat(name) // of what a link leads to
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, unreadable(name, err)
		case !info.IsDir():
			found[name] = info
		}
	}
	return found, nil
}

// unreadable says why a file or directory cannot be read.
func unreadable(name string, err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return fmt.Errorf("%s cannot be read: %w", name, &reason{failed})
	}
	return fmt.Errorf("%s cannot be read: %w", name, err)
}

// reason is what the error of a file says besides operation and path.
type reason struct{ *fs.PathError }

func (r *reason) Error() string { return r.Err.Error() }

// Unwrap returns the whole error.
func (r *reason) Unwrap() error { return r.PathError }

// same reports whether a file is as it was.
func same(before, now fs.FileInfo) bool {
	return before != nil && now != nil && before.Size() == now.Size() && before.ModTime().Equal(now.ModTime()) && os.SameFile(before, now)
}

// read reads a file: one with a line for each tenant, or that of one tenant.
func (f *tenantFile) read(name string) (secrets map[string][]string, err error) {
	content, err := readRegular(name)
	if err != nil {
		return nil, unreadable(name, err)
	}
	if name == f.path {
		return f.readLines(content)
	}
	tenant := filepath.Base(name)
	var lines []string
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	if lines, err = f.check(tenant, lines); err != nil {
		return nil, fmt.Errorf("%w, in %s", err, name)
	}
	return map[string][]string{tenant: lines}, nil
}

// maxSecretsFile is how large a file with secrets may be, in bytes.
const maxSecretsFile = 256 << 20

// readRegular reads a file that is neither a pipe, which would have no end, nor too large.
func readRegular(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	case info.Size() > maxSecretsFile:
		return nil, errors.New("it is too large")
	}
	return os.ReadFile(name)
}

// readLines reads a file with a line for each tenant: its name and its secrets, with blanks
// between them. A line that begins with # is a comment.
func (f *tenantFile) readLines(content []byte) (map[string][]string, error) {
	secrets, number := make(map[string][]string), 0
	for line := range strings.Lines(string(content)) {
		number++
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		tenant := words[0]
		own, err := f.check(tenant, words[1:])
		if slices.ContainsFunc(words, func(word string) bool { return strings.ContainsRune("\"'`", rune(word[0])) }) {
			err = errors.New("quotes mean nothing here; remove them, or put a secret that has blanks or begins with a quote into a directory with a file for each tenant")
		}
		if secrets[tenant] != nil {
			err = fmt.Errorf("tenant %s is given twice; put all of its secrets on one line", tenant)
		}
		if err != nil {
			return nil, fmt.Errorf("%w, at %s:%d", err, f.path, number)
		}
		secrets[tenant] = own
	}
	if len(secrets) == 0 && len(f.files) > 0 {
		return nil, fmt.Errorf("%s holds no tenant any more", f.path)
	}
	return secrets, nil
}

// The pauses between two looks: at least so long, and so many times as long as the look
// took, which may be at many files or read many tenants.
const (
	watchPause      = 2 * time.Second
	pausesPerLook   = 50
	pausesPerChange = 2
)

// watchEach calls look again and again until something is done. look reports whether it
// has read anything.
func watchEach(done <-chan struct{}, look func() (changed bool)) {
	timer := time.NewTimer(watchPause)
	defer timer.Stop()
	for {
		select {
		case <-done:
			return
		case <-timer.C:
		}
		began, pauses := time.Now(), time.Duration(pausesPerLook)
		if look() {
			pauses = pausesPerChange
		}
		timer.Reset(max(watchPause, pauses*time.Since(began)))
	}
}
