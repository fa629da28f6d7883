package rule

import "strings"

// walk is one path's way through a glob: which nodes are alive after the
// segments read so far. A node has one parent, so a segment reaches it at most
// once; only the nodes behind a ** would come again, and they are marked.
//
// The callback is handed from method to method: kept in here, it would move the
// walk to the heap.
type walk struct {
	g     *glob
	lists [2]list // reached by the segment just read, and by the one being read
	next  int     // which of lists is the latter
	deep  list    // behind a **: alive from here to the end
	known set     // the numbers of the nodes in deep
}

// each calls yield with the place of every pattern that matches path, which
// begins with a slash, until yield returns false. A place may come twice.
func (g *glob) each(path string, yield func(place int32) bool) bool {
	w := walk{g: g}
	if !w.enter(0, yield) {
		return false
	}
	rest, more := path[1:], true
	for depth := 0; more; depth++ {
		if w.lists[w.next].count+w.deep.count == 0 {
			return true
		}
		if depth == maxDepth {
			return !g.failClosed || w.alive(yield)
		}
		w.next = 1 - w.next
		w.lists[w.next].count = 0
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if !w.read(segment, yield) {
			return false
		}
	}
	ended := &w.lists[w.next]
	for i := range ended.count {
		if e := g.nodes[ended.at(i)].ends.exact; e != 0 && !yield(e-1) {
			return false
		}
	}
	return true
}

// read moves every living node over a segment.
func (w *walk) read(segment string, yield func(place int32) bool) bool {
	// A ** that this very segment leads to begins with the next: the number of
	// nodes is taken before the first one is followed.
	for i := range w.deep.count {
		if !w.follow(w.deep.at(i), segment, yield) {
			return false
		}
	}
	now := &w.lists[1-w.next]
	for i := range now.count {
		if !w.follow(now.at(i), segment, yield) {
			return false
		}
	}
	return true
}

// follow takes every edge from a node that the segment fits.
func (w *walk) follow(from int32, segment string, yield func(place int32) bool) bool {
	n := &w.g.nodes[from]
	if to := n.literal.get(segment); to != 0 && !w.enter(to, yield) {
		return false
	}
	if n.star != 0 && segment != "" && !w.enter(n.star, yield) {
		return false
	}
	for i := range n.heads {
		head := &n.heads[i]
		if head.length > len(segment) {
			continue
		}
		if tails := head.edges.get(segment[:head.length]); tails != 0 && !w.finish(tails, segment[head.length:], yield) {
			return false
		}
	}
	return true
}

// finish takes every edge for a segment with a star inside whose beginning is
// right; rest is what follows it.
func (w *walk) finish(tails int32, rest string, yield func(place int32) bool) bool {
	cuts := w.g.tails[tails]
	for i := range cuts {
		end := len(rest) - cuts[i].length
		if end < 0 {
			continue
		}
		between := w.g.wild[cuts[i].edges.get(rest[end:])]
		for j := range between {
			if c := &between[j]; c.fits(rest[:end]) && !w.enter(c.to, yield) {
				return false
			}
		}
	}
	return true
}

// enter makes a node alive, and the one behind its ** with it.
func (w *walk) enter(to int32, yield func(place int32) bool) bool {
	n := &w.g.nodes[to]
	w.lists[w.next].add(to)
	if n.ends.below != 0 && !yield(n.ends.below-1) {
		return false
	}
	if n.deep != 0 && w.known.add(w.g.nodes[n.deep].number) {
		w.deep.add(n.deep)
	}
	return true
}

// alive yields a pattern for every living **. No other node can be alive so far
// down: a pattern has at most maxDepth segments.
func (w *walk) alive(yield func(place int32) bool) bool {
	for i := range w.deep.count {
		if !yield(w.g.nodes[w.deep.at(i)].some - 1) {
			return false
		}
	}
	return true
}
