package rule

import (
	"fmt"
	"net/netip"
	"testing"
)

// Benchmarks measure, they never judge: shared targets are ratios taken in one
// run (10 rules against 10,000).

func mixed(n int) []string {
	patterns := make([]string, 0, n)
	for i := range n {
		switch i % 4 {
		case 0:
			patterns = append(patterns, fmt.Sprintf("/exact/page-%d", i))
		case 1:
			patterns = append(patterns, fmt.Sprintf("/prefix-%d/**", i))
		case 2:
			patterns = append(patterns, fmt.Sprintf("/users/*/item-%d", i))
		case 3:
			patterns = append(patterns, fmt.Sprintf("/img/%d-*.png", i))
		}
	}
	return patterns
}

func BenchmarkPathRules(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		allow, cover := mustAllow(b, mixed(n)...), mustCover(b, mixed(n)...)
		for name, path := range map[string]string{
			"miss": "/checkout/cart/items", "exact": "/exact/page-4", "prefix": "/prefix-5/x/y", "glob": "/users/1024/item-6", "affix": "/img/7-small.png", "capitals": "/Checkout/Cart/ITEMS",
		} {
			p := NewPath(path)
			b.Run(fmt.Sprintf("allow/%s/rules=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					allow.Match(p)
				}
			})
			b.Run(fmt.Sprintf("cover/%s/rules=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					cover.Match(p)
				}
			})
		}
	}
}

func BenchmarkExpressions(b *testing.B) {
	patterns := make([]string, 1_000)
	for i := range patterns {
		patterns[i] = fmt.Sprintf("~^/service-%d/v[12]/", i)
	}
	allow, cover := mustAllow(b, patterns...), mustCover(b, patterns...)
	for name, path := range map[string]string{"miss": "/checkout/cart/items", "hit": "/service-512/v2/x"} {
		p := NewPath(path)
		b.Run("allow/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				allow.Match(p)
			}
		})
		b.Run("cover/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				cover.Match(p)
			}
		})
	}
}

func BenchmarkNewPath(b *testing.B) {
	for name, path := range map[string]string{"plain": "/checkout/cart/items", "encoded": "/caf%C3%A9/a%20b", "untidy": "/a/../b//c"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				NewPath(path)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	patterns := mixed(10_000)
	for b.Loop() {
		if _, err := CompileAllow(patterns); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNetworks(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		entries := make([]string, n)
		for i := range entries {
			entries[i] = fmt.Sprintf("10.%d.%d.0/24", i/256, i%256)
		}
		networks, err := CompileNetworks(entries)
		if err != nil {
			b.Fatal(err)
		}
		for name, addr := range map[string]string{"hit": "10.0.5.7", "miss": "192.0.2.1", "miss6": "2001:db8::1"} {
			b.Run(fmt.Sprintf("%s/rules=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					networks.Match(netip.MustParseAddr(addr))
				}
			})
		}
	}
}

func BenchmarkHosts(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		entries := make([]string, n)
		for i := range entries {
			entries[i] = fmt.Sprintf("*.tenant-%d.example.com", i)
		}
		hosts, err := CompileHosts(entries)
		if err != nil {
			b.Fatal(err)
		}
		for name, host := range map[string]string{"hit": "www.tenant-7.example.com", "miss": "www.example.org"} {
			b.Run(fmt.Sprintf("%s/rules=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					hosts.Match(host)
				}
			})
		}
	}
}
