package provider

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
)

// Sample is a realistic webhook of one event type. It has gaps for its ID, its times
// and more.
type Sample struct {
	Event   string            `json:"event"`
	Method  string            `json:"method"` // if it is not POST
	Query   string            `json:"query"`
	Header  map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
	Text    string            `json:"text"`    // the body if it is not JSON
	Payload string            `json:"payload"` // what {payload} is the base64 of, escaped for a form, or, in JSON, the base64url
}

// samples returns the samples of the preset, read anew: only commands ask.
func (p *Preset) samples() []Sample {
	data, err := fs.ReadFile(p.files, "samples/"+p.Name+".json")
	if err != nil {
		return nil // a provider without samples
	}
	return parseSamples(p.Name, data)
}

func parseSamples(name string, data []byte) (list []Sample) {
	if err := json.Unmarshal(data, &list); err != nil {
		panic(fmt.Sprintf("samples/%s.json is to be a list of samples: [{\"event\": …, \"body\": …}]: %v", name, err))
	}
	return list
}

//go:embed samples_custom.json
var customSamples []byte

// SampleEvents returns the event types that there are samples of, for the
// provider of that name.
func SampleEvents(name string) (events []string) {
	list := parseSamples("custom", customSamples)
	if p := presetNamed(name); p != nil {
		list = p.samples()
	} else if name != "custom" {
		return nil
	}
	for _, s := range list {
		events = append(events, s.Event)
	}
	return events
}

// Request fills the gaps: a fresh {id}, a fresh {#number}, the times {time},
// {unix} and {unix_ms}, the {event}, the {payload}, and whatever more the
// provider knows.
func (s *Sample) Request(now time.Time, more map[string]string) (*template.Request, error) {
	gaps, err := s.gaps(now, more)
	if err != nil {
		return nil, err
	}
	fill := strings.NewReplacer(gaps...)
	if s.Payload != "" {
		payload := fill.Replace(s.Payload)
		encoded := url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(payload)))
		if s.Body != nil {
			encoded = base64.RawURLEncoding.EncodeToString([]byte(payload))
		}
		fill = strings.NewReplacer(append(gaps, "{payload}", encoded)...)
	}
	r := &template.Request{Method: cmp.Or(s.Method, "POST"), RawQuery: fill.Replace(s.Query), Header: make(map[string][]string)}
	for name, value := range s.Header {
		r.Header[textproto.CanonicalMIMEHeaderKey(name)] = []string{fill.Replace(value)}
	}
	if s.Body == nil {
		r.Body = []byte(fill.Replace(s.Text))
		return r, nil
	}
	var body bytes.Buffer
	if err := json.Compact(&body, s.Body); err != nil {
		return nil, fmt.Errorf("sample of %s: %v", s.Event, err)
	}
	r.Body = []byte(fill.Replace(body.String()))
	return r, nil
}

// gaps returns the gaps, each followed by its value.
func (s *Sample) gaps(now time.Time, more map[string]string) ([]string, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("making an ID: %v", err)
	}
	seconds, millis := strconv.FormatInt(now.Unix(), 10), strconv.FormatInt(now.UnixMilli(), 10)
	gaps := []string{
		`"{#number}"`, strconv.FormatUint(binary.BigEndian.Uint64(id[:8])>>16, 10), // its first 48 bits are random
		`"{#unix}"`, seconds, `"{#unix_ms}"`, millis,
		"{event}", s.Event, "{id}", id.String(), "{unix}", seconds, "{unix_ms}", millis,
		"{time}", now.UTC().Format("2006-01-02T15:04:05.000Z"),
	}
	for name, value := range more {
		quoted, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("filling %s: %v", name, err)
		}
		gaps = append(gaps, "{"+name+"}", string(quoted[1:len(quoted)-1]))
	}
	return gaps, nil
}
