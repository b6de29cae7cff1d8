package template

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Timestamp says where a request carries the time of its signature.
type Timestamp struct {
	// The template that gives the time, such as {header.X-Time}, {query.name},
	// {json.path} or {form.name}. Default: the timestamp of the value.
	From string `json:"from,omitempty"`

	// How the time is written: unix (seconds), unix_ms (milliseconds), rfc3339 or
	// rfc1123 (as in the header Date). Default: unix.
	Unit string `json:"unit,omitempty"`

	template Template
}

// Given reports whether the time stands elsewhere than beside the signature.
func (t *Timestamp) Given() bool { return t != nil && t.From != "" }

// Units are how a time can be written.
var Units = []string{"unix", "unix_ms", "rfc3339", "rfc1123"}

// Compile checks what is configured.
func (t *Timestamp) Compile() (err error) {
	switch {
	case !slices.Contains(Units, t.Unit):
		return fmt.Errorf("unknown timestamp unit %q: want unix, unix_ms, rfc3339 or rfc1123", t.Unit)
	case t.From != "":
		if t.template, err = Parse(t.From); err == nil && (t.template.Constant() || t.template.Has("secret", "timestamp", "value", "id")) {
			err = fmt.Errorf("timestamp from %q reads no time in the request; write {header.X-Name}, {query.name}, {json.path} or {form.name}", t.From)
		}
	}
	return err
}

// Find returns the time that a request carries beside its signature.
func (t *Timestamp) Find(e *Env) string {
	if t.template == nil {
		return ""
	}
	return t.template.Text(e)
}

// Header returns the header that carries the time; "" if none does.
func (t *Timestamp) Header() string { return HeaderIn(t.From) }

// Stamp writes a time into the header that carries the time, and returns what is signed
// for the time.
func (t *Timestamp) Stamp(e *Env, now time.Time) string {
	text := t.Format(now)
	switch {
	case t.Header() != "":
		e.Request.Header[t.Header()] = []string{text}
	case t.From != "":
		return t.Find(e) // it is part of the content, which is not ours to change
	}
	return text
}

// Parse reads a time in the unit's form.
func (t *Timestamp) Parse(text string) (time.Time, error) {
	switch t.Unit {
	case "rfc3339":
		return time.Parse(time.RFC3339Nano, text)
	case "rfc1123":
		if at, err := time.Parse(http.TimeFormat, text); err == nil {
			return at, nil
		}
		return time.Parse(time.RFC1123Z, text) // with an offset in place of GMT
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strings.HasPrefix(text, "+") {
		return time.Time{}, fmt.Errorf("not a timestamp")
	}
	if t.Unit == "unix_ms" {
		return time.UnixMilli(n), nil
	}
	return time.Unix(n, 0), nil
}

// Format writes a time in the unit's form.
func (t *Timestamp) Format(at time.Time) string {
	switch t.Unit {
	case "rfc3339":
		return at.UTC().Format(time.RFC3339)
	case "rfc1123":
		return at.UTC().Format(http.TimeFormat)
	case "unix_ms":
		return strconv.FormatInt(at.UnixMilli(), 10)
	}
	return strconv.FormatInt(at.Unix(), 10)
}
