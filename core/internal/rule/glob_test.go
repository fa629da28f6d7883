package rule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// all returns the places of all patterns that match, ascending, each once.
func (a *Allow) all(path string) []int32 {
	var places []int32
	a.each(path, func(place int32) bool {
		places = append(places, place)
		return true
	})
	slices.Sort(places)
	return slices.Compact(places)
}

// Every pattern that matches is found, not only the first: with more of them
// alive at once than fit without an allocation.
func TestGlobsAliveSideBySideAreAllFound(t *testing.T) {
	const word = "abcdefghijklmnopqrstuvwxyz"
	var patterns []string
	for i := range len(word) {
		patterns = append(patterns,
			"/"+word[:i]+"*/"+word[i:]+"*/*",
			"/*"+word[i:]+"/**/*"+word[:i]+"/z",
			"/**/"+word[:i+1]+"/*",
			"/*/"+word[:i]+"*/*", // one node alive leads to many at once
			fmt.Sprintf("/%s*/*%s*/%d", word[:i], word[i:i+1], i),
		)
	}
	a := mustAllow(t, patterns...)
	for _, path := range []string{
		"/" + word + "/" + word + "/z", "/" + word + "/" + word + "/7", "/" + word + "/x/y/" + word + "/z",
		"/" + word + "/" + word + "/" + word + "/z", "/abc/abc/z", "/a/x", "/" + word + "/defghi/z",
	} {
		var want []int32
		for place, pattern := range patterns {
			if naiveMatch(pattern, path) {
				want = append(want, int32(place))
			}
		}
		if got := a.all(path); !slices.Equal(got, want) {
			t.Errorf("%s: patterns %d, want %d", path, got, want)
		}
	}
}

func TestManyDoubleStarsAreAllFound(t *testing.T) {
	const n = 300
	var patterns, segments []string
	for i := range n {
		patterns = append(patterns, fmt.Sprintf("/**/id-%d/**/z", i))
		if i%3 != 0 && len(segments) < maxDepth-1 {
			segments = append(segments, fmt.Sprintf("id-%d", i))
		}
	}
	a := mustAllow(t, patterns...)
	got := a.all("/" + strings.Join(segments, "/") + "/z")
	if len(got) != len(segments) {
		t.Fatalf("%d patterns match, want %d", len(got), len(segments))
	}
	for _, place := range got {
		if place%3 == 0 {
			t.Errorf("pattern %s matches", patterns[place])
		}
	}
}

// The patterns end in **, so a node that is entered yields: that is how work is
// counted here, since a test must not measure time.
func TestHostilePathsCauseBoundedWork(t *testing.T) {
	stars := strings.Repeat("/**/a", 20)
	patterns := []string{stars + "/**", "/a/**/b/**/c/**", "/**/a/**/a/**/**/a/**/b/**", "/*a*a*a*a*a*b/**"}
	a := mustAllow(t, patterns...)
	for name, path := range map[string]string{
		"one letter a segment": strings.Repeat("/a", 32<<10),
		"one long segment":     "/" + strings.Repeat("a", 64<<10),
		"slashes":              strings.Repeat("/", 64<<10),
		"dots":                 strings.Repeat("/..", 21<<10),
	} {
		hits := 0
		a.each(path, func(int32) bool { hits++; return true })
		if most := maxDepth * len(a.index.globs.nodes); hits > most {
			t.Errorf("%s: %d hits, more than %d", name, hits, most)
		}
		mustCover(t, patterns...).Match(NewPath(path))
	}
}

// These would take hours if matching tried one reading after the other.
func TestHostilePathsComeToAnEnd(t *testing.T) {
	patterns := []string{
		"/a/**/b/**/c", strings.Repeat("/**/a", 60) + "/b", "/" + strings.Repeat("*a", 60) + "*b", "~/(a+)+b$", "~(.*/)*xx$",
		strings.Repeat("/a", 200) + "/**",
	}
	a, c := mustAllow(t, patterns...), mustCover(t, patterns...)
	for _, path := range []string{
		"/" + strings.Repeat("a/", 32<<10), "/" + strings.Repeat("a", 64<<10), strings.Repeat("/", 64<<10), "/" + strings.Repeat("%61", 21<<10),
		strings.Repeat("/..", 21<<10), strings.Repeat("/%2e%2e", 9<<10), strings.Repeat(`\.`, 32<<10), strings.Repeat("/a/b", 16<<10) + "/x", strings.Repeat("K", 21<<10),
	} {
		p := NewPath(path)
		if got, ok := a.Match(p); ok && got != patterns[len(patterns)-1] {
			t.Errorf("%.20q…: allowed by %q", path, got)
		}
		c.Match(p)
	}
}

func TestNoPrefixLongerThanTheLongestRuleIsHashed(t *testing.T) {
	a := mustAllow(t, "/ab/**", "/abcd/**", "/x")
	if a.index.longest != 5 {
		t.Errorf("longest = %d, want 5", a.index.longest)
	}
	for n := range 300 {
		if want := n == 3 || n == 5 || n >= 256; a.index.below.has(n) != want {
			t.Errorf("below.has(%d) = %v", n, !want)
		}
	}
	long := "/" + strings.Repeat("l", 400)
	b := mustAllow(t, long+"/**", "/"+strings.Repeat("e", 254)+"/**", long+"/x")
	for path, want := range map[string]bool{
		long: true, long + "/y": true, long + "/x": true, long + "y": false, "/" + strings.Repeat("e", 254) + "/": true, "/" + strings.Repeat("e", 253): false,
	} {
		if _, ok := b.Match(NewPath(path)); ok != want {
			t.Errorf("%.10s… of %d bytes: %v, want %v", path, len(path), ok, want)
		}
	}
}
