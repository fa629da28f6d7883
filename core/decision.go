package recess

import (
	"context"
	"html/template"
	"time"

	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
)

// A Reason names the rule that decided, in the order of the rules.
type Reason string

// The reasons, in the order in which the rules are asked (docs/concepts.md).
const (
	ReasonMarker         Reason = "marker"          // the route says so itself
	ReasonOpen           Reason = "open"            // no running window covers the request
	ReasonControl        Reason = "control"         // the panel, its API or the status endpoint
	ReasonUser           Reason = "user"            // AllowAnonymous, AllowAuthenticated, AllowStaff, AllowSuperuser, AllowRoles
	ReasonAdminSite      Reason = "admin-site"      // AllowAdminSite
	ReasonTests          Reason = "tests"           // AllowTests
	ReasonNetwork        Reason = "network"         // AllowNetworks
	ReasonPath           Reason = "path"            // AllowPaths
	ReasonHost           Reason = "host"            // AllowHosts
	ReasonHeader         Reason = "header"          // AllowHeaders
	ReasonPredicate      Reason = "predicate"       // Allow, the application's own predicates
	ReasonPass           Reason = "pass"            // a bypass pass, of this person and for these windows
	ReasonRamp           Reason = "ramp"            // the window reopens by degrees, and it is this visitor's turn
	ReasonRedirectTarget Reason = "redirect-target" // the page that refused requests are sent to
	ReasonWindow         Reason = "window"          // nothing let it in: the window refuses it
	ReasonPanic          Reason = "panic"           // a callback of the application panicked: refused
)

// A Decision is pass or refuse, the reason, and the prepared answer.
type Decision struct {
	// Refuse is true when the request must not reach its handler.
	Refuse bool
	// Hold is how long the request may wait for the end of its window before it is refused; 0: not at all. [Ticket.Admit]
	// does the waiting.
	Hold time.Duration
	// Reason names the rule that decided, and Rule its text as configured, where it has one.
	Reason Reason
	Rule   string
	// Window is the id of the window that covers the request; "" if none does. "forced" and "fallback" stand for
	// [Policy].Force and [Policy].Fallback.
	Window string
	// WouldRefuse is true when a policy that only reports let a request pass that it would have refused.
	WouldRefuse bool

	notice *Maintenance
	fields []page.Field
	answer *page.Answer
}

// Maintenance is the value for handlers and templates; nil when there is nothing to tell.
func (d *Decision) Maintenance() *Maintenance { return d.notice }

// Answer is the prepared refusal; nil for a request that passes.
func (d *Decision) Answer() *page.Answer { return d.answer }

// Header lists what a passing response carries: "Maintenance-Mode" while a window is planned or announced, and what
// keeps caches away from a response to somebody who was let in by exception. Empty while there is nothing to say.
func (d *Decision) Header() []page.Field { return d.fields }

// exception reports whether the reason lets somebody in although a window covers the request.
func (d *Decision) exception() bool {
	return !d.Refuse && d.Window != "" && d.Reason != ReasonMarker
}

// moves reports whether the connection is one that a window has to do with: it refuses the request, or a rule lets it in.
func (d *Decision) moves() bool { return d.Window != "" && !d.WouldRefuse }

// Maintenance is what handlers and templates may know: Django's context processor. Adapters put it under the key
// [ContextKey] into the framework's own context while there is something to tell; nil means that there is not.
type Maintenance struct {
	// Active is true while a window covers this request: it was let in by exception, or the site is read-only.
	Active bool
	// Allowed is true for a visitor who was let in by exception.
	Allowed bool
	// Announced is true while a running window only announces, Planned while a window is yet to come.
	Announced, Planned bool
	// Mode and Scope are the window's.
	Mode  state.Mode
	Scope string
	// Message is the operator's word to visitors in the default language; Messages has all of them, by language tag. The
	// map is shared between requests: it must not be written to.
	Message  string
	Messages map[string]string
	// StartsAt and EndsAt are the window's instants; zero when not known.
	StartsAt, EndsAt time.Time
}

// Banner is a piece of HTML for the site's own pages that tells a visitor of this; "" for a nil value and when there is
// nothing to tell. acceptLanguage is the request's field of that name, permit what the site's Content-Security-Policy lets
// through: see [page.Banner.HTML].
func (m *Maintenance) Banner(acceptLanguage, permit string) template.HTML {
	if m == nil {
		return ""
	}
	banner := page.Banner{Notice: page.Notice{
		Mode: string(m.Mode), Scope: m.Scope, Starts: m.StartsAt, Ends: m.EndsAt, Messages: m.Messages,
	}}
	if banner.Messages == nil {
		banner.Messages = map[string]string{"": m.Message} // a value made by hand, for a test
	}
	switch {
	case m.Planned:
		banner.Phase = page.Planned
	case m.Announced:
		banner.Phase = page.Announced
	case m.Allowed:
		banner.Phase = page.Allowed
	case m.Active:
		banner.Phase = page.Running
	}
	return banner.HTML(acceptLanguage, permit)
}

// ContextKey is the name under which gin, echo and fiber keep the *Maintenance value, and templates find it.
const ContextKey = "maintenance"

type contextKey struct{}

// NewContext returns a context that carries the value.
func NewContext(ctx context.Context, m *Maintenance) context.Context {
	return context.WithValue(ctx, contextKey{}, m)
}

// FromContext returns the maintenance value of a request's context; nil when there is nothing to tell.
func FromContext(ctx context.Context) *Maintenance {
	m, _ := ctx.Value(contextKey{}).(*Maintenance)
	return m
}
