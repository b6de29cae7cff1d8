//go:build !linux

package rig

import "time"

// MachineCPU returns zero: this system does not tell.
func MachineCPU() time.Duration { return 0 }
