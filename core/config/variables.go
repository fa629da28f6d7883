package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
)

const (
	prefix         = "RECESS_"
	stateVariable  = "RECESS_STATE"
	unsafeVariable = "RECESS_UNSAFE"

	passKeysVariable     = "RECESS_PASS_KEYS"
	passAudienceVariable = "RECESS_PASS_AUDIENCE"
)

// A Variable describes one environment variable, for documentation.
type Variable struct {
	Name    string // RECESS_STATE
	Default string // what counts while it is unset, as one would write it; "" is nothing
	Django  string // the settings of django-maintenance-mode that it stands for, without MAINTENANCE_MODE_; "" is none
	Meaning string // one line
}

// Variables lists every variable that can be set, in the order of the documentation.
func Variables() []Variable {
	all := make([]Variable, len(settings))
	for i := range settings {
		all[i] = settings[i].Variable
	}
	return all
}

// later are the variables of the design whose feature this release does not have. Ignoring one would be a promise
// broken in silence: an operator who sets tokens believes that they guard something.
var later = map[string]string{
	"RECESS_CORS_ORIGINS": "answers to requests from other origins (CORS)",
}

func isKnown(name string) bool {
	return slices.ContainsFunc(settings, func(s setting) bool { return s.Name == name })
}

// A setting is a variable and what it does.
type setting struct {
	Variable
	set  func(*draft, string) error
	show func(string) string // what of the value may stand in an error; nil is all of it
}

func (s *setting) fault(value string, err error) Fault {
	if s.show != nil {
		value = s.show(value)
	}
	return Fault{Variable: s.Name, Value: value, Err: err}
}

func hidden(string) string { return "" }

// settings are in the order of the documentation. A policy that is refused is built up in the same order (see judge), so
// a variable that is of use only beside another one stands after it.
var settings = []setting{
	{
		Variable{stateVariable, DefaultState, "STATE_BACKEND, STATE_FILE_PATH, CACHE_BACKEND", "Where the state lives: `file:PATH`, `file:PATH?format=django`, `memory:`, `env:NAME`, or the URL of a backend that the program links."},
		text(func(d *draft, v string) { d.stateURL = v }), state.Redact,
	},
	{
		Variable{"RECESS_MODE", "", "MAINTENANCE_MODE", "`on` or `off` forces the mode, whatever the state says, and forbids changes."},
		mode, nil,
	},
	{
		Variable{"RECESS_FALLBACK", "open", "STATE_BACKEND_FALLBACK_VALUE", "What counts while the state has never been known: `open` or `closed`."},
		fallback, nil,
	},
	{
		Variable{"RECESS_READINESS", "always", "", "When the readiness endpoint answers 200: `always`, or `open`, while the whole site is not closed."},
		readiness, nil,
	},
	{
		Variable{"RECESS_REPORT_ONLY", "false", "", "Let everything pass; count and log what would have been refused."},
		boolean(func(p *recess.Policy) *bool { return &p.ReportOnly }), nil,
	},

	{
		Variable{"RECESS_ADMIN_TOKENS", "", "", "Who may use the admin API besides those whom the application lets in: `name:read:HASH` or `name:write:HASH`, the hash being SHA-256 of the token in hexadecimal digits. A list."},
		adminTokens, hidden,
	},
	{
		Variable{"RECESS_ALLOW_ADMIN_SITE", "", "IGNORE_ADMIN_SITE", "The path of the application's own admin site, as in `/admin/`: let in, with or without the final slash, and all below."},
		text(func(d *draft, v string) { d.Policy.AllowAdminSite = v }), nil,
	},
	{
		Variable{"RECESS_ALLOW_ANONYMOUS", "false", "IGNORE_ANONYMOUS_USER", "Let in who is not logged in."},
		boolean(func(p *recess.Policy) *bool { return &p.AllowAnonymous }), nil,
	},
	{
		Variable{"RECESS_ALLOW_AUTHENTICATED", "false", "IGNORE_AUTHENTICATED_USER", "Let in who is logged in."},
		boolean(func(p *recess.Policy) *bool { return &p.AllowAuthenticated }), nil,
	},
	{
		Variable{"RECESS_ALLOW_STAFF", "false", "IGNORE_STAFF", "Let in members of the staff."},
		boolean(func(p *recess.Policy) *bool { return &p.AllowStaff }), nil,
	},
	{
		Variable{"RECESS_ALLOW_SUPERUSER", "false", "IGNORE_SUPERUSER", "Let in superusers."},
		boolean(func(p *recess.Policy) *bool { return &p.AllowSuperuser }), nil,
	},
	{
		Variable{"RECESS_ALLOW_ROLES", "", "", "Let in users who have one of these roles. A list."},
		list(func(p *recess.Policy) *[]string { return &p.AllowRoles }), nil,
	},
	{
		Variable{"RECESS_ALLOW_NETWORKS", "", "IGNORE_IP_ADDRESSES, INTERNAL_IPS", "Let clients in by address: addresses, prefixes, or `~regexp` over the address's text. A list."},
		list(func(p *recess.Policy) *[]string { return &p.AllowNetworks }), nil,
	},
	{
		Variable{"RECESS_TRUSTED_PROXIES", "", "GET_CLIENT_IP_ADDRESS", "The addresses and prefixes of the proxies whose forwarded header is believed; `unix` is peers on a Unix socket. A list."},
		list(func(p *recess.Policy) *[]string { return &p.TrustedProxies }), nil,
	},
	{
		Variable{"RECESS_CLIENT_IP_HEADER", "X-Forwarded-For", "GET_CLIENT_IP_ADDRESS", "The one forwarded header that is believed, from trusted proxies."},
		text(func(d *draft, v string) { d.Policy.ClientIPHeader = v }), nil,
	},
	{
		Variable{"RECESS_ALLOW_PATHS", "", "IGNORE_URLS", "Let requests in by path: `/a` is that path alone, `/a/**` that path and all below, `*` stays within a segment, `~regexp` is anchored at the start. A list."},
		list(func(p *recess.Policy) *[]string { return &p.AllowPaths }), nil,
	},
	{
		Variable{"RECESS_ALLOW_HOSTS", "", "", "Let requests in by host: names, or `*.example.com` for all names below. A list."},
		list(func(p *recess.Policy) *[]string { return &p.AllowHosts }), nil,
	},
	{
		Variable{"RECESS_ALLOW_HEADERS", "", "", "Let requests in that carry a secret: `Name=secret`, one a line, at least 16 bytes each."},
		headers, hidden,
	},
	{
		Variable{"RECESS_ALLOW_TESTS", "false", "IGNORE_TESTS", "Let everything in while the program is a test binary."},
		boolean(func(p *recess.Policy) *bool { return &p.AllowTests }), nil,
	},

	{
		Variable{passKeysVariable, "", "", "The keys that sign bypass passes, the newest first: `id:base64url` of at least 32 random bytes, as `recess pass keygen` makes them. A list."},
		list(func(p *recess.Policy) *[]string { return &p.PassKeys }), hidden,
	},
	{
		Variable{passAudienceVariable, "", "", "The site that passes are for: needed only where services share keys, and are not to share passes."},
		text(func(d *draft, v string) { d.Policy.PassAudience = v }), nil,
	},

	{
		Variable{"RECESS_LOGOUT_AUTHENTICATED", "false", "LOGOUT_AUTHENTICATED_USER", "End the session of whoever is logged in, before any user rule is asked."},
		boolean(func(p *recess.Policy) *bool { return &p.Logout.Authenticated }), nil,
	},
	{
		Variable{"RECESS_LOGOUT_STAFF", "as RECESS_LOGOUT_AUTHENTICATED", "LOGOUT_STAFF_USER", "The same for members of the staff."},
		inherited(func(p *recess.Policy) *recess.Inherited { return &p.Logout.Staff }), nil,
	},
	{
		Variable{"RECESS_LOGOUT_SUPERUSER", "as RECESS_LOGOUT_AUTHENTICATED", "LOGOUT_SUPERUSER", "The same for superusers."},
		inherited(func(p *recess.Policy) *recess.Inherited { return &p.Logout.Superuser }), nil,
	},

	{
		Variable{"RECESS_HOLD_REQUESTS", strconv.Itoa(recess.DefaultHoldRequests), "", "How many requests wait at a time for the end of a window of mode hold; what is too many is refused at once."},
		holdRequests, nil,
	},
	{
		Variable{"RECESS_HOLD_BYTES", strconv.Itoa(recess.DefaultHoldBytes), "", "How many bytes the bodies of waiting requests may take in memory."},
		holdBytes, nil,
	},

	{
		Variable{"RECESS_REDIRECT_URL", "", "REDIRECT_URL", "Answer with 302 to this URL, or path of this site, except to clients that ask for JSON."},
		text(func(d *draft, v string) { d.Policy.Redirect = v }), showURL,
	},
	{
		Variable{"RECESS_TEMPLATE", "the built-in page", "TEMPLATE", "A file of `html/template`, or a directory with `503.html` and, per language, `503.de.html`."},
		text(func(d *draft, v string) { d.Policy.Template = v }), nil,
	},
	{
		Variable{"RECESS_CONTENT_SECURITY_POLICY", "own styles, images and fonts; no scripts", "", "The Content-Security-Policy that goes with RECESS_TEMPLATE."},
		text(func(d *draft, v string) { d.Policy.ContentSecurityPolicy = v }), nil,
	},
	{
		Variable{"RECESS_RESPONSE_TYPE", "auto", "RESPONSE_TYPE", "`auto` (negotiated), `html`, `json`, `problem` or `text`."},
		responseType, nil,
	},
	{
		Variable{"RECESS_STATUS_CODE", "503", "STATUS_CODE", "The status of a refusal, 400 to 599."},
		statusCode, nil,
	},
	{
		Variable{"RECESS_RETRY_AFTER", "3600", "RETRY_AFTER", "When to come back while a window's end is not known: seconds or a duration; `0` sends no Retry-After at all."},
		retryAfter, nil,
	},
	{
		Variable{"RECESS_GRACE", recess.DefaultGrace.String(), "", "How long the site takes to close: how long streams may say goodbye, and answers ask connections to move on; `0` is no time at all."},
		grace, nil,
	},
	{
		Variable{"RECESS_NAME_REQUESTS", "false", "", "Enter each request with its route, so that a drain can say which are late. It costs every request some hundreds of nanoseconds."},
		boolean(func(p *recess.Policy) *bool { return &p.NameRequests }), nil,
	},

	{
		Variable{"RECESS_INSTANCE", "host-pid", "", "The name of this process in logs and to the fleet."},
		instance, nil,
	},
	{
		Variable{"RECESS_POLL", recess.DefaultPoll.String(), "", "How old the followed state can be: the backend is read at least this often. At least 100ms."},
		poll, nil,
	},
	{
		Variable{"RECESS_START_WAIT", recess.DefaultStartWait.String(), "", "How long the start waits for the first state; `0` does not wait."},
		startWait, nil,
	},
	{
		Variable{snapshotVariable, "", "", "A file that keeps the last known state, for a start while the backend is down. Its directory must exist, and it is not the state file."},
		text(func(d *draft, v string) { d.SnapshotFile = v }), nil,
	},
	{
		Variable{"RECESS_SCOPES", "", "", "Parts of the site: `name=/path/**;host:eu.example.com`, one a line."},
		scopes, nil,
	},
	{
		Variable{unsafeVariable, "", "", "The rules that would disarm the policy and are meant: a rule's text as it stands in its list, or the variable's name."},
		unsafe, nil,
	},
}

// showURL hides the user name and password of a URL that should have none.
func showURL(value string) string {
	if strings.Contains(value, "@") {
		return state.Redact(value)
	}
	return value
}
