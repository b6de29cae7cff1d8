package module

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider"
)

// tenantSecret is the secret of a tenant by its number.
func tenantSecret(n int) string { return fmt.Sprintf("secret-of-tenant-%07d-0123456789abcdef", n) }

// withTenants returns a source with so many tenants, t0 and so on, whose secrets lie in a
// file.
func withTenants(tb testing.TB, count int) *Handler {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "tenants")
	var lines strings.Builder
	for n := range count {
		fmt.Fprintf(&lines, "t%d %s\n", n, tenantSecret(n))
	}
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	h := &Handler{ProviderRaw: json.RawMessage(`{"name":"insigner"}`), Tenant: "query.t", SecretsFrom: file}
	if err := h.provisionOffline(); err != nil {
		tb.Fatal(err)
	}
	if err := h.readTenants(); err != nil {
		tb.Fatal(err)
	}
	return h
}

// proveOne takes a request of a tenant through the steps up to its proof.
func proveOne(h *Handler, tenant, signature string, body []byte) error {
	r := httptest.NewRequest("POST", "/hook?t="+tenant, bytes.NewReader(body))
	r.Header["X-Insigner-Signature"] = []string{signature}
	hook, err := h.receive(httptest.NewRecorder(), r, "")
	if err != nil {
		return err
	}
	defer hook.free()
	return h.prove(hook)
}

// signatureOf returns the signature of a body for a tenant.
func signatureOf(tb testing.TB, h *Handler, tenant string, body []byte) string {
	tb.Helper()
	p, err := h.ProviderFor(tenant)
	if err != nil {
		tb.Fatal(err)
	}
	r := &provider.Request{Method: "POST", Path: "/hook", Header: map[string][]string{}, Body: body, Public: new(url.URL)}
	if err := p.Sign(r, time.Now()); err != nil {
		tb.Fatal(err)
	}
	return r.Header["X-Insigner-Signature"][0]
}

// TestManyTenants holds what a hundred thousand tenants cost: memory, and time when they
// are read, but none of a request.
func TestManyTenants(t *testing.T) {
	const count = 100_000
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, began := heap(), time.Now()
	many := withTenants(t, count)
	took, memory := time.Since(began), (heap()-before)>>20
	t.Logf("%d tenants: read in %v, %d MiB", count, took.Round(time.Millisecond), memory)
	if memory > 192 {
		t.Errorf("%d tenants take %d MiB", count, memory)
	}
	body := []byte(`{"id":"1","event":"e"}`)
	for _, n := range []int{0, 1, count / 2, count - 1} {
		tenant := fmt.Sprintf("t%d", n)
		if err := proveOne(many, tenant, signatureOf(t, many, tenant, body), body); err != nil {
			t.Errorf("%s: %v", tenant, err)
		}
	}
	if err := proveOne(many, "t1", signatureOf(t, many, "t2", body), body); err == nil {
		t.Error("a tenant signs for another one")
	}
	few := withTenants(t, 10)
	cost := func(h *Handler, tenant string) time.Duration {
		signature, least := signatureOf(t, h, tenant, body), time.Hour
		for range 2000 {
			began := time.Now()
			if err := proveOne(h, tenant, signature, body); err != nil {
				t.Fatal(err)
			}
			least = min(least, time.Since(began))
		}
		return least
	}
	if one, all := cost(few, "t5"), cost(many, "t55555"); all > 3*one {
		t.Errorf("a request takes %v among ten tenants, %v among %d", one, all, count)
	}
	runtime.KeepAlive(many)
}

// BenchmarkTenants takes requests up to their proof, among few and many tenants.
func BenchmarkTenants(b *testing.B) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 128) // 2 KiB
	run := func(name string, h *Handler, tenant, signature string, good bool) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := proveOne(h, tenant, signature, body); (err == nil) != good {
					b.Fatal(err)
				}
			}
		})
	}
	alone := &Handler{ProviderRaw: json.RawMessage(`{"name":"insigner","secrets":["` + tenantSecret(5) + `"]}`)}
	if err := alone.provisionOffline(); err != nil {
		b.Fatal(err)
	}
	few, many := withTenants(b, 10), withTenants(b, 100_000)
	signature := signatureOf(b, few, "t5", body)
	run("without", alone, "t5", signature, true)
	run("10", few, "t5", signature, true)
	run("100000", many, "t5", signature, true)
	run("unknown", many, "nobody", signature, false)
	run("wrong", many, "t6", signature, false)
}
