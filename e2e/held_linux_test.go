package e2e

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

// at returns the gateway as somebody at another address of this machine sees it.
func (g *gateway) at(address string) *gateway {
	same := g.outside()
	transport := g.client.Transport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}).DialContext
	same.client = &http.Client{Timeout: patience, Transport: transport}
	g.t.Cleanup(transport.CloseIdleConnections)
	return same
}

// A stranger at another address takes what places and calls it gets: the API is slow about
// its tokens. Genuine events have places, and their calls are made at once.
func TestHeldStrangerElsewhere(t *testing.T) {
	t.Parallel()
	app, api := newApp(t, nil), newApp(t, judging(after(4*time.Second)))
	g := newGateway(t)
	g.write(fewPlaces, "{$HTTPS} {\n"+ignisignSource("ignisign", app.address, api, "")+"}\n")
	g.run()
	stranger := g.at("127.0.0.2")
	if taken := stranger.fillHeld("ignisign", "junk"); taken < 400 || taken > 600 {
		t.Errorf("%d events of the stranger were taken, want about 500", taken)
	}
	for n := range 100 {
		id := fmt.Sprintf("good-%d", n)
		if status := g.sendPadded("ignisign", id, 8<<10); status != http.StatusOK {
			t.Fatalf("genuine event %d is answered with %d, want 200", n, status)
		}
		if state := g.stateOf(id); state != "routed" {
			t.Fatalf("genuine event %d is %s, want routed", n, state)
		}
	}
	app.waitFor(t, 100)
	if status := stranger.sendPadded("ignisign", "junk", 8<<10); status != http.StatusServiceUnavailable {
		t.Errorf("one more event of the stranger is answered with %d, want 503", status)
	}
}
