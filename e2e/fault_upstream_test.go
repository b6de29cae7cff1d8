package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// upstreamFault is a way in which an app misbehaves. Each has a route of its
// own, which takes the events whose ID begins with the fault's name.
type upstreamFault struct {
	name string
	evil http.HandlerFunc // how the app answers until it behaves
	ends string           // the state in which deliveries end meanwhile; empty: they are tried again
}

var upstreamFaults = []upstreamFault{
	{name: "never-answers", evil: untilGone},
	{name: "byte-a-second", evil: drip("", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")},
	{name: "body-byte-a-second", evil: drip("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", strings.Repeat("x", 100))},
	{name: "cuts-answer", evil: cut("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")},
	{name: "closes-idle", evil: closeIdle, ends: "delivered"},
	{name: "redirects", evil: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, ends: "dead"},
	{name: "huge-body", evil: endless, ends: "delivered"},
	{name: "refuses"},
	{name: "dns-fails"},
}

// untilGone answers never.
func untilGone(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// drip writes the first part of an answer at once, and a byte a second of the rest.
func drip(first, rest string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, err = io.WriteString(conn, first)
		for i := 0; i < len(rest) && err == nil; i++ {
			time.Sleep(time.Second)
			_, err = io.WriteString(conn, rest[i:i+1])
		}
	}
}

// closeIdle answers, and closes the connection without having said so, at about
// the time when the next request comes.
func closeIdle(w http.ResponseWriter, r *http.Request) {
	if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		time.Sleep(2 * time.Millisecond)
		conn.Close()
	}
}

// endless answers with 200 and a body without an end.
func endless(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, zeros{}) }

// Apps misbehave for a while, each in its own way, and then behave. All events
// arrive, and nothing is left behind: round after round the gateway has as many
// goroutines and as much memory as before.
func TestFaultUpstream(t *testing.T) {
	t.Parallel()
	apps := newEvilApps(t)
	g := start(t, apps.sites(""))
	reloads := g.reloading(apps.sites)
	apps.round(g, 0)
	goroutines, memory := apps.leftBehind(g), g.memory()
	for round := range rounds(1, 19) {
		apps.round(g, 1+round)
	}
	t.Logf("%d reloads", reloads.stop())
	eventually(t, "goroutines have ended", func() bool { return apps.leftBehind(g) <= goroutines+10 })
	if grown := (g.memory() - memory) >> 20; grown > 64 {
		t.Errorf("the gateway's memory grew by %d MiB", grown)
	}
	for _, f := range upstreamFaults {
		apps.found[f.name].report(t)
	}
}

// evilApps are an app for each fault, and one that is healthy and gets all events.
type evilApps struct {
	t       *testing.T
	apps    map[string]*app
	healthy *app
	names   *names
	found   map[string]*figures
}

func newEvilApps(t *testing.T) *evilApps {
	t.Helper()
	e := &evilApps{t, make(map[string]*app), newApp(t, nil), newNames(t), make(map[string]*figures)}
	for _, f := range upstreamFaults {
		e.apps[f.name] = unstartedApp(t, freeAddress(t), nil)
		if f.name != "refuses" {
			e.apps[f.name].listen(t)
		}
		e.found[f.name] = &figures{fault: "upstream " + f.name}
	}
	return e
}

// sites delivers each event to the healthy app, and to that of its fault.
func (e *evilApps) sites(more string) string {
	var routes strings.Builder
	for _, f := range upstreamFaults {
		to := "to " + e.apps[f.name].address
		if f.name == "dns-fails" {
			to = fmt.Sprintf("forward {\n reverse_proxy %s {\n transport http {\n resolvers %s\n}\n}\n}",
				strings.Replace(e.apps[f.name].address, "127.0.0.1", "app.test", 1), e.names.address)
		}
		fmt.Fprintf(&routes, "route %[1]s `id startsWith \"%[1]s:\"` {\n %s\n retry 1h 50ms 200ms\n timeout 1s\n}\n", f.name, to)
	}
	return insignerSite(e.healthy.address, routes.String()+more)
}

// round has all apps misbehave and then behave.
func (e *evilApps) round(g *gateway, round int) {
	const each = 5
	ids := make(map[string][]string)
	for _, f := range upstreamFaults {
		e.apps[f.name].setAnswer(f.evil)
		for i := range each {
			ids[f.name] = append(ids[f.name], fmt.Sprintf("%s:%d-%d", f.name, round, i))
		}
		g.mustSend(ids[f.name]...)
	}
	for _, f := range upstreamFaults {
		e.healthy.waitForAll(e.t, ids[f.name])
		e.misbehaves(g, f, ids[f.name])
	}

	began := time.Now()
	e.names.know.Store(true)
	for _, f := range upstreamFaults {
		e.apps[f.name].setAnswer(nil)
		switch f.name {
		case "refuses":
			e.apps[f.name].listen(e.t)
		case "redirects":
			g.mustSend(ids[f.name]...) // a copy has dead deliveries tried again
		}
	}
	for _, f := range upstreamFaults {
		last := began
		for _, id := range ids[f.name] {
			if d := g.waitForState(id, f.name, "delivered"); d.Ended.After(last) {
				last = *d.Ended
			}
		}
		e.found[f.name].count(e.apps[f.name].counts(), ids[f.name], last.Sub(began))
	}
	e.names.know.Store(false)
	e.apps["dns-fails"].CloseClientConnections() // one that is open needs no name
	e.apps["refuses"].Close()
}

// leftBehind returns how many goroutines the gateway has when the apps have
// closed all connections.
func (e *evilApps) leftBehind(g *gateway) int {
	e.healthy.CloseClientConnections()
	for _, f := range upstreamFaults {
		e.apps[f.name].CloseClientConnections()
	}
	return int(g.metric("go_goroutines"))
}

// misbehaves waits until the fault has shown what it does to deliveries.
func (e *evilApps) misbehaves(g *gateway, f upstreamFault, ids []string) {
	if f.ends != "" {
		for _, id := range ids {
			g.waitForState(id, f.name, f.ends)
		}
		return
	}
	eventually(e.t, "an event is tried again: "+f.name, func() bool {
		return slices.ContainsFunc(ids, func(id string) bool {
			event, _ := g.event(id)
			return len(event.Deliveries) == 2 && event.Deliveries[1].Attempts > 1
		})
	})
}

// count adds the events of a round, by how often the app saw them.
func (f *figures) count(seen map[string]int, ids []string, recovery time.Duration) {
	f.times++
	f.acked += len(ids)
	for _, id := range ids {
		switch seen[id] {
		case 0:
			f.missing++
		case 1:
		default:
			f.twice++
		}
	}
	if recovery > 0 {
		f.recoveries = append(f.recoveries, recovery)
	}
}

// names is a DNS server that knows one name, or fails.
type names struct {
	address string
	know    atomic.Bool
}

func newNames(t *testing.T) *names {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	n := &names{address: conn.LocalAddr().String()}
	go func() {
		query := make([]byte, 512)
		for {
			size, peer, err := conn.ReadFrom(query)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(n.answer(query[:size]), peer)
		}
	}()
	return n
}

// answer answers a query of one question with 127.0.0.1, with nothing if it is
// not for an IPv4 address, or with SERVFAIL.
func (n *names) answer(query []byte) []byte {
	const header = 12
	end := header
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	end += 1 + 4 // the root, type and class
	answer := append([]byte(nil), query[:end]...)
	binary.BigEndian.PutUint16(answer[2:], 0x8180) // a response, recursion desired and available
	clear(answer[6:header])
	switch {
	case !n.know.Load():
		answer[3] |= 2
	case binary.BigEndian.Uint16(query[end-4:]) == 1:
		answer[7] = 1
		answer = append(answer, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1)
	}
	return answer
}
