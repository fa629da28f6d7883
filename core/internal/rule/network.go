package rule

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/gaissmai/bart"
)

// ErrNetwork is what every unusable network entry's error wraps.
var ErrNetwork = errors.New("rule: unusable network")

// Networks is a set of client addresses. The zero value and a nil *Networks
// match nothing.
type Networks struct {
	entries     []string
	prefixes    []netip.Prefix // of the entries that are prefixes
	places      []int32        // where in entries each of prefixes stands
	table       bart.Table[int32]
	expressions expressions
}

// CompileNetworks compiles addresses, CIDR prefixes (see [ParsePrefix]) and
// regular expressions behind a ~. The error names every unusable entry and
// wraps [ErrNetwork].
//
// It mirrors django-maintenance-mode's IGNORE_IP_ADDRESSES, whose entries are
// all expressions, anchored at the start and open at the end: there 10.0.0.1
// also lets in 10.0.0.10 to 10.0.0.199 and 10a0b0c1. Here it is that one
// address; who wants the old meaning back says so with "~10.0.0.1", and who
// wants an expression that is safe ends it with $ and escapes its dots.
// Expressions see an address as netip prints it, an IPv4 address never in IPv6
// clothes and none with a zone.
func CompileNetworks(entries []string) (*Networks, error) {
	n := &Networks{entries: slices.Clone(entries)}
	err := compileEach(ErrNetwork, entries, func(place int32, entry string) error {
		if source, isExpression := strings.CutPrefix(entry, "~"); isExpression {
			tree, exact, _, err := parseExpression(source)
			if err != nil {
				return err
			}
			start, _ := beginning(tree, false)
			n.expressions.add(start, expression{place: place, tests: []*regexp.Regexp{exact}})
			return nil
		}
		prefix, err := parsePrefix(entry)
		if err != nil {
			return err
		}
		n.add(prefix, place)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return n, nil
}

func (n *Networks) add(prefix netip.Prefix, place int32) {
	n.prefixes = append(n.prefixes, prefix)
	n.places = append(n.places, place)
	if _, known := n.table.Get(prefix); !known {
		n.table.Insert(prefix, place)
	}
}

// Match returns an entry that holds the address: the longest prefix that does,
// else an expression. An address that is not valid is in no network. Looking
// for prefixes allocates nothing; the first expression that could match costs
// the address's text.
func (n *Networks) Match(addr netip.Addr) (entry string, ok bool) {
	if n == nil || !addr.IsValid() {
		return "", false
	}
	addr = addr.Unmap().WithZone("")
	if place, found := n.table.Lookup(addr); found {
		return n.entries[place], true
	}
	if len(n.expressions.lengths) == 0 {
		return "", false
	}
	text := addr.String()
	n.expressions.each(text, text, func(place int32) bool {
		entry, ok = n.entries[place], true
		return false
	})
	return entry, ok
}

// Everything names the entries that hold every address of IPv4 or of IPv6: a
// prefix such as 0.0.0.0/0 or 2000::/3, prefixes that only together do, and
// expressions that match whatever address they are tried with.
func (n *Networks) Everything() []string {
	if n == nil {
		return nil
	}
	guilty := make([]bool, len(n.entries))
	for _, i := range Everyone(n.prefixes) {
		guilty[n.places[i]] = true
	}
	for _, probes := range probeAddrs {
		hits := make([]int, len(n.entries))
		for _, probe := range probes {
			n.expressions.each(probe, probe, func(place int32) bool {
				hits[place]++
				return true
			})
		}
		for place, h := range hits {
			guilty[place] = guilty[place] || h == len(probes)
		}
	}
	var names []string
	for place, entry := range n.entries {
		if guilty[place] && !slices.Contains(names, entry) {
			names = append(names, entry)
		}
	}
	return names
}

// probeAddrs are addresses of each family that have nothing in common.
var probeAddrs = [2][]string{
	probes("%d.%d.%d.%d", 1, 223, 255),
	probes("%x:%x::%x:%x", 0x2001, 0x3fff, 0xffff),
}

func probes(format string, low, high, rest int) []string {
	random := rand.New(rand.NewPCG(3, 4))
	all := make([]string, 200)
	for i := range all {
		text := fmt.Sprintf(format, low+random.IntN(high-low+1), random.IntN(rest), random.IntN(rest), 1+random.IntN(rest))
		all[i] = netip.MustParseAddr(text).String()
	}
	return all
}
