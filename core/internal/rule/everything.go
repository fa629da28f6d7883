package rule

import (
	"math/rand/v2"
	"strings"
)

// Everything names the patterns that allow every page of a site, such as /**,
// ~/ or ~.*, so that a policy that disarms itself can be refused at the start.
// If no pattern does so alone but all together do, it names all that take part.
//
// An expression cannot be asked what it matches, so it is tried with paths that
// have nothing in common. The front page alone is left out: a set that allows
// all but that has disarmed itself as well.
func (a *Allow) Everything() []string {
	if a == nil {
		return nil
	}
	probes := probePaths()
	hits := make([]int, len(a.patterns))   // how many probes a pattern matched
	latest := make([]int, len(a.patterns)) // the last of them, counted from 1
	found := 0                             // how many probes some pattern matched
	for i, probe := range probes {
		matched := false
		a.each(probe, func(place int32) bool {
			if latest[place] != i+1 {
				latest[place] = i + 1
				hits[place]++
			}
			matched = true
			return true
		})
		if matched {
			found++
		}
	}
	if alone := a.withHits(hits, len(probes)); len(alone) > 0 || found < len(probes) {
		return alone
	}
	return a.withHits(hits, 1)
}

func (a *Allow) withHits(hits []int, atLeast int) []string {
	var names []string
	for place, n := range hits {
		if n >= atLeast {
			names = append(names, a.patterns[place])
		}
	}
	return names
}

// probePaths returns paths of all kinds that no honest list of exceptions has in
// common. The random ones are the same at every start: a policy must not be
// refused on one day and taken on the next.
func probePaths() []string {
	probes := []string{
		"/x", "/Z", "/7", "/-", "/_", "/~", "/ä", "/日本語", "/a b", "/.well-known/x", "/x.css",
		"/checkout/cart", "/API/V2/orders/1024", "/static/css/site.0af3.css", "/a/b/c/d/e/f/g/h",
		"/" + strings.Repeat("long", 300), strings.Repeat("/deep", 200), "/q/!$&'()+,;=:@",
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~!$'()+,;=:@ üßЖ中"
	alphabet := []rune(letters)
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var path strings.Builder
		for range 1 + random.IntN(5) {
			path.WriteByte('/')
			// A probe must stay a clean path, so no segment begins with a dot.
			path.WriteRune(alphabet[random.IntN(26)])
			for range random.IntN(12) {
				path.WriteRune(alphabet[random.IntN(len(alphabet))])
			}
		}
		probes = append(probes, path.String())
	}
	return probes
}
