package rule

import (
	"unicode"
	"unicode/utf8"
)

// fold maps all letters that differ in case only to one of them. It goes by way
// of the capital so that the letters with two small forms fall together too:
// long s with s, final sigma with sigma, dotless and dotted i with i.
func fold(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }

// appendFold appends s with its case folded. Bytes that are no UTF-8 are kept.
func appendFold(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[i])
		} else {
			dst = utf8.AppendRune(dst, fold(r))
		}
		i += size
	}
	return dst
}

func foldString(s string) string { return string(appendFold(nil, s)) }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
