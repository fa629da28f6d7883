package adaptertest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
)

var nameTests = []test{
	{"requests that are late are named by their routes", testLateRequests},
	{"what has panicked is not named for ever", testLateAfterPanics},
	{"long-lived requests that are late are named, whatever the policy", testLateStreams},
	{"while requests are named all is decided as ever", testNamedDecisions},
}

// slow adds routes whose requests take as long as a test likes.
func slow(s *Site) {
	s.Root.Groups = append(s.Root.Groups,
		Group{Routes: []Route{slowRoute("GET,POST", "/reports/{id}"), slowRoute("GET", "/tree/{rest...}"), slowRoute("GET", "/marked", checkout)}},
		Group{Prefix: "/teams", Routes: []Route{slowRoute("GET", "/{team}/slow")}},
		Group{Prefix: "/annex", Mount: true, Routes: []Route{slowRoute("GET", "/{room}/slow")}},
	)
}

func slowRoute(methods, pattern string, marks ...Mark) Route {
	r := route(methods, pattern, pattern, marks...)
	r.Kind = Holds
	return r
}

// late closes the site and waits until it says of so many requests that they are late. It returns the names, by the patterns
// that the suite writes, and the phase's words.
func (w *world) late(n int64) (names []string, words string) {
	w.t.Helper()
	w.on(recess.Opening{})
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	known := make(map[string]string)
	w.site.Root.spellings("", known)
	look := func(p recess.Progress) {
		if len(p.Instances) != 1 || p.Instances[0].Phase != recess.Draining || p.Instances[0].Earlier != n {
			return
		}
		for _, work := range p.Instances[0].Oldest {
			method, pattern, _ := strings.Cut(work.Name, " ")
			if spelled, ok := known[pattern]; ok {
				pattern = spelled
			}
			names = append(names, method+" "+pattern)
			if work.Age < 0 || work.Age > patience.Milliseconds() {
				w.t.Errorf("%s is %d ms old", work.Name, work.Age)
			}
		}
		words = p.Instances[0].Words()
		cancel()
	}
	for ; ctx.Err() == nil; runtime.Gosched() { // where nobody has announced himself yet nobody is waited for
		_ = w.control.Drain(ctx, look)
	}
	if words == "" {
		w.t.Fatalf("it never said that %d are late", n)
	}
	slices.Sort(names)
	return names, words
}

// spellings collects how frameworks write the patterns of a group.
func (g *Group) spellings(prefix string, into map[string]string) {
	prefix += g.Prefix
	for _, r := range g.Routes {
		pattern := prefix + r.Pattern
		for _, spell := range []func(string) string{ColonPattern, StarPattern, BracePattern, MuxPattern} {
			into[spell(pattern)] = pattern
		}
	}
	for i := range g.Groups {
		g.Groups[i].spellings(prefix, into)
	}
}

// begin has requests run until the function that it returns is called.
func (w *world) begin(asks ...ask) (end func()) {
	w.t.Helper()
	var group sync.WaitGroup
	for _, a := range asks {
		group.Go(func() {
			if got := w.do(a); got.err != nil || got.status != 200 {
				w.t.Errorf("%s: status %d, %v", a, got.status, got.err)
			}
		})
	}
	for range asks {
		select {
		case <-w.site.holding:
		case <-time.After(patience):
			w.t.Fatal("a request has not begun")
		}
	}
	return func() {
		w.t.Helper()
		close(w.site.held)
		group.Wait()
		w.drains()
	}
}

func testLateRequests(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{NameRequests: true}, slow)
	end := w.begin(get("/reports/4711?secret=x"), request("POST", "/reports/4712"), get("/annex/blue/slow"), get("/teams/a/slow"))
	for n := range 50 { // what the framework keeps of a request it uses again for the next
		w.passes(get(fmt.Sprintf("/users/%d", n)), "user")
	}
	names, words := w.late(4)
	want := []string{"GET /annex/{room}/slow", "GET /reports/{id}", "GET /teams/{team}/slow", "POST /reports/{id}"}
	if !slices.Equal(names, want) {
		t.Errorf("it names %q, want %q", names, want)
	}
	if strings.Contains(words, "471") || strings.Contains(words, "secret") || strings.Contains(words, "blue") {
		t.Errorf("%q tells what the paths hold", words)
	}
	end()

	w = f.open(t, recess.Policy{NameRequests: true}, slow)
	end = w.begin(get("/tree/a/b"), get("/marked"))
	if names, _ := w.late(2); !slices.Equal(names, []string{"GET /marked", "GET /tree/{rest...}"}) {
		t.Errorf("it names %q", names)
	}
	end()

	w = f.open(t, recess.Policy{}, slow)
	end = w.begin(get("/reports/4711"))
	if names, words := w.late(1); len(names) > 0 || words != "has 1 request to finish" {
		t.Errorf("nobody asked for names, and it says %q", words)
	}
	end()
}

func testLateAfterPanics(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{NameRequests: true}, slow)
	for range 5 {
		w.do(get("/panics"))
	}
	w.idle()
	end := w.begin(get("/marked"))
	if names, _ := w.late(1); !slices.Equal(names, []string{"GET /marked"}) {
		t.Errorf("after five that have panicked it names %q", names)
	}
	end()
}

func testLateStreams(t *testing.T, f Framework) {
	for name, policy := range map[string]recess.Policy{"requests have no names": {}, "requests have names": {NameRequests: true}} {
		t.Run(name, func(t *testing.T) {
			policy.Grace = time.Hour
			w := f.open(t, policy, func(s *Site) {
				s.Root.Groups = append(s.Root.Groups, streams()...)
				for i := range s.Root.Groups {
					if s.Root.Groups[i].Prefix == "/streams" { // its marker is the group's
						s.Root.Groups[i].Routes = append(s.Root.Groups[i].Routes, slowRoute("GET", "/{topic}/slow"))
					}
				}
				s.Root.Routes = append(s.Root.Routes, slowRoute("GET", "/polls/{id}", long))
			})
			socket := w.listen(t, get("/socket", "Connection: Upgrade", "Upgrade: test"))
			end := w.begin(get("/streams/4711/slow"), get("/polls/4711"))
			w.streaming(3)
			names, words := w.late(3)
			if !slices.Equal(names, []string{"GET /polls/{id}", "GET /socket", "GET /streams/{topic}/slow"}) {
				t.Errorf("it names %q", names)
			}
			if !strings.HasPrefix(words, "has 3 requests to finish, 3 of them streams that were told to end, the oldest: GET ") {
				t.Errorf("it says %q", words)
			}
			_ = socket.wire.Close()
			end()
		})
	}
}

// testNamedDecisions looks at each kind of decision once more, on the way that requests take while they are named.
func testNamedDecisions(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{NameRequests: true, AllowPaths: []string{"/healthz"}})
	w.passesUntold(get("/orders"), "orders")
	w.passesUntold(get("/live"), "live")
	w.refuses(get("/closed"))
	w.refuses(get("/pay/now"))
	w.do(get("/nowhere"))
	w.on(recess.Opening{Scope: "checkout"})
	w.refuses(get("/checkout/cart"))
	w.passesUntold(get("/orders"), "orders")
	w.on(recess.Opening{})
	w.refuses(get("/orders"))
	w.passesByException(get("/healthz"), "healthz")
	w.passesUntold(get("/live"), "live")
	w.idle()
}
