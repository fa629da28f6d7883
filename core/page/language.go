package page

import (
	"slices"
	"strings"
)

// maxTag bounds a language tag; RFC 5646, section 4.4.1, asks for 35.
const maxTag = 64

// languages finds a language among those there are. It maps every tag, and every shorter form of a tag that is not
// itself one ("de" for "de-AT"), in lower case, to an index.
type languages map[string]int

// indexLanguages numbers tags by their place. Of two tags that a shorter form may stand for, the first one gets it.
func indexLanguages(tags []string) languages {
	index := make(languages, 2*len(tags))
	for i, tag := range tags {
		index.add(tag, i)
	}
	for i, tag := range tags {
		for end := strings.LastIndexByte(tag, '-'); end > 0; end = strings.LastIndexByte(tag[:end], '-') {
			index.add(tag[:end], i)
		}
	}
	return index
}

func (l languages) add(tag string, i int) {
	key := strings.ToLower(tag)
	if _, taken := l[key]; !taken {
		l[key] = i
	}
}

// lookup finds the tag itself, then shorter forms of it (RFC 4647, section 3.4), each either way: "de" finds "de-AT",
// "de-AT" finds "de", and for want of both "de-CH".
func (l languages) lookup(tag string) (i int, ok bool) {
	var lower [maxTag]byte
	if len(tag) > maxTag {
		return 0, false
	}
	for i := range len(tag) {
		lower[i] = tag[i]
		if isAlpha(tag[i]) {
			lower[i] |= 0x20
		}
	}
	for n := len(tag); n > 0; n = strings.LastIndexByte(tag[:n], '-') {
		if i, ok = l[string(lower[:n])]; ok {
			return i, true
		}
	}
	return 0, false
}

// choose is the language that an Accept-Language field prefers: the range of the highest weight that finds one, the
// earlier of two that weigh the same. Ranges of weight 0 and "*" choose nothing (as in RFC 4647's lookup), malformed
// ones are skipped.
func (l languages) choose(acceptLanguage string) (i int, ok bool) {
	ranges, heaviest := newList(acceptLanguage), 0
	for {
		element, more := ranges.next()
		if !more {
			return i, ok
		}
		tag, q := languageRange(element)
		if q <= heaviest {
			continue
		}
		if found, hit := l.lookup(tag); hit {
			i, ok, heaviest = found, true, q
			if q == 1000 {
				return i, true
			}
		}
	}
}

// languageRange reads one element of an Accept-Language field; weight 0 stands for malformed too.
func languageRange(element string) (tag string, q int) {
	end := tagLen(element)
	if end == 0 {
		return "", 0
	}
	q, ok := weight(element[end:])
	if !ok {
		return "", 0
	}
	return element[:end], q
}

// tagLen is how many bytes at the start of s are a well-formed language tag: a subtag of 1 to 8 letters, then more of
// 1 to 8 letters or digits (RFC 4647, section 2.1).
func tagLen(s string) int {
	n := 0
	for start := 0; ; start = n + 1 {
		end := start
		for end < len(s) && (isAlpha(s[end]) || start > 0 && isDigit(s[end])) {
			end++
		}
		if end == start || end-start > 8 {
			return n
		}
		if n = end; n == len(s) || s[n] != '-' {
			return n
		}
	}
}

// ValidTag reports whether s can name a language: well-formed in the sense of BCP 47, and no longer than 64 bytes.
func ValidTag(s string) bool {
	return s != "" && len(s) <= maxTag && tagLen(s) == len(s)
}

// direction is the writing direction of a language, "rtl" or "ltr", by its script where the tag names one.
func direction(tag string) string {
	subtags := strings.Split(strings.ToLower(tag), "-")
	rtl := slices.Contains(rtlLanguages, subtags[0])
	for _, subtag := range subtags[1:] {
		if len(subtag) == 1 {
			break // an extension: what follows is no script
		}
		if len(subtag) == 4 && !isDigit(subtag[0]) {
			rtl = slices.Contains(rtlScripts, subtag)
			break
		}
	}
	if rtl {
		return "rtl"
	}
	return "ltr"
}

// Languages that are written from right to left unless their tag names another script (CLDR's likely scripts).
var rtlLanguages = []string{
	"ar", "arc", "arz", "azb", "bal", "bgn", "ckb", "dv", "fa", "glk", "he", "iw", "ji", "khw", "ks", "lrc", "luz", "mzn",
	"nqo", "pnb", "prs", "ps", "sd", "skr", "syr", "ug", "ur", "yi",
}

var rtlScripts = []string{
	"adlm", "arab", "aran", "hebr", "mand", "mend", "nkoo", "rohg", "samr", "syrc", "thaa",
}
