package rule

import (
	"strings"
	"testing"
	"unicode"
)

func mustCover(t testing.TB, patterns ...string) *Cover {
	t.Helper()
	c, err := CompileCover(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCover(t *testing.T) {
	tests := []struct {
		pattern string
		yes, no []string
	}{
		{"/pay", []string{
			"/pay", "/pay/", "/PAY", "/Pay/", "//pay", "/./pay", "/x/../pay", "/%70ay", "/%50AY", "/pay%2f", "/pay%2F%2f",
			`/pay\`, `\pay`, "/pay%5c", `/x\..\pay`, "/x/%2e%2e/pay", "/x/..%2fpay", "/x/..%5Cpay", "///pay///", "/pay/.", "/pay/x/..",
			"/pay?x=1", "/pay#f", "pay", "http://evil/pay", "http://evil/pay?x", "/x/%zz/../../pay", "/pay/?x", "//pay%2F", "/%2Fpay",
		}, []string{
			"/payx", "/pa", "/pay/x", "/", "", "*", "/x/pay", "/pay;x=1", "/pay%2fx", "/pay.", "/pay%00", "http://pay/", "/／pay",
		}},
		{"/checkout/**", []string{
			"/checkout", "/checkout/", "/checkout/cart", "/CHECKOUT/cart", "//checkout//cart", "/checkout/../x", "//checkout/../x",
			"/./checkout/../x", `/checkout\cart`, "/checkout%2fcart", "/x/../checkout/cart", "/%63heckout/cart", "/checkout/%zz",
			"/checkout/\xff", "/%zz/../checkout/cart", "/checkout/\x00", "/checkout/..%2f..%2fx",
		}, []string{"/checkoutx", "/check", "/x/checkout", "/checkout-old/cart"}},
		{"/", []string{"/", "", "//", "/.", "/x/..", `\`, "/%2f", "http://evil", "http://evil/"}, []string{"/x", "*"}},
		{"/**", []string{"/", "", "*", "/x", "/\xff", "/%zz", "x"}, nil},
		{"/a/", []string{"/a", "/a/", "/A"}, []string{"/a/b"}},
		{"/static/**", []string{"/ſtatic/x", "/%C5%BFtatic/x", "/STATİC/x"}, []string{"/ßtatic"}},
		{"/index", []string{"/İndex", "/İNDEX", "/ındex", "/INDEX"}, []string{"/jndex"}},
		{"/Straße/Σίσυφος", []string{"/strasse/../straße/σίσυφοσ", "/STRAẞE/ΣΊΣΥΦΟΣ"}, []string{"/strasse/σίσυφος"}},
		{"/a/*/z", []string{"/a/b/z", "/A/b/Z/", "/a//b/z", "/a/b%2fz"}, []string{"/a/z", "/a//z", "/a/b/c/z"}},
		{"/a/*", []string{"/a/b", "/a/b/", "/a/%2e%2e"}, []string{"/a/", "/a", "/a/b/c"}},
		{"/img-*.PNG", []string{"/img-1.png", "/IMG-.png/"}, []string{"/img-1.pngx"}},
		{"/a/**/z", []string{"/a/z", "/A/B/Z", "/a/b/z/", "/a/z%2f"}, []string{"/a/b"}},
		{"/a/**/", []string{"/a", "/a/b"}, []string{"/b"}},
		{"~/api/v[12]/", []string{"/api/v1/", "/API/V2/x", "//api/v1/", "/api%2fv1/", "/api/v1/../v3/"}, []string{"/api/v3/", "/x/api/v1/"}},
		{"~/pay$", []string{"/pay", "/PAY", "/pay/", "/pay%2f"}, []string{"/pay/x"}},
		{"~/[^a]b$", []string{"/Ab", "/xb", "/XB"}, []string{"/ab"}},
		{"~/index", []string{"/İndex", "/INDEX", "/%C4%B0ndex"}, []string{"/jndex"}},
		{"~/inde[xy]", []string{"/İndex", "/%C4%B0NDEX", "/ındex"}, []string{"/jndex"}},
		{"~/kilo[0-9]", []string{"/\u212Ailo1", "/KILO1"}, []string{"/kilo"}},
		{"~(?i)/x[y]", []string{"/XY", "/xy"}, []string{"/xz"}},
	}
	for _, test := range tests {
		t.Run(test.pattern, func(t *testing.T) {
			for _, c := range []*Cover{mustCover(t, test.pattern), mustCover(t, append(crowd(), test.pattern)...)} {
				for _, path := range test.yes {
					if got, ok := c.Match(NewPath(path)); !ok || got != test.pattern {
						t.Errorf("Match(%q) = %q, %v: want %q", path, got, ok, test.pattern)
					}
				}
				for _, path := range test.no {
					if got, ok := c.Match(NewPath(path)); ok {
						t.Errorf("Match(%q) = %q: want none", path, got)
					}
				}
			}
		})
	}
}

// fold must be at least as coarse as every notion of case that a router or an
// expression could have, or a letter could be a way out of a scope.
func TestFoldJoinsAllCasesOfEveryLetter(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		want := fold(r)
		for _, other := range [...]rune{want, unicode.SimpleFold(r), unicode.ToLower(r), unicode.ToUpper(r), unicode.ToTitle(r)} {
			if fold(other) != want {
				t.Errorf("%U folds to %U, but its other case %U to %U", r, want, other, fold(other))
			}
		}
	}
	for _, s := range []string{"/a\xffB\xc3", "\xc0\xaf", "ABC/é"} {
		if got, want := len(foldString(s)), len(s); got != want {
			t.Errorf("folding %q changes its length from %d to %d", s, want, got)
		}
	}
}

func TestCoverDoesNotAllocateForPlainPaths(t *testing.T) {
	c := mustCover(t, append(idle(), "/checkout/**", "/pay", "/users/*/x", "~/re/")...)
	for _, raw := range []string{
		"/checkout/cart", "/CHECKOUT/Cart", "/pay/", "/none/Of/them", "/Users/ABC/X", "/re/12", strings.Repeat("/none", 50), "/.well-known/x",
	} {
		if n := testing.AllocsPerRun(100, func() { c.Match(NewPath(raw)) }); n != 0 {
			t.Errorf("%.40q: %v allocations", raw, n)
		}
	}
}

func TestAPathTooDeepToJudgeIsCoveredAndNotAllowed(t *testing.T) {
	deep := "/a" + strings.Repeat("/x", maxDepth+10) + "/z"
	a, c := mustAllow(t, "/a/**/z", "/a/**/other"), mustCover(t, "/a/**/z")
	if got, ok := a.Match(NewPath(deep)); ok {
		t.Errorf("allowed by %q", got)
	}
	if _, ok := c.Match(NewPath(deep)); !ok {
		t.Error("not covered")
	}
	if _, ok := mustCover(t, "/b/**/z").Match(NewPath(deep)); ok {
		t.Error("covered by a pattern that was out of the game at the first segment")
	}
	// Depth is no matter to patterns that end in their only **.
	if _, ok := mustAllow(t, "/a/**").Match(NewPath(deep)); !ok {
		t.Error("/a/** does not allow all below")
	}
	full := strings.Repeat("/x", maxDepth)
	for _, pattern := range []string{full[:len(full)-1] + "*", "/**" + full[2:], "/**/x"} {
		if _, ok := mustAllow(t, pattern).Match(NewPath(full)); !ok {
			t.Errorf("%.20q… does not match a path of just %d segments", pattern, maxDepth)
		}
	}
}
