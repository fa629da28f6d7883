package adaptertest

import (
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/oracle"
	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// Triples compares one framework with the definition of what is decided, for states, policies and requests that are drawn at
// random. All frameworks draw the same, so all of them decide alike, as far as a client, a handler and a session can tell.
//
// RECESS_TEST_TRIPLES says how many, 2,000 by default, and RECESS_TEST_SEED which; a failure says how to see it again.
func Triples(t *testing.T, f Framework) {
	count, seed := number(t, "RECESS_TEST_TRIPLES", 2000), number(t, "RECESS_TEST_SEED", 1)
	const requests = 50 // of one policy and state
	var seen tally
	for i := 0; seen.asked < count; i++ {
		t.Run(strconv.Itoa(i), func(t *testing.T) { // which ends the site
			f.triples(t, rand.New(rand.NewPCG(uint64(seed), uint64(i))), requests, &seen)
			if t.Failed() {
				t.Logf("RECESS_TEST_SEED=%d RECESS_TEST_TRIPLES=%d go test -run '%s'", seed, count, t.Name())
			}
		})
	}
	t.Logf("%d of %d requests were refused, %d let in by exception", seen.refused, seen.asked, seen.allowed)
	if count >= 1000 && (seen.refused < count/20 || seen.allowed < count/20) {
		t.Errorf("%d of %d requests were refused, %d let in by exception: nothing is tried so", seen.refused, seen.asked, seen.allowed)
	}
}

func number(t *testing.T, variable string, otherwise int) int {
	text, ok := os.LookupEnv(variable)
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q is no number", variable, text)
	}
	return n
}

// tally counts what came of the requests, so that a test which tries nothing is found.
type tally struct{ asked, refused, allowed int }

// dice draw by chance.
type dice struct{ *rand.Rand }

func (d dice) Draw(_ string, n int) int { return d.IntN(n) }

const headerWho = "X-Test-Who" // the number of the request, by which the hook finds its user

func (f Framework) triples(t *testing.T, random *rand.Rand, n int, seen *tally) {
	from, now := dice{random}, time.Now()
	policy, windows := oracle.DrawPolicy(from), oracle.DrawWindows(from, now)
	policy.TrustedProxies = []string{"127.0.0.1"} // the addresses are forwarded
	policy.HoldRequests = -1                      // nobody has that much time
	issued, written, err := oracle.DrawPasses(from, now)
	if err != nil {
		t.Fatal(err)
	}
	document, err := state.Encode(state.State{Version: state.Version, Epoch: 1, Revision: 1, Windows: windows, Passes: written})
	if err != nil {
		t.Fatal(err)
	}
	backend := memstate.New(memstate.Config{})
	if _, err := backend.Save(t.Context(), state.None, document); err != nil {
		t.Fatal(err)
	}

	// What a route says belongs to the route, so it is drawn with the site.
	markers := make(map[string]recess.Marker)
	var routes []Route
	for _, path := range oracle.Paths() {
		marker := oracle.DrawMarker(from)
		if path == "/A" && f.Traits.LooseCase {
			continue // which is /a there
		}
		markers[path] = marker
		routes = append(routes, route("", path, path, marks(marker)...))
	}
	all := make([]*oracle.Request, 0, n)
	var ended atomic.Int64 // how often the session of the request at hand
	listener := newPipes()
	w := f.openWith(t, backend, listener, listener.connect, policy, func(s *Site) {
		s.Root = Group{Routes: routes}
		s.hooks.user = func(c Call) recess.User {
			if i, err := strconv.Atoi(c.Header(headerWho)); err == nil && i < len(all) && ended.Load() == 0 {
				return all[i].User
			}
			return recess.User{}
		}
		s.hooks.logout = func(Call) error { ended.Add(1); return nil }
	})
	for range n {
		r := oracle.DrawRequest(from, issued)
		if marker, ok := markers[r.Path]; ok && r.Method != "FOO" { // a method that only some frameworks know
			r.Marker = marker
			all = append(all, r)
		}
	}
	c := w.dial()
	defer func() { c.Close() }()
	for i, r := range all {
		want := oracle.Decide(policy, windows, r, now, true)
		if want.Unsure {
			continue
		}
		a := ask{method: r.Method, target: r.Path, proto: "HTTP/1.1", host: r.Host, lines: []string{headerWho + ": " + strconv.Itoa(i), "X-Forwarded-For: " + r.Peer}}
		if r.Secret != "" {
			a.lines = append(a.lines, "X-Key: "+r.Secret)
		}
		if r.Carrier != "" {
			a.lines = append(a.lines, r.Carrier+": "+r.Carried)
		}
		got := c.do(a)
		w.follows(a, got, ended.Swap(0), want)
		if t.Failed() {
			t.Logf("%+v\nunder %+v\nwith %+v\nhas %+v, want %+v", r, policy, windows, got, want)
			return
		}
		seen.asked++
		switch {
		case want.Refuse:
			seen.refused++
		case want.Reason != recess.ReasonOpen && want.Reason != recess.ReasonMarker:
			seen.allowed++
		}
		if got.err != nil || got.close {
			c.Close()
			c = w.dial()
		}
	}
}

// marks are the markers that say this.
func marks(m recess.Marker) (all []Mark) {
	for _, scope := range m.Scopes {
		all = append(all, Mark{Scope: scope})
	}
	if m.Force != recess.NotForced {
		all = append(all, Mark{Force: m.Force})
	}
	return all
}

// follows compares an answer with a verdict.
func (w *world) follows(a ask, got answer, ended int64, want oracle.Verdict) {
	w.t.Helper()
	mode, told := page.ParseModeField(got.header.Get(page.HeaderName))
	if got.err != nil {
		w.t.Errorf("%s: %v", a, got.err)
	}
	if want.Refuse {
		if got.status != http.StatusServiceUnavailable || len(got.ran) > 0 || !told || mode.Allowed {
			w.t.Errorf("%s: status %d, %q ran, and it says %+v, want a refusal (%s)", a, got.status, got.ran, mode, want.Reason)
		}
	} else {
		exception := want.Reason != recess.ReasonOpen && want.Reason != recess.ReasonMarker
		if got.status != http.StatusOK || !slices.Equal(got.ran, []string{a.target}) || (told && mode.Allowed) != exception {
			w.t.Errorf("%s: status %d, %q ran, and it says %+v, want it let in (%s)", a, got.status, got.ran, mode, want.Reason)
		}
		if private := strings.Contains(got.header.Get("Cache-Control"), "private"); private != exception {
			w.t.Errorf("%s: Cache-Control is %q, and it is let in by %s", a, got.header["Cache-Control"], want.Reason)
		}
	}
	if (ended > 0) != want.LoggedOut || ended > 1 {
		w.t.Errorf("%s: the session was ended %d times, want %v", a, ended, want.LoggedOut)
	}
}
