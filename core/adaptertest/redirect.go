package adaptertest

import (
	"testing"

	"github.com/recess-go/recess/core"
)

var redirectTests = []test{
	{"refused visitors are sent to the target, which is let in", testRedirect},
	{"clients of JSON are answered, not sent away", testRedirectJSON},
	{"the target is let in in one spelling only", testRedirectSpelling},
	{"a target on this host does not loop", testRedirectAbsolute},
}

func testRedirect(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{Redirect: "/users/sorry"})
	for _, a := range []ask{get("/orders"), request("POST", "/orders"), request("HEAD", "/orders"), get("/nowhere"), get("/closed")} {
		got := w.refuses(a)
		w.hasHeader(a, got, "Location", "/users/sorry")
		w.hasHeader(a, got, "Cache-Control", "no-store")
		if got.status != 302 {
			t.Errorf("%s: status %d, want 302", a, got.status)
		}
	}
	w.passesByException(get("/users/sorry"), "user")
	w.passesByException(get("/users/sorry?from=/orders"), "user")
	w.passes(get("/live"), "live")
	w.off()
	w.passesUntold(get("/orders"), "orders")
	w.passesUntold(get("/users/sorry"), "user")
}

func testRedirectJSON(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{Redirect: "/users/sorry"})
	for _, accept := range []string{"application/json", "application/problem+json", "application/json, text/html;q=0.5"} {
		a := get("/orders", "Accept: "+accept)
		if got := w.refuses(a); got.status != 503 || got.header.Get("Location") != "" {
			t.Errorf("%s: status %d to %q, want 503", a, got.status, got.header.Get("Location"))
		}
	}
}

func testRedirectSpelling(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{Redirect: "/users/sorry"})
	for _, target := range []string{
		"/users/%73orry", "/users/SORRY", "//users/sorry", "/users/./sorry", "/x/../users/sorry", "/users/sorry;x",
		"/users/sorryx", "/orders?/users/sorry",
	} {
		w.refuses(get(target))
	}
	w.refusesSlash(get("/users/sorry%2f"))
	w.refusesSlash(get("/users/sorry/"))
}

func testRedirectAbsolute(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{Redirect: "http://shop.example/users/sorry"})
	w.refuses(get("/orders"))
	w.refusesItself(get("/users/sorry"))
	w.refusesItself(get("/users/sorry").at("SHOP.example.:80"))
	w.refuses(get("/users/sorry").at("other.example"))

	w = f.closed(t, recess.Policy{Redirect: "https://status.example/"})
	w.refuses(get("/orders"))
	w.refuses(get("/"))
}

// refusesItself wants the page for a request that a redirect would only lead back to.
func (w *world) refusesItself(a ask) {
	w.t.Helper()
	got := w.do(a)
	if got.status != 503 || got.header.Get("Location") != "" || len(got.ran) > 0 {
		w.t.Errorf("%s: status %d, Location %q and %q ran, want the page", a, got.status, got.header.Get("Location"), got.ran)
	}
}
