package rule

import (
	"path"
	"strings"
	"unicode/utf8"
)

// A Path is a request's path, taken apart once and then matched against any
// number of sets. It refers to the string given to [NewPath] and is valid only
// as long as that string is.
type Path struct {
	raw   string // as handed in: what the cover side starts from
	sent  string // raw, with those octets decoded that cannot stand in a URL
	clean string // decoded and cleaned
	bar   bar    // why no allowance can match; 0 when one can
	plain bool   // there is only one reading: raw, sent and clean are the same
	lower bool   // plain, and folding case changes nothing
}

// bar is a reason why a path gets no allowance at all.
type bar uint8

const (
	barNone bar = iota
	barUnrooted
	barBackslash
	barControl
	barEscape
	barEncoded
	barUTF8
)

var barText = [...]string{
	barNone:      "",
	barUnrooted:  "the path does not begin with a slash",
	barBackslash: "the path holds a backslash",
	barControl:   "the path holds a control character",
	barEscape:    "the path holds an invalid percent-encoding",
	barEncoded:   "the path holds an encoded slash, backslash, dot or percent sign",
	barUTF8:      "the path is not valid UTF-8 once decoded",
}

// class says what a byte of a path asks for.
type class uint8

const (
	isControl class = 1 << iota
	isBackslash
	isPercent
	isHigh   // beyond ASCII
	isUpper  // an ASCII capital
	isCut    // ? or #: not part of a path, if it is there at all
	isOpaque // cannot stand in a URL's path, so a client has no choice but to encode it
)

// classes is indexed by the byte.
var classes = func() (table [256]class) {
	for c := range 256 {
		switch b := byte(c); {
		case b < 0x20 || b == 0x7f:
			table[b] = isControl
		case b >= utf8.RuneSelf:
			table[b] = isHigh | isOpaque
		case 'A' <= b && b <= 'Z':
			table[b] = isUpper
		case b == '\\':
			table[b] = isBackslash
		case b == '%':
			table[b] = isPercent
		case b == '?' || b == '#':
			table[b] = isCut
		case strings.IndexByte(" \"<>^`{|}", b) >= 0:
			table[b] = isOpaque
		}
	}
	return table
}()

// NewPath reads a path as the client sent it: escaped, without the query. It
// allocates only when something has to be decoded or cleaned, and its work
// grows with the length of the path and with nothing else.
func NewPath(sent string) Path {
	p := Path{raw: sent, sent: sent, clean: sent}
	if sent == "" || sent[0] != '/' {
		p.bar = barUnrooted
		return p
	}
	var seen class
	untidy, before := false, byte(0)
	for i := range len(sent) {
		c := sent[i]
		seen |= classes[c]
		if before == '/' && (c == '/' || c == '.') {
			untidy = true
		}
		before = c
	}
	switch {
	case seen&isControl != 0:
		p.bar = barControl
	case seen&isBackslash != 0:
		p.bar = barBackslash
	case seen&isPercent != 0:
		p.sent, p.clean, p.bar = decode(sent)
	case seen&isHigh != 0 && !utf8.ValidString(sent):
		p.bar = barUTF8
	}
	if p.bar != barNone {
		return p
	}
	// A dot or a slash that was encoded has barred the path above, so only
	// what was visible before decoding can need cleaning.
	if untidy {
		p.clean = tidy(p.clean)
	}
	p.plain = seen&(isPercent|isCut) == 0 && p.clean == sent
	p.lower = p.plain && seen&(isUpper|isHigh) == 0
	return p
}

// Bar says in a sentence why no allowance can match the path, whatever the
// rules are, and "" when one can.
func (p Path) Bar() string { return barText[p.bar] }

// decode returns the two forms an allowance must match, still uncleaned, or
// why the path may not have one.
//
// In the sent form only those octets are decoded that a client is not free to
// send as they are (RFC 3986, 3.3). So a rule for "/a b" finds "/a%20b", while
// "/%68ealthz", which nobody writes without a reason, stays what it is.
func decode(raw string) (sent, full string, why bar) {
	s := make([]byte, 0, len(raw))
	f := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '%' {
			s, f = append(s, c), append(f, c)
			continue
		}
		c, ok := octet(raw[i:])
		if !ok {
			return "", "", barEscape
		}
		switch {
		case c == '/' || c == '\\' || c == '.' || c == '%':
			return "", "", barEncoded
		case classes[c]&isControl != 0:
			return "", "", barControl
		case classes[c]&isOpaque != 0:
			s = append(s, c)
		default:
			s = append(s, raw[i:i+3]...)
		}
		f = append(f, c)
		i += 2
	}
	if !utf8.Valid(f) {
		return "", "", barUTF8
	}
	return string(s), string(f), barNone
}

// octet reads the percent-encoding that s begins with.
func octet(s string) (byte, bool) {
	if len(s) < 3 {
		return 0, false
	}
	high, ok1 := nibble(s[1])
	low, ok2 := nibble(s[2])
	return high<<4 | low, ok1 && ok2
}

func nibble(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// tidy is path.Clean for a rooted path, except that a final slash stays.
func tidy(s string) string {
	c := path.Clean(s)
	if s[len(s)-1] != '/' || c == "/" {
		return c
	}
	if strings.HasPrefix(s, c) && s[len(c)] == '/' {
		return s[:len(c)+1]
	}
	return c + "/"
}
