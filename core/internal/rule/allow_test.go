package rule

import (
	"slices"
	"strings"
	"testing"
)

func mustAllow(t testing.TB, patterns ...string) *Allow {
	t.Helper()
	a, err := CompileAllow(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAllow(t *testing.T) {
	tests := []struct {
		pattern string
		yes, no []string
	}{
		{"/healthz", []string{"/healthz"}, []string{
			"//healthz", "/./healthz", "/x/../healthz", "/%2e%2e/healthz", "/healthz/", "/healthz%2f",
			"/healthz%252f", "/%68ealthz", "/HEALTHZ", "/Healthz", "/healthz;", "/healthz;x=1", "/healthz%00",
			"/healthz%0a", `/healthz\`, "/healthz%5c", "/healthz.", "/healthz%20", "/healthz?x=/..", "/healthz#f",
			"*", "http://evil/healthz", "/%c0%af", "／healthz", "/／healthz", "/healthzx", "/healthz/x", "/", "",
			"/healthz/.", "/healthz/x/..", "healthz", "/health", "/ſealthz", "/healthz%", "/healthz/../healthz",
		}},
		{"/", []string{"/"}, []string{"//", "/.", "/x", "/x/..", "*", "", "/%20", "/index.html"}},
		{"/a/", []string{"/a/"}, []string{"/a", "/a//", "/a/x", "/A/"}},
		{"/static/**", []string{
			"/static", "/static/", "/static/x", "/static/x/y.css", "/static/x/", "/static//x", "/static/./x",
			"/static/a/../b", "/static/a%20b", "/static/.hidden", "/static/%68i", "/static/ü",
		}, []string{
			"/static/../secret", "/staticx", "/staticx/y", "/stati", "/STATIC/x", "/ſtatic", "/x/../static/y",
			"//static/x", "/static/%2e%2e/secret", "/static/..%2fsecret", `/static\..\secret`, "/static/x%2Fy",
			"/static/%", "/static/\xff", "/%73tatic/x", "/static/../../static/../secret",
		}},
		{"/admin/**", []string{"/admin", "/admin/x"}, []string{"/adminx", "/administrator", "/admin.php", "/admin;x"}},
		{"/api/**", []string{"/api/v1"}, []string{"/apix/secret", "/ap", "/api%2fv1"}},
		{"/open", []string{"/open"}, []string{"/open/../secret", "/secret", "/open/"}},
		{"/**", []string{"/", "/x", "/x/", "/ü/%20", "//x", "/x/../y"}, []string{"*", "", "/%2e", "/\x00"}},
		{"/a/*/z", []string{"/a/b/z", "/a/ü/z", "/a/.../z"}, []string{"/a/z", "/a//z", "/a/b/c/z", "/a/b/z/", "/a/../z", "/a/b/Z"}},
		{"/a/*", []string{"/a/b", "/a/b.css"}, []string{"/a", "/a/", "/a/b/", "/a/b/c", "/a/.."}},
		{"/img-*.png", []string{"/img-1.png", "/img-.png", "/img-a.b.png"}, []string{"/img-1/2.png", "/img.png", "/img-1.pngx", "/x/img-1.png", "/IMG-1.png", "/img-1.png/"}},
		{"/*-*-*.js", []string{"/a-b-c.js", "/--.js", "/a-b-c-d.js"}, []string{"/a-b.js", "/a-b-c.jsx", "/a-b/-c.js"}},
		{"/*a*a", []string{"/aa", "/xaya", "/aaa"}, []string{"/a", "/xa", "/aab"}},
		{"/a/**/z", []string{"/a/z", "/a/b/z", "/a/b/c/z", "/a/z/z", "/a//z", "/a/z/b/z"}, []string{"/a", "/az", "/a/zz", "/a/z/", "/a/b", "/b/a/z", "/a/../z"}},
		{"/a/**/b/**/c", []string{"/a/b/c", "/a/x/b/x/c", "/a/b/b/c/c", "/a/b/c/b/c"}, []string{"/a/c/b", "/a/b", "/a/c", "/a/x/b/x/c/x"}},
		{"/**/a/**/a", []string{"/a/a", "/x/a/y/a", "/a/x/a"}, []string{"/a", "/x/a", "/a/x"}},
		{"/**/robots.txt", []string{"/robots.txt", "/a/b/robots.txt"}, []string{"/robots.txt/x", "/xrobots.txt"}},
		{"/*/api/**", []string{"/v1/api", "/v1/api/", "/v1/api/x/y"}, []string{"/api", "/api/x", "/v1/apix", "/v1/v2/api"}},
		{"/a/**/", []string{"/a/", "/a/b/", "/a/b/c/"}, []string{"/a", "/a/b"}},
		{"/a/**/**/z", []string{"/a/z", "/a/b/c/z"}, []string{"/a/b"}},
		{"/a/**/**", []string{"/a", "/a/b"}, []string{"/ab"}},
		{"/über uns", []string{"/über uns", "/%C3%BCber%20uns", "/%c3%bcber%20uns"}, []string{"/%C3%9Cber%20uns", "/u%CC%88ber%20uns", "/über+uns"}},
		{"/q/{id}", []string{"/q/{id}", "/q/%7Bid%7D"}, []string{"/q/1"}},
		{"~/api/v[12]/", []string{"/api/v1/", "/api/v2/x"}, []string{"/api/v3/", "/x/api/v1/", "/api/v1", "/api/v1/../v3/", "/API/v1/"}},
		{"~^/api/v[12]/", []string{"/api/v1/x"}, []string{"/x/api/v1/"}},
		{"~/a|/b", []string{"/a", "/b", "/ax", "/bx"}, []string{"/c", "/x/b"}},
		{"~/a$|/b$", []string{"/a", "/b"}, []string{"/ax", "/x/b"}},
		{"~(?i)/health", []string{"/health", "/HEALTHZ"}, []string{"/x/health"}},
		{"~/static/", []string{"/static/", "/static/x"}, []string{"/static", "/static/../secret", "//static/"}},
		{"~/(?P<lang>de|en)/", []string{"/de/", "/en/x"}, []string{"/fr/"}},
		{`~/x\z`, []string{"/x"}, []string{"/xy", "/x/"}},
	}
	for _, test := range tests {
		t.Run(test.pattern, func(t *testing.T) {
			// Alone, and in a crowd that must make no difference.
			for _, a := range []*Allow{mustAllow(t, test.pattern), mustAllow(t, append(crowd(), test.pattern)...)} {
				for _, path := range test.yes {
					if got, ok := a.Match(NewPath(path)); !ok || got != test.pattern {
						t.Errorf("Match(%q) = %q, %v: want %q", path, got, ok, test.pattern)
					}
				}
				for _, path := range test.no {
					if got, ok := a.Match(NewPath(path)); ok {
						t.Errorf("Match(%q) = %q: want none", path, got)
					}
				}
			}
		})
	}
}

// crowd are patterns of every kind that match none of the paths tested.
func crowd() []string {
	return []string{
		"/crowd", "/crowd/**", "/a/b/crowd/**", "/crowd/*/x", "/a/*/crowd", "/a/**/crowd", "/**/crowd/**",
		"/*/crowd", "/*-crowd-*", "/img-*.crowd", "/img-*-crowd.png", "~/crowd[0-9]", "~.*crowd$", "~/api/crowd", "/static/crowd/**",
	}
}

func TestOnePatternMustMatchBothForms(t *testing.T) {
	a := mustAllow(t, "/static/**", "/healthz", "~/x/.*")
	for _, path := range []string{"/static/../healthz", "/x/../healthz", "/x/../static/y", "/%78/../healthz"} {
		if got, ok := a.Match(NewPath(path)); ok {
			t.Errorf("Match(%q) = %q, but no one pattern matches both of its forms", path, got)
		}
	}
}

func TestThePatternReturnedMatchesBothForms(t *testing.T) {
	// Sent are four segments, meant are two; only the last pattern has both.
	a := mustAllow(t, "/a/*/*/b", "/a/b", "/a/**")
	if got, ok := a.Match(NewPath("/a/x/../b")); !ok || got != "/a/**" {
		t.Errorf("Match = %q, %v: want /a/**", got, ok)
	}
}

func TestSegmentsThatDifferOnlyInTheirMiddleAreApart(t *testing.T) {
	a := mustAllow(t, "/x*-a-*y", "/x*-b-*y", "/x*y", "/x*-a-*-b-*y/z")
	for path, want := range map[string]string{"/x1-b-2y": "/x*-b-*y", "/x1-a-2y": "/x*-a-*y", "/x-a-1-b-y/z": "/x*-a-*-b-*y/z", "/x-b-1-a-y/z": "", "/x-a-y/z": ""} {
		var names []string
		for _, place := range a.all(path) {
			names = append(names, a.patterns[place])
		}
		if want == "" && len(names) > 0 || want != "" && !slices.Contains(names, want) {
			t.Errorf("%s: %q match, want %q", path, names, want)
		}
	}
	if names := a.all("/x1-b-2y"); len(names) != 2 {
		t.Errorf("%d patterns match, want 2", len(names))
	}
}

func TestNilAndEmptySetsMatchNothing(t *testing.T) {
	var a *Allow
	var c *Cover
	empty, cover := mustAllow(t), mustCover(t)
	for _, path := range []string{"/", "/x", "", "*"} {
		p := NewPath(path)
		for _, match := range []func(Path) (string, bool){a.Match, c.Match, empty.Match, cover.Match, (&Allow{}).Match, (&Cover{}).Match} {
			if got, ok := match(p); ok || got != "" {
				t.Errorf("Match(%q) = %q, %v", path, got, ok)
			}
		}
	}
	if a.Everything() != nil || empty.Everything() != nil {
		t.Error("nothing matches everything")
	}
}

// idle is a crowd none of whose expressions has to be tried: package regexp
// keeps its scratch space in a pool, which may be empty at any time.
func idle() []string {
	return slices.DeleteFunc(crowd(), func(pattern string) bool { return pattern == "~.*crowd$" })
}

func TestAllowDoesNotAllocate(t *testing.T) {
	a := mustAllow(t, append(idle(), "/healthz", "/static/**", "/users/*/avatar", "/img-*.png", "/a/**/b/**/c", "~/re/")...)
	for _, raw := range []string{"/healthz", "/static/x/y", "/users/7/avatar", "/img-7.png", "/a/x/b/y/c", "/re/12", "/none/of/them", strings.Repeat("/none", 50)} {
		if n := testing.AllocsPerRun(100, func() { a.Match(NewPath(raw)) }); n != 0 {
			t.Errorf("%.40q: %v allocations", raw, n)
		}
	}
}

// Frameworks reuse the bytes of a path: what a match returned must not change.
func TestMatchReturnsNoPartOfThePath(t *testing.T) {
	a, c := mustAllow(t, "/static/**", "/healthz"), mustCover(t, "/static/**", "/healthz")
	for _, raw := range []string{"/healthz", "/static/x"} {
		p := NewPath(string([]byte(raw)))
		fromAllow, _ := a.Match(p)
		fromCover, _ := c.Match(p)
		for _, got := range []string{fromAllow, fromCover} {
			if got != a.patterns[0] && got != a.patterns[1] {
				t.Errorf("Match(%q) = %q, which is no pattern", raw, got)
			}
		}
	}
}

func TestEverything(t *testing.T) {
	for _, pattern := range []string{
		"/**", "/**/*", "/*/**", "/**/**", "~.*", "~", "~/", "~^/", "~^/.*", "~.", "~/?", "~(?s).*", "~^", "~/.", "~/[^/]",
		"~(/|/x)", "~x*", "~^(?:/.*)$", "~[^x]", "~/|/api", "~(?i)/", "~/[^!]",
	} {
		a := mustAllow(t, "/healthz", pattern, "/static/**")
		if got := a.Everything(); len(got) != 1 || got[0] != pattern {
			t.Errorf("%s: Everything() = %q", pattern, got)
		}
	}
	honest := mustAllow(t, append(crowd(), "/", "/*", "/a/**", "/static/**", "/**/robots.txt", "/*.css", "~/api/", "~/[a-z]+/$",
		"~/static/.*", "~^/$", "~.*[.]css$", "~/[a-z]", "/*/*", "~/(de|en)/")...)
	if got := honest.Everything(); got != nil {
		t.Errorf("an honest list is said to match everything: %q", got)
	}
	together := mustAllow(t, "/healthz", "/*", "/*/*/**")
	if got := strings.Join(together.Everything(), " "); got != "/* /*/*/**" {
		t.Errorf("together: Everything() = %q", got)
	}
	split := mustAllow(t, "~/[a-m]", "~/[^a-m]", "/static/**")
	if got := split.Everything(); len(got) < 2 || got[0] != "~/[a-m]" || got[1] != "~/[^a-m]" {
		t.Errorf("split: Everything() = %q", got)
	}
}

func TestTheProbesAreCleanAndApart(t *testing.T) {
	for _, probe := range probePaths() {
		if tidy(probe) != probe || strings.ContainsAny(probe, `\%`) {
			t.Errorf("probe %q is not clean", probe)
		}
	}
}
