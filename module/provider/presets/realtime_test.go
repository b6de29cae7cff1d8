package presets_test

import (
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
)

// TestStreamCompresses verifies a webhook of Stream whose body is compressed: the text is
// signed, and not the bytes that come.
func TestStreamCompresses(t *testing.T) {
	const secret, body = "s3cret-of-the-app", `{"type":"message.new","message":{"text":"hi"}}`
	compressed := func(text string) string {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, _ = w.Write([]byte(text)) // to memory
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	p := providertest.MustParse(t, "getstream "+secret)
	for sent, want := range map[string]bool{
		body:                                  true,
		compressed(body):                      true,
		compressed(body + " "):                false,
		compressed(body)[:20]:                 false,
		compressed(compressed(body)):          false,
		compressed(string(make([]byte, 1e7))): false, // a bomb
	} {
		r := providertest.Hook(sent, "X-Signature: "+providertest.MACHex(secret, body), "Content-Encoding: gzip")
		if err := p.Verify(r, providertest.Now); (err == nil) != want {
			t.Errorf("%.20q: %v", sent, err)
		}
	}
}
