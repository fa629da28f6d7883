package recess

import (
	"net/netip"

	"github.com/recess-go/recess/core/page"
)

// Request is what the engine may ask about one HTTP request. An adapter implements it over its framework's context.
//
// The engine asks lazily: while nothing runs it asks nothing, and while something runs it asks only what a
// configured rule needs. Strings and slices may be reused by the framework after the request: the engine copies what
// it keeps. Callbacks of the application that are handed a Request must not keep it either. A method that panics makes the engine refuse the request; it never takes the process down.
type Request interface {
	// Method is the method that the router dispatches on: after a method override, in the case in which it was sent.
	Method() string
	// Host is the Host header, or the target's host of an absolute-form request line, as sent. The engine
	// compares it in canonical form: lower case, no port, no final dot.
	Host() string
	// Path is the path as sent: escaped, without the query. It is the path that the router matches, so a path
	// rewritten before routing is given as rewritten.
	Path() string
	// Header is the value of a header, its lines joined with ", " (RFC 9110 5.3); "" if there is none. The name
	// is given in canonical form.
	Header(name string) string
	// Peer is the other end of the socket, never a forwarded address. The zero AddrPort means a Unix socket, which a
	// policy may trust; an AddrPort with an invalid address and a port means that nobody knows (somebody overwrote
	// it), which nothing trusts.
	Peer() netip.AddrPort
	// Marker is what the matched route says of itself; the zero Marker if it says nothing or no route matched.
	Marker() Marker
	// Route is the pattern of the route that the request matches, as the framework writes it ("/reports/:id"); "" if none
	// does or nobody can tell. It is asked for long-lived requests, and for all under [Policy].NameRequests.
	Route() string
	// User is who is asking, through [Hooks].User. It is called at most once for a decision.
	User() User
	// Logout ends the user's session, through [Hooks].Logout. [Engine.Explain] never calls it.
	Logout() error
}

// Exchange is a [Request] together with what the engine may do about it: the whole of what an adapter translates.
type Exchange interface {
	Request
	// SetHeader sets a response header. The name is canonical and the slice holds one value; it is shared
	// between requests and must not be written to.
	SetHeader(name string, value []string)
	// Attach keeps the maintenance value where handlers and templates of this framework look for it.
	Attach(*Maintenance)
	// Responds reports whether the application answers in place of the built-in page.
	Responds() bool
	// Respond lets it do so, through [Hooks].Respond. After an error the built-in page is sent.
	Respond(Decision) error
	// HoldBytes is how much of the request is in memory while it waits, beside what every request costs: its body,
	// where the framework has read it.
	HoldBytes() int64
	// Hold is called before the request waits for the end of a window of mode hold. The channel is closed when its client
	// has gone; nil where nobody can tell. release is called when the wait is over.
	Hold() (gone <-chan struct{}, release func())
	// Answer sends the refusal, headers included, and marks the request as blocked for the framework's logger.
	// The body is left out for HEAD.
	Answer(*page.Answer)
}

// A Marker is what a single route says of itself.
type Marker struct {
	// Force takes the route out of every maintenance (ForcedOff) or closes it for good (ForcedOn). Where markers
	// are nested, the innermost counts.
	Force Force
	// Scopes are the scopes the route says it belongs to, those of its groups included. The slice is shared
	// between requests: it must not be written to.
	Scopes []string
}

// Force is a mode that does not ask the state: on a route ([Marker]) or for a whole engine ([Policy].Force).
type Force uint8

// The values of Force.
const (
	NotForced Force = iota // the state decides
	ForcedOff              // never in maintenance: let everything through
	ForcedOn               // always in maintenance: refuse
)

// String returns "", "off" or "on".
func (f Force) String() string {
	return [...]string{NotForced: "", ForcedOff: "off", ForcedOn: "on"}[f]
}

// User is who is asking. The zero User is anonymous.
type User struct {
	// Name is for logs and explanations, and what a user's turn is drawn by while a window reopens by degrees: it should be
	// the same in every session.
	Name string
	// Authenticated is true for anybody who is logged in. It must come from a verified source: a token's claims
	// count only after its signature was checked.
	Authenticated bool
	// Staff and Superuser are Django's is_staff and is_superuser. Neither implies the other; both count only together
	// with Authenticated.
	Staff, Superuser bool
	// Roles are compared with [Policy].AllowRoles, by case; they count only together with Authenticated.
	Roles []string
}

// Hooks is what one framework's user may add to an adapter. C is the framework's request context: *gin.Context,
// echo.Context, nethttp.Context for chi and net/http, *fiber.Ctx.
type Hooks[C any] struct {
	// User says who is logged in. It is called only when a rule of the policy needs it, before the handlers of
	// the route run: a middleware that puts the user into the context must run before Recess, or this callback
	// must verify the token itself. django-maintenance-mode: GET_AUTHENTICATED_USER.
	User func(C) User
	// Logout ends the user's session, for [Policy].Logout.
	Logout func(C) error
	// Respond answers a refused request in place of the built-in page. The headers that a refusal needs
	// (Maintenance-Mode, Retry-After, Cache-Control, Vary, X-Content-Type-Options) are set before it is called and
	// may be overwritten; the status is its own to send, and should be the decision's: [Decision.Answer].
	Respond func(C, Decision) error
}

// Check reports what the engine's policy needs and the hooks do not give. Adapters call it when they are made.
func (h *Hooks[C]) Check(e *Engine) error { return e.rules.checkHooks(h.User != nil, h.Logout != nil) }

// A Caller answers the three questions of an [Exchange] that go to the application. Adapters embed it.
type Caller[C any] struct {
	Hooks   *Hooks[C]
	Context C
}

// User implements [Request].
func (c *Caller[C]) User() User {
	if c.Hooks.User == nil {
		return User{}
	}
	return c.Hooks.User(c.Context)
}

// SafeUser is User outside of a decision: after a panic, which is logged, nobody is asking.
func (c *Caller[C]) SafeUser(e *Engine) (u User) {
	defer func() {
		if v := recover(); v != nil {
			e.reportOnce("Hooks.User", v)
			u = User{}
		}
	}()
	return c.User()
}

// Logout implements [Request].
func (c *Caller[C]) Logout() error {
	if c.Hooks.Logout == nil {
		return nil
	}
	return c.Hooks.Logout(c.Context)
}

// Responds implements [Exchange].
func (c *Caller[C]) Responds() bool { return c.Hooks.Respond != nil }

// Respond implements [Exchange].
func (c *Caller[C]) Respond(d Decision) error { return c.Hooks.Respond(c.Context, d) }
