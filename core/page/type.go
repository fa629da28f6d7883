package page

import "fmt"

// Type is the form of an answer, as django-maintenance-mode's RESPONSE_TYPE names it.
type Type string

// The forms of an answer.
const (
	Auto    Type = "auto"    // by the request's Accept field; the default, and what "" means
	HTML    Type = "html"    // text/html
	JSON    Type = "json"    // application/json with the members of a problem
	Problem Type = "problem" // application/problem+json (RFC 9457)
	Text    Type = "text"    // text/plain
)

// ParseType reads one of the five names as they stand in a configuration (RECESS_RESPONSE_TYPE); "" is Auto.
func ParseType(s string) (Type, error) {
	switch t := Type(s); t {
	case "":
		return Auto, nil
	case Auto, HTML, JSON, Problem, Text:
		return t, nil
	}
	return Auto, fmt.Errorf("page: response type %q: want auto, html, json, problem or text", s)
}

// kind numbers the forms in the order in which a wildcard prefers them.
type kind uint8

const (
	kindHTML kind = iota
	kindProblem
	kindJSON
	kindText
	kinds = iota
)

// kind is the form that t demands; ok is false when t leaves it to the request.
func (t Type) kind() (k kind, ok bool) {
	switch t {
	case HTML:
		return kindHTML, true
	case Problem:
		return kindProblem, true
	case JSON:
		return kindJSON, true
	case Text:
		return kindText, true
	}
	return kindHTML, false
}

// redirects says whether a configured redirect stands in for this form: a program that asked for JSON would follow
// it and find a page it cannot read.
func (k kind) redirects() bool { return k == kindHTML || k == kindText }

var media = [kinds]struct {
	name        string
	contentType Field
}{
	kindHTML:    {"text/html", newField("Content-Type", "text/html; charset=utf-8")},
	kindProblem: {"application/problem+json", newField("Content-Type", "application/problem+json; charset=utf-8")},
	kindJSON:    {"application/json", newField("Content-Type", "application/json; charset=utf-8")},
	kindText:    {"text/plain", newField("Content-Type", "text/plain; charset=utf-8")},
}
