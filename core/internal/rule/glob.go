package rule

import (
	"slices"
	"strings"
)

// glob is a trie of the patterns with wildcards, one node per segment. A
// segment is looked up, not compared with one pattern after the other, also
// where a pattern's segment has a star inside: by what stands before its first
// star and by what stands after its last. So a set of ten thousand patterns is
// walked with as many look-ups as one of ten.
//
// Matching follows all readings of a pattern side by side instead of trying
// them one after the other: no path makes /a/**/b/**/c backtrack.
type glob struct {
	nodes []node       // nodes[0] is the root
	tails [][]cut      // what may follow a beginning, from 1: the ends, by length
	wild  [][]wildcard // what may stand between a beginning and an end, from 1
	deeps int32        // how many nodes stand behind a **

	// failClosed decides about a path with more than maxDepth segments: false
	// matches nothing, true matches every pattern that could still match.
	failClosed bool
}

// node is a place within patterns; 0 in a field means there is none.
type node struct {
	literal edges // to the nodes behind segments without a star
	heads   []cut // to the tails of segments with a star inside
	star    int32 // the node behind a segment that is just *
	deep    int32 // the node behind a **, which stays alive to the path's end
	number  int32 // of a node behind a **: which one it is, counted from 0
	some    int32 // some pattern that goes through here: place + 1
	ends    ends  // the patterns that end here, with and without a final **
}

// wildcard is an edge for segments with a star inside, whose beginning and end
// are known to be right.
type wildcard struct {
	middle []string // what must follow in between, in this order
	to     int32
}

func (g *glob) empty() bool { return len(g.nodes) == 0 }

func (g *glob) add(segments []string, place int32) {
	if g.empty() {
		g.nodes, g.tails, g.wild = make([]node, 1), make([][]cut, 1), make([][]wildcard, 1)
	}
	at := int32(0)
	for i, segment := range segments {
		if segment == "**" && i == len(segments)-1 {
			first(&g.nodes[at].ends.below, place)
			return
		}
		at = g.step(at, segment)
		first(&g.nodes[at].some, place)
	}
	first(&g.nodes[at].ends.exact, place)
}

// step returns the node behind a pattern's segment, made if there is none.
func (g *glob) step(from int32, segment string) int32 {
	switch {
	case segment == "**":
		if g.nodes[from].deep == 0 {
			to := g.grow()
			g.nodes[to].number = g.deeps
			g.nodes[from].deep = to
			g.deeps++
		}
		return g.nodes[from].deep
	case segment == "*":
		if g.nodes[from].star == 0 {
			to := g.grow()
			g.nodes[from].star = to
		}
		return g.nodes[from].star
	case strings.Contains(segment, "*"):
		return g.stepInside(from, segment)
	}
	to := g.nodes[from].literal.get(segment)
	if to == 0 {
		to = g.grow()
		g.nodes[from].literal.set(segment, to)
	}
	return to
}

// stepInside is step for a segment with a star inside.
func (g *glob) stepInside(from int32, segment string) int32 {
	parts := strings.Split(segment, "*")
	last := len(parts) - 1
	before, middle, after := parts[0], parts[1:last], parts[last]

	heads := cutAt(&g.nodes[from].heads, len(before))
	if heads.get(before) == 0 {
		heads.set(before, int32(len(g.tails)))
		g.tails = append(g.tails, nil)
	}
	tails := cutAt(&g.tails[heads.get(before)], len(after))
	if tails.get(after) == 0 {
		tails.set(after, int32(len(g.wild)))
		g.wild = append(g.wild, nil)
	}
	between := &g.wild[tails.get(after)]
	for _, w := range *between {
		if slices.Equal(w.middle, middle) {
			return w.to
		}
	}
	to := g.grow()
	w := wildcard{to: to}
	if len(middle) > 0 {
		w.middle = middle // an empty one would hold on to parts as well
	}
	*between = append(*between, w)
	return to
}

// trim gives back what the lists have grown too long.
func (g *glob) trim() {
	g.nodes, g.tails, g.wild = slices.Clone(g.nodes), slices.Clone(g.tails), slices.Clone(g.wild)
}

func (g *glob) grow() int32 {
	g.nodes = append(g.nodes, node{})
	return int32(len(g.nodes) - 1)
}

// fits reports whether the middle parts occur in s in their order. Taking each
// as far to the left as it goes leaves the most room for the next, so there is
// nothing to try twice.
func (w *wildcard) fits(s string) bool {
	for _, part := range w.middle {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}
