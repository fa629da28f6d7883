package adaptertest

import (
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
)

var stateTests = []test{
	{"off, everything passes and nothing is asked", testOff},
	{"on refuses and off lets pass, from the next request on", testSwitch},
	{"a planned window is told on passing responses", testPlanned},
	{"an announcement is told and refuses nothing", testAnnounce},
	{"a read-only window refuses unsafe methods and tells handlers", testReadonly},
	{"a window's end is told to those who are refused and to those let in", testEnd},
	{"an exception is kept from caches unless the handler says otherwise", testException},
	{"a policy that only reports lets everything pass", testReportOnly},
	{"a mode forced on refuses whatever the state is", testForcedOn},
	{"a mode forced off lets pass but for routes forced on", testForcedOff},
}

// curious is a policy of which every rule asks the application something, and counts that.
func curious(asked *atomic.Int64) recess.Policy {
	return recess.Policy{
		Logout:           recess.Logout{Authenticated: true},
		AllowRoles:       []string{"nobody"},
		Allow:            []recess.Predicate{{Name: "curious", Match: func(recess.Request) bool { asked.Add(1); return false }}},
		ResponseTypeFunc: func(recess.Request) page.Type { asked.Add(1); return "" },
		Context:          func(recess.Request) map[string]any { asked.Add(1); return nil },
	}
}

func testOff(t *testing.T, f Framework) {
	var asked atomic.Int64
	w := f.open(t, curious(&asked), func(s *Site) { s.Answers = true })
	for target, handler := range map[string]string{
		"/": "front", "/orders": "orders", "/users/7": "user", "/deep/a/b": "deep", "/live": "live", "/any": "any",
		"/checkout/cart": "cart", "/admin/users": "admin-users", "/free/deep/er": "free-deeper", "/mounted/page": "mounted-page",
	} {
		w.passesUntold(get(target).as("alice"), handler)
	}
	w.passesUntold(request("POST", "/orders").as("alice"), "orders")
	if n := asked.Load() + w.site.hooks.userCalls.Load() + w.site.hooks.logoutCalls.Load() + w.site.hooks.respondCalls.Load(); n != 0 {
		t.Errorf("the application was asked %d times, want not at all", n)
	}

	w.on(recess.Opening{})
	w.do(get("/orders").as("alice"))
	if n := asked.Load(); n != 3 {
		t.Errorf("closed, predicate, type and context were asked %d times in all, want once each", n)
	}
}

func testSwitch(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{})
	c := w.dial()
	defer c.Close()
	a := get("/orders")
	for range 20 {
		w.on(recess.Opening{})
		w.isRefusal(a, c.do(a), w.golden(a))
		w.off()
		w.isFrom(a, c.do(a), "orders")
	}
}

func testPlanned(t *testing.T, f Framework) {
	var asked atomic.Int64
	w := f.open(t, curious(&asked))
	start := time.Now().Add(time.Hour).Truncate(time.Second)
	end := start.Add(time.Hour)
	opening := recess.Opening{Start: start, End: end, Messages: map[string]string{"": "soon"}}
	if _, err := w.control.Schedule(t.Context(), opening); err != nil {
		t.Fatal(err)
	}
	a := get("/orders").as("alice")
	got := w.passes(a, "orders")
	w.hasHeader(a, got, page.HeaderName, "planned;start=@"+unix(start)+";until=@"+unix(end))
	if got.maintenance() != "full planned message=soon" {
		t.Errorf("the handler was told %q", got.maintenance())
	}
	if _, ok := got.header["Cache-Control"]; ok {
		t.Error("a response is kept from caches although nothing runs yet")
	}
	if n := asked.Load() + w.site.hooks.userCalls.Load() + w.site.hooks.logoutCalls.Load(); n != 0 {
		t.Errorf("the application was asked %d times, want not at all", n)
	}
	w.refuses(get("/closed"))
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func testAnnounce(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{})
	w.on(recess.Opening{Mode: state.Announce, Messages: map[string]string{"": "bear with us"}})
	for _, a := range []ask{get("/orders"), request("POST", "/orders")} {
		got := w.passes(a, "orders")
		w.hasHeader(a, got, page.HeaderName, "announce")
		if got.maintenance() != "announce announced message=bear with us" {
			t.Errorf("%s: the handler was told %q", a, got.maintenance())
		}
	}
}

func testReadonly(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{})
	w.on(recess.Opening{Mode: state.ReadOnly})
	for _, a := range []ask{get("/orders"), request("OPTIONS", "/orders")} {
		got := w.passes(a, "orders")
		if got.maintenance() != "readonly active" {
			t.Errorf("%s: the handler was told %q, want %q", a, got.maintenance(), "readonly active")
		}
	}
	if f.Traits.RoutesHead {
		w.passes(request("HEAD", "/orders"), "orders")
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		w.refuses(request(method, "/orders"))
	}
	for _, method := range []string{"FOO", "get", "Get", "HEADER", "PROPFIND"} {
		w.refusesMethod(request(method, "/orders"))
	}
	// The routed method counts: a wish in a header or in the query is none.
	w.refuses(request("POST", "/orders?_method=GET", "X-HTTP-Method-Override: GET"))
	w.passes(request("POST", "/live/any"), "live-any")
	// What a route that is forced on says does not depend on a window that would let the request pass.
	w.notice.Mode, w.expected = "full", nil
	w.refuses(get("/closed"))
}

func testEnd(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{AllowPaths: []string{"/healthz"}})
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	w.on(recess.Opening{End: end})
	a := get("/orders", "Accept: text/html")
	got := w.do(a)
	w.hasHeader(a, got, page.HeaderName, "full;until=@"+unix(end))
	seconds, err := strconv.Atoi(got.header.Get("Retry-After"))
	if err != nil || seconds < 1 || seconds > 3600 {
		t.Errorf("Retry-After is %q, want the seconds until the end", got.header.Get("Retry-After"))
	}
	w.notice.RetryAfter = time.Duration(seconds) * time.Second
	w.expected = nil
	w.isRefusal(a, got, w.golden(a))
	a = get("/healthz")
	w.hasHeader(a, w.passes(a, "healthz"), page.HeaderName, "full;allowed;until=@"+unix(end))
}

func testException(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowStaff: true})
	w.passesByException(get("/orders").as("staff"), "orders")
	a := get("/cached").as("staff")
	got := w.passes(a, "cached")
	w.hasHeader(a, got, "Cache-Control", "public, max-age=60")
	w.hasHeader(a, got, page.HeaderName, "full;allowed")
	// A route forced off is for everybody: no exception.
	w.passesUntold(get("/live").as("staff"), "live")
	if n := w.engine.Counts().Allowed; n != 2 {
		t.Errorf("%d requests are counted as let in by exception, want 2", n)
	}
}

func testReportOnly(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{ReportOnly: true, AllowPaths: []string{"/healthz"}})
	w.passesUntold(get("/orders"), "orders")
	w.passesUntold(request("POST", "/orders"), "orders")
	w.passesUntold(get("/closed"), "closed")
	w.passesByException(get("/healthz"), "healthz")
	if c := w.engine.Counts(); c.Refused != 0 || c.WouldRefuse < 3 {
		t.Errorf("%d refused and %d that would have been, want 0 and 3", c.Refused, c.WouldRefuse)
	}
}

func testForcedOn(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{Force: recess.ForcedOn, AllowPaths: []string{"/healthz"}})
	w.refuses(get("/orders"))
	w.passes(get("/live"), "live")
	w.passesByException(get("/healthz"), "healthz")
	if _, err := w.control.Off(t.Context(), recess.Ending{}); !errors.Is(err, recess.ErrForced) {
		t.Errorf("the state can be changed under a forced mode: %v", err)
	}
	w.refuses(get("/orders"))
}

func testForcedOff(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{Force: recess.ForcedOff})
	if _, err := w.control.On(t.Context(), recess.Opening{}); !errors.Is(err, recess.ErrForced) {
		t.Errorf("the state can be changed under a forced mode: %v", err)
	}
	w.passesUntold(get("/orders"), "orders")
	w.refuses(get("/closed"))
}
