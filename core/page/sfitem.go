package page

import "strings"

// The grammar of RFC 9651, as far as a parameterised Token needs it. Each function tells how many bytes at the start
// of s are the thing it is named for; 0 means that s does not begin with one.

func isSFToken(s string) bool { return s != "" && sfTokenLen(s) == len(s) }

func sfTokenLen(s string) int {
	if s == "" || !isAlpha(s[0]) && s[0] != '*' {
		return 0
	}
	return prefixLen(s, func(c byte) bool { return isTokenByte(c) || c == ':' || c == '/' })
}

func sfKeyLen(s string) int {
	if s == "" || (s[0] < 'a' || s[0] > 'z') && s[0] != '*' {
		return 0
	}
	return prefixLen(s, func(c byte) bool {
		return c >= 'a' && c <= 'z' || isDigit(c) || strings.IndexByte("_-.*", c) >= 0
	})
}

// bareItemLen knows all types of section 3.3, so that a parameter of a newer server can be skipped.
func bareItemLen(s string) int {
	if s == "" {
		return 0
	}
	switch c := s[0]; {
	case c == '"':
		return sfStringLen(s)
	case c == '@':
		if n, decimal := sfNumberLen(s[1:]); n > 0 && !decimal {
			return 1 + n
		}
		return 0
	case c == '?':
		if len(s) > 1 && (s[1] == '0' || s[1] == '1') {
			return 2
		}
		return 0
	case c == ':':
		return sfBytesLen(s)
	case c == '%':
		return sfDisplayLen(s)
	case c == '-' || isDigit(c):
		n, _ := sfNumberLen(s)
		return n
	}
	return sfTokenLen(s)
}

// sfNumberLen knows Integers of at most 15 digits and Decimals of at most 12 and 3.
func sfNumberLen(s string) (n int, decimal bool) {
	digits := strings.TrimPrefix(s, "-")
	sign := len(s) - len(digits)
	whole := prefixLen(digits, isDigit)
	if whole == 0 || whole > 15 {
		return 0, false
	}
	if whole == len(digits) || digits[whole] != '.' {
		return sign + whole, false
	}
	fraction := prefixLen(digits[whole+1:], isDigit)
	if whole > 12 || fraction == 0 || fraction > 3 {
		return 0, false
	}
	return sign + whole + 1 + fraction, true
}

func sfStringLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i++; i == len(s) || s[i] != '"' && s[i] != '\\' {
				return 0
			}
		case c < ' ' || c > '~':
			return 0
		}
	}
	return 0
}

func sfBytesLen(s string) int {
	n := 1 + prefixLen(s[1:], func(c byte) bool {
		return isAlpha(c) || isDigit(c) || c == '+' || c == '/' || c == '='
	})
	if n == len(s) || s[n] != ':' {
		return 0
	}
	return n + 1
}

// sfDisplayLen takes a Display String: %"…" with lower-case percent escapes.
func sfDisplayLen(s string) int {
	if !strings.HasPrefix(s, `%"`) {
		return 0
	}
	for i := 2; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c == '%':
			if i += 2; i >= len(s) || !isLowerHex(s[i-1]) || !isLowerHex(s[i]) {
				return 0
			}
		case c < ' ' || c > '~':
			return 0
		}
	}
	return 0
}

func isLowerHex(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' }

func prefixLen(s string, in func(byte) bool) int {
	for i := range len(s) {
		if !in(s[i]) {
			return i
		}
	}
	return len(s)
}
