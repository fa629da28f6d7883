package adaptertest

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/recess-go/recess/core"
)

var ruleTests = []test{
	{"the control path is let in with all below, and nothing beside it", testControlPath},
	{"probes are told what the policy says", testHealth},
	{"the admin site is let in with and without its final slash", testAdminSite},
	{"a test binary is let in where the policy says so", testTestBinary},
	{"paths are let in as they are written", testPaths},
	{"a slash is the front page alone", testFrontPage},
	{"hosts are let in by any spelling of their name", testHosts},
	{"a secret header lets in, and nothing that resembles it", testSecretHeader},
	{"predicates are asked in order, after all other allowances", testPredicates},
	{"the rules are asked in their order and the first hit ends it", testOrder},
}

func testControlPath(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{ControlPath: "/maintenance", Logout: recess.Logout{Authenticated: true}})
	w.passesByException(get("/maintenance").as("alice"), "panel")
	w.passesByException(request("POST", "/maintenance/off").as("alice"), "panel-off")
	if n := w.site.hooks.userCalls.Load(); n != 0 {
		t.Errorf("the user was asked for %d times, want not at all: an operator must get through", n)
	}
	for _, target := range []string{"/orders", "/maintenancex", "/maintenance/../orders", "/maintenance/%2e%2e/orders", "/MAINTENANCE", "/orders?/maintenance"} {
		w.refuses(get(target))
	}
	for _, probe := range []string{"/maintenance/live", "/maintenance/ready"} {
		got := w.do(get(probe))
		if got.status != 200 || !strings.Contains(got.body, `"ready":true,"reason":"maintenance runs for the whole site`) {
			t.Errorf("%s answers %d %q", probe, got.status, got.body)
		}
	}
	got := w.do(get("/maintenance/status"))
	if got.status != 200 || !strings.Contains(got.body, `"active":true`) || !strings.Contains(got.body, `"mode":"full"`) {
		t.Errorf("the status endpoint answers %d %q", got.status, got.body)
	}
	if value := got.header.Get("Cache-Control"); len(got.header["Cache-Control"]) != 1 || !strings.Contains(value, "no-store") {
		t.Errorf("the status endpoint's Cache-Control is %q", got.header["Cache-Control"])
	}
	w.off()
	if got := w.do(get("/maintenance/status")); got.status != 200 || !strings.Contains(got.body, `"active":false`) {
		t.Errorf("off, the status endpoint answers %d %q", got.status, got.body)
	}
}

// testHealth has the balancer be told while the site is closed, and the orchestrator not.
func testHealth(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{ControlPath: "/maintenance", Readiness: recess.ReadyWhileOpen})
	for probe, status := range map[string]int{"/maintenance/live": 200, "/maintenance/ready": 503} {
		got := w.do(get(probe))
		if got.status != status || !strings.Contains(got.body, `"ready":false`) || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("closed, %s answers %d %q, Cache-Control %q", probe, got.status, got.body, got.header.Get("Cache-Control"))
		}
	}
	w.off()
	for _, probe := range []string{"/maintenance/live", "/maintenance/ready"} {
		if got := w.do(get(probe)); got.status != 200 || !strings.Contains(got.body, `"reason":"the site is open"`) {
			t.Errorf("open, %s answers %d %q", probe, got.status, got.body)
		}
	}
}

func testAdminSite(t *testing.T, f Framework) {
	for _, setting := range []string{"/admin/", "/admin"} {
		w := f.closed(t, recess.Policy{AllowAdminSite: setting})
		w.passesByException(get("/admin"), "admin")
		w.passesByException(get("/admin/"), "admin")
		w.passesByException(get("/admin/users"), "admin-users")
		w.passesByException(get("/admin/users?next=/orders"), "admin-users")
		for _, target := range []string{"/administrator", "/ADMIN", "/admin%2fusers", "/admin/../orders", "/orders?/admin/"} {
			w.refuses(get(target))
		}
	}
}

func testTestBinary(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowTests: true})
	w.passesByException(get("/orders"), "orders")
	w.passesByException(request("POST", "/orders"), "orders")
	w.refuses(get("/closed"))
}

func testPaths(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowPaths: []string{"/healthz", "/users/*", "/deep/**", "~/api/", "/mounted/page"}})
	for target, handler := range map[string]string{
		"/healthz": "healthz", "/healthz?x=/..": "healthz", "/users/7": "user", "/users/%C3%BC": "user", "/deep/a": "deep",
		"/deep/a/b/c": "deep", "/api/orders": "api", "/mounted/page": "mounted-page",
	} {
		w.passesByException(get(target), handler)
	}
	w.passesByException(request("POST", "/api/orders"), "api")
	for _, target := range []string{
		"/", "/orders", "/healthzz", "/users", "/users/7/orders", "/apix/orders", "/deeper", "/mounted/live/page", "/orders?/healthz",
		"/Healthz", "/DEEP/a", "/orders#/healthz", "/x/api/orders",
	} {
		w.refuses(get(target))
	}
}

func testFrontPage(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowPaths: []string{"/"}})
	w.passesByException(get("/"), "front")
	w.passesByException(get("/?x=y"), "front")
	w.passesByException(get("http://shop.example/"), "front")
	for _, target := range []string{"/orders", "/deep/a", "/maintenance", "/admin"} {
		w.refuses(get(target))
	}
}

func testHosts(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowHosts: []string{"open.example", "*.wild.example"}})
	for _, host := range []string{"open.example", "OPEN.example", "open.example:8443", "open.example.", "a.wild.example", "A.b.Wild.Example.:80"} {
		w.passesByException(get("/orders").at(host), "orders")
	}
	for _, host := range []string{"shop.example", "wild.example", "xopen.example", "open.example.org", "open.example@shop.example"} {
		a := get("/orders").at(host)
		if got := w.do(a); got.status != 400 { // some servers refuse such a Host by themselves
			w.isRefusal(a, got, w.golden(a))
		} else if len(got.ran) > 0 {
			t.Errorf("%s: %q ran", a, got.ran)
		}
	}
	// The target's host is the one that counts (RFC 9112, 3.2.2).
	w.passesByException(get("http://open.example/orders").at("shop.example"), "orders")
	w.refuses(get("http://shop.example/orders").at("open.example"))
	for _, header := range []string{"X-Forwarded-Host", "X-Host", "X-Original-Host", "Forwarded"} {
		w.refuses(get("/orders", header+": open.example"))
	}
	old := get("/orders").at(noHost)
	old.proto = "HTTP/1.0"
	w.refuses(old)
}

func testSecretHeader(t *testing.T, f Framework) {
	const secret = "correct-horse-battery"
	w := f.closed(t, recess.Policy{AllowHeaders: map[string]string{"x-maintenance-key": secret}})
	w.passesByException(get("/orders", "X-Maintenance-Key: "+secret), "orders")
	w.passesByException(get("/orders", "x-maintenance-KEY:   "+secret+"  "), "orders")
	for _, lines := range [][]string{
		{"X-Maintenance-Key: "},
		{"X-Maintenance-Key: true"},
		{"X-Maintenance-Key: " + strings.ToUpper(secret)},
		{"X-Maintenance-Key: " + secret[:len(secret)-1]},
		{"X-Maintenance-Key: " + secret + "x"},
		{"X-Maintenance-Key: " + secret + ", " + secret},
		{"X-Maintenance-Key: " + secret, "X-Maintenance-Key: other"},
		{"X-Maintenance-Keys: " + secret},
		{"Cookie: X-Maintenance-Key=" + secret},
	} {
		w.refuses(get("/orders", lines...))
	}
	w.refuses(get("/orders?X-Maintenance-Key=" + secret))
}

func testPredicates(t *testing.T, f Framework) {
	var first, second atomic.Int64
	w := f.closed(t, recess.Policy{
		AllowPaths: []string{"/healthz"}, AllowHosts: []string{"open.example"},
		AllowHeaders: map[string]string{"X-Key": "0123456789abcdef"},
		Allow: []recess.Predicate{
			{Name: "office", Match: func(r recess.Request) bool { first.Add(1); return r.Header("X-Office") == "yes, really" }},
			{Name: "method", Match: func(r recess.Request) bool { second.Add(1); return r.Method() == "PATCH" && r.Path() == "/orders" }},
		},
	})
	for _, c := range []struct {
		a             ask
		passes        string
		first, second int64
	}{
		{get("/orders", "X-Office: yes", "X-Office: really"), "orders", 1, 0},
		{get("/orders", "X-Office: yes"), "", 1, 1},
		{request("PATCH", "/orders?x=y"), "orders", 1, 1},
		{get("/healthz"), "healthz", 0, 0},
		{get("/orders").at("open.example"), "orders", 0, 0},
		{get("/orders", "X-Key: 0123456789abcdef"), "orders", 0, 0},
		{get("/live"), "live", 0, 0},
		{get("/closed"), "", 0, 0},
	} {
		switch got := w.do(c.a); {
		case c.passes == "":
			w.isRefusal(c.a, got, w.golden(c.a))
		default:
			w.isFrom(c.a, got, c.passes)
		}
		if a, b := first.Swap(0), second.Swap(0); a != c.first || b != c.second {
			t.Errorf("%s: the predicates were asked %d and %d times, want %d and %d", c.a, a, b, c.first, c.second)
		}
	}
}

// testOrder tells the places of rules by what they keep the application from being asked: the user, then the client's
// address, then a predicate.
func testOrder(t *testing.T, f Framework) {
	var address, predicate atomic.Int64
	w := f.closed(t, recess.Policy{
		ControlPath: "/maintenance", AllowRoles: []string{"ops"}, AllowAdminSite: "/admin/",
		AllowNetworks: []string{"192.0.2.1"}, ClientAddress: loopback(&address), AllowPaths: []string{"/healthz"},
		AllowHosts: []string{"open.example"}, AllowHeaders: map[string]string{"X-Key": "0123456789abcdef"},
		Allow:    []recess.Predicate{{Name: "no", Match: func(recess.Request) bool { predicate.Add(1); return false }}},
		Redirect: "/users/sorry",
	})
	for _, c := range []struct {
		rule                     string
		a                        ask
		user, address, predicate int64
	}{
		{"marker", get("/live"), 0, 0, 0},
		{"control", get("/maintenance"), 0, 0, 0},
		{"user", get("/orders").as("staff"), 1, 0, 0},
		{"admin site", get("/admin/users"), 1, 0, 0},
		{"path", get("/healthz"), 1, 1, 0},
		{"host", get("/orders").at("open.example"), 1, 1, 0},
		{"header", get("/orders", "X-Key: 0123456789abcdef"), 1, 1, 0},
		{"redirect target", get("/users/sorry"), 1, 1, 1},
		{"window", get("/orders"), 1, 1, 1},
	} {
		w.do(c.a)
		u, a, p := w.site.hooks.userCalls.Swap(0), address.Swap(0), predicate.Swap(0)
		if u != c.user || a != c.address || p != c.predicate {
			t.Errorf("%s: user, address and predicate were asked %d, %d and %d times, want %d, %d and %d",
				c.rule, u, a, p, c.user, c.address, c.predicate)
		}
	}
	w = f.closed(t, recess.Policy{AllowTests: true, AllowRoles: []string{"ops"}, AllowNetworks: []string{"192.0.2.1"}, ClientAddress: loopback(&address)})
	w.passes(get("/orders"), "orders")
	if u, a := w.site.hooks.userCalls.Load(), address.Load(); u != 1 || a != 0 {
		t.Errorf("tests: user and address were asked %d and %d times, want 1 and 0", u, a)
	}
}
