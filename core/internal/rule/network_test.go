package rule

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func mustNetworks(t testing.TB, entries ...string) *Networks {
	t.Helper()
	n, err := CompileNetworks(entries)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNetworks(t *testing.T) {
	entries := []string{
		"10.0.0.1", "192.168.0.0/16", "192.168.7.0/24", "2001:db8::/32", "::ffff:203.0.113.9", "::1",
		"~198[.]51[.]100[.]", "~172.16.0.1", "~fd00:.*::1$", "192.168.0.0/16",
	}
	n := mustNetworks(t, entries...)
	tests := []struct{ name, addr, want string }{
		{"an address is that address", "10.0.0.1", "10.0.0.1"},
		{"an address is not one that begins like it", "10.0.0.10", ""},
		{"an address in a prefix", "192.168.1.1", "192.168.0.0/16"},
		{"the longest prefix is named", "192.168.7.1", "192.168.7.0/24"},
		{"a mapped address is the IPv4 address", "::ffff:10.0.0.1", "10.0.0.1"},
		{"a mapped entry is the IPv4 address", "203.0.113.9", "::ffff:203.0.113.9"},
		{"an IPv6 address", "2001:db8::7", "2001:db8::/32"},
		{"a zone is nothing", "2001:db8::7%eth0", "2001:db8::/32"},
		{"loopback", "::1", "::1"},
		{"the other family's loopback", "127.0.0.1", ""},
		{"an IPv4-compatible address is not the IPv4 address", "::10.0.0.1", ""},
		{"an expression is open at the end", "198.51.100.77", "~198[.]51[.]100[.]"},
		{"an expression is anchored at the start", "19.198.51.100", ""},
		{"an expression sees a mapped address unmapped", "::ffff:198.51.100.1", "~198[.]51[.]100[.]"},
		{"an expression that looks like an address matches more, as in Django", "172.16.0.199", "~172.16.0.1"},
		{"an expression on IPv6", "fd00:1::1", "~fd00:.*::1$"},
		{"an expression sees no zone", "fd00:1::1%eth0", "~fd00:.*::1$"},
		{"an expression to the end", "fd00:1::12", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok := n.Match(netip.MustParseAddr(test.addr))
			if got != test.want || ok != (test.want != "") {
				t.Errorf("Match(%s) = %q, %v: want %q", test.addr, got, ok, test.want)
			}
		})
	}
}

func TestNoAddressIsInNoNetwork(t *testing.T) {
	var none *Networks
	for _, n := range []*Networks{mustNetworks(t, "0.0.0.0/0", "::/0", "~", "~.*", "~invalid"), none, {}} {
		if got, ok := n.Match(netip.Addr{}); ok {
			t.Errorf("Match = %q", got)
		}
	}
	if _, ok := none.Match(netip.MustParseAddr("::1")); ok || none.Everything() != nil {
		t.Error("a nil set matches")
	}
	if _, ok := (&Networks{}).Match(netip.MustParseAddr("::1")); ok {
		t.Error("the zero set matches")
	}
}

func TestAPrefixHoldsNoAddressOfTheOtherFamily(t *testing.T) {
	v4, v6 := mustNetworks(t, "0.0.0.0/0"), mustNetworks(t, "::/0")
	for addr, is4 := range map[string]bool{"10.0.0.1": true, "::ffff:10.0.0.1": true, "::": false, "::10.0.0.1": false, "2001:db8::1": false} {
		_, in4 := v4.Match(netip.MustParseAddr(addr))
		_, in6 := v6.Match(netip.MustParseAddr(addr))
		if in4 != is4 || in6 == is4 {
			t.Errorf("%s: in 0.0.0.0/0 %v, in ::/0 %v", addr, in4, in6)
		}
	}
}

func TestAllUnusableNetworksAreNamedAtOnce(t *testing.T) {
	bad := []string{"10.0.0.1/8", "::ffff:10.0.0.0/8", "fe80::1%eth0", "10.0.0.0/33", "localhost", "", "~10.(", "~^(?!10)", "~10$\\Z"}
	n, err := CompileNetworks(append([]string{"192.0.2.1", "~fine"}, bad...))
	if !errors.Is(err, ErrNetwork) || n != nil {
		t.Fatalf("CompileNetworks = %v, %v", n, err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(bad) {
		t.Fatalf("%d lines for %d bad entries:\n%v", len(lines), len(bad), err)
	}
	for i, entry := range bad {
		if strings.Count(lines[i], fmt.Sprintf("%q", entry)) != 1 {
			t.Errorf("line %q does not name %q once", lines[i], entry)
		}
	}
}

func TestNetworksThatAreEverything(t *testing.T) {
	tests := []struct {
		name          string
		entries, want []string
	}{
		{"an honest list", []string{"10.0.0.0/8", "::1", "~10[.]", "~192[.]168[.]", "~2001:db8:", "~.*:1$", "~[0-9]{1,3}[.]0[.]"}, nil},
		{"all of IPv4", []string{"10.0.0.0/8", "0.0.0.0/0"}, []string{"0.0.0.0/0"}},
		{"all of IPv6", []string{"::/0", "::1"}, []string{"::/0"}},
		{"two halves", []string{"0.0.0.0/1", "::1", "128.0.0.0/1"}, []string{"0.0.0.0/1", "128.0.0.0/1"}},
		{"expressions that match all", []string{"~", "~.*", "~^", "~.", "~[0-9a-f]", "~::1"}, []string{"~", "~.*", "~^", "~.", "~[0-9a-f]"}},
		{"an expression that matches all of IPv4", []string{`~\d+\.`, "~2"}, []string{`~\d+\.`}},
		{"an expression that matches all of IPv6", []string{"~.*:", "~10"}, []string{"~.*:"}},
		{"an entry is named once", []string{"::/0", "::/0"}, []string{"::/0"}},
		{"places count expressions too", []string{"~10[.]", "0.0.0.0/0"}, []string{"0.0.0.0/0"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := mustNetworks(t, test.entries...).Everything(); !slices.Equal(got, test.want) {
				t.Errorf("Everything() = %q, want %q", got, test.want)
			}
		})
	}
}

func TestNetworksDoNotAllocateForPrefixes(t *testing.T) {
	n := mustNetworks(t, "10.0.0.0/8", "2001:db8::/32", "192.0.2.1")
	for _, text := range []string{"10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", "203.0.113.1", "2001:db9::1", "fe80::1%eth0"} {
		addr := netip.MustParseAddr(text)
		if got := testing.AllocsPerRun(100, func() { n.Match(addr) }); got != 0 {
			t.Errorf("%s: %v allocations", text, got)
		}
	}
}
