package e2e

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	self          = "github.com/caddy-webhook-gateway/caddy-webhook-gateway"
	xcaddyVersion = "v0.4.5"
)

// TestXcaddy runs the xcaddy commands of README and docs with the real xcaddy, in a
// clone of the repository. Where a command names no directory, it gets the module from
// a file proxy that has this tree as its only version, as the module would be published.
func TestXcaddy(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	clone, proxy := t.TempDir(), t.TempDir()
	version := publish(t, clone, proxy)
	bin := t.TempDir()
	build := func(dir string, env []string, command string) string {
		t.Helper()
		cmd := exec.CommandContext(ctx, "bash", "-c", command)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	goEnv := strings.Fields(build(".", nil, "go env GOPROXY CGO_ENABLED GOMODCACHE"))
	t.Cleanup(func() { forget(t, goEnv[2], version) })
	build(".", []string{"GOBIN=" + bin, "GOOS=", "GOARCH="}, "go install github.com/caddyserver/xcaddy/cmd/xcaddy@"+xcaddyVersion)
	env := []string{
		"PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH"),
		"GOPROXY=file://" + filepath.ToSlash(proxy) + "," + goEnv[0], "GONOSUMDB=" + self,
		// With the flags of go test, what is compiled already is used again.
		"CGO_ENABLED=" + goEnv[1], "XCADDY_GO_BUILD_FLAGS=-buildvcs=false",
	}
	commands := xcaddyCommands(t)
	if len(commands) < 2 {
		t.Errorf("the pages have only these commands: %q", commands)
	}
	for _, command := range commands {
		build(clone, env, command)
		modules := build(clone, nil, "./caddy list-modules")
		for _, module := range []string{"webhook_gateway", "http.handlers.webhook_gateway", "webhook_gateway.queues.disk", "admin.api.webhook_gateway"} {
			if !strings.Contains(modules, "\n"+module+"\n") {
				t.Errorf("%s builds a Caddy without %s", command, module)
			}
		}
		source := version
		if strings.Contains(command, self+"=.") {
			source = "=>\t" + clone
		}
		if info := build(clone, nil, "go version -m caddy"); !strings.Contains(info, source) {
			t.Errorf("%s does not build %s:\n%s", command, source, info)
		}
	}
}

// xcaddyCommands returns the xcaddy commands of README and docs, each once.
func xcaddyCommands(t *testing.T) (commands []string) {
	for _, page := range pages(t) {
		for _, c := range commandsOf(readFile(t, page)) {
			if isXcaddy(c.text) && !slices.Contains(commands, c.text) {
				commands = append(commands, c.text)
			}
		}
	}
	return commands
}

func isXcaddy(command string) bool { return strings.HasPrefix(command, "xcaddy ") }

// isModule reports whether a directory is the root of a module.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// publish copies the repository to a directory, and to a file proxy as a version of the
// module, which it returns.
func publish(t *testing.T, clone, proxy string) (version string) {
	t.Helper()
	files := make(map[string][]byte)
	sum := sha256.New()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel("..", path)
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(d.Name(), "."), name == "caddy": // a Caddy that was built here
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case d.IsDir() && name != "." && isModule(path): // another module is not published with this one
			return filepath.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(path)
		files[filepath.ToSlash(name)] = content
		fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	version = fmt.Sprintf("v0.0.0-test.%x", sum.Sum(nil)[:6])
	put := func(path string, content []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	versions := filepath.Join(proxy, filepath.FromSlash(self), "@v")
	put(filepath.Join(versions, "list"), []byte(version+"\n"))
	put(filepath.Join(versions, version+".info"), fmt.Appendf(nil, `{"Version":%q}`, version))
	put(filepath.Join(versions, version+".mod"), files["go.mod"])
	archive, err := os.Create(filepath.Join(versions, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	w := zip.NewWriter(archive)
	for name, content := range files {
		put(filepath.Join(clone, filepath.FromSlash(name)), content)
		entry, err := w.Create(self + "@" + version + "/" + name)
		if err == nil {
			_, err = entry.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return version
}

// forget removes the test's version from Go's module cache, whose directories are
// read-only.
func forget(t *testing.T, cache, version string) {
	dir := filepath.Join(cache, filepath.FromSlash(self)+"@"+version)
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return err
	})
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
	downloads, _ := filepath.Glob(filepath.Join(cache, "cache/download", filepath.FromSlash(self), "@v", version+".*"))
	for _, file := range downloads {
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
}
