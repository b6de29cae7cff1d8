package queue

import "time"

// workers runs attempts. Its goroutines stay for a moment when they have nothing to
// do: delivering goes deep, and a new goroutine would grow its stack each time.
type workers struct {
	jobs chan func()
	over <-chan struct{} // nobody stays any more
}

// maxIdle is how long a goroutine without an attempt stays.
const maxIdle = time.Second

// do runs a job at once.
func (c workers) do(job func()) {
	select {
	case c.jobs <- job: // to one that is idle
	default:
		go c.stay(job)
	}
}

func (c workers) stay(job func()) {
	idle := time.NewTimer(maxIdle)
	defer idle.Stop()
	for {
		job()
		idle.Reset(maxIdle)
		select {
		case job = <-c.jobs:
		case <-idle.C:
			return
		case <-c.over:
			return
		}
	}
}
