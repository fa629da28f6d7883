package page

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestNegotiate(t *testing.T) {
	for _, tt := range []struct {
		name, accept string
		want         kind
	}{
		{"no Accept is HTML", "", kindHTML},
		{"anything is HTML", "*/*", kindHTML},
		{"a browser gets HTML", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", kindHTML},
		{"axios gets JSON", "application/json, text/plain, */*", kindJSON},
		{"jQuery gets JSON", "application/json, text/javascript, */*; q=0.01", kindJSON},
		{"plain JSON", "application/json", kindJSON},
		{"JSON with parameters", "application/json; charset=utf-8", kindJSON},
		{"JSON with a quoted parameter that holds separators", `application/json;profile="a,b;q=0"`, kindJSON},
		{"a vendor's JSON is JSON", "application/vnd.api+json", kindJSON},
		{"any +json is a problem", "application/*+json", kindProblem},
		{"problem details", "application/problem+json", kindProblem},
		{"problem before JSON for a wildcard", "application/*", kindProblem},
		{"HTML before text for a wildcard", "text/*", kindHTML},
		{"text", "text/plain", kindText},
		{"letters' case does not count", "Application/JSON;Q=1", kindJSON},
		{"an image alone is HTML", "image/gif", kindHTML},
		{"YAML alone is HTML", "application/x-yaml", kindHTML},
		{"HTML named first beats JSON, as in Laravel", "text/html, application/json", kindHTML},
		{"JSON named first beats HTML", "application/json, text/html", kindJSON},
		{"a JSON suffix named first beats HTML", "application/vnd.api+json, text/html", kindJSON},
		{"the order decides below the full weight too", "text/plain;q=0.5, text/html;q=0.5", kindText},
		{"the greater weight beats the order", "text/html;q=0.4, application/json;q=0.401", kindJSON},
		{"an exact range beats a wildcard of the same weight", "*/*, application/json", kindJSON},
		{"a half exact range beats a wildcard of the same weight", "*/*;q=0.5, text/*;q=0.5", kindHTML},
		{"the most exact range gives the weight, though it is less", "*/*, text/html;q=0.1, application/*;q=0.2", kindText},
		{"weight zero refuses HTML", "text/html;q=0, */*", kindProblem},
		{"weight zero for everything is HTML still", "*/*;q=0", kindHTML},
		{"weight zero for text alone is HTML", "text/plain;q=0", kindHTML},
		{"weight zero for everything else", "*/*;q=0, text/plain;q=0.001", kindText},
		{"of equal ranges the heavier counts", "application/json;q=0.1, text/html;q=0.5, application/json;q=0.9", kindJSON},
		{"empty elements are skipped", ", ,,application/json,", kindJSON},
		{"empty parameters are allowed", "application/json;;q=1;", kindJSON},
		{"blanks around semicolons are allowed", "text/html ; q=0.1 , application/json\t;\tq=0.2", kindJSON},
		{"q=0. is a weight", "text/html;q=0., text/plain;q=0.1", kindText},
		{"q=1.000 is a weight", "text/html;q=0.999, text/plain;q=1.000", kindText},
		{"NaN is malformed", "application/json;q=NaN, text/plain;q=0.1", kindText},
		{"Inf is malformed", "application/json;q=Inf, text/plain;q=0.1", kindText},
		{"a negative weight is malformed", "application/json;q=-1, text/plain;q=0.1", kindText},
		{"a hexadecimal weight is malformed", "application/json;q=0x1p-1, text/plain;q=0.1", kindText},
		{"more than one is malformed", "application/json;q=1.001, text/plain;q=0.1", kindText},
		{"four decimals are malformed", "application/json;q=1.0001, text/plain;q=0.1", kindText},
		{"four decimals that end in zero are malformed", "application/json;q=0.9000, text/plain;q=0.1", kindText},
		{"an exponent is malformed", "application/json;q=1e0, text/plain;q=0.1", kindText},
		{"a weight without leading digit is malformed", "application/json;q=.9, text/plain;q=0.1", kindText},
		{"a quoted weight is malformed", `application/json;q="1", text/plain;q=0.1`, kindText},
		{"a control in a quotation is malformed", "application/json;x=\"\x01\", text/plain;q=0.1", kindText},
		{"an escaped control is malformed", "application/json;x=\"\\\x01\", text/plain;q=0.1", kindText},
		{"an empty weight is malformed", "application/json;q=, text/plain;q=0.1", kindText},
		{"a doubled weight is malformed", "application/json;q=1;q=1, text/plain;q=0.1", kindText},
		{"a missing subtype is malformed", "application/, text/plain;q=0.1", kindText},
		{"a missing type is malformed", "/json, text/plain;q=0.1", kindText},
		{"a bare star is malformed", "*, text/plain;q=0.1", kindText},
		{"blanks inside a range are malformed", "application /json, text/plain;q=0.1", kindText},
		{"no type but any has any subtype", "*/json, text/plain;q=0.1", kindText},
		{"the long s does not pass for an s", "application/j\u017fon, text/plain;q=0.1", kindText},
		{"what follows an open quotation is not read", `text/plain;x=", application/json`, kindHTML},
		{"32 elements are read", strings.Repeat("a/b,", 31) + "text/plain", kindText},
		{"the 33rd element is not read", strings.Repeat("a/b,", 32) + "text/plain", kindHTML},
		{"4 KiB are read", "text/plain," + strings.Repeat(" ", 4<<10), kindText},
		{"what lies beyond 4 KiB is not read", strings.Repeat(" ", 4<<10) + ",text/plain", kindHTML},
		{"an element cut at 4 KiB is not read", strings.Repeat(" ", 4<<10-10) + "text/plain;q=0", kindHTML},
		{"a megabyte of stars is HTML", strings.Repeat("*", 1<<20), kindHTML},
		{"a megabyte of ranges is like its beginning", "text/plain;q=0.5," + strings.Repeat("application/json;q=0.1,", 1<<16), kindText},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := negotiate(tt.accept); got != tt.want {
				t.Errorf("negotiate(%.80q) = %s, want %s", tt.accept, media[got].name, media[tt.want].name)
			}
		})
	}
}

// The reference reads RFC 9110's grammar off with regular expressions, then sorts.
const (
	tokenRE  = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
	quotedRE = `"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[^\x00-\x08\x0a-\x1f\x7f])*"`
	paramsRE = `((?:[ \t]*;[ \t]*(?:` + tokenRE + `=(?:` + tokenRE + `|` + quotedRE + `))?)*)`
)

var (
	elementRE = regexp.MustCompile(`(?s)^((?:[^",]|"(?:[^"\\]|\\.)*")*)(,|$)`)
	mediaRE   = regexp.MustCompile(`(?s)^(` + tokenRE + `)/(` + tokenRE + `)` + paramsRE + `$`)
	paramRE   = regexp.MustCompile(`(?s);[ \t]*(?:(` + tokenRE + `)=(` + tokenRE + `|` + quotedRE + `))?`)
	qRE       = regexp.MustCompile(`^(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)$`)
)

func referenceElements(header string) (elements []string) {
	cut := len(header) > 4096
	if cut {
		header = header[:4096]
	}
	for header = latin1(header); header != "" && len(elements) < 32; {
		m := elementRE.FindStringSubmatch(header)
		if m == nil || cut && m[2] == "" {
			break
		}
		if element := strings.Trim(m[1], " \t"); element != "" {
			elements = append(elements, element)
		}
		header = header[len(m[0]):]
	}
	return elements
}

// latin1 lets regular expressions, which work on runes, see single bytes.
func latin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

func referenceWeight(params string) (float64, bool) {
	q, seen := 1.0, false
	for _, m := range paramRE.FindAllStringSubmatch(params, -1) {
		if strings.EqualFold(m[1], "q") {
			if seen || !qRE.MatchString(m[2]) {
				return 0, false
			}
			q, _ = strconv.ParseFloat(m[2], 64)
			seen = true
		}
	}
	return q, true
}

func referenceNegotiate(accept string) kind {
	type match struct {
		k         kind
		q         float64
		exact, at int
	}
	var matches []match
	for at, element := range referenceElements(accept) {
		m := mediaRE.FindStringSubmatch(element)
		if m == nil {
			continue
		}
		q, ok := referenceWeight(m[3])
		if !ok {
			continue
		}
		name := strings.ToLower(m[1] + "/" + m[2])
		for k := range kind(kinds) {
			exact := 0
			switch own := media[k].name; {
			case name == own,
				k == kindHTML && name == "application/xhtml+xml",
				k == kindJSON && regexp.MustCompile(`^application/.+\+json$`).MatchString(name) &&
					name != "application/problem+json" && name != "application/*+json":
				exact = 4
			case k == kindProblem && name == "application/*+json":
				exact = 3
			case name == strings.Split(own, "/")[0]+"/*":
				exact = 2
			case name == "*/*":
				exact = 1
			}
			if exact > 0 {
				matches = append(matches, match{k, q, exact, at})
			}
		}
	}
	// For each form the most exact range counts, of these the heaviest, of these the first.
	slices.SortStableFunc(matches, func(a, b match) int {
		switch {
		case a.k != b.k:
			return int(a.k) - int(b.k)
		case a.exact != b.exact:
			return b.exact - a.exact
		case a.q != b.q:
			return int(b.q*1000) - int(a.q*1000)
		}
		return a.at - b.at
	})
	matches = slices.CompactFunc(matches, func(a, b match) bool { return a.k == b.k })
	matches = slices.DeleteFunc(matches, func(m match) bool { return m.q == 0 })
	slices.SortStableFunc(matches, func(a, b match) int {
		switch {
		case a.q != b.q:
			return int(b.q*1000) - int(a.q*1000)
		case a.exact != b.exact:
			return b.exact - a.exact
		}
		return a.at - b.at
	})
	if len(matches) == 0 {
		return kindHTML
	}
	return matches[0].k
}

func FuzzNegotiate(f *testing.F) {
	for _, seed := range []string{
		"", "*/*;q=0", "text/html;q=NaN", "text/plain;q=Inf", "text/plain;q=-1", "application/json;q=0x1p-1",
		"application/json;q=1.0001", "application/json;q=0.5;q=0.9", "application/*+json", "application/vnd.api+json",
		"text/html, application/json", "*/*, text/html;q=0.1, application/*;q=0.2", `a/b;x="\",";q=0.5, text/plain;q=0.7`,
		"application/problem+json;q=0.2;a=b , text/*;q=0.3,*/*;q=0.3", "application/json;;q=0.,text/plain;q=1.", `text/plain;x="`,
		strings.Repeat("a/b,", 40), strings.Repeat(" ", 4090) + "text/plain,application/json",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		got, want := negotiate(accept), referenceNegotiate(accept)
		if got != want {
			t.Errorf("negotiate(%q) = %s, the reference says %s", accept, media[got].name, media[want].name)
		}
		if len(accept) > maxHeader && negotiate(accept[:maxHeader]+",image/gif") != negotiate(accept[:maxHeader]+",text/plain") {
			t.Errorf("negotiate(%q) depends on what lies beyond its bound", accept)
		}
	})
}
