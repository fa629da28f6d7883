package page

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// ErrConfig is wrapped by New's error.
var ErrConfig = errors.New("page: unusable configuration")

// Config is how answers look. The zero value is the built-in page, negotiated, with status 503.
type Config struct {
	// Status is 400 to 599; 0 means 503, the one that crawlers, caches and clients know (RFC 9110, section 15.6.4).
	// RECESS_STATUS_CODE, django-maintenance-mode's STATUS_CODE.
	Status int

	// Type is the form of all answers; Auto, or "", leaves it to the request. RECESS_RESPONSE_TYPE, RESPONSE_TYPE.
	Type Type

	// Redirect is where refused clients are sent with 302, unless they get JSON; "" answers directly. It is a path of
	// this site ("/maintenance.html", which the policy lets in by itself) or an absolute http or https URL. A path has
	// one leading slash, no empty or dot segments, and encodes neither these nor a backslash or control; an absolute
	// URL has a host and no user name. RECESS_REDIRECT_URL, REDIRECT_URL.
	Redirect string

	// Template is the application's own page instead of the built-in one: a file, or a directory with 503.html and, per
	// language, 503.<tag>.html (503.de.html, 503.pt-BR.html). It is parsed by html/template and gets a map:
	//
	//	.Mode .Scope     as in Notice; the whole site is ""
	//	.Message         the operator's words in the client's language, plain text; "" if there are none
	//	.StartsAt .EndsAt  time.Time in UTC; {{if not .EndsAt.IsZero}} tells whether it is known
	//	.RetryAfter      seconds, an int; 0 if not known
	//	.Lang .Dir       for <html lang="{{.Lang}}" dir="{{.Dir}}">; Lang is "" for the default language
	//	.Status          the status code
	//	.Path            the path of the refused request; see Renderer.Dynamic
	//
	// and beside these whatever the application's context adds (GET_CONTEXT). The page must also work without that.
	// A file is at most 1 MiB. RECESS_TEMPLATE, TEMPLATE.
	Template string

	// FS is where Template is looked up; nil is the operating system's files.
	FS fs.FS

	// CSP is the Content-Security-Policy of a custom template's page. The default is DefaultCSP.
	CSP string
}

// DefaultCSP is the Content-Security-Policy for a custom template: its own inline styles, and styles, images and
// fonts from this site or inline; no scripts, no forms, no frames. Assets of this site need an allowance of their
// own, or they are refused like the page.
const DefaultCSP = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Renderer knows how answers look. It does not change after New and may be used by many goroutines.
type Renderer struct {
	status   int
	typ      Type
	redirect string
	custom   *custom // nil: the built-in page
	csp      Field   // of the custom page
}

// New checks a configuration wholly, templates included: each is parsed and executed against sample data. The one
// error names every problem and wraps ErrConfig.
func New(c Config) (*Renderer, error) {
	r := &Renderer{status: c.Status, redirect: c.Redirect, csp: newField("Content-Security-Policy", DefaultCSP)}
	var problems []error
	report := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	if r.status == 0 {
		r.status = 503
	}
	if r.status < 400 || r.status > 599 {
		report(fmt.Errorf("page: status %d: want 400 to 599 (RFC 9110, section 15), 503 unless there is a reason", r.status))
	}
	var err error
	r.typ, err = ParseType(string(c.Type))
	report(err)
	if c.Redirect != "" {
		if err := checkRedirect(c.Redirect); err != nil {
			report(fmt.Errorf("page: redirect %q: %w", c.Redirect, err))
		}
	}
	if c.Template != "" {
		r.custom, err = loadTemplates(c.FS, c.Template)
		report(err)
	}
	if c.CSP != "" {
		report(checkCSP(c))
		r.csp = newField("Content-Security-Policy", c.CSP)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("%w:\n%w", ErrConfig, errors.Join(problems...))
	}
	return r, nil
}

func checkCSP(c Config) error {
	if c.Template == "" {
		return errors.New("page: CSP is set, but there is no template that it could be for: the built-in page brings its own")
	}
	if strings.ContainsFunc(c.CSP, func(c rune) bool { return c < ' ' || c > '~' }) {
		return fmt.Errorf("page: CSP %q: want printable ASCII on one line", c.CSP)
	}
	return nil
}

// Direct returns a renderer that answers as this one does, but for the redirect: for a request that the redirect would
// only lead back to.
func (r *Renderer) Direct() *Renderer {
	direct := *r
	direct.redirect = ""
	return &direct
}

// Dynamic reports whether answers depend on the single request, because the custom template reads .Path: then the
// prepared page, for which .Path is "", is only second best, and Execute makes the right one.
func (r *Renderer) Dynamic() bool {
	return r.redirect == "" && r.custom != nil && r.custom.readsPath
}

// variant is what the clients of one language are told.
type variant struct {
	tag        string // "" for the default language
	message    string // the operator's words; "" if there are none
	messageTag string // the language of message; "" if not known
}

// words are the operator's, or else ours.
func (v variant) words(n Notice) string {
	if v.message == "" {
		return n.words().sentence
	}
	return v.message
}

// language is that of words; "" if not known.
func (v variant) language() string {
	if v.message == "" {
		return ownLanguage
	}
	return v.messageTag
}

// variants lists the languages in which there is a message or a template, the default one first, and the index by
// which Accept-Language finds them.
func (r *Renderer) variants(n Notice) ([]variant, languages) {
	tags := slices.DeleteFunc(slices.Sorted(maps.Keys(n.Messages)), func(tag string) bool { return tag == "" })
	messages := indexLanguages(tags)
	all := append([]string{""}, tags...)
	if r.custom != nil {
		all = append(all, r.custom.tags...)
		slices.SortFunc(all, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
		all = slices.CompactFunc(all, strings.EqualFold)
	}
	list := make([]variant, len(all))
	for i, tag := range all {
		list[i] = variant{tag: tag, message: n.Messages[""]}
		if m, ok := messages.lookup(tag); ok {
			list[i].message, list[i].messageTag = n.Messages[tags[m]], tags[m]
		}
	}
	index := indexLanguages(all)
	delete(index, "")
	if r.custom == nil && n.Messages[""] == "" {
		index.add(ownLanguage, 0) // without a default message the default variant is all ours, and in our language
	}
	return list, index
}

// html renders a variant's page into c. If the custom template fails it is the built-in page, and the error says why.
func (r *Renderer) html(c *content, n Notice, v variant, path string, extra map[string]any) (err error) {
	if r.custom != nil {
		c.body, err = execute(r.custom.page(v.tag), templateData(n, v, r.status, path, extra))
		if err == nil {
			c.language, c.csp = v.tag, r.csp
			return nil
		}
		err = fmt.Errorf("%w: the built-in page is shown instead: %w", ErrTemplate, err)
	}
	var errOwn error
	c.body, errOwn = builtInPage(n, v)
	c.csp = fieldBuiltInCSP
	return errors.Join(err, errOwn)
}
