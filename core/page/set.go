package page

import (
	"errors"
	"time"
)

// Set holds every answer that a Notice can lead to. It does not change and may be used by many goroutines.
type Set struct {
	renderer *Renderer
	notice   Notice
	variants []variant
	index    languages
	answers  [kinds][]*Answer // by form, then by the place of the variant
}

// Prepare renders every answer once: each form, in each language that has a message or a template.
//
// The set is complete and safe to serve whatever the error. The error, for the log, names what could not be told as
// it was asked for: a custom template that failed (wrapping ErrTemplate) is replaced by the built-in page; a mode,
// scope or language tag that no header can carry is left out.
func (r *Renderer) Prepare(n Notice) (*Set, error) {
	n, err := n.proper()
	problems := []error{err}
	s := &Set{renderer: r, notice: n}
	s.variants, s.index = r.variants(n)
	for k := range s.answers {
		s.answers[k] = make([]*Answer, len(s.variants))
		for i, v := range s.variants {
			c, err := r.content(n, v, kind(k), "", nil)
			s.answers[k][i] = c.answer()
			problems = append(problems, err)
		}
	}
	return s, errors.Join(problems...)
}

// With is the same set for a later moment, when another time is left. Only what tells that time is made anew: the
// Retry-After field, JSON bodies, and a custom page that reads .RetryAfter. All else is shared with s, and within one
// second the set is s itself.
func (s *Set) With(retryAfter time.Duration) *Set {
	if wholeSeconds(retryAfter) == wholeSeconds(s.notice.RetryAfter) {
		return s
	}
	later := *s
	later.notice.RetryAfter = retryAfter
	for k := range s.answers {
		later.answers[k] = make([]*Answer, len(s.variants))
		for i, v := range s.variants {
			later.answers[k][i] = later.answer(kind(k), v, s.answers[k][i])
		}
	}
	return &later
}

func (s *Set) answer(k kind, v variant, before *Answer) *Answer {
	if s.renderer.tellsTime(k) {
		if c, err := s.renderer.content(s.notice, v, k, "", nil); err == nil {
			return c.answer()
		}
	}
	return before.later(wholeSeconds(s.notice.RetryAfter))
}

// Choose picks the answer for a request. forced is what the application demands for this one (django's callable
// RESPONSE_TYPE); "" and Auto leave it to Config.Type, and that, if Auto too, to the request.
//
// accept and acceptLanguage are the fields' values, several lines joined by commas. Whatever they hold, Choose does
// not fail, does not allocate and reads at most 4 KiB or 32 elements of each.
func (s *Set) Choose(forced Type, accept, acceptLanguage string) *Answer {
	place := 0
	if len(s.variants) > 1 {
		place, _ = s.index.choose(acceptLanguage)
	}
	return s.answers[s.renderer.form(forced, accept)][place]
}

// Execute makes the answer for one request: with its path, as the custom template's .Path, and with the
// application's own context (django's GET_CONTEXT), which joins the template's data and the members of JSON bodies
// under its own names. Names of ours keep our values; in JSON that holds regardless of case.
//
// The answer is never nil. The error, for the log, says what had to be left out: a custom template that failed
// (wrapping ErrTemplate) is replaced by the built-in page, a member that JSON cannot write is missing.
func (r *Renderer) Execute(n Notice, forced Type, accept, acceptLanguage, path string, extra map[string]any) (*Answer, error) {
	n, err := n.proper()
	variants, index := r.variants(n)
	place, _ := index.choose(acceptLanguage)
	c, errContent := r.content(n, variants[place], r.form(forced, accept), path, extra)
	return c.answer(), errors.Join(err, errContent)
}

// form decides between what the application demands, what the configuration says and what the request asks for.
func (r *Renderer) form(forced Type, accept string) kind {
	if k, ok := forced.kind(); ok {
		return k
	}
	if k, ok := r.typ.kind(); ok {
		return k
	}
	return negotiate(accept)
}

// tellsTime says whether bodies of a form change with Retry-After.
func (r *Renderer) tellsTime(k kind) bool {
	switch k {
	case kindProblem, kindJSON:
		return true
	case kindHTML:
		return r.redirect == "" && r.custom != nil && r.custom.readsRetry
	}
	return false
}

// content fills in one answer.
func (r *Renderer) content(n Notice, v variant, k kind, path string, extra map[string]any) (c content, err error) {
	c = content{
		status:   r.status,
		kind:     k,
		language: v.language(),
		csp:      fieldInertCSP,
		mode:     ModeField(n.Mode, n.Scope, false, time.Time{}, n.Ends),
		retry:    wholeSeconds(n.RetryAfter),
	}
	switch {
	case r.redirect != "" && k.redirects():
		c.status, c.language, c.location = 302, ownLanguage, r.redirect
		c.body = redirectBody(k, r.redirect)
	case k == kindHTML:
		err = r.html(&c, n, v, path, extra)
	case k == kindText:
		c.body = textPage(n, v)
	default:
		c.body, err = problemBody(r.status, n, v, c.retry, extra)
	}
	return c, err
}
