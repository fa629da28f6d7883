package rule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func mustHosts(t testing.TB, entries ...string) *Hosts {
	t.Helper()
	h, err := CompileHosts(entries)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestCanonicalHost(t *testing.T) {
	for host, want := range map[string]string{
		"example.com":        "example.com",
		"EXAMPLE.Com":        "example.com",
		"example.com:8080":   "example.com",
		"example.com:":       "example.com",
		"example.com.":       "example.com",
		"Example.com.:443":   "example.com",
		"example.com..":      "example.com",
		"[::1]":              "::1",
		"[::1]:8080":         "::1",
		"[0:0:0::1]:80":      "::1",
		"[2001:DB8::A]":      "2001:db8::a",
		"[fe80::1%25eth0]":   "fe80::1",
		"[::ffff:127.0.0.1]": "::ffff:127.0.0.1",
		"::1":                "::1",
		"2001:DB8::A":        "2001:db8::a",
		"127.0.0.1:80":       "127.0.0.1",
		"":                   "",
		":80":                "",
		".":                  "",
		"[::1":               "[::1",
		"[::1]x":             "[::1]x",
		"[Example.com]":      "[example.com]",
		"[1.2.3.4]":          "[1.2.3.4]",
		"\u212Aelvin.com":    "\u212Aelvin.com",
		"EXAMPLE.\xff":       "example.\xff",
	} {
		if got := CanonicalHost(host); got != want {
			t.Errorf("CanonicalHost(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestHosts(t *testing.T) {
	h := mustHosts(t, "example.com", "*.Example.com", "*.eu.example.com", "API.example.org.", "[::1]", "2001:DB8::0:1", "127.0.0.1", "localhost", "_dmarc.example.net", "xn--mnchen-3ya.de", "*.com.example")
	for host, want := range map[string]string{
		"example.com":           "example.com",
		"Example.COM:8080":      "example.com",
		"example.com.":          "example.com",
		"www.example.com":       "*.Example.com",
		"a.b.c.example.com":     "*.Example.com",
		"WWW.EU.example.com.:1": "*.eu.example.com",
		"eu.example.com":        "*.Example.com",
		"badexample.com":        "",
		"example.com.evil":      "",
		"example.comevil":       "",
		".example.com":          "",
		"api.example.org":       "API.example.org.",
		"x.api.example.org":     "",
		"[::1]:80":              "[::1]",
		"::1":                   "[::1]",
		"[2001:db8::1]":         "2001:DB8::0:1",
		"127.0.0.1:9":           "127.0.0.1",
		"127.0.0.10":            "",
		"localhost":             "localhost",
		"_DMARC.example.net":    "_dmarc.example.net",
		"XN--MNCHEN-3YA.de":     "xn--mnchen-3ya.de",
		"com.example":           "",
		"a.com.example":         "*.com.example",
		"":                      "",
		".":                     "",
		"\u212A.com":            "",
	} {
		if got, ok := h.Match(host); got != want || ok != (want != "") {
			t.Errorf("Match(%q) = %q, %v: want %q", host, got, ok, want)
		}
	}
}

// caddy CVE-2026-27588: above a hundred hosts the matcher minded the case.
func TestCaseIsNothingAtAnyNumberOfHosts(t *testing.T) {
	for _, n := range []int{1, 99, 100, 101, 10_000} {
		var entries []string
		for i := range n {
			entries = append(entries, fmt.Sprintf("Host-%d.example.com", i), fmt.Sprintf("*.Tenant-%d.example.com", i))
		}
		h := mustHosts(t, entries...)
		for _, host := range []string{"HOST-0.EXAMPLE.COM", "host-0.example.com", "A.B.TENANT-0.example.COM"} {
			if _, ok := h.Match(host); !ok {
				t.Errorf("%d entries: %s does not match", n, host)
			}
		}
	}
}

func TestUnusableHostsSayWhatToWriteInstead(t *testing.T) {
	tests := []struct{ entry, says string }{
		{"", "empty"},
		{"https://example.com", "write the host alone, example.com"},
		{"https://user@Example.com:8443/x?y", "write the host alone, example.com"},
		{"example.com/x", "write the host alone, example.com"},
		{"*.example.com/x", "write the host alone, example.com"},
		{"user@example.com", "write the host alone, example.com"},
		{"example.com:8080", "write example.com"},
		{"[::1]:8080", "write ::1"},
		{"exa mple.com", "write example.com"},
		{" example.com", "write example.com"},
		{"a..example.com", "empty label"},
		{".example.com", "write *.example.com"},
		{"example.com..", "empty label"},
		{"*example.com", "only at the front"},
		{"a.*.example.com", "only at the front"},
		{"*.*.example.com", "only at the front"},
		{"*.", "empty"},
		{"*.127.0.0.1", "write 127.0.0.1"},
		{"*.[::1]", "nothing is below"},
		{"fe80::1%eth0", "write fe80::1"},
		{"münchen.de", "Punycode"},
		{"example!.com", `'!' does not belong`},
		{"~example", `'~' does not belong`},
		{strings.Repeat("a", 64) + ".com", "more than the 63"},
		{strings.Repeat("a.", 130) + "com", "more than the 253"},
		{"[::1", "port"},
	}
	var all []string
	for _, test := range tests {
		all = append(all, test.entry)
		h, err := CompileHosts([]string{"fine.example", test.entry})
		if !errors.Is(err, ErrHost) || h != nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), fmt.Sprintf("%q", test.entry)) {
			t.Errorf("%q: error %v, want one that names it and says %q", test.entry, err, test.says)
		}
	}
	if _, err := CompileHosts(all); strings.Count(err.Error(), ErrHost.Error()) != len(all) {
		t.Errorf("not all of %d errors are named:\n%v", len(all), err)
	}
}

func TestHostsThatAreEverything(t *testing.T) {
	h := mustHosts(t, "example.com", "*")
	if got := h.Everything(); !slices.Equal(got, []string{"*"}) {
		t.Errorf("Everything() = %q", got)
	}
	for host, want := range map[string]string{"example.com": "example.com", "other": "*", "": "*"} {
		if got, _ := h.Match(host); got != want {
			t.Errorf("Match(%q) = %q, want %q", host, got, want)
		}
	}
	var none *Hosts
	for _, h := range []*Hosts{none, {}, mustHosts(t), mustHosts(t, "*.com", "example.com")} {
		if got := h.Everything(); got != nil {
			t.Errorf("Everything() = %q", got)
		}
		if _, ok := h.Match("nothing"); ok {
			t.Error("an unknown host matches")
		}
	}
}

func TestHostsDoNotAllocate(t *testing.T) {
	h := mustHosts(t, "example.com", "*.example.com", "::1")
	for _, host := range []string{"example.com", "a.b.example.com", "none.example.org", "example.com:80", "example.com.", "::1", strings.Repeat("a.", 1000)} {
		if n := testing.AllocsPerRun(100, func() { h.Match(host) }); n != 0 {
			t.Errorf("%.20q: %v allocations", host, n)
		}
	}
}

func FuzzHosts(f *testing.F) {
	for _, host := range []string{"example.com", "A.B.example.com:80", "[::1]:80", "[::1", "x..example.com.", "[fe80::1%25x]", "::1:", "a:b:c"} {
		f.Add(host)
	}
	h, err := CompileHosts([]string{"example.com", "*.example.com", "::1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, host string) {
		canonical := CanonicalHost(host)
		if again := CanonicalHost(canonical); again != canonical {
			t.Errorf("%q is %q, and that is %q", host, canonical, again)
		}
		want := ""
		switch {
		case canonical == "example.com" || canonical == "::1":
			want = canonical
		case strings.HasSuffix(canonical, ".example.com") && canonical != ".example.com":
			want = "*.example.com"
		}
		if got, _ := h.Match(host); got != want {
			t.Errorf("Match(%q) = %q, want %q", host, got, want)
		}
	})
}
