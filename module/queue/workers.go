package queue

import "time"

// workers runs attempts. A goroutine that is done stays for a moment: delivering needs
// a deep stack, which each new goroutine would have to grow.
type workers struct {
	jobs chan func()
	over <-chan struct{} // closed when no goroutine is to stay any more
}

// maxIdle is how long a goroutine without a job stays.
const maxIdle = time.Second

// do runs a job at once.
func (c workers) do(job func()) {
	select {
	case c.jobs <- job: // an idle goroutine takes it
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
