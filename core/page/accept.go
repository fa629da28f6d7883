package page

import "strings"

// How exactly a media range names one of our forms; of the ranges that match a form, the most exact one gives its
// weight (RFC 9110, section 12.5.1).
const (
	anything  = 1 + iota // */*
	anyOf                // text/*
	anySuffix            // application/*+json
	exactly              // text/html
)

// negotiate picks the form that an Accept field asks for: by weight, then by how exactly a range names the form, then
// by the order of the ranges (so "text/html, application/json" is HTML, as in Laravel's expectsJson), and for one
// wildcard HTML before problem before JSON before text. HTML is also the answer to no Accept field and to one that
// names nothing we have: a refused client is better told in HTML than with 406.
//
// Of several equally exact ranges the highest weight counts. A malformed range is skipped.
func negotiate(accept string) kind {
	var wishes [kinds]wish
	ranges := newList(accept)
	for at := 0; ; at++ {
		element, ok := ranges.next()
		if !ok {
			return best(&wishes)
		}
		forms, exact, q := mediaRange(element)
		if exact == exactly && q == 1000 {
			// Nothing behind it can weigh more or come earlier: browsers and API clients end here, at once.
			return forms.first()
		}
		for k := range kind(kinds) {
			if forms.has(k) {
				wishes[k].consider(wish{exact: exact, q: q, at: at})
			}
		}
	}
}

// wish is what an Accept field says of one form; the zero wish is that it is not named.
type wish struct{ exact, q, at int }

// consider keeps the more telling of two ranges that name the same form.
func (w *wish) consider(next wish) {
	if next.exact > w.exact || next.exact == w.exact && next.q > w.q {
		*w = next
	}
}

func (w wish) better(than wish) bool {
	switch {
	case w.q != than.q:
		return w.q > than.q
	case w.exact != than.exact:
		return w.exact > than.exact
	}
	return w.at < than.at
}

func best(wishes *[kinds]wish) kind {
	found := kindHTML
	for k := range kind(kinds) {
		if wishes[k].q > 0 && wishes[k].better(wishes[found]) {
			found = k
		}
	}
	return found
}

// forms is a set of kinds.
type forms uint8

func formsOf(named ...kind) (f forms) {
	for _, k := range named {
		f |= 1 << k
	}
	return f
}

func (f forms) has(k kind) bool { return f&(1<<k) != 0 }

func (f forms) first() kind {
	for k := range kind(kinds) {
		if f.has(k) {
			return k
		}
	}
	return kindHTML
}

var (
	allForms         = formsOf(kindHTML, kindProblem, kindJSON, kindText)
	textForms        = formsOf(kindHTML, kindText)
	applicationForms = formsOf(kindProblem, kindJSON)
)

// mediaRange reads one element of an Accept field: the forms it names, how exactly, and its weight. Malformed or
// unknown ranges name no form. Parameters do not tell forms apart: "application/json;odata=verbose" asks for JSON.
func mediaRange(element string) (named forms, exact, q int) {
	slash := tokenLen(element)
	if slash == 0 || slash == len(element) || element[slash] != '/' {
		return 0, 0, 0
	}
	end := slash + 1 + tokenLen(element[slash+1:])
	if end == slash+1 {
		return 0, 0, 0
	}
	q, ok := weight(element[end:])
	if !ok {
		return 0, 0, 0
	}
	named, exact = formsNamed(element[:slash], element[slash+1:end])
	return named, exact, q
}

// formsNamed takes tokens, that is ASCII, so folding case cannot let another letter pass for one of ours.
func formsNamed(typ, subtype string) (forms, int) {
	switch {
	case typ == "*" && subtype == "*":
		return allForms, anything
	case strings.EqualFold(typ, "text"):
		switch {
		case subtype == "*":
			return textForms, anyOf
		case strings.EqualFold(subtype, "html"):
			return formsOf(kindHTML), exactly
		case strings.EqualFold(subtype, "plain"):
			return formsOf(kindText), exactly
		}
	case strings.EqualFold(typ, "application"):
		switch {
		case subtype == "*":
			return applicationForms, anyOf
		case strings.EqualFold(subtype, "json"):
			return formsOf(kindJSON), exactly
		case strings.EqualFold(subtype, "problem+json"):
			return formsOf(kindProblem), exactly
		case strings.EqualFold(subtype, "*+json"):
			return formsOf(kindProblem), anySuffix
		case hasSuffixFold(subtype, "+json"):
			return formsOf(kindJSON), exactly // application/vnd.api+json: whoever parses it parses JSON
		case strings.EqualFold(subtype, "xhtml+xml"):
			return formsOf(kindHTML), exactly
		}
	}
	return 0, 0
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) > len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}
