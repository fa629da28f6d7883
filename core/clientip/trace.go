package clientip

import (
	"fmt"
	"net/netip"
	"strings"
)

// Outcome is why a request has the client's address that it has, or none.
type Outcome string

// What [Trace.Outcome] can be.
const (
	PeerIsClient  Outcome = "the peer is no trusted proxy, so it is the client and no header is read"
	NoPeer        Outcome = "the peer has no address and such peers are not trusted (\"unix\" would trust them)"
	HeaderMissing Outcome = "the peer is trusted, but the header is missing"
	Forwarded     Outcome = "the last address that is no trusted proxy is the client"
	Unreadable    Outcome = "an entry is not an address, so nothing left of it can be believed"
	AllTrusted    Outcome = "every entry is a trusted proxy, so none is the client"
	TooLong       Outcome = "the header goes on beyond 64 entries or 8 KiB of trusted proxies"
)

// Verdict is what was made of one entry of the header.
type Verdict string

// What [Step.Verdict] can be.
const (
	TrustedProxy   Verdict = "a trusted proxy, skipped"
	FirstUntrusted Verdict = "not trusted: the client"
	NotAnAddress   Verdict = "not an address"
)

// Trace tells how a client's address was found.
type Trace struct {
	Peer    netip.Addr // canonical; the zero Addr for a unix socket
	Trusted bool       // whether the peer is a trusted proxy
	Header  string     // the header that was read, "" if none was
	Steps   []Step     // its entries from the right, as far as they were read
	Client  netip.Addr // what Client returns
	Outcome Outcome
}

// Step is one entry of the header.
type Step struct {
	Entry   string     // without blanks around it, cut off after 64 bytes; anyone may have written it
	Addr    netip.Addr // canonical; the zero Addr if the entry is none
	Verdict Verdict
}

// String tells the story in one line for each step. What came with the request
// is quoted, so that it cannot write lines of its own.
func (t Trace) String() string {
	var s strings.Builder
	peer := "without an address"
	if t.Peer.IsValid() {
		peer = t.Peer.String()
	}
	trust := "not trusted"
	if t.Trusted {
		trust = "trusted"
	}
	fmt.Fprintf(&s, "peer %s: %s\n", peer, trust)
	for _, step := range t.Steps {
		fmt.Fprintf(&s, "%s %q: %s\n", t.Header, step.Entry, step.Verdict)
	}
	if t.Client.IsValid() {
		fmt.Fprintf(&s, "client %s: %s", t.Client, t.Outcome)
	} else {
		fmt.Fprintf(&s, "no client address: %s", t.Outcome)
	}
	return s.String()
}

// maxEntry is how much of an entry a step keeps: any address fits.
const maxEntry = 64

// The methods below do nothing on a nil *Trace: Client has none.

func (t *Trace) start(peer netip.Addr, trusted bool) {
	if t != nil {
		t.Peer, t.Trusted = peer, trusted
	}
}

func (t *Trace) read(header string) {
	if t != nil {
		t.Header = header
	}
}

func (t *Trace) step(entry string, addr netip.Addr, verdict Verdict) {
	if t != nil {
		entry = strings.Clone(entry[:min(len(entry), maxEntry)])
		t.Steps = append(t.Steps, Step{entry, addr, verdict})
	}
}

// none ends the story without an address.
func (t *Trace) none(outcome Outcome) netip.Addr { return t.end(netip.Addr{}, outcome) }

func (t *Trace) end(client netip.Addr, outcome Outcome) netip.Addr {
	if t != nil {
		t.Outcome = outcome
	}
	return client
}
