package sdks

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"testing"
	"time"
)

// node is the process that runs the packages of npm: node/main.mjs.
type node struct {
	mu      sync.Mutex
	in      *json.Encoder
	waiting map[int]chan answer
	asked   int
}

// question is a line to the process.
type question struct {
	N       int      `json:"n"`
	Op      string   `json:"op"`  // sign, verify or examples
	SDK     int      `json:"sdk"` // its place in the process's list
	Secret  string   `json:"secret"`
	Message *message `json:"message,omitempty"`
}

// answer is a line from the process.
type answer struct {
	N        int       `json:"n"`
	Error    string    `json:"error"`
	Message  *message  `json:"message"`  // what was signed
	Examples []example `json:"examples"` // GitHub's
}

// startNode starts the process, and returns what it has.
func startNode(t *testing.T) (*node, []*sdk) {
	t.Helper()
	cmd := exec.Command("node", "node/main.mjs")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("node: %v\n%s", err, &errs)
		}
	})
	lines := bufio.NewReader(out)
	first, err := lines.ReadBytes('\n')
	var list []*sdk
	if err != nil || json.Unmarshal(first, &list) != nil {
		t.Fatalf("node begins with %q, %v\n%s", first, err, tail(errs.String(), 4000))
	}
	n := &node{in: json.NewEncoder(in), waiting: make(map[int]chan answer)}
	go n.read(lines)
	for i, s := range list {
		s.language = "JavaScript"
		if s.Signs {
			s.sign = func(ctx context.Context, secret string, m *message) error {
				a, err := n.ask(ctx, question{Op: "sign", SDK: i, Secret: secret, Message: m})
				if err == nil {
					*m = *a.Message
				}
				return err
			}
		}
		if s.Verifies {
			s.verify = func(ctx context.Context, secret string, m *message) error {
				_, err := n.ask(ctx, question{Op: "verify", SDK: i, Secret: secret, Message: m})
				return err
			}
		}
	}
	return n, list
}

// read hands each answer to who waits for it.
func (n *node) read(lines *bufio.Reader) {
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var a answer
		if json.Unmarshal(line, &a) != nil {
			continue // a package prints something
		}
		n.mu.Lock()
		if to := n.waiting[a.N]; to != nil {
			to <- a
		}
		delete(n.waiting, a.N)
		n.mu.Unlock()
	}
}

// ask asks the process, and waits for its answer.
func (n *node) ask(ctx context.Context, q question) (answer, error) {
	to := make(chan answer, 1)
	n.mu.Lock()
	n.asked++
	q.N = n.asked
	n.waiting[q.N] = to
	err := n.in.Encode(q)
	n.mu.Unlock()
	if err != nil {
		return answer{}, err
	}
	select {
	case a := <-to:
		if a.Error != "" {
			return a, errors.New(a.Error)
		}
		return a, nil
	case <-ctx.Done():
		return answer{}, ctx.Err()
	case <-time.After(patience):
		return answer{}, fmt.Errorf("%w: node does not answer", errHarness)
	}
}

// example is one of GitHub's published payloads, signed by GitHub's library.
type example struct {
	Event     string `json:"event"`
	Body      []byte `json:"body"`
	Signature string `json:"signature"`
}

// errHarness is not the word of a library: a refusal is none of these.
var errHarness = errors.New("the test itself failed")

// unreachable matches what npm says when no registry answers.
var unreachable = regexp.MustCompile(`ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT`)

// install installs the packages of package-lock.json, unless they are there.
func install(t *testing.T) {
	t.Helper()
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	const done = "node_modules/.installed"
	if before, err := os.ReadFile(done); err == nil && bytes.Equal(before, lock) {
		return
	}
	out, err := exec.Command("npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund").CombinedOutput()
	if err != nil && unreachable.Match(out) {
		t.Skipf("SKIPPED: no registry of npm answers, so no SDK can be installed:\n%s", tail(string(out), 1000))
	}
	if err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	if err := os.WriteFile(done, lock, 0o600); err != nil {
		t.Fatal(err)
	}
}
