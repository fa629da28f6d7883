package rule

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/gaissmai/bart"
)

// ParsePrefix reads an address or a CIDR prefix as an operator writes it. An
// address is the prefix of its full length; an IPv4 address in IPv6 clothes is
// taken as the IPv4 address.
//
// What means more, or something else, than it seems to say is refused:
// ::ffff:10.0.0.0/8 is ::/8 to netip and was every IPv4 address to proxy-addr
// (CVE-2026-90711); 10.0.0.1/8 may be meant as one address or as sixteen
// million; a zone means a link of one machine. The error names the entry and
// what to write instead; it has no package prefix, callers put their own.
func ParsePrefix(entry string) (netip.Prefix, error) {
	prefix, err := parsePrefix(entry)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q: %w", entry, err)
	}
	return prefix, nil
}

func parsePrefix(entry string) (netip.Prefix, error) {
	if before, rest, zoned := strings.Cut(entry, "%"); zoned {
		_, length, _ := strings.Cut(rest, "/")
		if length != "" {
			length = "/" + length
		}
		return netip.Prefix{}, fmt.Errorf("a zone means nothing to other machines: write %s", before+length)
	}
	if !strings.Contains(entry, "/") {
		addr, err := netip.ParseAddr(entry)
		if err != nil {
			return netip.Prefix{}, notAddress(entry)
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(entry)
	if err != nil {
		return netip.Prefix{}, notPrefix(entry)
	}
	switch addr := prefix.Addr(); {
	case addr.Is4In6():
		return netip.Prefix{}, fmt.Errorf("an IPv4-mapped prefix is refused: write the IPv4 prefix %s", unmapped(prefix))
	case prefix != prefix.Masked():
		return netip.Prefix{}, fmt.Errorf("bits are set behind the length: write %s for the network or %s for the one address", prefix.Masked(), addr)
	}
	return prefix, nil
}

// unmapped guesses the IPv4 prefix that was meant: the length counts from the
// front of the mapped form if it can, else it was written for IPv4.
func unmapped(mapped netip.Prefix) netip.Prefix {
	bits := mapped.Bits()
	if bits >= 96 {
		bits -= 96
	}
	return netip.PrefixFrom(mapped.Addr().Unmap(), min(bits, 32)).Masked()
}

func notAddress(entry string) error {
	switch {
	case entry == "":
		return errors.New("it is empty: write an address or a CIDR prefix, or remove it")
	case entry != strings.TrimSpace(entry):
		return fmt.Errorf("it has blanks around it: write %s", strings.TrimSpace(entry))
	}
	if peer, err := netip.ParseAddrPort(entry); err == nil {
		return fmt.Errorf("it has a port: write %s", peer.Addr())
	}
	if inner := strings.Trim(entry, "[]"); inner != entry {
		if addr, err := netip.ParseAddr(inner); err == nil {
			return fmt.Errorf("it has brackets: write %s", addr)
		}
	}
	return errors.New("it is neither an IP address nor a CIDR prefix: write one such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")
}

func notPrefix(entry string) error {
	text, length, _ := strings.Cut(entry, "/")
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return notAddress(entry)
	}
	return fmt.Errorf("%q is no length of a prefix: write a number from 0 to %d behind the slash, without leading zeros", length, addr.BitLen())
}

// families are the addresses that a host in the Internet can have, so whoever
// has them all has everyone: IPv4 without multicast and what is reserved above
// (RFC 6890), IPv6's global unicast (RFC 4291, 2.4).
var families = [][]netip.Prefix{
	{netip.MustParsePrefix("0.0.0.0/1"), netip.MustParsePrefix("128.0.0.0/2"), netip.MustParsePrefix("192.0.0.0/3")},
	{netip.MustParsePrefix("2000::/3")},
}

// Everyone returns the places of those prefixes that are a whole family of
// addresses, each alone (0.0.0.0/0) or only together (0.0.0.0/1 and
// 128.0.0.0/1), so that a guard can name them. Places are in ascending order.
func Everyone(prefixes []netip.Prefix) []int {
	guilty := make([]bool, len(prefixes))
	for _, family := range families {
		markFamily(prefixes, family, guilty)
	}
	var places []int
	for i, yes := range guilty {
		if yes {
			places = append(places, i)
		}
	}
	return places
}

func markFamily(prefixes, family []netip.Prefix, guilty []bool) {
	var all bart.Lite
	for _, p := range prefixes {
		all.Insert(p)
	}
	all.Aggregate()
	if !contains(&all, family) {
		return
	}
	alone := false
	for i, p := range prefixes {
		var one bart.Lite
		one.Insert(p)
		if contains(&one, family) {
			guilty[i], alone = true, true
		}
	}
	if alone {
		return
	}
	// Those that lie within another one contribute nothing.
	var widest bart.Lite
	for _, p := range prefixes {
		widest.Insert(p)
	}
	for i, p := range prefixes {
		supernets := 0
		for range widest.Supernets(p) {
			supernets++
		}
		guilty[i] = guilty[i] || supernets == 1 && overlaps(p, family)
	}
}

func contains(set *bart.Lite, family []netip.Prefix) bool {
	for _, part := range family {
		if !set.LookupPrefix(part) {
			return false
		}
	}
	return true
}

func overlaps(p netip.Prefix, family []netip.Prefix) bool {
	for _, part := range family {
		if p.Overlaps(part) {
			return true
		}
	}
	return false
}
