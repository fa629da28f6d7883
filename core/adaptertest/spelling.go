package adaptertest

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/recess-go/recess/core"
)

var spellingTests = []test{
	{"an allowance for one path never serves another handler", testSpelledAllowance},
	{"a route forced on is served in no spelling", testSpelledForceOn},
	{"a route forced off opens no other in any spelling", testSpelledForceOff},
	{"a scope by path is left by no spelling", testSpelledScope},
	{"a scope by marker is left by no spelling", testSpelledMarkedScope},
	{"a wildcard forced off opens what it serves and nothing else", testSpelledWildcard},
}

// spellings are ways to write the path of a route, "/healthz", and to get near it.
func spellings(path string) []string {
	name := path[1:]
	seeds := []string{
		path, "/" + path, "/." + path, "/x/.." + path, "/%2e%2e" + path, path + "%2f", path + "%252f", encoded(path),
		path + ";", path + ";x=1", path + "%00", path + "%0a", path + `\`, path + "%5c", path + ".", path + "%20", path + "?x=/..", path + "#f",
		"http://evil" + path, "/open/.." + path, "/open/../secret", "/open/%2e%2e" + path, "/open/%2e%2e/secret", "/open/..%2fsecret",
		"/open/..%5csecret", `/open/..\secret`, "/open//..//secret", "/open/./../secret", "/open", "/openx", "/openx/secret", "/a%2Fb",
		"/%2f" + name, "/%5c" + name, "/%c0%af" + name, "/\uff0f" + name, "/\u017ftatic", "/\u0130ndex", "/%C5%BFtatic", "///" + name,
		"/.//" + name, path + "/.", path + "/..", path + "/../secret", path + "/%2e%2e/secret", path + "/x", path + "%2fx", path + "x",
		path + "%3f", path + "%23", path + "/..;/secret", path + "%09", path + "+", "/x%2f.." + path, "/x/%2e%2e" + path,
		"/%252e%252e" + path, "/secret", "/secret" + path, "/secret/.." + path, "/secret?" + path, "/secret#" + path, "/secret%23" + path,
		"/secret;" + path, "/secret/..%2f" + name, "*", path + "/" + strings.Repeat("a", 4000), path + strings.Repeat("/", 2000),
		"/" + strings.Repeat("../", 500) + name, "/open/" + strings.Repeat("%2e%2e/", 20) + name, path + "%zz", path + "%", "/%zz",
		path + "%2f^", path + "^%2f", "/open%2f^", "/open/^%2f..%2f.." + path, `/open/"%2f../../secret`, "/x%2f^/.." + path,
		"/users/^%2f.." + path, "/users/7%2f^",
	}
	var all []string
	for _, s := range seeds {
		for _, s := range []string{s, s + "/"} {
			for _, s := range []string{s, strings.ToUpper(s), swapFirst(s)} {
				if !slices.Contains(all, s) {
					all = append(all, s)
				}
			}
		}
	}
	return all
}

// encoded writes the first letter of a path in the way that nobody needs.
func encoded(path string) string {
	const hex = "0123456789abcdef"
	return "/%" + string([]byte{hex[path[1]>>4], hex[path[1]&15]}) + path[2:]
}

// swapFirst makes the first letter a capital.
func swapFirst(s string) string {
	if len(s) < 2 {
		return s
	}
	return s[:1] + strings.ToUpper(s[1:2]) + s[2:]
}

// maze is a site with the handlers that a spelling might lead to. Each pattern has a handler of its own name.
func maze(healthz ...Mark) func(*Site) {
	return func(s *Site) {
		s.Root = Group{Routes: []Route{
			route("GET", "/", "front"),
			route("GET", "/healthz", "healthz", healthz...),
			route("GET", "/secret", "secret"),
			route("GET", "/secret/healthz", "secret-healthz"),
			route("GET", "/open/{rest...}", "open"),
			route("GET", "/openx/{rest...}", "openx"),
			route("GET", "/x/{rest...}", "x"),
			route("GET", "/users/{id}", "user"),
		}}
	}
}

// A claim is a handler that may run, and what the path that leads there must be like.
type claim struct {
	handler string
	lawful  func(path string) bool
}

// anywhere is the claim of a handler that may run whatever the path was.
func anywhere(handlers ...string) []claim {
	var claims []claim
	for _, name := range handlers {
		claims = append(claims, claim{name, func(string) bool { return true }})
	}
	return claims
}

// exactly is the claim of a handler that an allowance for these paths lets in.
func exactly(handler string, paths ...string) claim {
	return claim{handler, func(path string) bool { return slices.Contains(paths, path) }}
}

// below is the claim of a handler that an allowance for a path and all below it lets in: what is asked for must lie
// there both as it is written and as it is meant.
func below(handler, mount string) claim {
	inside := func(s string) bool { return s == mount || strings.HasPrefix(s, mount+"/") }
	return claim{handler, func(sent string) bool {
		meant, err := url.PathUnescape(sent)
		return err == nil && inside(sent) && inside(path.Clean(strings.ReplaceAll(meant, `\`, "/")))
	}}
}

// readings are the paths that a request target can have: the one of RFC 9112 3.2, and the one of fasthttp, which takes
// whatever stands before the first "//" for a scheme if it holds no slash, and what follows for a host.
func readings(target string) []string {
	read := []string{withoutQuery(target)}
	if before, rest, ok := strings.Cut(target, "//"); ok && !strings.Contains(before, "/") {
		_, rest, _ = strings.Cut(rest, "/")
		read = append(read, withoutQuery("/"+rest))
	}
	return read
}

func withoutQuery(target string) string {
	if end := strings.IndexAny(target, "?#"); end >= 0 {
		target = target[:end]
	}
	return target
}

// trespass names the first handler that ran without a claim; "" if there is none.
func trespass(target string, ran []string, claims []claim) string {
	for _, name := range ran {
		lawful := slices.ContainsFunc(claims, func(c claim) bool {
			return c.handler == name && slices.ContainsFunc(readings(target), c.lawful)
		})
		if !lawful {
			return name
		}
	}
	return ""
}

// spelled sends every spelling, and wants no handler to run that has no claim to its path.
func (w *world) spelled(path string, claims ...claim) {
	w.t.Helper()
	c := w.dial()
	defer func() { c.Close() }()
	for _, target := range spellings(path) {
		got := c.do(get(target))
		if name := trespass(target, got.ran, claims); name != "" {
			w.t.Errorf("%.80q: %q ran, which nothing let in", target, name)
		}
		if len(got.ran) > 1 {
			w.t.Errorf("%.80q: %q ran for one request", target, got.ran)
		}
		if len(got.ran) == 0 && got.status == 200 {
			w.t.Errorf("%.80q: status 200 although no handler ran", target)
		}
		if got.err != nil || got.close {
			c.Close()
			c = w.dial()
		}
	}
	w.idle()
}

func testSpelledAllowance(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowPaths: []string{"/healthz"}}, maze())
	w.passesByException(get("/healthz"), "healthz")
	w.spelled("/healthz", exactly("healthz", "/healthz"))

	w = f.closed(t, recess.Policy{AllowPaths: []string{"/open/**", "/healthz"}}, maze())
	w.passesByException(get("/open/a/b"), "open")
	w.spelled("/healthz", exactly("healthz", "/healthz"), below("open", "/open"))

	w = f.closed(t, recess.Policy{AllowAdminSite: "/open/", ControlPath: "/healthz"}, maze())
	w.passesByException(get("/healthz"), "healthz")
	w.spelled("/healthz", below("healthz", "/healthz"), below("open", "/open"))

	w = f.closed(t, recess.Policy{AllowPaths: []string{"/secret/*", "/users/me"}}, maze())
	w.passesByException(get("/secret/healthz"), "secret-healthz")
	w.spelled("/healthz", exactly("secret-healthz", "/secret/healthz"))
	w.spelled("/secret", exactly("secret-healthz", "/secret/healthz"))
}

// bystanders are the handlers of the maze that a rule about /healthz does not concern.
var bystanders = anywhere("front", "secret", "secret-healthz", "open", "openx", "x", "user")

func testSpelledForceOn(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{AllowPaths: []string{"/healthz", "/healthz/**"}}, maze(forceOn))
	w.refuses(get("/healthz"))
	w.spelled("/healthz", bystanders...)
	w.on(recess.Opening{})
	w.spelled("/healthz")
	w = f.open(t, recess.Policy{}, maze(forceOn), func(s *Site) { s.Gates = 0 })
	w.refuses(get("/healthz"))
	w.spelled("/healthz", bystanders...)
}

func testSpelledForceOff(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{}, maze(forceOff))
	w.passesUntold(get("/healthz"), "healthz")
	w.spelled("/healthz", anywhere("healthz")...)
}

func testSpelledScope(t *testing.T, f Framework) {
	for _, rule := range []string{"/healthz", "/healthz/**", "~/healthz"} {
		w := f.open(t, recess.Policy{Scopes: map[string][]string{"health": {rule}}}, maze())
		w.on(recess.Opening{Scope: "health"})
		w.refuses(get("/healthz"))
		w.passes(get("/secret"), "secret")
		w.spelled("/healthz", bystanders...)
	}
}

func testSpelledMarkedScope(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{}, maze(checkout))
	w.on(recess.Opening{Scope: "checkout"})
	w.refuses(get("/healthz"))
	w.spelled("/healthz", bystanders...)
}

func testSpelledWildcard(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{}, func(s *Site) {
		maze()(s)
		for i := range s.Root.Routes {
			if s.Root.Routes[i].Name == "open" {
				s.Root.Routes[i].Marks = []Mark{forceOff}
			}
		}
	})
	w.passesUntold(get("/open/a/b"), "open")
	w.spelled("/healthz", anywhere("open")...)
	w.spelled("/secret", anywhere("open")...)
}
