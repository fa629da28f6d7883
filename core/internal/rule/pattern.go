package rule

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrPath is what every unusable path pattern's error wraps.
var ErrPath = errors.New("rule: unusable path pattern")

// maxDepth is how many segments a pattern with wildcards may have, and how many
// of a path are compared with it. It bounds the work that a hostile path can
// cause to maxDepth times the number of wildcard rules alive at once.
const maxDepth = 256

// shape is the kind of a pattern that is not a regular expression.
type shape uint8

const (
	shapeExact shape = iota // no wildcard
	shapeBelow              // one wildcard: the final **
	shapeGlob               // any other
)

// classify takes a checked pattern apart. base is the path of an exact pattern,
// the path above the ** of a below pattern ("" for /**), and unused otherwise.
func classify(text string) (kind shape, base string, segments []string) {
	for segment := range strings.SplitSeq(text[1:], "/") {
		// Two ** in a row say no more than one.
		if n := len(segments); segment != "**" || n == 0 || segments[n-1] != "**" {
			segments = append(segments, segment)
		}
	}
	last := len(segments) - 1
	switch above := segments[:last]; {
	case !strings.Contains(text, "*"):
		return shapeExact, text, segments
	case segments[last] == "**" && !strings.Contains(strings.Join(above, "/"), "*"):
		if last == 0 {
			return shapeBelow, "", segments
		}
		return shapeBelow, "/" + strings.Join(above, "/"), segments
	}
	return shapeGlob, "", segments
}

// checkPattern says what is wrong with a pattern that is not a regular
// expression, and what to write instead.
func checkPattern(text string) error {
	switch {
	case text == "":
		return errors.New("it is empty: write a path such as /healthz, or remove it")
	case text[0] != '/':
		return fmt.Errorf("it must begin with / (a path) or ~ (a regular expression): write /%s", text)
	case !utf8.ValidString(text):
		return errors.New("it is not valid UTF-8")
	}
	for i := range len(text) {
		switch c := text[i]; {
		case classes[c]&isControl != 0:
			return fmt.Errorf("it holds the control character %#02x: remove it", c)
		case c == '?' || c == '#':
			return fmt.Errorf("it holds a %q, but only the path is matched, never the query or the fragment: write %s", c, text[:i])
		case c == '\\':
			return fmt.Errorf(`it holds a \: write %s`, strings.ReplaceAll(text, `\`, "/"))
		case c == '%':
			return checkPercent(text)
		}
	}
	return checkSegments(text)
}

func checkPercent(text string) error {
	if decoded := unescape(text); decoded != text && utf8.ValidString(decoded) {
		return fmt.Errorf("it is percent-encoded: write it decoded, %q", decoded)
	}
	return errors.New("it holds a %: patterns are written decoded; a path with a percent sign of its own can only be a ~regular expression")
}

func checkSegments(text string) error {
	segments := strings.Split(text[1:], "/")
	for i, segment := range segments {
		switch {
		case segment == "" && i < len(segments)-1:
			return fmt.Errorf("it holds an empty segment (//): write %s", squeeze(text))
		case segment == "." || segment == "..":
			return fmt.Errorf("it holds the segment %q: write the path it leads to, %s", segment, tidy(text))
		case segment != "**" && strings.Contains(segment, "**"):
			return fmt.Errorf("in %q the ** does not stand alone: write * within a segment, /**/ for any number of segments", segment)
		}
	}
	if len(segments) > maxDepth && strings.Contains(text, "*") {
		return fmt.Errorf("it has %d segments, more than the %d that a pattern with wildcards may have", len(segments), maxDepth)
	}
	return nil
}
