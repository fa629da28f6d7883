package recess

import (
	"net/netip"
	"time"

	"github.com/recess-go/recess/core/page"
)

// Policy is what the application configures: who and what is always let in, how the answer looks, what to do when the
// state is unknown. The zero Policy lets nobody in, answers 503 with the built-in page, and is open while the state is
// unknown. Every rule is checked by [New]: a policy that cannot be used, or that disarms itself, does not start.
//
// The names in brackets are django-maintenance-mode's settings (without MAINTENANCE_MODE_).
type Policy struct {
	// Force overrides the state: the engine then reads no backend and refuses to change one. [MAINTENANCE_MODE]
	Force Force
	// Fallback is what counts while the state has never been known. [STATE_BACKEND_FALLBACK_VALUE]
	Fallback Fallback
	// ReportOnly lets everything pass; what would have been refused is counted and logged.
	ReportOnly bool
	// Readiness is what readiness probes are told while the site is closed. By default the instance stays ready.
	Readiness Readiness

	// ControlPath is where the admin panel, its API and the status endpoint are mounted ("/maintenance"): that
	// path and all below is let in, since they authenticate by themselves. "" when none is mounted.
	ControlPath string
	// AdminTokens let programs use the admin API.
	AdminTokens []AdminToken
	// Logout ends sessions before any user rule is asked; who was logged out counts as anonymous from then on.
	Logout Logout
	// AllowAnonymous, AllowAuthenticated, AllowStaff and AllowSuperuser let users in, as Hooks.User names them.
	// [IGNORE_ANONYMOUS_USER, IGNORE_AUTHENTICATED_USER, IGNORE_STAFF, IGNORE_SUPERUSER]
	AllowAnonymous, AllowAuthenticated, AllowStaff, AllowSuperuser bool
	// AllowRoles lets users in who have one of these roles.
	AllowRoles []string
	// AllowAdminSite is the path of the application's own admin site ("/admin/"): it is let in with or without the
	// final slash, and all below it. [IGNORE_ADMIN_SITE]
	AllowAdminSite string
	// AllowTests lets everything in while the program is a test binary. [IGNORE_TESTS]
	AllowTests bool
	// AllowNetworks lets clients in by address: addresses, CIDR prefixes, or "~regexp" over the address's text,
	// anchored at its start. [IGNORE_IP_ADDRESSES; INTERNAL_IPS of django-maintenancemode]
	AllowNetworks []string
	// AllowPaths lets requests in by path: "/a" is that path alone, "/a/**" that path and all below, "*" stays
	// within one segment, "~re" is a regular expression anchored at the start. By case. [IGNORE_URLS]
	AllowPaths []string
	// AllowHosts lets requests in by host: exact names, or "*.example.com" for all names below. The host is what the
	// client says, unless a proxy in front checks it: whoever knows the name can ask for it.
	AllowHosts []string
	// AllowHeaders lets requests in that carry a secret, by header name. A secret has at least 16 bytes and is
	// compared in constant time.
	AllowHeaders map[string]string
	// Allow are the application's own predicates, asked in order after all other allowances.
	Allow []Predicate

	// PassKeys are the keys that sign bypass passes, the newest first, each as "id:base64url" of at least 32 random bytes;
	// "recess pass keygen" makes one. Every service that is to let the same passes in needs the same keys. Without keys
	// there are no passes.
	PassKeys []string
	// PassAudience names the site that passes are for: one that was made for another audience is none here. Only services
	// that share keys, and not their passes, need it.
	PassAudience string

	// TrustedProxies are the addresses and prefixes whose forwarded header is believed; "unix" stands for peers
	// on a Unix socket. None by default: the client is then the socket's peer. [GET_CLIENT_IP_ADDRESS]
	TrustedProxies []string
	// ClientIPHeader is the one forwarded header, "X-Forwarded-For" by default.
	ClientIPHeader string
	// ClientAddress finds the client's address in place of TrustedProxies and ClientIPHeader. The zero Addr means
	// that it is not known, and no network is allowed.
	ClientAddress func(Request) netip.Addr

	// Scopes names parts of the site by path rules, as in AllowPaths, and by "host:NAME". A request belongs to a
	// scope if any of its rules matches, in any spelling; routes can also be marked by the adapters.
	Scopes map[string][]string

	// HoldRequests bounds how many requests wait at a time for the end of a window of mode hold: 10,000 by default, none
	// if it is negative. What is too many is refused at once.
	HoldRequests int
	// HoldBytes bounds what the bodies of waiting requests take in memory: 64 MiB by default, nothing if it is negative.
	HoldBytes int64
	// Grace is how long the site takes to close: 10 seconds by default, [NoGrace] is none. For so long after a window has
	// begun, long-lived requests that it covers may say goodbye before their contexts are cancelled ([Stream]), and its
	// answers close their connections, so that clients and balancers with keep-alive connections move on.
	Grace time.Duration

	// NameRequests has each request entered with its route and the time at which it was let in, so that a drain can say
	// which are late ([Instance].Oldest). It costs every request some hundreds of nanoseconds, also while nothing runs
	// (docs/operations.md). Streams and jobs are named without it.
	NameRequests bool

	// Status is the answer's status code, 503 by default. [STATUS_CODE]
	Status int
	// RetryAfter is sent while a window's end is not known: 0 stands for an hour, [NoRetryAfter] sends none at
	// all. [RETRY_AFTER]
	RetryAfter time.Duration
	// ResponseType fixes the answer's type; negotiated by default. ResponseTypeFunc decides it per request and
	// wins unless it returns "". [RESPONSE_TYPE]
	ResponseType     page.Type
	ResponseTypeFunc func(Request) page.Type
	// Redirect answers with 302 to this URL instead, except to clients that ask for JSON: an absolute URL, or a path of
	// this site, which is then let in by itself. A request for the target that is refused all the same gets the page,
	// not a redirect to where it is. [REDIRECT_URL]
	Redirect string
	// Template is a file, or a directory of files 503.html and 503.<language>.html, for html/template. [TEMPLATE]
	Template string
	// ContentSecurityPolicy goes with the custom template; see [page.Config].CSP.
	ContentSecurityPolicy string
	// Context adds values to the template and to JSON bodies, per refused request. [GET_CONTEXT]
	Context func(Request) map[string]any

	// Unsafe names the rules that would disarm the policy and are meant: the rule's text as it stands in its
	// list, or the setting's name where it has no text ("AllowAnonymous").
	Unsafe []string
}

// NoRetryAfter as [Policy].RetryAfter sends no Retry-After header, not even for a window whose end is known.
const NoRetryAfter time.Duration = -1

// Fallback is what counts while the state has never been known.
type Fallback uint8

// The fallbacks.
const (
	FallbackOpen   Fallback = iota // let requests through
	FallbackClosed                 // refuse them as a window over the whole site would
)

// Logout says whose sessions are ended by a request that a window covers.
type Logout struct {
	// Authenticated ends the session of anybody who is logged in. [LOGOUT_AUTHENTICATED_USER]
	Authenticated bool
	// Staff and Superuser override Authenticated for them; a superuser who is staff counts as a superuser.
	// [LOGOUT_STAFF_USER, LOGOUT_SUPERUSER]
	Staff, Superuser Inherited
}

// Inherited is a setting that follows another one unless it is set.
type Inherited uint8

// The values of Inherited.
const (
	Inherit Inherited = iota
	Yes
	No
)

// or returns the setting, or what it inherits.
func (i Inherited) or(inherited bool) bool {
	if i == Inherit {
		return inherited
	}
	return i == Yes
}

// of reports whether this user's session is to be ended.
func (l Logout) of(u User) bool {
	switch {
	case !u.Authenticated:
		return false
	case u.Superuser:
		return l.Superuser.or(l.Authenticated)
	case u.Staff:
		return l.Staff.or(l.Authenticated)
	default:
		return l.Authenticated
	}
}

// any reports whether some session may be ended.
func (l Logout) any() bool { return l.Authenticated || l.Staff == Yes || l.Superuser == Yes }

// A Predicate is an allowance of the application's own.
type Predicate struct {
	Name  string             // for explanations and decisions
	Match func(Request) bool // true lets the request in; a panic refuses it
}
