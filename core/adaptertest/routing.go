package adaptertest

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
)

var routingTests = []test{
	{"what no route serves is refused while closed and not found while open", testNotFound},
	{"a wrong method is refused while closed and the router's business while open", testWrongMethod},
	{"groups, nested groups and mounts are covered", testGroups},
	{"a slash too many runs no handler", testSlashRedirect},
	{"static files are covered, and let in by path", testFiles},
	{"a WebSocket's handshake is refused and the connection stays usable", testUpgrade},
	{"an allowance for one route never serves its neighbour", testNeighbours},
	{"what a framework does with a string later changes no decision", testReusedStrings},
}

func testNotFound(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{AllowPaths: []string{"/nowhere/else"}})
	notFound := func(a ask) answer {
		t.Helper()
		got := w.do(a)
		if got.status != 404 || len(got.ran) > 0 {
			t.Errorf("%s: status %d and %q ran, want a 404", a, got.status, got.ran)
		}
		return got
	}
	for _, target := range []string{"/nowhere", "/nowhere/else", "/shop/nowhere", "/mounted/nowhere"} {
		if got := notFound(get(target)); got.header.Get(page.HeaderName) != "" {
			t.Errorf("%s, nothing running: the response speaks of maintenance", target)
		}
	}
	w.on(recess.Opening{})
	for _, target := range []string{"/nowhere", "/shop/nowhere", "/free/nowhere", "/mounted/nowhere", "/nowhere/", "/favicon.ico", "/robots.txt"} {
		w.refuses(get(target))
	}
	// Whoever is let in meets the router as it is.
	a := get("/nowhere/else")
	w.hasHeader(a, notFound(a), page.HeaderName, "full;allowed")
}

func testWrongMethod(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{})
	a := request("DELETE", "/users/7")
	w.runsNothing(a, 404, 405)
	w.on(recess.Opening{})
	w.refuses(a)
	w.refuses(request("POST", "/live"))
	w.refuses(request("DELETE", "/shop/list"))
}

func testGroups(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{})
	for _, target := range []string{"/shop/list", "/shop/eu/list", "/mounted/page", "/mounted/cart", "/mounted", "/mounted/", "/free", "/free/", "/pay"} {
		w.refusesSlash(get(target))
	}
	w.off()
	w.passesUntold(get("/shop/list"), "shop-list")
	w.passesUntold(get("/shop/eu/list"), "shop-eu")
	w.passesUntold(get("/mounted/page"), "mounted-page")
	w.passesUntold(get("/mounted/cart"), "mounted-cart")
}

func testSlashRedirect(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{})
	for _, target := range []string{"/orders/", "/users/7/", "/shop/list/", "/mounted/page/", "/closed/", "/pay/now/", "/checkout/cart/"} {
		w.refusesSlash(get(target))
	}
	w.off()
	for _, target := range []string{"/closed/", "/pay/now/", "/mounted/closed/", "/private/page/", "/free/shut/"} {
		if got := w.do(get(target)); len(got.ran) > 0 {
			t.Errorf("%s: %q ran although it is forced on", target, got.ran)
		}
	}
}

func testFiles(t *testing.T, f Framework) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "site.txt"), []byte("a static file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := func(s *Site) {
		s.Root.Routes = append(s.Root.Routes, Route{Pattern: "/static", Kind: Files, Dir: dir})
	}
	served := func(got answer) bool { return got.status == 200 && got.body == "a static file\n" }

	w := f.open(t, recess.Policy{}, files)
	if got := w.do(get("/static/site.txt")); !served(got) {
		t.Fatalf("the file is not served: %d %q", got.status, got.body)
	}
	w.on(recess.Opening{})
	for _, target := range []string{"/static/site.txt", "/static/nowhere.txt", "/static//site.txt", "/static/x/../site.txt"} {
		w.refuses(get(target))
	}
	w.refuses(request("HEAD", "/static/site.txt"))
	w.refuses(get("/static/site.txt", "Range: bytes=0-1", "If-None-Match: *"))

	w = f.closed(t, recess.Policy{AllowPaths: []string{"/static/**"}}, files)
	a := get("/static/site.txt")
	got := w.do(a)
	if !served(got) {
		t.Errorf("the file is let in by path and not served: %d %q", got.status, got.body)
	}
	w.hasHeader(a, got, page.HeaderName, "full;allowed")
	w.refuses(get("/orders"))
}

func testUpgrade(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{})
	c := w.dial()
	defer c.Close()
	a := get("/any", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
	got := c.do(a)
	w.isRefusal(a, got, w.golden(a))
	if strings.Contains(strings.ToLower(got.header.Get("Connection")), "upgrade") {
		t.Errorf("the refusal says Connection: %s", got.header.Get("Connection"))
	}
	if !got.close {
		a = get("/live")
		w.isFrom(a, c.do(a), "live")
	}
}

func testNeighbours(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowPaths: []string{"/users/me", "/adm/**"}}, func(s *Site) {
		s.Root = Group{Routes: []Route{
			route("GET", "/users/me", "me"), route("GET", "/users/{id}", "user"), route("GET", "/adm", "adm"), route("GET", "/adm/x", "adm-x"),
			route("GET", "/admin", "admin"), route("GET", "/admx/x", "admx"),
		}}
	})
	w.passesByException(get("/users/me"), "me")
	w.passesByException(get("/adm"), "adm")
	w.passesByException(get("/adm/x"), "adm-x")
	for _, target := range []string{"/users/you", "/users/me2", "/users/ME", "/users/%6de", "/admin", "/admx/x"} {
		w.refuses(get(target))
	}
}

// testReusedStrings sends paths of one length over few connections: a framework that reuses its buffers changes the
// strings of an earlier request, and whoever kept one as the key of a cache now finds another route's marker.
func testReusedStrings(t *testing.T, f Framework) {
	var mu sync.Mutex
	kept := make(map[string]bool)
	w := f.closed(t, recess.Policy{
		AllowPaths: []string{"/cccccccc"},
		Allow: []recess.Predicate{{Name: "keeps", Match: func(r recess.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			kept[r.Path()+r.Method()] = true
			return false
		}}},
	}, func(s *Site) {
		s.Root = Group{Routes: []Route{
			route("GET", "/aaaaaaaa", "off", forceOff), route("GET", "/bbbbbbbb", "plain"), route("GET", "/cccccccc", "allowed"),
			route("GET", "/dddddddd", "on", forceOn), route("PUT", "/aaaaaaaa", "put"),
		}}
	})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			c := w.dial()
			defer c.Close()
			for range 40 {
				for _, a := range []ask{get("/aaaaaaaa"), get("/bbbbbbbb"), get("/cccccccc"), get("/dddddddd"), request("PUT", "/aaaaaaaa")} {
					switch got := c.do(a); {
					case got.err != nil:
						t.Errorf("%s: %v", a, got.err)
						return
					case a.method == "GET" && a.target == "/aaaaaaaa":
						w.isFrom(a, got, "off")
					case a.target == "/cccccccc":
						w.isFrom(a, got, "allowed")
					case len(got.ran) > 0 || got.status != 503:
						t.Errorf("%s: status %d and %q ran, want a refusal", a, got.status, got.ran)
					}
				}
			}
		})
	}
	group.Wait()
	w.idle()
}
