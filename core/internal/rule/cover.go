package rule

import (
	"slices"
	"strings"
	"unsafe"
)

// Cover is a set of path patterns that say which paths are meant: the paths of
// a scope, or those that are never let in. It answers for a pattern as soon as
// the pattern matches any reading of the path: as sent or decoded, cleaned or
// not, with a backslash for a slash, in whatever case, with a final slash or
// without. When in doubt, the path is covered.
//
// The zero value and a nil *Cover match nothing.
type Cover struct {
	patterns    []string
	index       index
	expressions expressions
}

// CompileCover compiles patterns in the grammar of this package's
// documentation. The error names every unusable pattern and wraps [ErrPath].
func CompileCover(patterns []string) (*Cover, error) {
	c := &Cover{patterns: slices.Clone(patterns)}
	c.index.globs.failClosed = true
	err := compileEach(ErrPath, patterns, func(place int32, text string) error {
		source, isExpression := strings.CutPrefix(text, "~")
		if !isExpression {
			if err := checkPattern(text); err != nil {
				return err
			}
			c.index.add(trimSlash(foldString(text)), place)
			return nil
		}
		tree, exact, anyCase, err := parseExpression(source)
		if err != nil {
			return err
		}
		e := expression{place: place}
		start, whole := beginning(tree, true)
		if !whole {
			// Both are needed: regardless of case, [^a] leaves out A as well.
			e.tests = append(e.tests, anyCase, exact)
		}
		c.expressions.add(foldString(start), e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.index.globs.trim()
	return c, nil
}

// Match returns a pattern that covers the path; of several, any one.
func (c *Cover) Match(p Path) (pattern string, ok bool) {
	if c == nil || len(c.patterns) == 0 {
		return "", false
	}
	hit := int32(-1)
	yield := func(place int32) bool {
		hit = place
		return false
	}
	switch {
	case p.lower:
		c.each(p.raw, p.raw, yield)
	case p.plain:
		c.eachFolded(p.raw, yield)
	default:
		for _, reading := range p.readings() {
			if !c.eachFolded(reading, yield) {
				break
			}
		}
	}
	if hit < 0 {
		return "", false
	}
	return c.patterns[hit], true
}

// each goes through the patterns that match one reading, given also in folded
// case. Expressions see it with its final slash and without.
func (c *Cover) each(folded, reading string, yield func(place int32) bool) bool {
	if !c.index.each(trimSlash(folded), yield) || !c.expressions.each(folded, reading, yield) {
		return false
	}
	trimmed := trimSlash(reading)
	return trimmed == reading || c.expressions.each(trimSlash(folded), trimmed, yield)
}

// eachFolded is each for a reading that has letters to fold. Short paths are
// folded on the stack: an identifier in capitals must not cost an allocation.
func (c *Cover) eachFolded(reading string, yield func(place int32) bool) bool {
	var stack [256]byte
	buffer := appendFold(stack[:0], reading)
	// No one keeps this string or writes to the buffer while it is in use.
	folded := unsafe.String(unsafe.SliceData(buffer), len(buffer))
	if !c.each(folded, reading, yield) {
		return false
	}
	if isASCII(reading) || len(c.expressions.lengths) == 0 {
		return true
	}
	// Letters that have no simple folding, dotted capital I for one, differ
	// from their small form even for an expression regardless of case.
	spelled := string(buffer)
	return c.each(spelled, spelled, yield)
}
