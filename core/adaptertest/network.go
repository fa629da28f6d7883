package adaptertest

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/recess-go/recess/core"
)

var networkTests = []test{
	{"the socket's peer is the client, whatever headers say", testPeer},
	{"a trusted proxy names the client, the last untrusted entry counts", testTrustedProxy},
	{"the configured header is the only one", testClientHeader},
	{"the application can find the address itself", testClientAddress},
	{"a Unix socket has no address of its own", testUnixSocket},
	{"a pattern matches the text of the address", testAddressPattern},
}

// forgeries are the headers by which a client pretends to be somebody else.
func forgeries(addr string) []string {
	return []string{
		"X-Forwarded-For: " + addr, "X-Real-Ip: " + addr, "X-Client-Ip: " + addr, "True-Client-Ip: " + addr,
		"Cf-Connecting-Ip: " + addr, "Forwarded: for=" + addr, "Client-Ip: " + addr, "X-Original-Forwarded-For: " + addr,
		"X-Remote-Ip: " + addr, "X-Remote-Addr: " + addr, "X-Cluster-Client-Ip: " + addr, "X-Appengine-Remote-Addr: " + addr,
	}
}

func testPeer(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowNetworks: []string{"203.0.113.0/24", "2001:db8::/32"}})
	w.refuses(get("/orders"))
	w.refuses(get("/orders", forgeries("203.0.113.7")...))
	for _, line := range forgeries("203.0.113.7") {
		w.refuses(get("/orders", line))
	}
	w = f.closed(t, recess.Policy{AllowNetworks: []string{"127.0.0.0/8"}})
	w.passesByException(get("/orders"), "orders")
	w.passesByException(get("/orders", forgeries("203.0.113.7")...), "orders")
}

// forwarding is what a client, or a proxy, says in X-Forwarded-For, line by line. It lets in where the peer is a trusted proxy,
// 10.0.0.0/8 are others, and 203.0.113.0/24 and 2001:db8::/32 are let in.
type forwarding struct {
	name  string
	lines []string
	in    bool
}

func (f *forwarding) ask() ask {
	a := get("/orders")
	for _, value := range f.lines {
		a = a.with("X-Forwarded-For: " + value)
	}
	return a
}

var forwarded = []forwarding{
	{"no header: the proxy is not the client", nil, false},
	{"one entry", []string{"203.0.113.7"}, true},
	{"blanks", []string{"  203.0.113.7 \t"}, true},
	{"IPv6", []string{"2001:db8::1"}, true},
	{"IPv4 in IPv6", []string{"::ffff:203.0.113.7"}, true},
	{"a zone", []string{"2001:db8::1%eth0"}, true},
	{"IPv4 compatible is IPv6", []string{"::203.0.113.7"}, false},
	{"another network", []string{"198.51.100.1"}, false},
	{"a trusted hop behind the client", []string{"203.0.113.7, 10.1.2.3"}, true},
	{"the client says more on the left", []string{"203.0.113.7, 198.51.100.1"}, false},
	{"the client says more on the left of a trusted hop", []string{"203.0.113.7, 198.51.100.1, 10.1.2.3"}, false},
	{"lines are read in order", []string{"198.51.100.1", "203.0.113.7"}, true},
	{"lines are read in order, the other way", []string{"203.0.113.7", "198.51.100.1"}, false},
	{"garbage on the left is not read", []string{"unknown, 203.0.113.7"}, true},
	{"no address", []string{"unknown"}, false},
	{"authentik's letter", []string{"a"}, false},
	{"a port", []string{"203.0.113.7:80"}, false},
	{"brackets", []string{"[2001:db8::1]"}, false},
	{"an empty entry at the end", []string{"203.0.113.7,"}, false},
	{"an empty entry in the middle", []string{"203.0.113.7, , 10.1.2.3"}, false},
	{"an empty line after", []string{"203.0.113.7", ""}, false},
	{"octal", []string{"0313.0.0161.07"}, false},
	{"one number", []string{"3405803783"}, false},
	{"hexadecimal", []string{"0xcb.0.0x71.7"}, false},
	{"quotes", []string{`"203.0.113.7"`}, false},
	{"only trusted hops", []string{"10.1.2.3, 127.0.0.1"}, false},
	{"ten thousand entries", []string{strings.Repeat("203.0.113.7,", 300) + strings.Repeat("10.0.0.1,", 300) + "10.0.0.1"}, false},
	{"a tab", []string{"\t203.0.113.7\t"}, true},
	{"IPv6 in full", []string{"2001:0db8:0000:0000:0000:0000:0000:0001"}, true},
	{"IPv4 in IPv6 with a zone", []string{"::ffff:203.0.113.7%eth0"}, true},
	{"a trusted address on the left of the client", []string{"127.0.0.1, 203.0.113.7"}, true},
	{"a trusted hop of IPv4 in IPv6", []string{"203.0.113.7, ::ffff:10.1.2.3"}, true},
	{"a client of IPv4 in IPv6 behind a trusted hop", []string{"::ffff:198.51.100.1, 10.1.2.3"}, false},
	{"an address that nobody has", []string{"0.0.0.0"}, false},
	{"a hidden name", []string{"_hidden"}, false},
	{"brackets and a port", []string{"[2001:db8::1]:80"}, false},
	{"leading zeros", []string{"203.000.113.007"}, false},
	{"short", []string{"203.7"}, false},
	{"a prefix", []string{"203.0.113.0/24"}, false},
	{"a header of another kind", []string{"for=203.0.113.7"}, false},
}

func testTrustedProxy(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{
		AllowNetworks: []string{"203.0.113.0/24", "2001:db8::/32", "127.0.0.1"}, TrustedProxies: []string{"127.0.0.1", "10.0.0.0/8"},
	})
	for _, c := range forwarded {
		t.Run(c.name, func(t *testing.T) {
			a := c.ask()
			here := *w
			here.t = t
			if c.in {
				here.passesByException(a, "orders")
			} else {
				here.refuses(a)
			}
		})
	}
}

func testClientHeader(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{
		AllowNetworks: []string{"203.0.113.0/24"}, TrustedProxies: []string{"127.0.0.1"}, ClientIPHeader: "x-real-ip",
	})
	w.passesByException(get("/orders", "X-Real-IP: 203.0.113.7"), "orders")
	w.passesByException(get("/orders", "X-REAL-ip: 203.0.113.7", "X-Forwarded-For: 198.51.100.1"), "orders")
	w.refuses(get("/orders", "X-Forwarded-For: 203.0.113.7"))
	w.refuses(get("/orders", "X-Real-IP: 198.51.100.1", "X-Forwarded-For: 203.0.113.7"))
	w.refuses(get("/orders", "X-Real-IP: 203.0.113.7", "X-Real-IP: 198.51.100.1"))
}

func testClientAddress(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{
		AllowNetworks: []string{"203.0.113.0/24"}, TrustedProxies: []string{"127.0.0.1"},
		ClientAddress: func(r recess.Request) netip.Addr {
			addr, _ := netip.ParseAddr(r.Header("X-Trusted-Edge"))
			return addr
		},
	})
	w.passesByException(get("/orders", "X-Trusted-Edge: 203.0.113.7"), "orders")
	w.passesByException(get("/orders", "X-Trusted-Edge: ::ffff:203.0.113.7"), "orders")
	w.refuses(get("/orders", "X-Trusted-Edge: nonsense"))
	w.refuses(get("/orders", "X-Forwarded-For: 203.0.113.7"))
}

func testUnixSocket(t *testing.T, f Framework) {
	for _, c := range []struct {
		name    string
		trusted []string
		a       ask
		in      bool
	}{
		{"nobody", nil, get("/orders"), false},
		{"a client who names himself", nil, get("/orders", "X-Forwarded-For: 203.0.113.7"), false},
		{"a client who names himself past a proxy elsewhere", []string{"127.0.0.1"}, get("/orders", "X-Forwarded-For: 203.0.113.7"), false},
		{"a proxy on the socket", []string{"unix"}, get("/orders", "X-Forwarded-For: 203.0.113.7"), true},
		{"a proxy on the socket that names nobody", []string{"unix"}, get("/orders"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			listener, connect := reach(t, "unix", "")
			w := f.openOn(t, listener, connect, recess.Policy{
				AllowNetworks: []string{"203.0.113.0/24", "127.0.0.0/8", "::1"}, TrustedProxies: c.trusted,
			})
			w.on(recess.Opening{})
			if c.in {
				w.passesByException(c.a, "orders")
			} else {
				w.refuses(c.a)
			}
		})
	}
}

func testAddressPattern(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowNetworks: []string{`~203\.0\.113\.1`}, TrustedProxies: []string{"127.0.0.1"}})
	for addr, in := range map[string]bool{"203.0.113.1": true, "203.0.113.19": true, "203.0.113.2": false, "1.203.0.113": false} {
		a := get("/orders", "X-Forwarded-For: "+addr)
		if in {
			w.passesByException(a, "orders")
		} else {
			w.refuses(a)
		}
	}
	// An address is an address: django-maintenance-mode's entries were patterns and let 10.0.0.10 in for 10.0.0.1.
	w = f.closed(t, recess.Policy{AllowNetworks: []string{"203.0.113.1"}, TrustedProxies: []string{"127.0.0.1"}})
	w.passesByException(get("/orders", "X-Forwarded-For: 203.0.113.1"), "orders")
	w.refuses(get("/orders", "X-Forwarded-For: 203.0.113.19"))
}

// loopback finds the peer's address and counts how often it was asked.
func loopback(asked *atomic.Int64) func(recess.Request) netip.Addr {
	return func(r recess.Request) netip.Addr {
		asked.Add(1)
		return r.Peer().Addr()
	}
}
