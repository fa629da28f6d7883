package recess

import (
	"fmt"
	"net/url"

	"github.com/recess-go/recess/core/page"
)

// A Ticket is one unit of work that is counted: an HTTP request, or a background job.
//
//	ticket := engine.Begin()
//	defer ticket.End()
//	if !ticket.Open() && !ticket.Admit(exchange) {
//		return // refused, and answered
//	}
//	next()
type Ticket struct {
	snap   *snapshot
	stripe *stripe
	side   uint32 // in its lowest bit; above it the place in the stripe's register, 0 for none
}

// Begin counts one more unit of work and takes the snapshot that it is decided on, in that order: whoever changes the
// state and then finds the count at zero knows that no work runs under the old one. No lock, no clock, no I/O, no
// allocation. Every Begin needs one End.
func (e *Engine) Begin() Ticket {
	s, side := e.inflight.begin()
	return Ticket{snap: e.entrance.Load(), stripe: s, side: side}
}

// Open reports whether nothing is asked about the request, and it passes: nothing runs, nothing is planned, and requests
// are not named ([Policy].NameRequests).
func (t *Ticket) Open() bool { return t.snap == nil }

// Open reports whether nothing runs and nothing is planned now, as [Ticket.Open] does for one request.
func (e *Engine) Open() bool { return e.snap.Load() == nil }

// End counts the unit of work as ended.
func (t *Ticket) End() {
	if t.side > 1 {
		t.unname()
	}
	t.stripe.running[t.side&1].Add(-1)
}

// Evaluate decides a request and answers nothing. Its one side effect is [Policy].Logout. A callback of the
// application that panics makes it refuse.
func (t *Ticket) Evaluate(r Request) Decision {
	if t.snap == nil {
		return Decision{Reason: ReasonOpen}
	}
	return t.snap.evaluate(&inquiry{request: r, rules: t.snap.rules})
}

// Admit decides a request and does what follows: sets the headers, hands the value to handlers, or answers with the
// refusal. It reports whether the request may go on to its handler. A request that a window of mode hold covers waits here.
// One that goes on is entered by name, if [Policy].NameRequests asks for that.
func (t *Ticket) Admit(x Exchange) bool {
	if t.snap == nil {
		return true
	}
	d := t.snap.evaluate(&inquiry{request: x, rules: t.snap.rules})
	if d.Hold > 0 {
		if d = t.hold(x, d); t.snap == nil {
			return true
		}
	}
	if !t.snap.conclude(x, &d, t.stripe) {
		return false
	}
	t.name(x)
	return true
}

// AdmitMarked serves a marker that a request has reached, on its way to a route that is forced on or belongs to scopes.
// The middleware has let the request through: nothing runs, or it does not cover the route, or its look-up knows nothing
// of this marker (it stands behind a handler of the application's own). So the marker decides once more, with what it
// says itself. It reports whether the request may go on; if not, it is answered: a request that has come so far is under
// way, and is not held. A marker further in overrules a force.
func (e *Engine) AdmitMarked(x Exchange, marker Marker) bool {
	snap := e.snap.Load()
	if snap == nil {
		if marker.Force != ForcedOn {
			return true
		}
		snap = e.idle
	}
	d := snap.evaluate(&inquiry{request: x, rules: e.rules, at: marker})
	if d.Refuse || d.WouldRefuse && snap == e.idle {
		return snap.conclude(x, &d, &e.inflight.stripes[0])
	}
	return true
}

// conclude carries a decision out.
func (s *snapshot) conclude(x Exchange, d *Decision, count *stripe) bool {
	if s.moving.Load() && d.moves() && x.Header("Upgrade") == "" {
		x.SetHeader("Connection", closeConnection)
	}
	switch {
	case d.Refuse:
		count.refused.Add(1)
		s.answer(x, d)
		return false
	case d.WouldRefuse:
		count.would.Add(1)
		s.engine.logWouldRefuse(x, d)
	case d.exception():
		count.allowed.Add(1)
	}
	for _, f := range d.fields {
		x.SetHeader(f.Name, f.Value)
	}
	if d.notice != nil {
		x.Attach(d.notice)
	}
	return true
}

// closeConnection ends a connection of HTTP/1.1 after its answer. Go's HTTP/2 server makes GOAWAY of it.
var closeConnection = []string{"close"}

// answer lets the application's own hook answer, or sends the prepared refusal.
func (s *snapshot) answer(x Exchange, d *Decision) {
	if hooked, err := s.respond(x, d); err != nil {
		s.engine.reportOnce("Hooks.Respond", err)
	} else if hooked {
		return
	}
	x.Answer(d.answer)
}

// respondHeaders are what Hooks.Respond finds set: what a refusal needs whatever its body is.
var respondHeaders = map[string]bool{
	page.HeaderName: true, "Retry-After": true, "Cache-Control": true, "Vary": true, "X-Content-Type-Options": true,
}

func (s *snapshot) respond(x Exchange, d *Decision) (hooked bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			hooked, err = true, fmt.Errorf("panic: %v", v)
		}
	}()
	if d.Reason == ReasonPanic || !x.Responds() {
		return false, nil
	}
	for _, f := range d.answer.Header {
		if respondHeaders[f.Name] {
			x.SetHeader(f.Name, f.Value)
		}
	}
	return true, x.Respond(*d)
}

// evaluate decides and prepares what the decision carries. It recovers from the application's callbacks: the decision
// then falls to refuse, with the plain answer.
func (s *snapshot) evaluate(q *inquiry) (d Decision) {
	defer func() {
		if v := recover(); v != nil {
			s.engine.reportOnce(q.asking, v)
			d = s.lastResort(q)
		}
	}()
	v := s.decide(q)
	d = Decision{Refuse: v.refuse, Hold: v.hold, Reason: v.reason, Rule: v.rule}
	if v.window != nil {
		d.Window = v.window.ID
	}
	if v.refuse && s.rules.policy.ReportOnly {
		d.Refuse, d.WouldRefuse, d.Hold = false, true, 0
	}
	switch {
	case d.Refuse:
		d.answer = s.prepared(q, v.window)
	case d.exception() && !d.WouldRefuse:
		d.notice, d.fields = v.window.allowed, v.window.allowedHeader
	case d.Reason == ReasonOpen:
		d.notice, d.fields = s.about(q)
	}
	return d
}

// lastResort refuses without asking anybody, unless the policy only reports or nothing runs that could refuse.
func (s *snapshot) lastResort(q *inquiry) Decision {
	if s.cannotRefuse(q) {
		return Decision{Reason: ReasonOpen}
	}
	d := Decision{Refuse: true, Reason: ReasonPanic, Rule: q.asking, answer: page.Plain(s.rules.policy.Status)}
	if s.rules.policy.ReportOnly {
		d.Refuse, d.WouldRefuse = false, true
	}
	return d
}

// prepared picks the answer for a refused request; one that needs the single request is rendered.
func (s *snapshot) prepared(q *inquiry, w *window) *page.Answer {
	if w == nil {
		w = s.engine.closed
	}
	c, r := s.rules, q.request
	renderer := c.renderer
	if c.direct != nil && c.redirect.hits(q.canonicalHost(), r.Path()) {
		renderer = c.direct // the redirect would lead here again
	}
	forced := page.Type("")
	if ask := c.policy.ResponseTypeFunc; ask != nil {
		q.asking = "Policy.ResponseTypeFunc"
		forced = ask(r)
	}
	accept, language := r.Header("Accept"), r.Header("Accept-Language")
	if renderer == c.renderer && c.policy.Context == nil && !renderer.Dynamic() {
		return s.engine.answers(w).Choose(forced, accept, language)
	}
	var extra map[string]any
	if ask := c.policy.Context; ask != nil {
		q.asking = "Policy.Context"
		extra = ask(r)
	}
	answer, err := renderer.Execute(w.pageNotice(c, s.engine.now()), forced, accept, language, readable(r.Path()), extra)
	if err != nil {
		s.engine.reportOnce("Template", err)
	}
	return answer
}

// readable is a path as a template shows it: decoded, as django-maintenancemode's request_path is.
func readable(path string) string {
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return path
	}
	return decoded
}
