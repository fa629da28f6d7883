package nethttp

import (
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/recess-go/recess/core"
)

// A Port puts the requests of a framework on net/http to an engine; C is the framework's own request context. It is
// what the adapters of such frameworks share. Its fields are set before the first request and stay.
type Port[C any] struct {
	Engine *recess.Engine
	Hooks  recess.Hooks[C]
	// Marker is what the route that the framework matched says of itself.
	Marker func(C) recess.Marker
	// Route is the pattern of that route; nil where nobody can tell.
	Route func(C) string
	// Attach keeps the value in the framework's context too; nil where handlers have the request's alone.
	Attach func(C, *recess.Maintenance)
	// Method and Path are what the framework routes by, where a middleware can change that and not the request (chi);
	// nil where the request says it.
	Method, Path func(C) string

	pool sync.Pool
}

// Admit asks a ticket whether a request may go on to its handler; if not, it is answered already.
func (p *Port[C]) Admit(t *recess.Ticket, c C, w http.ResponseWriter, r *http.Request) bool {
	return p.ask(t.Admit, c, Exchange{w, r})
}

// AdmitMarked asks the same for a request that has reached a marker; see [recess.Engine.AdmitMarked].
func (p *Port[C]) AdmitMarked(marker recess.Marker, c C, w http.ResponseWriter, r *http.Request) bool {
	if marker.Force != recess.ForcedOn && p.Engine.Open() {
		return true
	}
	return p.ask(func(x recess.Exchange) bool { return p.Engine.AdmitMarked(x, marker) }, c, Exchange{w, r})
}

// WithUser returns the request with who is asking in its context, for handlers that know nothing of the framework. A callback
// that panics has nobody asking.
func (p *Port[C]) WithUser(c C, r *http.Request) *http.Request {
	caller := recess.Caller[C]{Hooks: &p.Hooks, Context: c}
	return r.WithContext(recess.WithUser(r.Context(), caller.SafeUser(p.Engine)))
}

// PassLink answers with the page behind links to bypass passes.
func (p *Port[C]) PassLink(w http.ResponseWriter, r *http.Request) { PassLink(p.Engine, w, r) }

// PassLink answers with the page behind links to bypass passes: see [recess.Engine.LinkAnswer].
func PassLink(engine *recess.Engine, w http.ResponseWriter, r *http.Request) {
	x := Exchange{w, r}
	answer := engine.LinkAnswer(r.Context(), recess.LinkRequest{
		Method: r.Method, Host: r.Host, Path: x.Path(), Query: r.URL.RawQuery, Form: form(w, r), Header: x.Header,
	})
	for i, f := range answer.Header {
		if f.Name == "Set-Cookie" { // beside those of the application's middlewares
			answer.Header[i].Value = append(slices.Clone(w.Header()[f.Name]), f.Value...)
		}
	}
	x.Answer(answer)
}

// form reads a form that is posted; one that the application has read already is written anew.
func form(w http.ResponseWriter, r *http.Request) string {
	switch {
	case r.Method != http.MethodPost:
		return ""
	case r.PostForm != nil:
		return r.PostForm.Encode()
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, recess.MaxLinkForm))
	if err != nil {
		return "" // too long, or cut off: no link
	}
	return string(body)
}

// ask lends an exchange for the time of a question, so that a request costs no allocation.
func (p *Port[C]) ask(question func(recess.Exchange) bool, c C, e Exchange) bool {
	x, ok := p.pool.Get().(*ported[C])
	if !ok {
		x = new(ported[C])
	}
	*x = ported[C]{e, recess.Caller[C]{Hooks: &p.Hooks, Context: c}, p}
	defer func() {
		*x = ported[C]{}
		p.pool.Put(x)
	}()
	return question(x)
}

// ported is one request on its way through a port.
type ported[C any] struct {
	Exchange
	recess.Caller[C]
	port *Port[C]
}

// Method implements [recess.Request].
func (x *ported[C]) Method() string {
	if x.port.Method == nil {
		return x.Exchange.Method()
	}
	return x.port.Method(x.Context)
}

// Path implements [recess.Request].
func (x *ported[C]) Path() string {
	if x.port.Path == nil {
		return x.Exchange.Path()
	}
	return x.port.Path(x.Context)
}

// Marker implements [recess.Request].
func (x *ported[C]) Marker() recess.Marker {
	if x.port.Marker == nil {
		return recess.Marker{}
	}
	return x.port.Marker(x.Context)
}

// Route implements [recess.Request].
func (x *ported[C]) Route() string {
	if x.port.Route == nil {
		return ""
	}
	return x.port.Route(x.Context)
}

// Attach implements [recess.Exchange].
func (x *ported[C]) Attach(m *recess.Maintenance) {
	x.Exchange.Attach(m)
	if x.port.Attach != nil {
		x.port.Attach(x.Context, m)
	}
}
