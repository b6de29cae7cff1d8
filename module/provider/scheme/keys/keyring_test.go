package keys_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/providertest"
	"github.com/caddy-webhook-gateway/caddy-webhook-gateway/module/provider/scheme/keys"
)

// TestAddressesAreBounded has a stranger send from more networks than are counted.
func TestAddressesAreBounded(t *testing.T) {
	ring := keys.RingOf(func(string) []byte { return nil })
	calls := 0
	for i := range 2 * keys.MaxAddresses {
		if ring.GetFor(context.Background(), fmt.Sprint(i), fmt.Sprintf("2001:db8:%x::1", i)) == nil {
			calls++
		}
	}
	if most := keys.StrangersBurst + 200; calls > most { // of some seconds
		t.Errorf("%d calls, want %d at most", calls, most)
	}
	if got := ring.Addresses(); got != keys.MaxAddresses {
		t.Errorf("%d addresses are remembered", got)
	}
}

// TestGenuineNamesStay has strangers name more certificates that are there than are
// remembered. Those that have verified a request stay.
func TestGenuineNamesStay(t *testing.T) {
	calls := make(map[string]int)
	ring := keys.RingOf(func(name string) []byte {
		calls[name]++
		return []byte(providertest.JWKS('a'))
	})
	cache := ring.Cache()
	if err := cache.Get(context.Background(), "good"); err != nil {
		t.Fatal(err)
	}
	cache.Prove("good")
	_ = ring.GetFor(context.Background(), "other", "")
	ring.AllowAll()
	for i := range 3 * keys.MaxKeys {
		_ = ring.GetFor(context.Background(), fmt.Sprint(i), fmt.Sprintf("192.0.2.%d", i%256))
	}
	if len(calls) < 3*keys.MaxKeys {
		t.Fatalf("strangers named only %d keys", len(calls))
	}
	if count, known := cache.Knows("good"); !known || count != 1 {
		t.Error("what verified a request was driven out")
	}
	if got := cache.Held(); got > 2*keys.MaxKeys {
		t.Errorf("%d names are held", got)
	}
}

// TestMadeUpNamesDriveOutNothing holds that what strangers make up is bounded,
// and costs no good key.
func TestMadeUpNamesDriveOutNothing(t *testing.T) {
	calls := 0
	ring := keys.RingOf(func(name string) []byte {
		calls++
		if name == "good" {
			return []byte(providertest.JWKS('a'))
		}
		return nil
	})
	cache := ring.Cache()
	if err := cache.Get(context.Background(), "good"); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range 3 * keys.MaxKeys {
		if err := ring.GetFor(context.Background(), fmt.Sprint(i), ""); errors.Is(err, keys.ErrManyKeys) {
			refused++
		}
	}
	if calls > keys.FetchBurst+2 || refused < 3*keys.MaxKeys-keys.FetchBurst-2 {
		t.Errorf("%d calls, %d refused", calls, refused)
	}
	if got := cache.Held(); got != 1 {
		t.Errorf("%d names have keys, want 1", got)
	}
	for i := range 3 * keys.MaxKeys {
		cache.MarkAbsent(fmt.Sprint(i))
	}
	if count, known := cache.Knows("good"); !known || count != 1 {
		t.Error("the good key is gone")
	}
	if _, known := cache.Knows(fmt.Sprint(3*keys.MaxKeys - 1)); !known {
		t.Error("what is absent was forgotten at once")
	}
}
