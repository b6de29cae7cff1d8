package module

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// BenchmarkBatch measures a request with so many elements of 300 bytes, up to its answer.
func BenchmarkBatch(b *testing.B) {
	for _, elements := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(elements), func(b *testing.B) {
			h := loadSource(b, "", "each body\nevent body.event\nid body.id\nroute none `event == \"none\"` localhost:1\n")
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				b.StopTimer()
				r := batchRequest(b, h, elements, n)
				b.StartTimer()
				w := httptest.NewRecorder()
				if err := h.ServeHTTP(w, r, nil); err != nil || w.Code != http.StatusOK {
					b.Fatalf("answer %d, %v", w.Code, err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*elements), "µs/element")
		})
	}
}

func batchRequest(b *testing.B, h *Handler, elements, n int) *http.Request {
	b.Helper()
	var body bytes.Buffer
	for i := range elements {
		fmt.Fprintf(&body, "%c{\"event\":\"open\",\"id\":\"%d.%d\",\"email\":\"someone@example.com\",\"x\":%q}", "[,"[min(i, 1)], n, i, strings.Repeat("x", 220))
	}
	body.WriteByte(']')
	signed := &provider.Request{Method: "POST", Path: "/", Header: map[string][]string{}, Body: body.Bytes()}
	if err := h.provider.Sign(signed, time.Now()); err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", &body)
	r.Header = http.Header(signed.Header)
	r.Header.Set("Content-Type", "application/json")
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), nil)
}
