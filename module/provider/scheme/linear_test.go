package scheme_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/template"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/rules"
)

// Sizes between which the time of a request may grow as they do, give or take.
const (
	smallSize  = 16 << 10
	growth     = 4
	maxGrowth  = 12                   // 16 would be quadratic
	negligible = 5 * time.Millisecond // too short to be measured
)

// growing are texts of about n bytes, which cost much where something is done
// for each of their parts that takes longer the more there are.
var growing = map[string]func(n int) string{
	"letters":       repeated("a"),
	"digits":        repeated("9"),
	"white space":   repeated(" "),
	"commas":        repeated(","),
	"semicolons":    repeated(";"),
	"dots":          repeated("."),
	"ampersands":    repeated("&"),
	"percent signs": repeated("%"),
	"backslashes":   repeated(`\`),
	"quotes":        repeated(`"`),
	"NULs":          repeated("\x00"),
	"signatures":    repeated("t=1,v1=00,v0=00,"),
	"versions":      repeated("v1,AA== "),
	"fields":        repeated(`a=("b";c "d");e=1, `),
	"brackets":      repeated("["),
	"braces":        repeated(`{"a":`),
	"combining":     repeated("\u0300\u0316"),
	"lists":         func(n int) string { return "[" + strings.Repeat("[],", n/3) + "[]]" },
	"one key":       func(n int) string { return "{" + strings.Repeat(`"a":1,`, n/6) + `"a":1}` },
	"keys":          func(n int) string { return "{" + numbered(n, `"%d":1,`) + `"a":1}` },
	"escapes":       func(n int) string { return `{"a":"` + strings.Repeat(`\u0041`, n/6) + `"}` },
	"pairs":         func(n int) string { return numbered(n, "%d=b&") },
	"parts": func(n int) string {
		return numbered(n, "--b\r\nContent-Disposition: form-data; name=\"%d\"\r\n\r\nx\r\n") + "--b--"
	},
	"near parts": repeated("\r\n--"),
}

func repeated(part string) func(n int) string {
	return func(n int) string { return strings.Repeat(part, n/len(part)) }
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestLinear makes the parts of each preset's request long, and holds that no
// request takes time that grows faster than its size does: neither to greet nor
// to verify it, nor to find its event type and its ID.
func TestLinear(t *testing.T) {
	for _, g := range providertest.GenuineRequests(t) {
		handle := handlerOf(t, &g)
		places := map[string]func(r *template.Request, text string){
			"body": func(r *template.Request, text string) { r.Body = []byte(text) },
			"form": func(r *template.Request, text string) {
				r.Header["Content-Type"], r.Body = []string{providertest.FormType}, []byte(text)
			},
			"multipart": func(r *template.Request, text string) {
				r.Header["Content-Type"], r.Body = []string{providertest.MultipartType + "; boundary=b"}, []byte(text)
			},
			"query": func(r *template.Request, text string) { r.RawQuery, r.Public.RawQuery = text, text },
		}
		for _, name := range g.Needed() {
			places[name] = func(r *template.Request, text string) { r.Header[name] = []string{text} }
			places["more of "+name] = func(r *template.Request, text string) { r.Header[name][0] += "," + text }
		}
		for place, put := range places {
			for what, text := range growing {
				small, large := timeOf(func(n int) func() {
					r, text := g.Make(), text(n)
					put(r, text)
					return func() { handle(r) }
				})
				if large > negligible && large > maxGrowth*small {
					t.Fatalf("%s: %s of %s: %v for %d bytes, %v for %d", g.Name, place, what, small, smallSize, large, growth*smallSize)
				}
			}
		}
	}
}

// handlerOf returns what does what the gateway does with a request.
func handlerOf(t *testing.T, g *providertest.Genuine) func(*template.Request) {
	t.Helper()
	var expressions []*rules.Value
	profile := g.Provider.Profile()
	texts := []string{profile.Event, profile.ID}
	for _, own := range profile.Own {
		texts = append(texts, own.Event, own.ID)
	}
	slices.Sort(texts)
	for _, text := range slices.Compact(texts) {
		if text == "" {
			continue
		}
		expression, err := rules.CompileValue(text)
		if err != nil {
			t.Fatal(err)
		}
		expressions = append(expressions, expression)
	}
	return func(r *template.Request) {
		_, _ = g.Provider.(provider.Handshaker).Handshake(r, g.At)
		_ = g.Provider.Verify(r, g.At)
		view := rules.NewView(&rules.Input{Method: r.Method, RawQuery: r.RawQuery, Header: r.Header, Body: r.Body, Forms: profile.Forms})
		defer view.Free()
		for _, expression := range expressions {
			_, _ = expression.Text(view)
		}
	}
}

// timeOf returns the shortest times of a run of each size. They are measured again
// for a while as long as they look bad, since another process may have had the
// processor.
func timeOf(prepare func(n int) func()) (small, large time.Duration) {
	small, large = time.Hour, time.Hour
	for start := time.Now(); time.Since(start) < 2*time.Second; {
		if large = min(large, timed(prepare(growth*smallSize))); large <= negligible {
			break
		}
		if small = min(small, timed(prepare(smallSize))); large <= maxGrowth*small {
			break
		}
	}
	return small, large
}

// TestComponentsShareTheQuery holds that a signature which covers many parameters
// of a query has it read once.
func TestComponentsShareTheQuery(t *testing.T) {
	p := providertest.MustParse(t, "rfc9421 {\nalgorithm ed25519\npublic_key "+providertest.Rfc8032Key+"\n}")
	var covered strings.Builder
	for i := range scheme.MaxComponents {
		fmt.Fprintf(&covered, ` "@query-param";name="%d"`, i)
	}
	one, many := time.Hour, time.Hour
	for range 20 {
		for input, best := range map[string]*time.Duration{`"@query-param";name="0"`: &one, covered.String()[1:]: &many} {
			r := providertest.Hook("{}", "Signature-Input: s=("+input+");created=1760000000", "Signature: s=:AA==:")
			r.Public.RawQuery = numbered(64<<10, "%d=b&")
			*best = min(*best, timed(func() { _ = p.Verify(r, providertest.Now) }))
		}
	}
	if many > 4*one {
		t.Errorf("%v for one parameter, %v for %d", one, many, scheme.MaxComponents)
	}
}
