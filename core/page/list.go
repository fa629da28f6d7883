package page

import "strings"

// What is read of a header at most. Everything behind it counts as not sent, so that no header, however long, costs
// more than this. Browsers send about 150 bytes and 8 elements.
const (
	maxHeader   = 4 << 10
	maxElements = 32
)

// list walks the elements of a comma-separated header (RFC 9110, section 5.6.1) without allocating.
type list struct {
	rest string
	left int
	cut  bool // rest ends where we stopped reading, not where the header ends
}

func newList(header string) list {
	if len(header) > maxHeader {
		return list{rest: header[:maxHeader], left: maxElements, cut: true}
	}
	return list{rest: header, left: maxElements}
}

// next returns the next element that is not empty, without the blanks around it. An element that maxHeader cuts, or
// whose quotation never closes, ends the list: what is left of it may say something else than the whole did.
func (l *list) next() (element string, ok bool) {
	for l.left > 0 && l.rest != "" {
		end, closed := elementEnd(l.rest)
		if !closed || l.cut && end == len(l.rest) {
			return "", false
		}
		element = strings.Trim(l.rest[:end], " \t")
		l.rest = l.rest[min(end+1, len(l.rest)):]
		if element != "" {
			l.left--
			return element, true
		}
	}
	return "", false
}

// elementEnd is the index of the first comma outside quotations, or len(s).
func elementEnd(s string) (end int, closed bool) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted:
			return i, true
		}
	}
	return len(s), !quoted
}

// weight reads what follows a media or language range: parameters, one of them perhaps the weight q, in thousandths
// (RFC 9110, section 12.4.2). Without q it is 1000. Parameters other than q are checked for their form and ignored.
func weight(params string) (q int, ok bool) {
	q = 1000
	weighed := false
	for {
		params = strings.TrimLeft(params, " \t")
		if params == "" {
			return q, true
		}
		if params[0] != ';' {
			return 0, false
		}
		params = strings.TrimLeft(params[1:], " \t")
		if params == "" || params[0] == ';' {
			continue // an empty parameter is allowed
		}
		name, value, rest, ok := parameter(params)
		if !ok {
			return 0, false
		}
		if name == "q" || name == "Q" {
			if q, ok = qvalue(value); !ok || weighed {
				return 0, false
			}
			weighed = true
		}
		params = rest
	}
}

// parameter splits s, which begins with a parameter, into its name, its value (a quotation keeps its quotes) and
// what follows.
func parameter(s string) (name, value, rest string, ok bool) {
	n := tokenLen(s)
	if n == 0 || n == len(s) || s[n] != '=' {
		return "", "", "", false
	}
	name, s = s[:n], s[n+1:]
	if n = tokenLen(s); n == 0 {
		n = quotedLen(s)
	}
	return name, s[:n], s[n:], n > 0
}

// qvalue reads 0, 1 or a number between with at most three decimals. strconv.ParseFloat would also take NaN, Inf,
// -1 and hexadecimal.
func qvalue(s string) (thousandths int, ok bool) {
	if s == "" || len(s) > len("0.000") || s[0] != '0' && s[0] != '1' || len(s) > 1 && s[1] != '.' {
		return 0, false
	}
	q := int(s[0]-'0') * 1000
	for i, unit := 2, 100; i < len(s); i, unit = i+1, unit/10 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		q += int(s[i]-'0') * unit
	}
	return q, q <= 1000
}

// tokenLen is how many bytes at the start of s are a token (RFC 9110, section 5.6.2).
func tokenLen(s string) int {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return i
		}
	}
	return len(s)
}

// quotedLen is how many bytes at the start of s are a quoted-string (RFC 9110, section 5.6.4), quotes included; 0 if
// s does not begin with a whole one.
func quotedLen(s string) int {
	if s == "" || s[0] != '"' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			i++
			if i < len(s) && isControl(s[i]) {
				return 0
			}
		case isControl(c):
			return 0
		}
	}
	return 0
}

func isTokenByte(c byte) bool {
	return isAlpha(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isAlpha(c byte) bool   { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool   { return c >= '0' && c <= '9' }
func isControl(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }
