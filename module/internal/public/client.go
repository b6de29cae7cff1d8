// Package public fetches what strangers name, from nowhere but the Internet.
package public

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Client returns a client for URLs that strangers name. The client connects to
// public addresses only, which is checked when the name is resolved, and follows no
// redirect. Where the environment names a proxy, the proxy resolves the name and
// connects: then only addresses that stand in the URL itself can be refused.
func Client() *http.Client {
	return &http.Client{Transport: shared, CheckRedirect: NoRedirect}
}

// NoRedirect has a client take a redirect for the answer. A redirect would lead
// away from the host that is trusted.
func NoRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// publicOnly is the transport of Client.
type publicOnly struct {
	direct  http.RoundTripper
	proxied http.RoundTripper
	proxy   func(*http.Request) bool // whether a proxy is to connect
}

var shared = &publicOnly{
	direct:  newTransport(&net.Dialer{Timeout: 10 * time.Second, Control: controlPublic}),
	proxied: throughProxy(),
	proxy: func(req *http.Request) bool {
		proxy, err := http.ProxyFromEnvironment(req)
		return proxy != nil || err != nil // which proxied reports
	},
}

func throughProxy() *http.Transport {
	t := newTransport(&net.Dialer{Timeout: 10 * time.Second})
	t.Proxy = http.ProxyFromEnvironment
	return t
}

func newTransport(dialer *net.Dialer) *http.Transport {
	return &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           16,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// RoundTrip implements http.RoundTripper.
func (t *publicOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	if ip, err := netip.ParseAddr(req.URL.Hostname()); err == nil && !IsAddress(ip) {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, notPublic(ip)
	}
	if t.proxy(req) {
		return t.proxied.RoundTrip(req)
	}
	return t.direct.RoundTrip(req)
}

// controlPublic refuses a connection to an address that is not public. The address
// is the one that the name has led to.
func controlPublic(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s is no address", address)
	}
	if !IsAddress(to.Addr()) {
		return notPublic(to.Addr())
	}
	return nil
}

func notPublic(ip netip.Addr) error {
	return fmt.Errorf("%s is not a public address, and what a request names is fetched from public addresses only", ip)
}

// notPublic4 are the IPv4 networks that are not on the Internet, or are nobody's
// server: those of IANA's special-purpose registry, and multicast.
var notPublic4 = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)

// Of IPv6, what is global unicast is public but for these: protocol assignments
// (Teredo among them), documentation, and 6to4, which leads to an IPv4 address.
var (
	global6    = netip.MustParsePrefix("2000::/3")
	notPublic6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// IsAddress reports whether an IP address is one on the Internet. An IPv4 address that
// is written as an IPv6 one, mapped or behind NAT64, counts as what it is.
func IsAddress(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if nat64.Contains(ip) {
		bytes := ip.As16()
		ip = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	if ip.Is4() {
		return !within(notPublic4, ip)
	}
	return global6.Contains(ip) && !within(notPublic6, ip)
}

func within(list []netip.Prefix, ip netip.Addr) bool {
	for _, prefix := range list {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}
