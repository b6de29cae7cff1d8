package mask

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

const secret = `s3cret/"key"+ü 💡`

func TestText(t *testing.T) {
	m := New([]string{secret, "user:correct horse", "Bearer tokentoken", "whsec_MfKQ9r8GKYqr", "short"})
	quoted, _ := json.Marshal(secret)
	inQuery, _ := json.Marshal(url.QueryEscape(secret))
	var everyByte strings.Builder
	for i := range len(secret) {
		everyByte.WriteString("%" + strings.ToUpper("0123456789abcdef"[secret[i]>>4:secret[i]>>4+1]) + "0123456789abcdef"[secret[i]&15:secret[i]&15+1])
	}
	for name, text := range map[string]string{
		"as it is":          secret,
		"JSON":              string(quoted[1 : len(quoted)-1]),
		"JSON, all escaped": `\u0073\u0033cret\/\u0022key\u0022+\u00FC \ud83d\udca1`,
		"query":             url.QueryEscape(secret),
		"path":              url.PathEscape(secret),
		"each byte":         everyByte.String(),
		"query in JSON":     strings.ReplaceAll(string(inQuery[1:len(inQuery)-1]), "%", `\u0025`),
		"JSON in query":     url.QueryEscape(string(quoted[1 : len(quoted)-1])),
		"password":          "correct horse",
		"bare token":        "tokentoken",
		"bare key":          "MfKQ9r8GKYqr",
	} {
		if got := m.Text("before " + text + " after"); got != "before "+Mark+" after" {
			t.Errorf("%s: %q became %q", name, text, got)
		}
	}
	for _, text := range []string{"", "nothing here", "short", "50% of + and \\", `\u12`, `\ud83d\u0041`, "%zz"} {
		if got := m.Text(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// Whatever stands beside a secret in base64, no part of the secret can be decoded.
func TestBase64(t *testing.T) {
	const secret = "abcdefgh-secret"
	m := New([]string{secret})
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
		for _, before := range []string{"", "x", "xy", "xyz", "user:"} {
			for _, after := range []string{"", "1", "12", "123"} {
				text := m.Text(encoding.EncodeToString([]byte(before + secret + after)))
				if !strings.Contains(text, Mark) || len(text) > len(Mark)+2*len(before+after)+8 {
					t.Errorf("%q, %q: %s", before, after, text)
				}
			}
		}
	}
	if text := m.Text(url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("??>" + secret)))); !strings.Contains(text, Mark) {
		t.Errorf("escaped base64: %s", text)
	}
}

func TestShows(t *testing.T) {
	m := New([]string{"abc", "long enough"})
	for text, want := range map[string]bool{
		"abc": true, "k=abc&x": true, `{"k":"abc"}`: true, "long%20enough": true,
		"dabc": false, "abcd": false, "5abc7": false, "": false,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("abc")): true,
	} {
		if got := m.Shows(text); got != want {
			t.Errorf("Shows(%q) = %v", text, got)
		}
	}
}

func TestNothingKnown(t *testing.T) {
	var none *Mask
	if none.Text("text") != "text" || none.Shows("text") || New(nil).Text("text") != "text" {
		t.Error("a mask that knows nothing found something")
	}
}

// What is masked twice stays, and no secret is left.
func FuzzText(f *testing.F) {
	f.Add("a "+secret+" b", secret)
	f.Add(`\u0061bcdefgh%61`, "abcdefgh")
	f.Add(strings.Repeat("aaaaaaaa", 3), "aaaaaaaa")
	f.Fuzz(func(t *testing.T, text, secret string) {
		if len(secret) < least {
			return
		}
		masked := New([]string{secret}).Text(text)
		if !strings.Contains(Mark, secret) && strings.Contains(strings.ReplaceAll(masked, Mark, "\x00"), secret) && !strings.Contains(secret, "\x00") {
			t.Errorf("%q in %q became %q", secret, text, masked)
		}
	})
}

// A hundred thousand secrets are found, and looking for them takes no longer than looking
// for a few: their number is not in the time.
func TestMany(t *testing.T) {
	var secrets []string
	for i := range 100_000 {
		sum := sha256.Sum256([]byte(strconv.Itoa(i)))
		secrets = append(secrets, hex.EncodeToString(sum[:20]))
	}
	many := New(nil).And(New(secrets[:50_000]), New(secrets[50_000:]))
	for _, secret := range []string{secrets[0], secrets[49_999], secrets[50_000], secrets[99_999]} {
		for _, text := range []string{secret, base64.StdEncoding.EncodeToString([]byte("x:" + secret))} {
			if got := many.Text("a " + text + " b"); !strings.Contains(got, Mark) || strings.Contains(got, secret) {
				t.Errorf("%q became %q", text, got)
			}
		}
	}
	text := strings.Repeat("nothing in here is a secret, and nothing is found. ", 20)
	work := func(m *Mask) time.Duration {
		least := time.Hour
		for range 50 {
			began := time.Now()
			m.Text(text)
			least = min(least, time.Since(began))
		}
		return least
	}
	if few, all := work(New(secrets[:10])), work(many); all > 20*few+time.Millisecond {
		t.Errorf("ten secrets take %v, a hundred thousand %v", few, all)
	}
}
