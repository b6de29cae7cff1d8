package provider

import (
	"fmt"
	"strconv"
	"time"
)

// parse reads a time in the unit's form.
func (t *Timestamp) parse(text string) (time.Time, error) {
	if t.Unit == "rfc3339" {
		return time.Parse(time.RFC3339Nano, text)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return time.Time{}, fmt.Errorf("not a timestamp")
	}
	if t.Unit == "unix_ms" {
		return time.UnixMilli(n), nil
	}
	return time.Unix(n, 0), nil
}

// format writes a time in the unit's form.
func (t *Timestamp) format(at time.Time) string {
	switch t.Unit {
	case "rfc3339":
		return at.UTC().Format(time.RFC3339)
	case "unix_ms":
		return strconv.FormatInt(at.UnixMilli(), 10)
	}
	return strconv.FormatInt(at.Unix(), 10)
}
