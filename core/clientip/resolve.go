package clientip

import (
	"net/netip"
	"strings"
)

// Limits on what is read of a header. No chain of proxies is that long; what
// goes on beyond them has no address.
const (
	maxEntries = 64       // entries
	maxLength  = 8 * 1024 // bytes, counted from the right end
)

// Client returns the client's address: never IPv4 in IPv6 clothes, never with a
// zone. The zero Addr means that no address is known, and so that no rule about
// networks can let the request in.
//
// peer is the peer of the socket, taken before anything could rewrite it, and
// the zero AddrPort for a unix socket; one that has a port and no address, or an
// unspecified one, is nobody's. header returns all lines of a header
// joined with ", " (RFC 9110, 5.3), "" if there are none; it is called only
// when the peer is trusted, once. Client keeps nothing of what header returns,
// and allocates nothing unless an entry is no address or has a zone.
func (r *Resolver) Client(peer netip.AddrPort, header func(name string) string) netip.Addr {
	return r.resolve(peer, header, nil)
}

// Explain returns what Client returns for the same request, and how it came
// about. It is for operators, not for every request: it allocates.
func (r *Resolver) Explain(peer netip.AddrPort, header func(name string) string) Trace {
	var t Trace
	t.Client = r.resolve(peer, header, &t)
	return t
}

// resolve is Client and Explain in one. The trace may be nil and is only ever
// written to, so it cannot change the answer.
func (r *Resolver) resolve(peer netip.AddrPort, header func(name string) string, t *Trace) netip.Addr {
	addr := canonical(peer.Addr())
	trusted := r.trusts(peer, addr)
	t.start(addr, trusted)
	if !trusted {
		if !known(addr) {
			return t.none(NoPeer)
		}
		return t.end(addr, PeerIsClient)
	}
	list := header(r.header)
	t.read(r.header)
	if list == "" {
		return t.none(HeaderMissing)
	}
	return r.walk(list, t)
}

// walk reads the list from the right up to the first entry that is not trusted.
func (r *Resolver) walk(list string, t *Trace) netip.Addr {
	budget := maxLength
	for range maxEntries {
		window := list[max(0, len(list)-budget):]
		comma := strings.LastIndexByte(window, ',')
		if comma < 0 && len(window) < len(list) {
			return t.none(TooLong)
		}
		entry := strings.Trim(window[comma+1:], " \t")
		addr, ok := parse(entry)
		switch {
		case !ok:
			t.step(entry, addr, NotAnAddress)
			return t.none(Unreadable)
		case !r.proxies.Lookup(addr):
			t.step(entry, addr, FirstUntrusted)
			return t.end(addr, Forwarded)
		}
		t.step(entry, addr, TrustedProxy)
		if comma < 0 {
			return t.none(AllTrusted)
		}
		taken := len(window) - comma
		budget -= taken
		list = list[:len(list)-taken]
	}
	return t.none(TooLong)
}

// trusts reports whether the word of a peer with this canonical address is taken.
func (r *Resolver) trusts(peer netip.AddrPort, addr netip.Addr) bool {
	switch {
	case r == nil:
		return false
	case peer == netip.AddrPort{}:
		return r.unix
	}
	return known(addr) && r.proxies.Lookup(addr)
}

// parse reads an entry. The forms that some proxies write and others read
// differently, with a port, in brackets, with leading zeros, are no addresses,
// and neither are the unspecified ones, which nobody has.
func parse(entry string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(entry)
	if err != nil {
		return netip.Addr{}, false
	}
	addr = canonical(addr)
	return addr, known(addr)
}

// canonical is the form in which addresses are compared: a prefix never holds
// an address of the other family or one with a zone.
func canonical(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// known reports whether an address is one that a client can have.
func known(addr netip.Addr) bool { return addr.IsValid() && !addr.IsUnspecified() }
