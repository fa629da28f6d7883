package rule

// index finds the patterns that match one spelling of a path. A pattern is
// known by its place in the list it was compiled from.
type index struct {
	literal map[string]ends // patterns without wildcards before their end
	below   lengths         // how long the keys are that have an ends.below
	longest int             // the longest key of literal
	globs   glob
}

// ends says which patterns end at a path: place + 1, so that 0 is none.
type ends struct {
	exact int32 // the path itself
	below int32 // the path and everything below it
}

// lengths remembers which lengths occur, precisely below 256.
type lengths [4]uint64

func (l *lengths) add(n int) {
	if n < 256 {
		l[n>>6] |= 1 << (n & 63)
	}
}

func (l *lengths) has(n int) bool { return n >= 256 || l[n>>6]&(1<<(n&63)) != 0 }

// add takes in a checked pattern that is not a regular expression.
func (x *index) add(text string, place int32) {
	kind, base, segments := classify(text)
	if kind == shapeGlob {
		x.globs.add(segments, place+1)
		return
	}
	if x.literal == nil {
		x.literal = make(map[string]ends)
	}
	e := x.literal[base]
	if kind == shapeExact {
		first(&e.exact, place+1)
	} else {
		first(&e.below, place+1)
		x.below.add(len(base))
	}
	x.literal[base] = e
	x.longest = max(x.longest, len(base))
}

// first keeps the earlier one of two equal patterns.
func first(mark *int32, place int32) {
	if *mark == 0 {
		*mark = place
	}
}

// each calls yield with the place of every pattern that matches path, which
// begins with a slash, until yield returns false. A place may come twice.
func (x *index) each(path string, yield func(place int32) bool) bool {
	if len(x.literal) != 0 && !x.eachLiteral(path, yield) {
		return false
	}
	return x.globs.empty() || x.globs.each(path, yield)
}

// eachLiteral looks the path up whole and cut off at each of its slashes. No
// prefix longer than the longest pattern is hashed, so that a path made of
// slashes costs no more than its rules are long.
func (x *index) eachLiteral(path string, yield func(place int32) bool) bool {
	for i := range min(len(path), x.longest+1) {
		if path[i] != '/' || !x.below.has(i) {
			continue
		}
		if e := x.literal[path[:i]]; e.below != 0 && !yield(e.below-1) {
			return false
		}
	}
	if len(path) > x.longest {
		return true
	}
	e := x.literal[path]
	return (e.exact == 0 || yield(e.exact-1)) && (e.below == 0 || yield(e.below-1))
}
