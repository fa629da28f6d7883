package rule

import (
	"slices"
	"strings"
)

// Allow is a set of path patterns that let a request in. It answers for a
// pattern only when the pattern matches both what the client sent and what that
// means once decoded and cleaned, in exactly the case it is written in.
//
// The zero value and a nil *Allow match nothing.
type Allow struct {
	patterns    []string
	index       index
	expressions expressions
}

// CompileAllow compiles patterns in the grammar of this package's
// documentation. The error names every unusable pattern and wraps [ErrPath].
// It mirrors django-maintenance-mode's IGNORE_URLS, whose entries keep their
// meaning behind a ~.
func CompileAllow(patterns []string) (*Allow, error) {
	a := &Allow{patterns: slices.Clone(patterns)}
	err := compileEach(ErrPath, patterns, func(place int32, text string) error {
		source, isExpression := strings.CutPrefix(text, "~")
		if !isExpression {
			if err := checkPattern(text); err != nil {
				return err
			}
			a.index.add(text, place)
			return nil
		}
		tree, exact, _, err := parseExpression(source)
		if err != nil {
			return err
		}
		e := expression{place: place}
		start, whole := beginning(tree, false)
		if !whole {
			e.tests = append(e.tests, exact)
		}
		a.expressions.add(start, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.index.globs.trim()
	return a, nil
}

// Match returns a pattern that matches the path; of several, any one. A path
// with a [Path.Bar] matches nothing.
func (a *Allow) Match(p Path) (pattern string, ok bool) {
	if a == nil || p.bar != barNone {
		return "", false
	}
	if p.sent != p.clean {
		return a.matchBoth(p)
	}
	hit := int32(-1)
	a.each(p.sent, func(place int32) bool {
		hit = place
		return false
	})
	if hit < 0 {
		return "", false
	}
	return a.patterns[hit], true
}

// matchBoth looks for one pattern that matches both forms where they differ. A
// pattern for each would not do: beside "/static/**" and "/healthz" that would
// let "/static/../healthz" in.
func (a *Allow) matchBoth(p Path) (pattern string, ok bool) {
	var sent []int32
	a.each(p.sent, func(place int32) bool {
		sent = append(sent, place)
		return true
	})
	if len(sent) == 0 {
		return "", false
	}
	slices.Sort(sent)
	a.each(p.clean, func(place int32) bool {
		if _, both := slices.BinarySearch(sent, place); both {
			pattern, ok = a.patterns[place], true
		}
		return !ok
	})
	return pattern, ok
}

func (a *Allow) each(path string, yield func(place int32) bool) bool {
	return a.index.each(path, yield) && a.expressions.each(path, path, yield)
}
