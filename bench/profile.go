package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// profileRow writes CPU and allocation profiles of a row's last site to a
// directory, and prints the top of each.
func (b *bench) profileRow(ctx context.Context, r row, dir string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	c, err := b.open(ctx, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	e := c.entrants[len(c.entrants)-1]
	if _, err := c.turn(ctx, e); err != nil { // to warm up
		return err
	}
	for _, profile := range []struct {
		name, sample string
		write        func(path string, length time.Duration) error
	}{
		{"cpu", "", e.server.CPUProfile},
		{"allocs", "alloc_space", e.server.AllocProfile},
	} {
		path := filepath.Join(dir, strings.NewReplacer(", ", "-", " ", "-", "/", "").Replace(r.name)+"."+profile.name)
		written := make(chan error, 1)
		go func() { written <- profile.write(path, b.length) }()
		_, err := c.turn(ctx, e)
		if err := errors.Join(err, <-written); err != nil {
			return err
		}
		if err := printTop(r.name, path, profile.sample); err != nil {
			return err
		}
	}
	return nil
}

// printTop prints where a profile has most, by what is called from there.
func printTop(name, path, sample string) error {
	fmt.Printf("\n%s: %s\n", name, path)
	args := []string{"tool", "pprof", "-top", "-cum", "-nodecount", "40"}
	if sample != "" {
		args = append(args, "-sample_index", sample)
	}
	top := exec.Command("go", append(args, path)...)
	top.Stdout, top.Stderr = os.Stdout, os.Stderr
	return top.Run()
}
