// Faults runs the fault tests at full size, and prints what they found:
//
//	go run ./bench/faults
//
// Each test drives a real Caddy with events coming in and going out, under a
// configuration that changes all the time, while something goes wrong: the
// process is killed, the disk fills up, an app never answers, the clock jumps.
// In the end no event that was acknowledged may be missing at the app. How many
// came twice is in the table, and how long it took from the end of the fault
// until things went on.
//
// The same tests run small with all others: go test ./e2e -run TestFault.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

func main() {
	seed := flag.Uint64("seed", 0, "`seed` of what is left to chance, as an earlier run printed it")
	run := flag.String("run", "", "only the tests whose names match, TestFaultKill say")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if *run == "" {
		*run = "^TestFault"
	}
	// One after the other: each is to have the machine for itself.
	args := []string{"test", "-v", "-count", "1", "-parallel", "1", "-timeout", "2h", "-run", *run,
		"github.com/caddy-webhook-gateway/caddy-webhook-gateway/e2e", "-full"}
	if *seed != 0 {
		args = append(args, "-seed", strconv.FormatUint(*seed, 10))
	}
	test := exec.Command("go", args...)
	test.Stdout, test.Stderr = os.Stdout, os.Stderr
	var failed *exec.ExitError
	switch err := test.Run(); {
	case errors.As(err, &failed):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}
