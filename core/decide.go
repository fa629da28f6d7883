package recess

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/recess-go/recess/core/internal/rule"
	"github.com/recess-go/recess/core/state"
)

// inquiry is one request being decided: what was asked already, so that nothing is asked or parsed twice.
type inquiry struct {
	request Request
	rules   *rules
	trace   *trace // nil unless somebody wants an explanation
	asking  string // the callback being asked, for the log if it panics
	at      Marker // the marker that the request has reached already; zero in the middleware
	ahead   bool   // it is asked for a window that is yet to come: nothing may happen by it
	reason  Reason // the allowance that hit, and its rule
	rule    string
	snap    *snapshot // what is decided on, and the window that covers the request, for passes and the ramp's turn; nil if none does
	covered *window

	path    rule.Path
	host    string
	hasPath bool
	hasHost bool
	marker  Marker
	who     User // once it was asked
	hasWho  bool
}

// whoAsks is who is logged in, as far as anybody still is.
func (q *inquiry) whoAsks() User {
	if !q.hasWho {
		q.asking = "Hooks.User"
		q.who, q.hasWho = q.request.User(), true
	}
	return q.who
}

func (q *inquiry) pathForms() rule.Path {
	if !q.hasPath {
		q.path, q.hasPath = rule.NewPath(q.request.Path()), true
	}
	return q.path
}

func (q *inquiry) canonicalHost() string {
	if !q.hasHost {
		q.host, q.hasHost = rule.CanonicalHost(q.request.Host()), true
	}
	return q.host
}

// verdict is what the rules say; the snapshot makes a Decision of it.
type verdict struct {
	refuse bool
	reason Reason
	rule   string
	hold   time.Duration // how long the request may wait before it is refused
	window *window       // the one that covers the request, if any
}

// decide asks the rules in their order; the first hit wins. It is pure but for Logout: it reads no clock, does no
// I/O, and gives the same verdict for the same snapshot and request.
//
// The order is django-maintenance-mode's with additions (docs/concepts.md); a change needs a decision record.
func (s *snapshot) decide(q *inquiry) verdict {
	if s.cannotRefuse(q) {
		// Something is planned or announced, no more: a route that is forced on refuses by itself (AdmitMarked).
		if s.scoped {
			q.asking = "Marker"
			q.marker = q.at.Within(q.request.Marker())
		}
		return verdict{reason: ReasonOpen}
	}

	// 1. The route's own word. It is asked first and holds whatever the state says.
	q.asking = "Marker"
	q.marker = q.at.Within(q.request.Marker())
	switch q.marker.Force {
	case ForcedOff:
		q.hit(ReasonMarker, "force off")
		return verdict{reason: ReasonMarker, rule: "force off"}
	case ForcedOn:
		q.hit(ReasonMarker, "force on")
		return verdict{refuse: true, reason: ReasonMarker, rule: "force on", window: s.covering(q)}
	}
	q.miss(ReasonMarker)

	// 2. and 3. Is the request in maintenance at all? The forced mode is a window of its own.
	w := s.covering(q)
	if w == nil {
		q.hit(ReasonOpen, "")
		return verdict{reason: ReasonOpen}
	}
	q.miss(ReasonOpen)

	// 4. to 11. Is there an allowance?
	q.snap, q.covered = s, w
	if q.allowed() {
		return verdict{reason: q.reason, rule: q.rule, window: w}
	}

	// 12. No, or not yet.
	v := verdict{refuse: true, reason: ReasonWindow, window: w}
	if w.Mode == state.Hold {
		v.window, v.hold = s.holding(q, w)
	}
	q.hit(ReasonWindow, v.window.ID)
	return v
}

// cannotRefuse reports whether nothing that this request has to do with could refuse it. Explanations go the whole way.
func (s *snapshot) cannotRefuse(q *inquiry) bool {
	return len(s.running) == 0 && q.at.Force != ForcedOn && q.trace == nil
}

// allowed asks the allowances in their order. Each answers with the text of its rule, or "".
func (q *inquiry) allowed() bool {
	return q.ask(ReasonControl, q.control()) ||
		q.ask(ReasonUser, q.user()) ||
		q.ask(ReasonAdminSite, q.adminSite()) ||
		q.ask(ReasonTests, q.tests()) ||
		q.ask(ReasonNetwork, q.network()) ||
		q.ask(ReasonPath, q.allowedPath()) ||
		q.ask(ReasonHost, q.allowedHost()) ||
		q.ask(ReasonHeader, q.secretHeader()) ||
		q.ask(ReasonPredicate, q.predicate()) ||
		q.ask(ReasonPass, q.pass()) ||
		q.ask(ReasonRamp, q.turn()) ||
		q.ask(ReasonRedirectTarget, q.redirectTarget())
}

// ask takes down what an allowance answered.
func (q *inquiry) ask(reason Reason, rule string) bool {
	if rule == "" {
		q.miss(reason)
		return false
	}
	q.reason, q.rule = reason, rule
	q.hit(reason, rule)
	return true
}

func (q *inquiry) control() string { return q.below(q.rules.control) }

func (q *inquiry) adminSite() string { return q.below(q.rules.adminSite) }

func (q *inquiry) below(mount *rule.Allow) string {
	if mount == nil {
		return ""
	}
	text, _ := mount.Match(q.pathForms())
	return text
}

// user asks the user rules in Django's order. The session ends first, and whoever was logged out counts as anonymous,
// whom AllowAnonymous may let in. Who is not logged in is neither staff nor anything else.
func (q *inquiry) user() string {
	c := q.rules
	if !c.users {
		return ""
	}
	u := q.whoAsks()
	if c.policy.Logout.of(u) {
		u = q.logout()
		q.who = u
	}
	switch {
	case c.policy.AllowAnonymous && !u.Authenticated:
		return "AllowAnonymous"
	case c.policy.AllowAuthenticated && u.Authenticated:
		return "AllowAuthenticated"
	case !u.Authenticated:
		return ""
	case c.policy.AllowStaff && u.Staff:
		return "AllowStaff"
	case c.policy.AllowSuperuser && u.Superuser:
		return "AllowSuperuser"
	}
	for _, role := range u.Roles {
		if slices.Contains(c.policy.AllowRoles, role) {
			return c.policy.AllowRoles[slices.Index(c.policy.AllowRoles, role)]
		}
	}
	return ""
}

// logout ends the session and returns who is left: anonymous. A session that could not be ended lets nobody in, and
// the engine logs why. An explanation, and a policy that only reports, touch no session.
func (q *inquiry) logout() User {
	if q.trace != nil {
		q.trace.note("the session would be ended; the visitor counts as anonymous")
	}
	if q.trace != nil || q.ahead || q.rules.policy.ReportOnly {
		return User{}
	}
	q.asking = "Hooks.Logout"
	if err := q.request.Logout(); err != nil {
		panic(err)
	}
	return User{}
}

func (q *inquiry) tests() string {
	if q.rules.policy.AllowTests && testing.Testing() {
		return "AllowTests"
	}
	return ""
}

func (q *inquiry) network() string {
	if len(q.rules.policy.AllowNetworks) == 0 {
		return ""
	}
	text, _ := q.rules.networks.Match(q.client())
	return text
}

// client finds the client's address: the application's own way if it has one, else the peer and trusted proxies.
func (q *inquiry) client() netip.Addr {
	if ask := q.rules.policy.ClientAddress; ask != nil {
		q.asking = "Policy.ClientAddress"
		return ask(q.request).Unmap().WithZone("")
	}
	return q.rules.client.Client(q.request.Peer(), q.request.Header)
}

func (q *inquiry) allowedPath() string {
	if len(q.rules.policy.AllowPaths) == 0 {
		return ""
	}
	text, _ := q.rules.paths.Match(q.pathForms())
	return text
}

func (q *inquiry) allowedHost() string {
	if len(q.rules.policy.AllowHosts) == 0 {
		return ""
	}
	text, _ := q.rules.hosts.Match(q.canonicalHost())
	return text
}

func (q *inquiry) secretHeader() string {
	for i := range q.rules.secrets {
		s := &q.rules.secrets[i]
		sent := q.request.Header(s.name)
		if sent == "" || len(sent) > 4096 {
			continue
		}
		hash := sha256.Sum256([]byte(sent))
		if subtle.ConstantTimeCompare(hash[:], s.hash[:]) == 1 {
			return s.name
		}
	}
	return ""
}

func (q *inquiry) predicate() string {
	for i := range q.rules.policy.Allow {
		p := &q.rules.policy.Allow[i]
		q.asking = p.Name
		if p.Match(q.request) {
			return p.Name
		}
	}
	return ""
}

// redirectTarget lets in a page of this site. One that is named by its host is not: a Host header is the client's word.
func (q *inquiry) redirectTarget() string {
	if t := &q.rules.redirect; t.host != "" || !t.hits("", q.request.Path()) {
		return ""
	}
	return q.rules.policy.Redirect
}
