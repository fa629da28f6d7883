package adaptertest

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
)

var callbackTests = []test{
	{"a callback that panics refuses the request and no more", testPanickingCallbacks},
	{"a callback that panics under a policy that only reports lets pass", testPanicReportOnly},
	{"the application answers in place of the page", testRespond},
	{"an application that fails to answer is answered for", testRespondFails},
	{"the application decides the type and adds to the body", testTypeAndContext},
}

func testPanickingCallbacks(t *testing.T, f Framework) {
	boom := func() { panic("the application's fault") }
	for _, c := range []struct {
		name   string
		policy recess.Policy
		adjust func(*Site)
	}{
		{"Hooks.User", recess.Policy{AllowStaff: true}, func(s *Site) {
			s.hooks.user = func(Call) recess.User { boom(); return recess.User{} }
		}},
		{"Hooks.Logout", recess.Policy{Logout: recess.Logout{Authenticated: true}}, func(s *Site) {
			s.hooks.logout = func(Call) error { boom(); return nil }
		}},
		{"a predicate", recess.Policy{Allow: []recess.Predicate{{Name: "x", Match: func(recess.Request) bool { boom(); return true }}}}, nil},
		{"ClientAddress", recess.Policy{
			AllowNetworks: []string{"127.0.0.1"}, ClientAddress: func(recess.Request) netip.Addr { boom(); return netip.Addr{} },
		}, nil},
		{"ResponseTypeFunc", recess.Policy{ResponseTypeFunc: func(recess.Request) page.Type { boom(); return "" }}, nil},
		{"Context", recess.Policy{Context: func(recess.Request) map[string]any { boom(); return nil }}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := f.closed(t, c.policy, func(s *Site) {
				if c.adjust != nil {
					c.adjust(s)
				}
			})
			wire := w.dial()
			defer wire.Close()
			for range 3 {
				a := get("/orders").as("alice")
				w.isRefusal(a, wire.do(a), page.Plain(503))
				a = get("/live").as("alice")
				w.isFrom(a, wire.do(a), "live")
			}
			a := request("HEAD", "/orders").as("alice")
			w.isRefusal(a, w.do(a), page.Plain(503))
			w.off()
			w.passesUntold(get("/orders").as("alice"), "orders")
			w.idle()
		})
	}
}

func testPanicReportOnly(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{
		ReportOnly: true, Allow: []recess.Predicate{{Name: "x", Match: func(recess.Request) bool { panic("the application's fault") }}},
	})
	w.passesUntold(get("/orders"), "orders")
}

func testRespond(t *testing.T, f Framework) {
	var reasons []recess.Reason
	w := f.closed(t, recess.Policy{AllowPaths: []string{"/healthz"}}, func(s *Site) {
		s.Answers = true
		s.hooks.respond = func(c Call, d recess.Decision) error {
			reasons = append(reasons, d.Reason)
			c.SetHeader("X-Own", "yes")
			return c.Reply(503, "our own words\n")
		}
	})
	for _, a := range []ask{get("/orders"), request("POST", "/orders"), get("/closed"), get("/nowhere")} {
		got := w.do(a)
		if len(got.ran) > 0 || got.status != 503 || got.body != "our own words\n" {
			t.Errorf("%s: %q ran, status %d, body %q, want the application's answer", a, got.ran, got.status, got.body)
		}
		for _, name := range []string{page.HeaderName, "Retry-After", "Cache-Control", "Vary", "X-Content-Type-Options"} {
			for _, field := range w.golden(a).Header {
				if field.Name == name {
					w.hasHeader(a, got, name, field.Value[0])
				}
			}
		}
		w.hasHeader(a, got, "X-Own", "yes")
	}
	w.passesByException(get("/healthz"), "healthz")
	w.passesUntold(get("/live"), "live")
	want := []recess.Reason{recess.ReasonWindow, recess.ReasonWindow, recess.ReasonMarker, recess.ReasonWindow}
	if len(reasons) != len(want) || reasons[0] != want[0] || reasons[2] != want[2] {
		t.Errorf("the hook was given the reasons %q, want %q", reasons, want)
	}
}

func testRespondFails(t *testing.T, f Framework) {
	for name, respond := range map[string]func(Call, recess.Decision) error{
		"by an error": func(Call, recess.Decision) error { return errors.New("no template") },
		"by a panic":  func(Call, recess.Decision) error { panic("no template") },
	} {
		t.Run(name, func(t *testing.T) {
			w := f.closed(t, recess.Policy{}, func(s *Site) { s.Answers, s.hooks.respond = true, respond })
			wire := w.dial()
			defer wire.Close()
			for range 3 {
				a := get("/orders")
				w.isRefusal(a, wire.do(a), w.golden(a))
				a = get("/live")
				w.isFrom(a, wire.do(a), "live")
			}
			w.idle()
		})
	}
}

func testTypeAndContext(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{
		ResponseTypeFunc: func(r recess.Request) page.Type {
			if strings.HasPrefix(r.Path(), "/api/") {
				return page.JSON
			}
			return ""
		},
		Context: func(r recess.Request) map[string]any { return map[string]any{"path": r.Path()} },
	})
	got := w.do(get("/api/orders", "Accept: text/html"))
	if got.status != 503 || len(got.ran) > 0 || got.header.Get("Content-Type") != "application/json; charset=utf-8" ||
		!strings.Contains(got.body, `"path":"/api/orders"`) {
		t.Errorf("the answer is %d %s %q", got.status, got.header.Get("Content-Type"), got.body)
	}
	w.refuses(get("/orders", "Accept: text/html"))
}
