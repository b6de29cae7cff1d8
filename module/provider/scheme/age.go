package scheme

import (
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// checkTime refuses a timestamp that is further from now than the tolerance. A
// tolerance of 0 allows any.
func checkTime(t *template.Timestamp, timestamp string, now time.Time, tolerance time.Duration) error {
	if tolerance <= 0 {
		return nil
	}
	at, err := t.Parse(timestamp)
	if err != nil {
		return NoTime
	}
	return checkAge(at, now, tolerance)
}

// checkAge refuses a time that is further from now than the tolerance. A tolerance
// of 0 allows any.
func checkAge(at, now time.Time, tolerance time.Duration) error {
	switch {
	case tolerance <= 0:
	case now.Sub(at) > tolerance:
		return &Mistimed{TooOld, "signed", now.Sub(at)}
	case at.Sub(now) > tolerance:
		return &Mistimed{TooNew, "signed", at.Sub(now)}
	}
	return nil
}
