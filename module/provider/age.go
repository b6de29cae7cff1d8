package provider

import "time"

// checkTime refuses the time that a text says if it is further from now than the
// tolerance, if there is one.
func checkTime(t *Timestamp, timestamp string, now time.Time, tolerance time.Duration) error {
	if tolerance <= 0 {
		return nil
	}
	at, err := t.parse(timestamp)
	if err != nil {
		return NoTime
	}
	return checkAge(at, now, tolerance)
}

// checkAge refuses a time that is further from now than the tolerance, if there
// is one.
func checkAge(at, now time.Time, tolerance time.Duration) error {
	switch {
	case tolerance <= 0:
	case now.Sub(at) > tolerance:
		return TooOld
	case at.Sub(now) > tolerance:
		return TooNew
	}
	return nil
}
