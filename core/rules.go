package recess

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/recess-go/recess/core/clientip"
	"github.com/recess-go/recess/core/internal/rule"
	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
)

// rules is a policy, checked and compiled. It never changes.
type rules struct {
	policy     Policy
	users      bool // some rule asks who the user is
	control    *rule.Allow
	adminSite  *rule.Allow
	networks   *rule.Networks
	paths      *rule.Allow
	hosts      *rule.Hosts
	secrets    []secret
	client     *clientip.Resolver
	scopes     map[string]*scope
	redirect   target
	passes     *pass.Ring // nil without keys: no pass is looked for
	renderer   *page.Renderer
	direct     *page.Renderer // answers without the redirect; nil if there is none
	retryAfter time.Duration
	grace      time.Duration
}

// secret is one header of Policy.AllowHeaders; only a hash of its value is kept.
type secret struct {
	name string
	hash [sha256.Size]byte
}

// scope is one entry of Policy.Scopes.
type scope struct {
	paths *rule.Cover
	hosts *rule.Hosts
}

// target is the page that refused requests are sent to. One of this site, without a host, is let in; none is ever sent to
// itself.
type target struct{ host, path string }

// minSecret is the shortest secret of AllowHeaders, in bytes: 128 bits.
const minSecret = 16

// compile checks a policy. Its error names every bad setting; nothing is left for the first request to find.
func compile(p Policy) (*rules, error) {
	p.HoldRequests = cmp.Or(p.HoldRequests, DefaultHoldRequests)
	p.HoldBytes = cmp.Or(p.HoldBytes, DefaultHoldBytes)
	c := &rules{
		policy:     p,
		retryAfter: max(cmp.Or(p.RetryAfter, time.Hour), 0),
		grace:      p.grace(),
		users: p.Logout.any() || p.AllowAnonymous || p.AllowAuthenticated || p.AllowStaff || p.AllowSuperuser ||
			len(p.AllowRoles) > 0,
	}
	var faults []error
	check := func(setting string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", setting, err))
		}
	}
	var err error
	c.control, err = below(p.ControlPath)
	check("ControlPath", err)
	check("AdminTokens", checkTokens(p.AdminTokens))
	c.adminSite, err = below(p.AllowAdminSite)
	check("AllowAdminSite", err)
	c.networks, err = rule.CompileNetworks(p.AllowNetworks)
	check("AllowNetworks", err)
	c.paths, err = rule.CompileAllow(p.AllowPaths)
	check("AllowPaths", err)
	c.hosts, err = rule.CompileHosts(p.AllowHosts)
	check("AllowHosts", err)
	c.secrets, err = compileSecrets(p.AllowHeaders)
	check("AllowHeaders", err)
	check("Allow", checkPredicates(p.Allow))
	if err := state.CheckText("the name", p.PassAudience, state.MaxPassFor); err != nil {
		check("PassAudience", err)
	} else if len(p.PassKeys) > 0 {
		c.passes, err = pass.NewRing(p.PassKeys, p.PassAudience)
		check("PassKeys", err)
	}
	c.client, err = clientip.New(clientip.Config{Trusted: p.TrustedProxies, Header: p.ClientIPHeader})
	check("TrustedProxies, ClientIPHeader", err)
	c.scopes, err = compileScopes(p.Scopes)
	check("Scopes", err)
	c.renderer, err = page.New(page.Config{
		Status: p.Status, Type: p.ResponseType, Redirect: p.Redirect, Template: p.Template, CSP: p.ContentSecurityPolicy,
	})
	check("the answer", err)
	if p.Redirect != "" && err == nil {
		c.redirect, c.direct = redirectTarget(p.Redirect), c.renderer.Direct()
	}
	if p.Force > ForcedOn {
		check("Force", fmt.Errorf("%d is none of NotForced, ForcedOff, ForcedOn", p.Force))
	}
	if p.Fallback > FallbackClosed {
		check("Fallback", fmt.Errorf("%d is none of FallbackOpen, FallbackClosed", p.Fallback))
	}
	if len(faults) == 0 {
		check("the policy disarms itself", c.guard())
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("recess: policy: %w", err)
	}
	return c, nil
}

// below compiles a mount path: the path itself, with or without a final slash, and everything below.
func below(path string) (*rule.Allow, error) {
	if path == "" {
		return nil, nil
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "*~") {
		return nil, fmt.Errorf("%q is no plain path: write it as in /admin/", path)
	}
	return rule.CompileAllow([]string{strings.TrimSuffix(path, "/") + "/**"})
}

func compileSecrets(headers map[string]string) ([]secret, error) {
	var faults []error
	var secrets []secret
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		switch value := headers[name]; {
		case name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' }):
			faults = append(faults, fmt.Errorf("%q is no header name", name))
		case len(value) < minSecret:
			faults = append(faults, fmt.Errorf("%s: the secret has %d bytes, it needs at least %d", name, len(value), minSecret))
		default:
			secrets = append(secrets, secret{textproto.CanonicalMIMEHeaderKey(name), sha256.Sum256([]byte(value))})
		}
	}
	return secrets, errors.Join(faults...)
}

func checkPredicates(predicates []Predicate) error {
	var faults []error
	for i, p := range predicates {
		if p.Name == "" || p.Match == nil {
			faults = append(faults, fmt.Errorf("predicate %d needs a Name and a Match", i))
		}
	}
	return errors.Join(faults...)
}

func compileScopes(scopes map[string][]string) (map[string]*scope, error) {
	var faults []error
	compiled := make(map[string]*scope, len(scopes))
	for _, name := range slices.Sorted(maps.Keys(scopes)) {
		var paths, hosts []string
		for _, r := range scopes[name] {
			if host, ok := strings.CutPrefix(r, "host:"); ok {
				hosts = append(hosts, host)
			} else {
				paths = append(paths, r)
			}
		}
		s := new(scope)
		var errPaths, errHosts error
		s.paths, errPaths = rule.CompileCover(paths)
		s.hosts, errHosts = rule.CompileHosts(hosts)
		errEmpty := error(nil)
		if len(scopes[name]) == 0 {
			errEmpty = errors.New("it has no rules")
		}
		if err := errors.Join(state.CheckName("scope", name), errEmpty, errPaths, errHosts); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
		compiled[name] = s
	}
	return compiled, errors.Join(faults...)
}

// redirectTarget takes apart a URL that page.New has accepted.
func redirectTarget(location string) target {
	u, err := url.Parse(location)
	if err != nil {
		return target{}
	}
	return target{host: rule.CanonicalHost(u.Host), path: cmp.Or(u.EscapedPath(), "/")}
}

// hits reports whether the request is for the redirect's target. Only the exact path as sent counts: an allowance
// that nobody wrote down must not be reached in another spelling.
func (t target) hits(host, path string) bool {
	return t.path != "" && t.path == path && (t.host == "" || t.host == host)
}

// guard names every rule that would let everybody in, unless Policy.Unsafe names it.
func (c *rules) guard() error {
	var faults []error
	refuse := func(rule, why string) {
		if !slices.Contains(c.policy.Unsafe, rule) {
			faults = append(faults, fmt.Errorf("%s: %s; name %q in Policy.Unsafe if it is meant", rule, why, rule))
		}
	}
	if strings.Trim(c.policy.AllowAdminSite, "/") == "" && c.policy.AllowAdminSite != "" {
		refuse("AllowAdminSite", "the path / is the whole site")
	}
	if strings.Trim(c.policy.ControlPath, "/") == "" && c.policy.ControlPath != "" {
		refuse("ControlPath", "the path / is the whole site")
	}
	if c.policy.AllowAnonymous && c.policy.AllowAuthenticated {
		refuse("AllowAnonymous", "together with AllowAuthenticated it lets every visitor in")
	}
	for _, r := range c.paths.Everything() {
		refuse(r, "this path rule matches every path")
	}
	for _, r := range c.networks.Everything() {
		refuse(r, "this network rule matches every address of its family")
	}
	for _, r := range c.hosts.Everything() {
		refuse(r, "this host rule matches every host")
	}
	for _, r := range c.client.TrustsEveryone() {
		refuse(r, "with every peer a trusted proxy, every client can name its own address")
	}
	return errors.Join(faults...)
}

func (c *rules) checkHooks(user, logout bool) error {
	var faults []error
	if c.users && !user {
		faults = append(faults, errors.New("the policy has rules about users, so Hooks.User must say who is logged in"))
	}
	if c.policy.Logout.any() && !logout {
		faults = append(faults, errors.New("the policy logs users out, so Hooks.Logout must end a session"))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("recess: hooks: %w", err)
	}
	return nil
}
