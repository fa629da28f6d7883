package rule

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// corpus are the paths of faults-and-attacks, section 4.1, and their relatives.
var corpus = []string{
	"/healthz", "//healthz", "/./healthz", "/x/../healthz", "/%2e%2e/healthz", "/healthz/", "/healthz%2f", "/healthz%252f",
	"/%68ealthz", "/HEALTHZ", "/healthz;", "/healthz;x=1", "/healthz%00", "/healthz%0a", `/healthz\`, "/healthz%5c", "/healthz.",
	"/healthz%20", "/healthz?x=/..", "/healthz#f", "*", "http://evil/healthz", "/open/../secret", "/a%2Fb", "/open", "/%c0%af",
	"／healthz", "/ſtatic", "/İndex", "/adminx", "/apix/secret", "/static/a/./b//c/", "/%C3%BC%20/x", "/a/x/b/y/c", "/img-1.png", "/", "", "/%zz", "/static//", "/a/.//",
}

var grammar = []string{
	"/healthz", "/", "/**", "/static/**", "/admin/**", "/api/**", "/open", "/a/**/z", "/a/**/b/**/c", "/*", "/*/b", "/img-*.png", "/*a*b",
	"/**/x", "/a/**/", "/ü /x", "~/api/v[12]/", "~^/static/", "~/healthz$", "~.*", "~(?i)/index", "~[^a]",
}

func FuzzAllowIsConservative(f *testing.F) {
	for i, path := range corpus {
		for j := range 3 {
			f.Add(grammar[(i+j)%len(grammar)], grammar[(i*7+j*5)%len(grammar)], path)
		}
	}
	for _, pattern := range grammar {
		f.Add(pattern, "/healthz", "/healthz")
		f.Add("/static/**", pattern, "/a/b/x/../c")
	}
	f.Fuzz(func(t *testing.T, one, two, raw string) {
		if len(one)+len(two)+len(raw) > 500 {
			return
		}
		patterns := []string{one, two}
		a, err := CompileAllow(patterns)
		if err != nil {
			return
		}
		p := NewPath(raw)
		sent, clean, ok := naiveForms(raw)
		if ok != (p.Bar() == "") || ok && (sent != p.sent || clean != p.clean) {
			t.Fatalf("%q: forms %q and %q, bar %q; oracle %q, %q, %v", raw, p.sent, p.clean, p.Bar(), sent, clean, ok)
		}
		got, allowed := a.Match(p)
		want := naiveAllows(one, raw) || naiveAllows(two, raw)
		if allowed != want || allowed && !naiveAllows(got, raw) {
			t.Fatalf("%q with %q: allowed %v by %q, oracle %v", raw, patterns, allowed, got, want)
		}
		for _, pattern := range patterns {
			c, err := CompileCover([]string{pattern})
			if err != nil {
				t.Fatalf("%q is fine for an allowance but not for a scope: %v", pattern, err)
			}
			if _, covered := c.Match(p); naiveAllows(pattern, raw) && !covered {
				t.Fatalf("%q allows %q but does not cover it", pattern, raw)
			}
		}
	})
}

// FuzzCoverHasNoWayOut disguises a path that a pattern matches in every way that
// some router undoes, and wants it covered all the same.
func FuzzCoverHasNoWayOut(f *testing.F) {
	for _, pattern := range grammar {
		for _, path := range []string{"/healthz", "/", "/static/x", "/a/x/b/y/c", "/img-1.png", "/ü /x", "/api/v1/x"} {
			f.Add(pattern, path)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if len(pattern)+len(path) > 300 || strings.HasPrefix(pattern, "~") || strings.ContainsAny(path, `%\?#`) || !utf8.ValidString(path) {
			return
		}
		c, err := CompileCover([]string{pattern})
		if err != nil || !strings.HasPrefix(path, "/") || tidy(path) != path || !naiveMatch(pattern, path) {
			return
		}
		for name, disguise := range map[string]string{
			"none":                path,
			"capitals":            strings.ToUpper(path),
			"small letters":       strings.ToLower(path),
			"a final slash":       path + "/",
			"double slashes":      strings.ReplaceAll(path, "/", "//"),
			"backslashes":         strings.ReplaceAll(path, "/", `\`),
			"encoded":             naiveEncode(path),
			"encoded slashes":     "/" + strings.ReplaceAll(path[1:], "/", "%2F"),
			"encoded backslashes": "/" + strings.ReplaceAll(path[1:], "/", "%5c"),
			"dot segments":        strings.ReplaceAll(path, "/", "/./"),
			"a parent":            "/x/.." + path,
			"an encoded parent":   "/x/%2e%2E" + path,
			"a broken encoding":   "/%zz/.." + path,
			"capitals, encoded":   naiveEncode(strings.ToUpper(path)),
			"absolute form":       "http://evil" + path,
			"a query":             path + "?x=/..",
			"a fragment":          path + "#f",
			"without its slash":   strings.TrimLeft(path, "/"),
		} {
			if name == "absolute form" && strings.Contains(path, "://") {
				continue
			}
			if _, ok := c.Match(NewPath(disguise)); !ok {
				t.Errorf("%s covers %q but not %q (%s)", pattern, path, disguise, name)
			}
		}
	})
}

// The whole corpus against the whole grammar, each pattern within all of them.
func TestTheCorpusIsReadAsTheOracleReadsIt(t *testing.T) {
	a := mustAllow(t, grammar...)
	for _, raw := range corpus {
		var want []string
		for _, pattern := range grammar {
			if naiveAllows(pattern, raw) {
				want = append(want, pattern)
			}
		}
		got, ok := a.Match(NewPath(raw))
		if ok != (len(want) > 0) || ok && !slices.Contains(want, got) {
			t.Errorf("%q: %q, %v, want one of %q", raw, got, ok, want)
		}
	}
}
