package rules

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// compressors make bodies as senders do.
var compressors = map[string]func(io.Writer) io.WriteCloser{
	"gzip":    func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"deflate": func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) },
	"br":      func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) },
	"zstd": func(w io.Writer) io.WriteCloser {
		z, _ := zstd.NewWriter(w)
		return z
	},
	"raw": func(w io.Writer) io.WriteCloser {
		z, _ := flate.NewWriter(w, 9)
		return z
	},
}

func compressed(encoding, text string) []byte {
	var b bytes.Buffer
	w := compressors[encoding](&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.Bytes()
}

// encoded evaluates a rule over a body with a Content-Encoding.
func encoded(t *testing.T, rule, contentType, encoding string, body []byte) (bool, error) {
	t.Helper()
	return ask(&Input{Header: map[string][]string{"Content-Type": {contentType}, "Content-Encoding": {encoding}}, Body: body}, rule)
}

func TestContentEncodings(t *testing.T) {
	const text = `{"type":"a","list":[1,2]}`
	for name, as := range map[string]string{"gzip": "gzip", "deflate": "deflate", "br": "br", "zstd": "zstd", "raw": "deflate"} {
		body := compressed(name, text)
		for _, encoding := range []string{as, strings.ToUpper(as), " " + as + " ", "identity, " + as} {
			if holds, err := encoded(t, `body.type == "a" && body.list[1] == 2`, "application/json", encoding, body); !holds {
				t.Errorf("%s as %q: %v", name, encoding, err)
			}
		}
		for i, broken := range [][]byte{body[:len(body)/2], append([]byte{0xff}, body...)} {
			if holds, err := encoded(t, `body != 0`, "application/json", as, broken); holds || err == nil {
				t.Errorf("%s, broken %d: %v", name, i, holds)
			}
		}
	}
	twice := compressed("br", string(compressed("gzip", text)))
	for _, tt := range []struct {
		encoding, rule string
		body           []byte
		want           string
	}{
		{"gzip, br", `body.type == "a"`, twice, ""},
		{"br", `body.type == "a"`, twice, "no JSON"},
		{"", `body.type == "a"`, compressed("gzip", text), ""}, // a stranger may have taken the header away
		{"br", `body.type == "a"`, compressed("zstd", text), ""},
		{"br", `body.a == "1"`, []byte("a=1"), ""},
		{"lzw", `body.a == "1"`, []byte("a=1"), ""},
		{"gzip", `body.type == "a"`, []byte(text), ""}, // a proxy has decompressed it
		{"gzip", `body == ""`, nil, ""},
		{"gzip", `body.a == "1"`, compressed("gzip", "a=1"), ""},
	} {
		contentType := formType
		if tt.want == "no JSON" || len(tt.body) == 0 {
			contentType = "text/plain"
		}
		holds, err := encoded(t, tt.rule, contentType, tt.encoding, tt.body)
		if holds != (tt.want == "") || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s, %s: %v, %v", tt.encoding, tt.rule, holds, err)
		}
	}
}

// TestBombs holds the figures of the page: what grows too large is given up early.
func TestBombs(t *testing.T) {
	large := `{"a":"` + strings.Repeat("0", 100<<20) + `"}`
	for name := range compressors {
		if name == "raw" {
			continue
		}
		in := &Input{Header: map[string][]string{"Content-Type": {"application/json"}, "Content-Encoding": {name}}, Body: compressed(name, large)}
		took, made, holds, err := measured(t, in, `body.a == ""`)
		t.Logf("%s: %d bytes for 100 MiB: %v, %d KiB, %v", name, len(in.Body), took, made>>10, err)
		if holds || err == nil || !strings.Contains(err.Error(), "grows too large") || took > slack*time.Second || made > slack*48<<20 {
			t.Errorf("%s: %v, %v, took %v and %d MiB", name, holds, err, took, made>>20)
		}
	}
	var ordinary strings.Builder // of 10 MiB, and compressed as JSON usually is
	for i := 0; ordinary.Len() < 10<<20; i++ {
		fmt.Fprintf(&ordinary, `{"id":%d,"note":"%x"},`, i, i*7919)
	}
	text := `{"list":[` + ordinary.String() + `{}],"type":"last"}`
	in := &Input{Header: map[string][]string{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, Body: compressed("gzip", text)}
	took, made, holds, err := measured(t, in, `body.type == "last"`)
	t.Logf("gzip: %d bytes for %d: %v, %d MiB", len(in.Body), len(text), took, made>>20)
	if !holds || took > slack*time.Second || made > slack*64<<20 {
		t.Errorf("10 MiB: %v, %v, took %v and %d MiB", holds, err, took, made>>20)
	}
}

// The budget pays for decompressing: where it is spent, nothing is decompressed.
func TestDecompressingSpendsFromTheBudget(t *testing.T) {
	in := &Input{Header: map[string][]string{"Content-Encoding": {"gzip"}}, Body: compressed("gzip", `{"a":"`+strings.Repeat("0123456789", 10_000)+`"}`)}
	v := NewView(in)
	defer v.Free()
	v.budget.steps = 1000
	r, _ := Compile(`body.a == ""`)
	if holds, err := r.Match(v); holds || !errors.Is(err, ErrBudget) {
		t.Errorf("%v, %v", holds, err)
	}
}

func TestCharsets(t *testing.T) {
	const text = `{"name":"Zoë","list":[1]}`
	latin, _ := charmap.ISO8859_1.NewEncoder().String(text)
	utf16 := func(order unicode.Endianness, mark unicode.BOMPolicy, s string) string {
		s, _ = unicode.UTF16(order, mark).NewEncoder().String(s)
		return s
	}
	for _, tt := range []struct{ contentType, body, rule string }{
		{"application/json", "\ufeff" + text, `body.name == "Zoë"`},
		{"", "\ufeffhello", `body == "hello"`},
		{"application/json", utf16(unicode.LittleEndian, unicode.UseBOM, text), `body.name == "Zoë"`},
		{"application/json", utf16(unicode.BigEndian, unicode.UseBOM, text), `body.name == "Zoë"`},
		{"application/json", utf16(unicode.LittleEndian, unicode.IgnoreBOM, text), `body.name == "Zoë"`},
		{"application/json", utf16(unicode.BigEndian, unicode.IgnoreBOM, text), `body.name == "Zoë"`},
		{"application/json; charset=utf-16le", utf16(unicode.LittleEndian, unicode.IgnoreBOM, text), `body.name == "Zoë"`},
		{"text/xml; charset=utf-16", utf16(unicode.BigEndian, unicode.UseBOM, "<a>Zoë</a>"), `body == "<a>Zoë</a>"`},
		{"application/json; charset=ISO-8859-1", latin, `body.name == "Zoë"`},
		{`text/plain; charset="windows-1252"`, "Zo\xeb", `body == "Zoë"`},
		{"application/json; charset=utf-8", text, `body.name == "Zoë"`},
		{"application/json; charset=", text, `body.name == "Zoë"`},
		{"application/json; charset=klingon", text, `body.name == "Zoë"`},
		{formType + "; charset=iso-8859-1", "name=Zo%EB&x=1", `body.name == "Zoë"`},
		{formType, "name=Zo%C3%AB&x=1", `body.name == "Zoë"`},
	} {
		if got, err := match(t, tt.rule, tt.contentType, tt.body); !got {
			t.Errorf("%s as %q: %v", tt.rule, tt.contentType, err)
		}
	}
}

func TestLines(t *testing.T) {
	for _, tt := range []struct{ contentType, body, rule, want string }{
		{"application/x-ndjson", "{\"n\":1}\n{\"n\":2}\r\n\n", `len(body) == 2 && body[1].n == 2`, ""},
		{"application/x-ndjson", `{"n":1}`, `len(body) == 1 && body[0].n == 1`, ""},
		{"application/jsonl; charset=utf-8", "1\n\"a\"", `body[0] == 1 && body[1] == "a"`, ""},
		{"application/json-seq", "\x1e{\"n\":1}\n\x1e{\"n\":2}\n", `body[1].n == 2`, ""},
		{"application/x-ndjson", "", `len(body) == 0`, ""},
		{"application/x-ndjson", "{\"n\":1}\n{\"n\":", `len(body) == 2`, "not valid JSON in line 2"},
		{"application/x-ndjson", "1,2\n", `len(body) == 2`, "not valid JSON in line 1"},
	} {
		got, err := match(t, tt.rule, tt.contentType, tt.body)
		if got != (tt.want == "") || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s over %q: %v, %v", tt.rule, tt.body, got, err)
		}
	}
}

func TestMultipartWithoutBoundary(t *testing.T) {
	body := "--x y\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x y--\r\n"
	for _, contentType := range []string{"multipart/form-data", "multipart/form-data; boundary="} {
		if got, err := match(t, `body.a == "1"`, contentType, body); !got {
			t.Errorf("%q: %v", contentType, err)
		}
	}
}
