package clientip

import (
	"net/netip"
	"strings"
	"testing"
)

var noPeer netip.AddrPort

func peerOf(text string) netip.AddrPort {
	if text == "" {
		return noPeer
	}
	return netip.AddrPortFrom(netip.MustParseAddr(text), 4711)
}

func newResolver(t testing.TB, config Config) *Resolver {
	t.Helper()
	r, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var proxies = []string{"10.0.0.0/8", "192.0.2.1", "::ffff:192.0.2.2", "2001:db8:aa::/48", "fe80::/10"}

// Attempts to be somebody else. The client's true address is 203.0.113.9 or
// 2001:db8::9, the address that opens doors is 127.0.0.1 or ::1.
var attempts = []struct {
	name, peer, header, want string
	outcome                  Outcome
}{
	// From a peer that is not trusted, no header is read.
	{"a stranger without a header", "203.0.113.9", "", "203.0.113.9", PeerIsClient},
	{"a stranger claims to be loopback", "203.0.113.9", "127.0.0.1", "203.0.113.9", PeerIsClient},
	{"a stranger claims to come through a proxy", "203.0.113.9", "127.0.0.1, 10.0.0.1", "203.0.113.9", PeerIsClient},
	{"a stranger sends rubbish", "203.0.113.9", "a", "203.0.113.9", PeerIsClient},
	{"a stranger on IPv6", "2001:db8::9", "::1", "2001:db8::9", PeerIsClient},
	{"a stranger in IPv6 clothes", "::ffff:203.0.113.9", "127.0.0.1", "203.0.113.9", PeerIsClient},
	{"a stranger with a zone", "2001:db8::9%eth0", "::1", "2001:db8::9", PeerIsClient},
	{"a stranger next to a trusted address", "192.0.2.3", "127.0.0.1", "192.0.2.3", PeerIsClient},
	{"a stranger whose IPv6 address ends like a proxy's", "::10.0.0.1", "127.0.0.1", "::10.0.0.1", PeerIsClient},

	// One trusted proxy.
	{"one proxy", "10.0.0.1", "203.0.113.9", "203.0.113.9", Forwarded},
	{"one proxy, the client lies on the left", "10.0.0.1", "127.0.0.1, 203.0.113.9", "203.0.113.9", Forwarded},
	{"one proxy, the client sent rubbish on the left", "10.0.0.1", "a, ,,, 203.0.113.9", "203.0.113.9", Forwarded},
	{"one proxy, the client put a proxy on the left", "10.0.0.1", "10.0.0.2, 203.0.113.9", "203.0.113.9", Forwarded},
	{"the proxy in IPv6 clothes", "::ffff:10.0.0.1", "127.0.0.1, 203.0.113.9", "203.0.113.9", Forwarded},
	{"the proxy trusted in IPv6 clothes", "192.0.2.2", "203.0.113.9", "203.0.113.9", Forwarded},
	{"the proxy on IPv6", "2001:db8:aa::1", "::1, 2001:db8::9", "2001:db8::9", Forwarded},
	{"the proxy on IPv6 with a zone", "fe80::1%eth0", "203.0.113.9", "203.0.113.9", Forwarded},
	{"the client in IPv6 clothes", "10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9", Forwarded},
	{"the client in hexadecimal IPv6 clothes", "10.0.0.1", "::ffff:cb00:7109", "203.0.113.9", Forwarded},
	{"the client in IPv6 clothes with a zone", "10.0.0.1", "::ffff:203.0.113.9%eth0", "203.0.113.9", Forwarded},
	{"the client with a zone", "10.0.0.1", "fe81::9%eth0, 2001:db8::9%x", "2001:db8::9", Forwarded},
	{"an IPv4-compatible address is not IPv4", "10.0.0.1", "::1.2.3.4", "::102:304", Forwarded},
	{"blanks and tabs around the entry", "10.0.0.1", "127.0.0.1,\t 203.0.113.9 \t", "203.0.113.9", Forwarded},
	{"the proxy's own word for loopback", "10.0.0.1", "127.0.0.1", "127.0.0.1", Forwarded},

	// A chain of proxies.
	{"three proxies", "10.0.0.1", "127.0.0.1, 203.0.113.9, 10.0.0.3, 192.0.2.1", "203.0.113.9", Forwarded},
	{"three proxies of two families", "2001:db8:aa::1", "::1, 2001:db8::9, 10.0.0.3, 2001:db8:aa::2", "2001:db8::9", Forwarded},
	{"a proxy of the chain in IPv6 clothes", "10.0.0.1", "203.0.113.9, ::ffff:10.0.0.2", "203.0.113.9", Forwarded},
	{"an unknown proxy in the chain is the client", "10.0.0.1", "203.0.113.9, 198.51.100.1, 10.0.0.2", "198.51.100.1", Forwarded},
	{"two header lines", "10.0.0.1", "127.0.0.1, 203.0.113.9", "203.0.113.9", Forwarded},
	{"only proxies, never the leftmost", "10.0.0.1", "10.0.0.9, 10.0.0.3", "", AllTrusted},
	{"one proxy alone", "10.0.0.1", "192.0.2.1", "", AllTrusted},

	// The chain cannot be followed.
	{"no header", "10.0.0.1", "", "", HeaderMissing},
	{"a header of blanks", "10.0.0.1", "  ", "", Unreadable},
	{"the word of authentik's CVE-2024-47070", "10.0.0.1", "a", "", Unreadable},
	{"unknown", "10.0.0.1", "unknown", "", Unreadable},
	{"an obfuscated name", "10.0.0.1", "127.0.0.1, _hidden", "", Unreadable},
	{"rubbish behind a proxy", "10.0.0.1", "127.0.0.1, a, 10.0.0.2", "", Unreadable},
	{"an empty entry at the end", "10.0.0.1", "203.0.113.9,", "", Unreadable},
	{"an empty entry in front of proxies", "10.0.0.1", ",10.0.0.2", "", Unreadable},
	{"an empty entry in the middle", "10.0.0.1", "203.0.113.9, , 10.0.0.2", "", Unreadable},
	{"only commas", "10.0.0.1", ",,,", "", Unreadable},
	{"a port", "10.0.0.1", "203.0.113.9:80", "", Unreadable},
	{"a port in IPv6", "10.0.0.1", "[2001:db8::9]:80", "", Unreadable},
	{"brackets", "10.0.0.1", "[2001:db8::9]", "", Unreadable},
	{"quotation marks", "10.0.0.1", `"203.0.113.9"`, "", Unreadable},
	{"RFC 7239", "10.0.0.1", "for=203.0.113.9", "", Unreadable},
	{"a short address", "10.0.0.1", "127.1", "", Unreadable},
	{"an octal address", "10.0.0.1", "010.0.0.1", "", Unreadable},
	{"a hexadecimal address", "10.0.0.1", "0x7f.1", "", Unreadable},
	{"a number", "10.0.0.1", "2130706433", "", Unreadable},
	{"a prefix", "10.0.0.1", "127.0.0.1/8", "", Unreadable},
	{"an IPv4 address with a zone", "10.0.0.1", "127.0.0.1%eth0", "", Unreadable},
	{"an empty zone", "10.0.0.1", "fe80::1%", "", Unreadable},
	{"a semicolon for a comma", "10.0.0.1", "127.0.0.1; 203.0.113.9", "", Unreadable},
	{"a line feed within", "10.0.0.1", "127.0.0.1\n, 203.0.113.9\n", "", Unreadable},
	{"a no-break space", "10.0.0.1", "127.0.0.1\u00a0", "", Unreadable},
	{"a NUL", "10.0.0.1", "127.0.0.1\x00", "", Unreadable},
	{"the address that nobody has", "10.0.0.1", "0.0.0.0", "", Unreadable},
	{"the IPv6 address that nobody has", "10.0.0.1", "127.0.0.1, ::", "", Unreadable},
	{"the address that nobody has in IPv6 clothes", "10.0.0.1", "::ffff:0.0.0.0", "", Unreadable},

	// A peer without an address is not trusted unless the configuration says so.
	{"a unix socket", "", "127.0.0.1", "", NoPeer},
	{"an unspecified peer", "0.0.0.0", "127.0.0.1", "", NoPeer},
	{"an unspecified peer on IPv6", "::", "127.0.0.1", "", NoPeer},
	{"an unspecified peer in IPv6 clothes", "::ffff:0.0.0.0", "127.0.0.1", "", NoPeer},
}

func TestSpoofing(t *testing.T) {
	r := newResolver(t, Config{Trusted: proxies})
	for _, test := range attempts {
		t.Run(test.name, func(t *testing.T) {
			check(t, r, peerOf(test.peer), test.header, test.want, test.outcome)
		})
	}
}

// check wants an answer from Client, and the same from Explain with its reason.
func check(t *testing.T, r *Resolver, peer netip.AddrPort, list, want string, outcome Outcome) {
	t.Helper()
	var addr netip.Addr
	if want != "" {
		addr = netip.MustParseAddr(want)
	}
	header := func(string) string { return list }
	if got := r.Client(peer, header); got != addr {
		t.Errorf("Client = %v, want %v", got, addr)
	}
	trace := r.Explain(peer, header)
	if trace.Client != addr || trace.Outcome != outcome {
		t.Errorf("Explain = %v (%s), want %v (%s)", trace.Client, trace.Outcome, addr, outcome)
	}
}

// The same attempts where the peer is a proxy on a unix socket.
func TestSpoofingOverAUnixSocket(t *testing.T) {
	r := newResolver(t, Config{Trusted: append([]string{"unix"}, proxies...)})
	for _, test := range attempts {
		if test.peer != "10.0.0.1" {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			check(t, r, netip.AddrPort{}, test.header, test.want, test.outcome)
		})
	}
}

// Only the zero AddrPort is a unix socket. What is left of an address that somebody overwrote is not.
func TestPeersWithoutAnAddressAreNotOnAUnixSocket(t *testing.T) {
	r := newResolver(t, Config{Trusted: append([]string{"unix"}, proxies...)})
	check(t, r, netip.AddrPort{}, "127.0.0.1", "127.0.0.1", Forwarded)
	for _, peer := range []string{"", "0.0.0.0", "::", "::ffff:0.0.0.0", "::%eth0"} {
		addr, _ := netip.ParseAddr(peer)
		check(t, r, netip.AddrPortFrom(addr, 1), "127.0.0.1", "", NoPeer)
	}
	check(t, r, netip.AddrPortFrom(netip.IPv4Unspecified(), 0), "127.0.0.1", "", NoPeer)
}

// Whoever trusts nobody gets the peer, and nil and zero resolvers trust nobody.
func TestSpoofingWithoutTrust(t *testing.T) {
	var none *Resolver
	for _, r := range []*Resolver{none, {}, newResolver(t, Config{}), newResolver(t, Config{Header: "X-Real-IP"})} {
		for _, test := range attempts {
			got := r.Client(peerOf(test.peer), func(string) string {
				t.Error("a header is read")
				return ""
			})
			want := peerOf(test.peer).Addr().Unmap().WithZone("")
			if want.IsUnspecified() {
				want = netip.Addr{}
			}
			if got != want {
				t.Errorf("%s: Client = %v, want %v", test.name, got, want)
			}
		}
		if r.TrustsEveryone() != nil {
			t.Error("a resolver that trusts nobody trusts everyone")
		}
	}
}

func TestTrustingEveryAddressIsNotTrustingUnixSockets(t *testing.T) {
	r := newResolver(t, Config{Trusted: []string{"0.0.0.0/0", "::/0"}})
	for _, peer := range []string{"", "0.0.0.0", "::"} {
		check(t, r, peerOf(peer), "127.0.0.1", "", NoPeer)
	}
	check(t, r, peerOf("203.0.113.9"), "127.0.0.1, 198.51.100.1", "", AllTrusted)
}

func TestAPrefixTrustsNobodyOfTheOtherFamily(t *testing.T) {
	v4, v6 := newResolver(t, Config{Trusted: []string{"0.0.0.0/0"}}), newResolver(t, Config{Trusted: []string{"::/0"}})
	check(t, v4, peerOf("2001:db8::9"), "::1", "2001:db8::9", PeerIsClient)
	check(t, v6, peerOf("203.0.113.9"), "127.0.0.1", "203.0.113.9", PeerIsClient)
	check(t, v6, peerOf("::ffff:203.0.113.9"), "127.0.0.1", "203.0.113.9", PeerIsClient)
}

func TestHeadersAreReadOnlySoFar(t *testing.T) {
	r := newResolver(t, Config{Trusted: proxies})
	const client, limit = "203.0.113.9", 8192
	chain := func(n int) string { return strings.Repeat(", 10.0.0.2", n) }
	pad := func(n int) string { return strings.Repeat(" ", n) }
	// "203.0.113.9" has 11 bytes, ",10.0.0.2" has 9.
	fill := limit - 9 - len(client)
	for _, test := range []struct {
		name, header, want string
		outcome            Outcome
	}{
		{"the client is the last entry allowed", client + chain(63), client, Forwarded},
		{"the client is one entry too far", client + chain(64), "", TooLong},
		{"as many proxies as allowed", "10.0.0.2" + chain(63), "", AllTrusted},
		{"one proxy more", "10.0.0.2" + chain(64), "", TooLong},
		{"ten thousand proxies", client + chain(10_000), "", TooLong},
		{"ten thousand entries that are not read", strings.Repeat("a,", 10_000) + client, client, Forwarded},
		{"a megabyte that is not read", strings.Repeat("a", 1<<20) + "," + client, client, Forwarded},
		{"a megabyte without a comma", strings.Repeat("a", 1<<20), "", TooLong},
		{"the last byte that is looked at", pad(fill) + client + ",10.0.0.2", client, Forwarded},
		{"one byte more", pad(fill+1) + client + ",10.0.0.2", "", TooLong},
		{"the last comma that is looked at", "x," + pad(fill-1) + client + ",10.0.0.2", client, Forwarded},
		{"one comma further", "x," + pad(fill) + client + ",10.0.0.2", "", TooLong},
		{"the bytes end with an entry", "x," + pad(limit-9) + "10.0.0.2", "", TooLong},
	} {
		t.Run(test.name, func(t *testing.T) {
			check(t, r, peerOf("10.0.0.1"), test.header, test.want, test.outcome)
		})
	}
}

func TestClientDoesNotAllocate(t *testing.T) {
	r := newResolver(t, Config{Trusted: append([]string{"unix"}, proxies...)})
	for _, peer := range []string{"", "10.0.0.1", "203.0.113.9", "::ffff:10.0.0.1", "2001:db8:aa::1", "2001:db8::9"} {
		for _, list := range []string{
			"", "203.0.113.9", "a, 203.0.113.9 ,10.0.0.2", "2001:db8::9, ::ffff:10.0.0.2", "10.0.0.2, 10.0.0.3",
			"203.0.113.9" + strings.Repeat(", 10.0.0.2", 100), strings.Repeat("x", 20_000),
		} {
			p := peerOf(peer)
			header := func(string) string { return list }
			if n := testing.AllocsPerRun(50, func() { r.Client(p, header) }); n != 0 {
				t.Errorf("peer %q, header %.40q: %v allocations", peer, list, n)
			}
		}
	}
}

func TestTracesKeepNothingAndWriteNoLinesOfOthers(t *testing.T) {
	r := newResolver(t, Config{Trusted: proxies})
	buffer := []byte("203.0.113.9, evil\nclient 127.0.0.1" + strings.Repeat("x", 200) + ", 10.0.0.2")
	// A framework's header, whose bytes are overwritten once the request is over.
	trace := r.Explain(peerOf("10.0.0.1"), func(string) string { return string(buffer) })
	if len(trace.Steps) != 2 || len(trace.Steps[1].Entry) != 64 {
		t.Fatalf("steps are %q", trace.Steps)
	}
	if got := strings.Count(trace.String(), "\n"); got != 3 {
		t.Errorf("%d line ends in\n%s", got, trace)
	}
	silent := r.Explain(noPeer, nil)
	if got := silent.String(); !strings.HasPrefix(got, "peer without an address: not trusted\nno client address: ") {
		t.Errorf("trace is %q", got)
	}
}
