package rule

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// expressions is a set of regular expressions, all anchored at the start and
// filed under the text that whatever they match begins with. Of a thousand
// expressions with beginnings of their own, a path runs only into those whose
// beginning it has.
type expressions struct {
	filed   map[string][]expression
	lengths []int // of the keys of filed, ascending
}

type expression struct {
	place int32
	tests []*regexp.Regexp // one must match; none: the beginning says it all
}

func (x *expressions) add(beginning string, e expression) {
	if x.filed == nil {
		x.filed = make(map[string][]expression)
	}
	x.filed[beginning] = append(x.filed[beginning], e)
	if i, found := slices.BinarySearch(x.lengths, len(beginning)); !found {
		x.lengths = slices.Insert(x.lengths, i, len(beginning))
	}
}

// each calls yield with the place of every expression that matches subject,
// until yield returns false. The beginnings are looked for in key, which is the
// subject in the spelling that was used in filing.
func (x *expressions) each(key, subject string, yield func(place int32) bool) bool {
	for _, n := range x.lengths {
		if n > len(key) {
			break
		}
		for _, e := range x.filed[key[:n]] {
			if e.matches(subject) && !yield(e.place) {
				return false
			}
		}
	}
	return true
}

func (e *expression) matches(subject string) bool {
	for _, test := range e.tests {
		if test.MatchString(subject) {
			return true
		}
	}
	return len(e.tests) == 0
}

// parseExpression compiles the text behind a ~, anchored at the start and open
// at the end as Python's re.match, and once more regardless of case.
func parseExpression(source string) (tree *syntax.Regexp, exact, anyCase *regexp.Regexp, err error) {
	if tree, err = syntax.Parse(source, syntax.Perl); err != nil {
		return nil, nil, nil, explain(source, err)
	}
	if exact, err = regexp.Compile(`^(?:` + source + `)`); err == nil {
		anyCase, err = regexp.Compile(`(?i)^(?:` + source + `)`)
	}
	if err != nil {
		// It parsed alone, so it swallowed the parenthesis: only \Q does that.
		return nil, nil, nil, fmt.Errorf(`%w: close \Q with \E`, err)
	}
	return tree, exact, anyCase, nil
}

// explain adds to a syntax error what somebody needs who brings the expression
// from Python, as the users of IGNORE_URLS do.
func explain(source string, err error) error {
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(source, part) })
	}
	switch {
	case has("(?=", "(?!", "(?<=", "(?<!"):
		return fmt.Errorf("%w: RE2 has no look-around: to leave paths out, cover the others with a scope or name these in a deny list", err)
	case has(`\Z`):
		return fmt.Errorf(`%w: RE2 writes the end of the text \z: write %s`, err, "~"+strings.ReplaceAll(source, `\Z`, `\z`))
	case has("(?P=") || backReference.MatchString(source):
		return fmt.Errorf("%w: RE2 has no back-references: write the alternatives out", err)
	}
	return err
}

var backReference = regexp.MustCompile(`\\[1-9]`)

// beginning returns the text that all matches of an expression, anchored at the
// start, begin with, and whether having it is all the expression asks for.
// (regexp.LiteralPrefix answers only for expressions without an anchor.) Text
// that may come in either case counts only where case is folded.
func beginning(re *syntax.Regexp, folded bool) (text string, whole bool) {
	return leading(re, true, folded)
}

func leading(re *syntax.Regexp, atStart, folded bool) (text string, whole bool) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return "", true
	case syntax.OpBeginText, syntax.OpBeginLine:
		return "", atStart
	case syntax.OpLiteral:
		// U+FFFD in an expression also matches a byte that is no UTF-8.
		if re.Flags&syntax.FoldCase != 0 && !folded || slices.Contains(re.Rune, utf8.RuneError) {
			return "", false
		}
		return string(re.Rune), true
	case syntax.OpCapture:
		return leading(re.Sub[0], atStart, folded)
	case syntax.OpPlus:
		text, _ = leading(re.Sub[0], atStart, folded)
		return text, false
	case syntax.OpRepeat:
		if re.Min == 0 {
			return "", false
		}
		text, _ = leading(re.Sub[0], atStart, folded)
		return text, false
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			more, all := leading(sub, atStart && text == "", folded)
			text += more
			if !all {
				return text, false
			}
		}
		return text, true
	}
	return "", false
}

// compileEach runs compile over all entries and collects every error under the
// sentinel, each with the entry that it is about.
func compileEach(sentinel error, entries []string, compile func(place int32, entry string) error) error {
	var errs []error
	for i, entry := range entries {
		if err := compile(int32(i), entry); err != nil {
			errs = append(errs, fmt.Errorf("%w %q: %w", sentinel, entry, err))
		}
	}
	return errors.Join(errs...)
}
