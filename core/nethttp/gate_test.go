package nethttp_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// open makes an engine; closed opens a window over the whole site as well.
func open(t *testing.T, p recess.Policy) *recess.Engine {
	t.Helper()
	engine, err := recess.New(t.Context(), recess.Config{
		Backend: memstate.New(memstate.Config{}), Policy: p, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() }) // nothing is left to save
	return engine
}

func closed(t *testing.T, p recess.Policy) *recess.Engine {
	t.Helper()
	engine := open(t, p)
	if _, err := engine.Control(state.Actor{Name: "test"}).On(t.Context(), recess.Opening{}); err != nil {
		t.Fatal(err)
	}
	return engine
}

func gateOf(t *testing.T, engine *recess.Engine, find nethttp.Finder) *nethttp.Gate {
	t.Helper()
	gate, err := nethttp.New(engine, nethttp.Hooks{}, find)
	if err != nil {
		t.Fatal(err)
	}
	return gate
}

func status(handler http.Handler, r *http.Request) int {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code
}

func TestNewNamesTheHooksThatThePolicyNeeds(t *testing.T) {
	for name, c := range map[string]struct {
		policy recess.Policy
		hooks  nethttp.Hooks
		want   string
	}{
		"a rule about users": {recess.Policy{AllowStaff: true}, nethttp.Hooks{}, "Hooks.User"},
		"logging out": {
			recess.Policy{Logout: recess.Logout{Authenticated: true}},
			nethttp.Hooks{User: func(nethttp.Context) recess.User { return recess.User{} }},
			"Hooks.Logout",
		},
	} {
		_, err := nethttp.New(open(t, c.policy), c.hooks, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that names %s", name, err, c.want)
		}
	}
}

func TestForwardedPeerOpensNothingOnceRemoteAddrIsOverwritten(t *testing.T) {
	engine := closed(t, recess.Policy{AllowNetworks: []string{"203.0.113.0/24"}, TrustedProxies: []string{"unix"}})
	gated := gateOf(t, engine, nil).Middleware(orders())
	// What chi's RealIP and gorilla's ProxyHeaders do.
	overwriting := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if forwarded := r.Header.Get("X-Forwarded-For"); forwarded != "" {
			r.RemoteAddr = forwarded
		}
		gated.ServeHTTP(w, r)
	})
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	r.RemoteAddr = "198.51.100.1:1234"
	r.Header.Set("X-Forwarded-For", "203.0.113.7")
	if got := status(overwriting, r); got != 503 {
		t.Errorf("a forged address of an allowed network: status %d, want 503", got)
	}
	// One that is overwritten together with a port can only be told by ConnContext.
	r.Header.Set("X-Forwarded-For", "203.0.113.7:80")
	peer := conn{remote: addr("198.51.100.1:1234")}
	if got := status(overwriting, r.WithContext(nethttp.ConnContext(t.Context(), peer))); got != 503 {
		t.Errorf("a forged address with a port, under ConnContext: status %d, want 503", got)
	}
	peer.remote = addr("203.0.113.7:1234")
	if got := status(overwriting, r.WithContext(nethttp.ConnContext(t.Context(), peer))); got != 200 {
		t.Errorf("a peer in the allowed network: status %d, want 200", got)
	}
}

// addr is an address as connections have it.
type addr string

func (a addr) Network() string { return "tcp" }
func (a addr) String() string  { return string(a) }

func TestMiddlewareWithoutFinderKnowsNoMarkers(t *testing.T) {
	engine := closed(t, recess.Policy{})
	gate := gateOf(t, engine, nil)
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	if got := status(gate.Middleware(gate.ForceOff(orders())), r); got != 503 {
		t.Errorf("status %d, want 503: nobody finds the marker", got)
	}
}

func TestForceOnRefusesWhereNobodyFindsIt(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	other := nethttp.MuxMarkers(http.NewServeMux()) // it knows nothing of the handler
	for name, find := range map[string]nethttp.Finder{"no finder": nil, "a finder of another mux": other} {
		for state, engine := range map[string]*recess.Engine{"off": open(t, recess.Policy{}), "closed": closed(t, recess.Policy{AllowPaths: []string{"/orders"}})} {
			gate := gateOf(t, engine, find)
			if got := status(gate.ForceOn(orders()), r); got != 503 {
				t.Errorf("%s, %s: status %d, want 503", name, state, got)
			}
			if got := status(gate.Middleware(gate.ForceOn(orders())), r); got != 503 {
				t.Errorf("%s, %s, behind the middleware: status %d, want 503", name, state, got)
			}
		}
	}
}

func TestMuxMarkersOfNestedMarkers(t *testing.T) {
	mux := http.NewServeMux()
	find := nethttp.MuxMarkers(mux)
	gate := gateOf(t, open(t, recess.Policy{}), find)
	nothing := http.NotFoundHandler()
	mux.Handle("/plain", nothing)
	mux.Handle("GET /nested", gate.Scope("shop")(gate.ForceOff(gate.Scope("eu")(gate.ForceOn(nothing)))))
	mux.Handle("/bad", gate.Scope("no name!")(nothing))
	for target, want := range map[string]string{
		"/plain": " []", "/nested": "on [shop eu]", "/nowhere": " []", "/bad": " [*]", "/nested/": " []",
	} {
		_, m := find(httptest.NewRequest(http.MethodGet, target, nil))
		if got := fmt.Sprint(m.Force.String(), " ", m.Scopes); got != want {
			t.Errorf("%s: marker %q, want %q", target, got, want)
		}
	}
	if _, m := find(httptest.NewRequest(http.MethodPost, "/nested", nil)); m.Force != recess.NotForced || len(m.Scopes) != 0 {
		t.Errorf("POST /nested: marker %v, want none", m)
	}
}

// TestRequestsAreNamedByWhoeverRoutesThem: by what the finder knows of the routes behind the gate, else by the mux before it.
func TestRequestsAreNamedByWhoeverRoutesThem(t *testing.T) {
	for name, c := range map[string]struct {
		find         func(*http.ServeMux) nethttp.Finder
		outer, inner string // the patterns that lead to the gate, and behind it
		want         string
	}{
		"the mux before the gate": {nil, "POST shop.example/reports/{id}", "/", "POST shop.example/reports/{id} for "},
		"the mux behind the gate": {nethttp.MuxMarkers, "/", "POST /reports/{id}", "POST /reports/{id} for "},
		"nobody":                  {nil, "", "/", "POST (no route) for "},
	} {
		t.Run(name, func(t *testing.T) {
			engine, inner := open(t, recess.Policy{NameRequests: true}), http.NewServeMux()
			var find nethttp.Finder
			if c.find != nil {
				find = c.find(inner)
			}
			said := ""
			inner.HandleFunc(c.inner, func(http.ResponseWriter, *http.Request) {
				control := engine.Control(state.Actor{})
				if _, err := control.On(t.Context(), recess.Opening{}); err != nil {
					t.Error(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				look := func(p recess.Progress) { // it waits for this very request
					if len(p.Instances) == 1 && p.Instances[0].Phase == recess.Draining {
						said = p.Instances[0].Words()
						cancel()
					}
				}
				for ; ctx.Err() == nil; runtime.Gosched() { // where nobody has announced himself yet nobody is waited for
					_ = control.Drain(ctx, look)
				}
			})
			handler := gateOf(t, engine, find).Middleware(inner)
			if c.outer != "" {
				mux := http.NewServeMux()
				mux.Handle(c.outer, handler)
				handler = mux
			}
			status(handler, httptest.NewRequest(http.MethodPost, "http://shop.example/reports/4711", nil))
			if !strings.HasPrefix(said, "has 1 request to finish, the oldest: "+c.want) {
				t.Errorf("it says %q, want %q", said, c.want)
			}
		})
	}
}

// TestAttachingLosesNoUpload: net/http removes the files of an upload from the request that it made itself, so the value
// must be attached to that one and not to a copy.
func TestAttachingLosesNoUpload(t *testing.T) {
	engine := closed(t, recess.Policy{AllowPaths: []string{"/orders"}})
	var seen *recess.Maintenance
	var given *http.Request
	handler := gateOf(t, engine, nil).Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen, given = recess.FromContext(r.Context()), r
	}))
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	status(handler, r)
	if seen == nil || !seen.Allowed || !seen.Active {
		t.Errorf("the handler was told %v, want a visitor let in by exception", seen)
	}
	if given != r {
		t.Error("the handler was given a copy of the request")
	}
}

// TestHealthAnswersOnAPortOfItsOwn has no gate before it.
func TestHealthAnswersOnAPortOfItsOwn(t *testing.T) {
	engine, err := recess.New(t.Context(), recess.Config{Policy: recess.Policy{Force: recess.ForcedOn, Readiness: recess.ReadyWhileOpen}})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	for target, status := range map[string]int{
		"/live": 200, "/ready": 503, "/health/live": 200, "/health/ready": 503, "/health/ready/": 503, "/": 404, "/alive": 404,
	} {
		w := httptest.NewRecorder()
		nethttp.Health(engine).ServeHTTP(w, httptest.NewRequest("GET", target, http.NoBody))
		if w.Code != status || status != 404 && !strings.Contains(w.Body.String(), `"live":true`) {
			t.Errorf("%s: %d %s, want %d", target, w.Code, w.Body, status)
		}
	}
}
