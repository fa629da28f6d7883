package rule

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// ErrHost is what every unusable host entry's error wraps.
var ErrHost = errors.New("rule: unusable host")

// Hosts is a set of host names. The zero value and a nil *Hosts match nothing.
type Hosts struct {
	exact   map[string]string // canonical host to entry
	below   map[string]string // canonical domain to the entry *.domain
	longest int               // the longest key of below
	all     string            // the entry * if there is one
}

// CompileHosts compiles host names, IP addresses and wildcards:
//
//	example.com     that host
//	*.example.com   every host below it at any depth, not example.com itself
//	*               every host: meant for scopes, see [Hosts.Everything]
//
// The error names every unusable entry and wraps [ErrHost].
func CompileHosts(entries []string) (*Hosts, error) {
	h := &Hosts{exact: make(map[string]string), below: make(map[string]string)}
	err := compileEach(ErrHost, entries, func(_ int32, entry string) error {
		if entry == "*" {
			h.all = entry
			return nil
		}
		domain, wildcard := strings.CutPrefix(entry, "*.")
		canonical, err := checkHost(domain)
		if err != nil {
			return err
		}
		if !wildcard {
			h.exact[canonical] = entry
			return nil
		}
		if _, err := netip.ParseAddr(canonical); err == nil {
			return fmt.Errorf("nothing is below an IP address: write %s", domain)
		}
		h.below[canonical] = entry
		h.longest = max(h.longest, len(canonical))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Match returns an entry that matches the host, given as it was sent. It is
// regardless of case at any number of entries (caddy CVE-2026-27588).
func (h *Hosts) Match(host string) (entry string, ok bool) {
	if h == nil {
		return "", false
	}
	host = CanonicalHost(host)
	if entry, ok = h.exact[host]; ok {
		return entry, true
	}
	// The nearest domain comes first. No more of the host is read than the
	// longest entry has: a host of dots costs no more than the entries are long.
	for i := max(1, len(host)-h.longest-1); i < len(host); i++ {
		if host[i] != '.' {
			continue
		}
		if entry, ok = h.below[host[i+1:]]; ok {
			return entry, true
		}
	}
	return h.all, h.all != ""
}

// Everything names the entry that matches every host, if there is one.
func (h *Hosts) Everything() []string {
	if h == nil || h.all == "" {
		return nil
	}
	return []string{h.all}
}

// CanonicalHost returns a Host header's value as hosts are compared: in small
// letters, without port, final dots and the brackets of an IPv6 address, which
// is written as netip prints it. It allocates nothing for a host that is
// canonical already. What is no host comes back in a form that no rule has.
func CanonicalHost(host string) string {
	if strings.HasPrefix(host, "[") {
		return canonicalLiteral(host)
	}
	// More than one colon without brackets is an IPv6 address, not a port.
	if i := strings.IndexByte(host, ':'); i >= 0 && i == strings.LastIndexByte(host, ':') {
		host = host[:i]
	}
	return lowerASCII(strings.TrimRight(host, "."))
}

func canonicalLiteral(host string) string {
	end := strings.IndexByte(host, ']')
	if end < 0 || host[end+1:] != "" && host[end+1] != ':' {
		return lowerASCII(host)
	}
	addr, err := netip.ParseAddr(host[1:end])
	if err != nil || !addr.Is6() {
		return lowerASCII(host)
	}
	return addr.WithZone("").String()
}

// lowerASCII leaves other letters alone: a host name has none, and folding them
// would make two hosts one (the Kelvin sign is not k).
func lowerASCII(s string) string {
	for i := range len(s) {
		if classes[s[i]]&isUpper == 0 {
			continue
		}
		lower := []byte(s)
		for j, c := range lower[i:] {
			if classes[c]&isUpper != 0 {
				lower[i+j] = c + 'a' - 'A'
			}
		}
		return string(lower)
	}
	return s
}

// checkHost returns an entry's canonical form, or what is wrong with it and
// what to write instead.
func checkHost(entry string) (string, error) {
	literal := entry
	if n := len(entry); n > 1 && entry[0] == '[' && entry[n-1] == ']' {
		literal = entry[1 : n-1]
	}
	if addr, err := netip.ParseAddr(literal); err == nil {
		if addr.Zone() != "" {
			return "", fmt.Errorf("a zone means nothing to other machines: write %s", addr.WithZone(""))
		}
		return addr.String(), nil
	}
	switch {
	case entry == "":
		return "", errors.New("it is empty: write a host such as example.com, or remove it")
	case strings.Contains(entry, "://"):
		_, rest, _ := strings.Cut(entry, "://")
		return "", fmt.Errorf("it has a scheme: write the host alone, %s", bareHost(rest))
	case strings.ContainsAny(entry, "/?#@"):
		return "", fmt.Errorf("it is more than a host: write the host alone, %s", bareHost(entry))
	case strings.ContainsAny(entry, " \t\r\n"):
		return "", fmt.Errorf("it holds blanks: write %s", strings.Join(strings.Fields(entry), ""))
	case strings.Contains(entry, ":"):
		return "", fmt.Errorf("it has a port, but hosts are compared without: write %s", bareHost(entry))
	case strings.HasPrefix(entry, "."):
		return "", fmt.Errorf("it begins with a dot: write *%s for every host below", entry)
	case strings.Contains(entry, "*"):
		return "", errors.New("a * stands only at the front, for whole labels: write *.example.com")
	}
	canonical := lowerASCII(strings.TrimSuffix(entry, "."))
	return canonical, checkLabels(canonical)
}

// bareHost is the host within a URL's authority and path.
func bareHost(s string) string {
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s = s[:i]
	}
	return CanonicalHost(s[strings.LastIndexByte(s, '@')+1:])
}

// checkLabels holds a name to RFC 1123's letters and RFC 1035's lengths, and to
// underscores, which the world uses.
func checkLabels(name string) error {
	if len(name) > 253 {
		return fmt.Errorf("it has %d characters, more than the 253 of a host name", len(name))
	}
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return errors.New("it has an empty label: write one dot between two names")
		case len(label) > 63:
			return fmt.Errorf("its label %q has %d characters, more than the 63 of a label", label, len(label))
		case !isASCII(label):
			return fmt.Errorf("its label %q is not ASCII: write it as browsers send it, in Punycode (xn--…)", label)
		}
		if i := strings.IndexFunc(label, func(r rune) bool { return !isHostRune(r) }); i >= 0 {
			return fmt.Errorf("%q does not belong in a host name", label[i])
		}
	}
	return nil
}

func isHostRune(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || slices.Contains([]rune{'-', '_'}, r)
}
