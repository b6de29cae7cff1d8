package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"
)

// TestCompressedBodies holds that rules and signatures see what was compressed, and the
// app the bytes as they came.
func TestCompressedBodies(t *testing.T) {
	t.Parallel()
	app, other := newApp(t, nil), newApp(t, nil)
	g := start(t, `{$HTTPS} {
	webhook_gateway /hook {
		source stream
		provider custom s3cret {
			hmac sha256 {
				header X-Signature
				signed "{body|gunzip}"
			}
			event `+"`body.type`"+`
		}
		route new `+"`body.payload.kind == \"new\"` "+app.address+`
		otherwise `+other.address+`
	}
}`)
	const text = `{"type":"message","payload":"{\"kind\":\"new\"}"}`
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	header := http.Header{
		"Content-Type":     {"application/json"},
		"Content-Encoding": {"gzip"},
		"X-Signature":      {hex.EncodeToString(sum(sha256.New, "s3cret", text))},
	}
	if status, _ := g.post("/hook", header, zipped.Bytes()); status != 200 {
		t.Fatalf("answer %d", status)
	}
	got := app.waitFor(t, 1)[0]
	if !bytes.Equal(got.body, zipped.Bytes()) || got.header.Get("Content-Encoding") != "gzip" || got.header.Get("Webhook-Gateway-Event-Type") != "message" {
		t.Errorf("the app got %q with %v", got.body, got.header)
	}
	forged := append(bytes.Clone(zipped.Bytes()), zipped.Bytes()...)
	if status, _ := g.post("/hook", header, forged); status != 401 {
		t.Errorf("a forgery is answered %d", status)
	}
}
