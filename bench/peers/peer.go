package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/bench/internal/rig"
)

// peer is a program that takes webhooks.
type peer struct {
	Name    string                     `json:"name"`    // in the table
	Means   string                     `json:"means"`   // what its 200 says
	Command []string                   `json:"command"` // that starts it, in the foreground
	Files   map[string]json.RawMessage `json:"files"`   // that it needs in [DIR]; a string is written as it is
	Path    string                     `json:"path"`    // where webhooks are posted to
	Header  string                     `json:"header"`  // that has the signature, HMAC-SHA256 of the body in hex
	Prefix  string                     `json:"prefix"`  // of the signature
}

// readPeers reads the programs of a file, "" being the one that is built in.
func readPeers(path string) (peers []peer, err error) {
	content := known
	if path != "" {
		if content, err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	strict := json.NewDecoder(bytes.NewReader(content))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&peers); err != nil {
		return nil, fmt.Errorf("reading the peers: %w", err)
	}
	for _, p := range peers {
		if p.Name == "" || len(p.Command) == 0 || p.Path == "" || p.Header == "" {
			return nil, fmt.Errorf("reading the peers: %q lacks name, command, path or header", p.Name)
		}
	}
	return peers, nil
}

// start starts the program in a directory of its own below parent. It need not
// listen yet when this returns.
func (p peer) start(parent string) (address string, stop func() error, err error) {
	dir, err := os.MkdirTemp(parent, "webhook-gateway-peer-")
	if err != nil {
		return "", nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if address, err = rig.FreeAddress(); err != nil {
		return "", nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", nil, err
	}
	words := strings.NewReplacer("[DIR]", dir, "[PORT]", port, "[SECRET]", rig.Secret)
	for name, content := range p.Files {
		var text string
		if json.Unmarshal(content, &text) != nil {
			text = string(content)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(words.Replace(text)), 0o600); err != nil {
			return "", nil, err
		}
	}
	var args []string
	for _, arg := range p.Command[1:] {
		args = append(args, words.Replace(arg))
	}
	cmd := exec.Command(p.Command[0], args...)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	return address, func() error {
		killed := cmd.Process.Kill()
		_ = cmd.Wait() // it says that the process was killed
		return errors.Join(killed, os.RemoveAll(dir))
	}, nil
}
