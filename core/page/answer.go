package page

import "strconv"

// Field is one header field of an answer, in the shape that net/http's Header holds: assigning Value shares it.
//
// Value holds exactly one string and has no room for more, so that appending to it copies. It is shared by all
// requests: never change it.
type Field struct {
	Name  string // canonical, as textproto.CanonicalMIMEHeaderKey writes it
	Value []string
}

// Answer is a whole response, ready to be written. Everything in it is shared: never change it.
type Answer struct {
	Status    int
	Header    []Field // always in the same order; each name once
	Body      []byte  // a response to HEAD leaves it out and keeps the header
	MediaType string  // without parameters: "text/html"
}

func newField(name, value string) Field { return Field{Name: name, Value: []string{value}} }

// The fields that every answer carries.
var (
	// No cache may keep a refusal, whatever its status: clients and CDNs have served them for days. There is no
	// validator either, for a 304 would keep one alive.
	fieldCacheControl = newField("Cache-Control", "no-store")
	// Caches that keep an answer in spite of no-store must at least not mix up clients; a bypass pass is a cookie.
	fieldVary    = newField("Vary", "Accept, Accept-Language, Cookie")
	fieldNoSniff = newField("X-Content-Type-Options", "nosniff")
	// The address of a refused request may hold what is nobody's business, a bypass secret above all: neither the
	// links of a custom page nor the target of a redirect get to see it.
	fieldReferrer = newField("Referrer-Policy", "no-referrer")
	// For all bodies that are not a page.
	fieldInertCSP = newField("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
)

// content is what differs between answers.
type content struct {
	status   int
	kind     kind
	language string // "" if not known
	csp      Field
	mode     string // the Maintenance-Mode field
	location string // of a redirect
	retry    int64  // Retry-After in seconds; 0 sends none
	body     []byte
}

func (c content) answer() *Answer {
	header := make([]Field, 0, 11)
	header = append(header,
		media[c.kind].contentType,
		newField("Content-Length", strconv.Itoa(len(c.body))))
	if c.language != "" {
		header = append(header, newField("Content-Language", c.language))
	}
	if c.location != "" {
		header = append(header, newField("Location", c.location))
	}
	header = append(header, fieldCacheControl, fieldVary, fieldNoSniff, c.csp, fieldReferrer,
		newField(HeaderName, c.mode))
	if c.retry > 0 {
		header = append(header, newField(retryAfter, strconv.FormatInt(c.retry, 10)))
	}
	return &Answer{Status: c.status, Header: header[:len(header):len(header)], Body: c.body, MediaType: media[c.kind].name}
}

const retryAfter = "Retry-After"

// later is the same answer with another Retry-After; everything else stays shared.
func (a *Answer) later(retry int64) *Answer {
	header := make([]Field, 0, len(a.Header)+1)
	header = append(header, a.Header...)
	if last := len(header) - 1; header[last].Name == retryAfter {
		header = header[:last]
	}
	if retry > 0 {
		header = append(header, newField(retryAfter, strconv.FormatInt(retry, 10)))
	}
	return &Answer{Status: a.Status, Header: header[:len(header):len(header)], Body: a.Body, MediaType: a.MediaType}
}

// Plain is the last resort: a fixed text that needs neither a Renderer nor anything of the application, for when a
// callback panicked. A status outside of 400 to 599 is answered with 503.
func Plain(status int) *Answer {
	if status < 400 || status > 599 {
		status = 503
	}
	return content{
		status:   status,
		kind:     kindText,
		language: "en",
		csp:      fieldInertCSP,
		mode:     modeFull,
		body:     []byte("Closed for maintenance. Please try again later.\n"),
	}.answer()
}
