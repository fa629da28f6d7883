package adaptertest

import (
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
)

var markerTests = []test{
	{"a route forced on is refused while nothing runs", testForceOnWhileOff},
	{"a route forced on beats every allowance", testForceOnBeatsAllowances},
	{"a route forced off passes for everybody and ends no session", testForceOffBeatsUsers},
	{"the innermost marker counts", testInnermost},
	{"a route forced on refuses without the middleware, one forced off needs it", testWithoutMiddleware},
	{"a marker holds for its method alone", testMarkerMethods},
	{"a marker holds for every spelling that its route serves", testMarkerSpellings},
}

func testForceOnWhileOff(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{})
	for _, target := range []string{"/closed", "/pay/now", "/mounted/closed", "/private/page", "/free/shut", "/free/shut/page"} {
		w.refuses(get(target))
	}
	w.refuses(request("POST", "/closed"))
	w.refuses(request("POST", "/pay/now"))
	w.passesUntold(get("/orders"), "orders")
	w.passesUntold(get("/live"), "live")
}

func testForceOnBeatsAllowances(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{
		ControlPath: "/closed", AllowAuthenticated: true, AllowAdminSite: "/closed", AllowTests: true,
		AllowNetworks: []string{"127.0.0.1"}, AllowPaths: []string{"/closed", "/pay/**"}, AllowHosts: []string{"shop.example"},
		Allow: []recess.Predicate{{Name: "all", Match: func(recess.Request) bool { return true }}},
	})
	for _, running := range []bool{false, true} {
		if running {
			w.on(recess.Opening{})
		}
		w.refuses(get("/closed").as("alice"))
		w.refuses(get("/pay/now").as("alice"))
	}
	if n := w.site.hooks.userCalls.Load(); n != 0 {
		t.Errorf("the user was asked for %d times although the marker had decided", n)
	}
	w.passesByException(get("/orders").as("alice"), "orders")
}

func testForceOffBeatsUsers(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{Logout: recess.Logout{Authenticated: true}})
	w.passesUntold(get("/live").as("alice"), "live")
	w.passesUntold(get("/free/deep/er").as("alice"), "free-deeper")
	if n := w.site.hooks.userCalls.Load() + w.site.hooks.logoutCalls.Load(); n != 0 {
		t.Errorf("the application was asked about the user %d times, want not at all", n)
	}
}

func testInnermost(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{})
	for _, running := range []bool{false, true} {
		if running {
			w.on(recess.Opening{})
		}
		w.refuses(get("/off-then-on"))
		w.refuses(get("/free/shut"))
		w.refuses(get("/free/shut/page"))
		w.refuses(get("/pay/now"))
		w.refuses(get("/private/page"))
		w.passesUntold(get("/on-then-off"), "on-then-off")
		w.passesUntold(get("/free/page"), "free-page")
		w.passesUntold(get("/free/deep/er"), "free-deeper")
		w.passesUntold(get("/free/shut/help"), "free-shut-help")
		w.passesUntold(get("/pay/help"), "pay-help")
		w.passesUntold(get("/shop/news"), "shop-news")
		w.passesUntold(get("/mounted/live"), "mounted-live")
		w.passesUntold(get("/private/help"), "private-help")
	}
}

func testWithoutMiddleware(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{}, func(s *Site) { s.Gates = 0 })
	w.refuses(get("/closed"))
	w.refuses(get("/pay/now"))
	w.on(recess.Opening{})
	w.refuses(get("/closed"))
	w.passes(get("/live"), "live")
	w.passes(get("/orders"), "orders")
}

func testMarkerMethods(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{}, func(s *Site) {
		s.Root = Group{Routes: []Route{
			route("GET", "/both", "read", forceOff),
			route("POST", "/both", "write"),
			route("", "/all", "all", forceOff),
		}}
	})
	w.passesUntold(get("/both"), "read")
	w.refuses(request("POST", "/both"))
	w.refuses(request("DELETE", "/both"))
	for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS"} {
		w.passesUntold(request(method, "/all"), "all")
	}
	w.refuses(get("/nowhere"))

	// A health probe may send HEAD. Where the router serves it by the GET route it passes like GET; elsewhere
	// nothing runs, whoever answers.
	head := request("HEAD", "/both")
	if f.Traits.RoutesHead {
		w.passesUntold(head, "read")
	} else {
		w.runsNothing(head, 503, 404, 405)
	}
}

func testMarkerSpellings(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{})
	if f.Traits.LooseSlash {
		w.passesUntold(get("/live/"), "live")
	} else {
		w.refusesSlash(get("/live/"))
	}
	if f.Traits.LooseCase {
		w.passesUntold(get("/LIVE"), "live")
	} else {
		w.refuses(get("/LIVE"))
	}
}

var scopeTests = []test{
	{"a scope by path covers its paths and no others", testScopeByPath},
	{"a scope by marker covers its routes, groups and mounts", testScopeByMarker},
	{"a scope's marker that nobody finds refuses by itself", testWrappedScope},
	{"a scope by host covers its hosts in any spelling", testScopeByHost},
	{"a read-only scope lets safe methods pass", testReadonlyScope},
	{"a session outlives a window that does not cover the request", testScopeAsksNothing},
	{"of two windows the one that covers the request refuses it", testTwoWindows},
}

var scopes = map[string][]string{"api": {"/api/**"}, "eu": {"host:eu.example"}}

func testScopeByPath(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{Scopes: scopes})
	w.on(recess.Opening{Scope: "api"})
	w.refuses(get("/api/orders"))
	w.refuses(request("POST", "/api/orders"))
	w.refuses(get("/api"))
	w.refuses(get("/api/nowhere"))
	w.passesUntold(get("/apix/orders"), "apix")
	w.passesUntold(get("/orders"), "orders")
	w.passesUntold(get("/orders?x=/api/orders"), "orders")
}

func testScopeByMarker(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{})
	w.on(recess.Opening{Scope: "checkout"})
	for _, target := range []string{"/checkout/cart", "/shop/list", "/shop/eu/list", "/mounted/cart"} {
		w.refuses(get(target))
	}
	w.refuses(request("POST", "/shop/list"))
	w.passesUntold(get("/shop/news"), "shop-news")
	w.passesUntold(get("/orders"), "orders")
	w.passesUntold(get("/mounted/page"), "mounted-page")
}

func testWrappedScope(t *testing.T, f Framework) {
	if f.Traits.BareScopes {
		t.Skip("a marker in a function of the application's own marks nothing")
	}
	wrapped := Mark{Scope: "checkout", Wrapped: true}
	w := f.open(t, recess.Policy{AllowPaths: []string{"/in"}}, func(s *Site) {
		s.Root = Group{
			Routes: []Route{
				route("GET", "/cart", "cart", wrapped), route("GET", "/in", "in", wrapped), route("GET", "/page", "page"),
				route("GET", "/news", "news", Mark{Scope: "news", Wrapped: true}),
			},
			Groups: []Group{{Prefix: "/shop", Marks: []Mark{wrapped}, Routes: []Route{route("GET", "/list", "list")}}},
		}
	})
	open := func() {
		w.passesUntold(get("/page"), "page")
		w.passesUntold(get("/news"), "news")
	}
	open()
	w.passesUntold(get("/cart"), "cart")
	w.passesUntold(get("/shop/list"), "list")
	w.on(recess.Opening{Scope: "checkout"})
	open()
	w.refuses(get("/cart"))
	w.refuses(get("/shop/list"))
	w.passes(get("/in"), "in")
}

func testScopeByHost(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{Scopes: scopes})
	w.on(recess.Opening{Scope: "eu"})
	for _, host := range []string{"eu.example", "EU.Example", "eu.example:8080", "eu.example.", "Eu.example.:80"} {
		w.refuses(get("/orders").at(host))
	}
	w.refuses(get("http://eu.example/orders").at("shop.example"))
	w.refuses(get("/shop/eu/list"))
	w.passesUntold(get("/orders"), "orders")
	w.passesUntold(get("/orders").at("eu.example.org"), "orders")
	w.passesUntold(get("/orders", "X-Forwarded-Host: eu.example"), "orders")
}

func testReadonlyScope(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{Scopes: scopes})
	w.on(recess.Opening{Scope: "api", Mode: state.ReadOnly})
	got := w.passes(get("/api/orders"), "api")
	if got.maintenance() != "readonly active scope=api" {
		t.Errorf("the handler was told %q", got.maintenance())
	}
	w.refuses(request("POST", "/api/orders"))
	w.passesUntold(request("POST", "/orders"), "orders")
}

func testScopeAsksNothing(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{Scopes: scopes, Logout: recess.Logout{Authenticated: true}})
	w.on(recess.Opening{Scope: "api"})
	w.passesUntold(get("/orders").as("alice"), "orders")
	if n := w.site.hooks.userCalls.Load() + w.site.hooks.logoutCalls.Load(); n != 0 {
		t.Errorf("the application was asked about the user %d times, want not at all", n)
	}
	w.refuses(get("/api/orders").as("alice"))
	if n := w.site.hooks.logoutCalls.Load(); n != 1 {
		t.Errorf("the session was ended %d times, want once", n)
	}
}

func testTwoWindows(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{Scopes: scopes})
	w.on(recess.Opening{Mode: state.ReadOnly})
	w.on(recess.Opening{Scope: "api"})
	w.refuses(get("/api/orders"))
	w.passes(get("/orders"), "orders")
	got := w.do(request("POST", "/orders"))
	w.hasHeader(request("POST", "/orders"), got, "Maintenance-Mode", "readonly")
	if len(got.ran) != 0 || got.status != 503 {
		t.Errorf("the read-only window let a POST pass: %d, %q", got.status, got.ran)
	}
}
