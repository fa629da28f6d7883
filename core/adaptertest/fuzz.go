package adaptertest

import (
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
)

// Fuzz is the differential fuzz of one framework: which handler its router ran, against what could have let it in.
// Requests go raw over connections in memory to three sites: one that is closed with allowances for two paths, one
// with a scope closed by path and by marker, one with nothing running.
//
// Run it with -fuzzminimizetime 10x: a server's goroutines never cover the same lines twice, and the fuzzing engine
// would spend its time on making such inputs smaller.
func Fuzz(f *testing.F, framework Framework) {
	f.Helper()
	sites := fuzzSites(f, framework)
	for i, path := range []string{"/healthz", "/api/orders", "/closed"} {
		for _, target := range spellings(path) {
			f.Add(byte(i), "GET", target, "shop.example", "") // the site that has most to lose by this path
		}
	}
	for _, method := range []string{"HEAD", "POST", "OPTIONS", "TRACE", "CONNECT", "FOO", "get"} {
		for i := range sites {
			f.Add(byte(i), method, "/healthz", "open.example.:80", "Accept: application/json\nX-HTTP-Method-Override: GET\nX-Original-URL: /live")
		}
	}
	f.Fuzz(func(t *testing.T, which byte, method, target, host, lines string) {
		sites[int(which)%len(sites)].try(t, wild(method, target, host, lines))
	})
}

// fuzzed is one site under the fuzz.
type fuzzed struct {
	world  *world
	wire   *wire // kept from one request to the next
	claims []claim
	// told is what the response's Maintenance-Mode says when the handler ran; "" says nothing.
	told map[string]string
}

func fuzzSites(f *testing.F, framework Framework) []*fuzzed {
	open := func(p recess.Policy) *world {
		listener := newPipes()
		return framework.openOn(f, listener, listener.connect, p, func(s *Site) { s.Root = fuzzRoutes() })
	}
	others := anywhere("front", "healthz", "open", "openx", "x", "user", "live", "live-any", "free", "secret")

	closed := &fuzzed{world: open(recess.Policy{AllowPaths: []string{"/healthz", "/open/**"}})}
	closed.world.on(recess.Opening{})
	closed.claims = append(anywhere("live", "live-any", "free"), exactly("healthz", "/healthz"), below("open", "/open"))
	closed.told = map[string]string{"healthz": "full;allowed", "open": "full;allowed"}

	scoped := &fuzzed{world: open(recess.Policy{Scopes: map[string][]string{"checkout": {"/api/**"}}}), claims: others}
	scoped.world.on(recess.Opening{Scope: "checkout"})

	off := &fuzzed{world: open(recess.Policy{}), claims: append(anywhere("api", "cart"), others...)}
	return []*fuzzed{closed, scoped, off}
}

// fuzzRoutes has a handler of its own name for each pattern.
func fuzzRoutes() Group {
	return Group{
		Routes: []Route{
			route("GET", "/", "front"),
			route("GET,POST", "/healthz", "healthz"),
			route("GET,POST", "/secret", "secret"),
			route("GET", "/open/{rest...}", "open"),
			route("GET", "/openx/{rest...}", "openx"),
			route("GET", "/x/{rest...}", "x"),
			route("GET", "/users/{id}", "user"),
			route("GET", "/live", "live", forceOff),
			route("", "/live/any", "live-any", forceOff),
			route("", "/closed", "closed", forceOn),
			route("GET,POST", "/checkout/cart", "cart", checkout),
			route("GET,POST", "/api/{rest...}", "api"),
		},
		Groups: []Group{
			{Prefix: "/free", Marks: []Mark{forceOff}, Routes: []Route{
				route("GET", "/{id}", "free"),
				route("GET", "/shut/{rest...}", "closed", forceOn),
			}},
			{Prefix: "/mounted", Mount: true, Marks: []Mark{forceOn}, Routes: []Route{
				route("GET", "/page", "closed"),
				route("GET", "/", "closed"),
			}},
		},
	}
}

// wild makes a request of what the fuzz came up with. It keeps to one request: how a body is framed and where a line
// ends is the server's business and not the gate's.
func wild(method, target, host, lines string) ask {
	oneLine := strings.NewReplacer("\r", "", "\n", "")
	a := request(strings.Map(visible, method), oneLine.Replace(target))
	a.host = oneLine.Replace(host)
	for line := range strings.SplitSeq(strings.ReplaceAll(lines, "\r", ""), "\n") {
		name, _, isField := strings.Cut(line, ":")
		if !isField {
			continue // fasthttp waits for the rest of such a line, also without a gate
		}
		switch strings.Map(letters, strings.ToLower(name)) {
		case "", "contentlength", "transferencoding", "expect", "trailer", "host":
		default:
			a.lines = append(a.lines, line)
		}
	}
	return a
}

func visible(r rune) rune {
	if r <= ' ' {
		return -1
	}
	return r
}

func letters(r rune) rune {
	if r < 'a' || r > 'z' {
		return -1
	}
	return r
}

// try sends one request and judges what ran.
func (s *fuzzed) try(t *testing.T, a ask) {
	s.world.t = t
	if s.wire == nil {
		s.wire = s.world.dial()
		s.wire.patience = 5 * time.Second // the fuzzing engine kills a worker after ten
	}
	got := s.wire.do(a)
	got.ran = append(got.ran, s.world.site.allRan()...)
	if got.err != nil || got.close || a.method == "CONNECT" || got.status/100 == 1 {
		_ = s.wire.Close()
		s.wire = nil
	}

	if name := trespass(a.target, got.ran, s.claims); name != "" {
		t.Errorf("%s: %q ran, which nothing let in", a, name)
	}
	if len(got.ran) > 1 {
		t.Errorf("%s: %q ran for one request", a, got.ran)
	}
	if got.err != nil {
		t.Errorf("%s: %v", a, got.err)
	}
	for _, name := range got.ran {
		if told := got.header.Get(page.HeaderName); told != s.told[name] {
			t.Errorf("%s: %q ran and the response says %q, want %q", a, name, told, s.told[name])
		}
		if got.status != 200 {
			t.Errorf("%s: %q ran and the status is %d", a, name, got.status)
		}
	}
}

// allRan returns all handlers that ran, whatever the request's id, and forgets them.
func (s *Site) allRan() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, names := range s.runs {
		all = append(all, names...)
	}
	clear(s.runs)
	return all
}
