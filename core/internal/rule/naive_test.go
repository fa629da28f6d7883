package rule

import (
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The oracle of this package's fuzz tests: the grammar and the two forms of a
// path, written down once more in the plainest way there is, slow and without
// any of the package's own code.

// naiveMatch reports whether a valid pattern matches one spelling of a path.
func naiveMatch(pattern, spelling string) bool {
	if source, ok := strings.CutPrefix(pattern, "~"); ok {
		return regexp.MustCompile("^(?:" + source + ")").MatchString(spelling)
	}
	want := strings.Split(pattern[1:], "/")
	have := strings.Split(spelling[1:], "/")
	// rows[j] says whether the pattern's segments so far match have[:j].
	row := make([]bool, len(have)+1)
	row[0] = true
	for _, segment := range want {
		next := make([]bool, len(row))
		if segment == "**" {
			reached := false
			for j := range row {
				reached = reached || row[j]
				next[j] = reached
			}
		} else {
			re := naiveSegment(segment)
			for j := range have {
				next[j+1] = row[j] && re.MatchString(have[j])
			}
		}
		row = next
	}
	return row[len(have)]
}

func naiveSegment(segment string) *regexp.Regexp {
	if segment == "*" {
		return regexp.MustCompile(`(?s)^.+$`)
	}
	return regexp.MustCompile(`(?s)^` + strings.ReplaceAll(regexp.QuoteMeta(segment), `\*`, `.*`) + `$`)
}

var (
	naiveOpaque  = regexp.MustCompile(`%(20|22|3[CcEe]|5[Ee]|60|7[B-Db-d]|[89A-Fa-f][0-9A-Fa-f])`)
	naiveBarred  = regexp.MustCompile(`(?i)%(2f|5c|2e|25|[01][0-9a-f]|7f)|[\x00-\x1f\x7f\\]`)
	naiveEncoded = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
)

// naiveForms returns the forms that an allowance must match, or false if the
// path gets none.
func naiveForms(raw string) (sent, clean string, ok bool) {
	if !strings.HasPrefix(raw, "/") || naiveBarred.MatchString(raw) {
		return "", "", false
	}
	decoded, err := url.PathUnescape(raw)
	if err != nil || !utf8.ValidString(decoded) {
		return "", "", false
	}
	sent = naiveOpaque.ReplaceAllStringFunc(raw, func(code string) string {
		c, _ := url.PathUnescape(code)
		return c
	})
	clean = path.Clean(decoded)
	if strings.HasSuffix(decoded, "/") && clean != "/" {
		clean += "/"
	}
	return sent, clean, true
}

func naiveAllows(pattern, raw string) bool {
	sent, clean, ok := naiveForms(raw)
	return ok && naiveMatch(pattern, sent) && naiveMatch(pattern, clean)
}

// naiveEncode encodes every byte but the slashes.
func naiveEncode(s string) string {
	return naiveByte.ReplaceAllStringFunc(url.PathEscape(s), func(c string) string {
		if naiveEncoded.MatchString(c) {
			return c
		}
		return "%" + strings.ToLower(hexOf(c[0]))
	})
}

var naiveByte = regexp.MustCompile(`%[0-9A-F]{2}|.`)

func hexOf(c byte) string {
	const digits = "0123456789ABCDEF"
	return string([]byte{digits[c>>4], digits[c&15]})
}
