package clientip

import (
	"net/netip"
	"strings"
	"testing"
)

// naiveClient is what the package promises, written the other way round: split
// everything first, then look.
func naiveClient(trusted []netip.Prefix, unix bool, remote netip.AddrPort, list string) (client netip.Addr) {
	clean := func(a netip.Addr) netip.Addr {
		if a.Is4In6() {
			b := a.As16()
			return netip.AddrFrom4([4]byte(b[12:]))
		}
		return a.WithZone("")
	}
	nobody := func(a netip.Addr) bool {
		return !a.IsValid() || a == netip.IPv4Unspecified() || a == netip.IPv6Unspecified()
	}
	isTrusted := func(a netip.Addr) bool {
		for _, p := range trusted {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	peer := clean(remote.Addr())
	switch {
	case remote == netip.AddrPort{}:
		if !unix {
			return client
		}
	case nobody(peer):
		return client
	case !isTrusted(peer):
		return peer
	}
	entries := strings.Split(list, ",")
	looked := 0
	for n := 1; n <= len(entries); n++ {
		entry := entries[len(entries)-n]
		looked += len(entry)
		if n < len(entries) {
			looked++ // its comma
		}
		if n > 64 || looked > 8192 {
			return client
		}
		addr, err := netip.ParseAddr(strings.TrimFunc(entry, func(r rune) bool { return r == ' ' || r == '\t' }))
		if err != nil || nobody(clean(addr)) {
			return client
		}
		if !isTrusted(clean(addr)) {
			return clean(addr)
		}
	}
	return client
}

func FuzzClient(f *testing.F) {
	for _, test := range attempts {
		f.Add(test.peer, test.header, uint16(0))
	}
	f.Add("10.0.0.1", ",10.0.0.2", uint16(70))
	f.Add("10.0.0.1", ", \t\t 10.0.0.2", uint16(900))
	f.Add("", ",10.0.0.2", uint16(63))
	f.Add("10.0.0.1", "x", uint16(9000))

	var trusted []netip.Prefix
	for _, text := range []string{"10.0.0.0/8", "192.0.2.1/32", "192.0.2.2/32", "2001:db8:aa::/48", "fe80::/10"} {
		trusted = append(trusted, netip.MustParsePrefix(text))
	}
	tcp := newResolver(f, Config{Trusted: proxies})
	unix := newResolver(f, Config{Trusted: append([]string{"unix"}, proxies...)})

	f.Fuzz(func(t *testing.T, peerText, list string, repeat uint16) {
		var peer netip.AddrPort // a unix socket
		if peerText != "" {
			addr, _ := netip.ParseAddr(peerText)
			peer = netip.AddrPortFrom(addr, 1)
		}
		if len(list)*(int(repeat)+1) > 1<<16 {
			return
		}
		list += strings.Repeat(list, int(repeat))
		header := func(name string) string {
			if name != DefaultHeader {
				t.Errorf("asked for %q", name)
			}
			return list
		}
		for _, r := range []*Resolver{tcp, unix} {
			want := naiveClient(trusted, r == unix, peer, list)
			got := r.Client(peer, header)
			if got != want {
				t.Errorf("peer %v, header %q: client %v, want %v", peer, list, got, want)
			}
			trace := r.Explain(peer, header)
			if trace.Client != got || trace.Outcome == "" || got.Is4In6() || got.Zone() != "" {
				t.Errorf("peer %v, header %q: client %v, explained as %v", peer, list, got, trace)
			}
		}
	})
}
