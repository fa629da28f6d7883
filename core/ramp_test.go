package recess

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
)

// reopen ends the windows of a site by degrees.
func reopen(t *testing.T, e *Engine, ramp time.Duration) Change {
	t.Helper()
	change, err := e.Control(state.Actor{}).Off(t.Context(), Ending{Ramp: ramp})
	if err != nil {
		t.Fatal(err)
	}
	return change
}

// visitors are so many clients with addresses of their own.
func visitors(n int) []*asked {
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]*asked, n)
	for i := range all {
		all[i] = &asked{peer: netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), byte(random.Uint32())}), 1).String()}
	}
	return all
}

// TestARampLetsInAShareOfTheVisitors: at a share p within 1 % of p, on two instances the same, and nobody is shut out again.
func TestARampLetsInAShareOfTheVisitors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{}, Policy{})
		c.on(t)
		synctest.Wait()
		one, other := c.engines[0], c.engines[1]
		all := visitors(100_000)
		in := make([]bool, len(all))
		if _, err := c.Off(t.Context(), Ending{Ramp: 1000 * time.Second}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, share := range []float64{0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99} {
			time.Sleep(time.Until(one.Situation().Running[0].End.Add(-time.Duration((1 - share) * float64(1000*time.Second)))))
			synctest.Wait()
			passed := 0
			for i, v := range all {
				d := decide(one, v)
				if second := decide(other, v); second.Refuse != d.Refuse {
					t.Fatalf("at %v one instance lets %s in and the other does not", share, v.peer)
				}
				if d.Refuse && in[i] {
					t.Fatalf("at %v %s is shut out again", share, v.peer)
				}
				if in[i] = !d.Refuse; in[i] {
					passed++
				}
			}
			if got := float64(passed) / float64(len(all)); math.Abs(got-share) > 0.01 {
				t.Errorf("at %v %v are let in", share, got)
			}
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if !one.Open() || !other.Open() {
			t.Error("the ramp is over, and something runs still")
		}
	})
}

func TestTheTurnIsTheUsersOrElseTheClients(t *testing.T) {
	named := func(name string) func() User { return func() User { return User{Name: name, Authenticated: true} } }
	for _, c := range []struct {
		name string
		a, b asked
		same bool
	}{
		{"one address, two ports", asked{peer: "203.0.113.7:1"}, asked{peer: "203.0.113.7:2"}, true},
		{"two addresses", asked{peer: "203.0.113.7:1"}, asked{peer: "203.0.113.8:1"}, false},
		{"one network of IPv6", asked{peer: "[2001:db8::1]:1"}, asked{peer: "[2001:db8::abcd:1]:1"}, true},
		{"two networks of IPv6", asked{peer: "[2001:db8:0:1::1]:1"}, asked{peer: "[2001:db8:0:2::1]:1"}, false},
		{"IPv4 within IPv6", asked{peer: "[::ffff:203.0.113.7]:1"}, asked{peer: "203.0.113.7:1"}, true},
		{"one user at two places", asked{peer: "203.0.113.7:1", user: named("alice")}, asked{peer: "203.0.113.8:1", user: named("alice")}, true},
		{"two users at one place", asked{peer: "203.0.113.7:1", user: named("alice")}, asked{peer: "203.0.113.7:1", user: named("bob")}, false},
		{"a name that nobody has checked", asked{peer: "203.0.113.7:1", user: func() User { return User{Name: "alice"} }}, asked{peer: "203.0.113.7:1"}, true},
		{"a user without a name", asked{peer: "203.0.113.7:1", user: func() User { return User{Authenticated: true} }}, asked{peer: "203.0.113.7:1"}, true},
	} {
		q := func(a *asked) *inquiry {
			rules, err := compile(Policy{})
			if err != nil {
				t.Fatal(err)
			}
			return &inquiry{request: a, rules: rules}
		}
		a, knownA := q(&c.a).visitor()
		b, knownB := q(&c.b).visitor()
		if !knownA || !knownB || (turnOf("w", a) == turnOf("w", b)) != c.same {
			t.Errorf("%s: %q and %q", c.name, a, b)
		}
		if turnOf("w", a) == turnOf("v", a) {
			t.Errorf("%s: the turn is the same in two windows", c.name)
		}
	}
}

func TestWhomNobodyKnowsComesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		on(t, e, Opening{})
		reopen(t, e, 1000*time.Second)
		time.Sleep(999900 * time.Millisecond)
		synctest.Wait()
		if d := decide(e, &asked{}); !d.Refuse { // over a Unix socket, and the proxy is not trusted
			t.Errorf("it is let in: %+v", d)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if d := decide(e, &asked{}); d.Refuse {
			t.Errorf("the ramp is over: %+v", d)
		}
	})
}

// early is a visitor who comes in within the first tenth of the ramp that runs, or if late, within the last.
func early(e *Engine, late bool) *asked {
	id := e.Situation().Running[0].ID
	for i := 1; ; i++ {
		a := &asked{peer: fmt.Sprintf("198.51.%d.%d:1", i>>8&255, i&255)}
		q := inquiry{request: a, rules: e.rules}
		who, _ := q.visitor()
		if turn := percent(turnOf(id, who)); !late && turn < 10 || late && turn > 90 {
			return a
		}
	}
}

func TestWhoIsLetInAndWhoIsNotAreToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		on(t, e, Opening{})
		change := reopen(t, e, 10*time.Minute)
		if len(change.Updated) != 1 || len(change.Ended) != 0 {
			t.Fatalf("off: %+v", change)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		in, out := early(e, false), early(e, true)
		if !admit(e, in) || in.attached == nil || !in.attached.Allowed || in.sent.Get("Cache-Control") != "private, no-store" {
			t.Errorf("who is let in: %+v, %v", in.attached, in.sent)
		}
		if mode, ok := page.ParseModeField(in.sent.Get(page.HeaderName)); !ok || !mode.Allowed {
			t.Errorf("the header says %q", in.sent.Get(page.HeaderName))
		}
		if d := decide(e, in); d.Reason != ReasonRamp || d.Rule == "" {
			t.Errorf("the decision is %+v", d)
		}
		if admit(e, out) || header(out.answered, "Retry-After") != "30" {
			t.Errorf("who is not comes back after %q, want a twentieth of the ramp", header(out.answered, "Retry-After"))
		}
		explained := e.Explain(out)
		if len(explained.Notes) == 0 || !explained.Decision.Refuse {
			t.Errorf("it is explained by %s", explained.String())
		}
		if s := e.Situation(); !s.Active() {
			t.Error("it still refuses, and is not active")
		}
	})
}

// TestARampIsOneAmongOtherWindows: who is let in by it is still refused by another window, and by the order's first rules.
func TestARampIsOneAmongOtherWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{Policy: Policy{Scopes: map[string][]string{"shop": {"/shop/**"}}}})
		on(t, e, Opening{})
		reopen(t, e, 10*time.Minute)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		in := early(e, false)
		if !admit(e, in) {
			t.Fatal("refused")
		}
		on(t, e, Opening{Scope: "shop"})
		if !admit(e, in) {
			t.Error("refused by a window over another part")
		}
		if admit(e, &asked{peer: in.peer, path: "/shop/list"}) {
			t.Error("let in where another window is closed")
		}
		if admit(e, &asked{peer: in.peer, marker: Marker{Force: ForcedOn}}) {
			t.Error("let in where a route is forced on")
		}
		off(t, e) // the rest of the ramp
		if !admit(e, &asked{}) || admit(e, &asked{path: "/shop/list"}) {
			t.Error("off ends the ramp, and that alone")
		}
	})
}

func TestOnClosesAgainAndAFurtherRampChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		on(t, e, Opening{})
		reopen(t, e, 10*time.Minute)
		time.Sleep(5 * time.Minute)
		if change := reopen(t, e, time.Hour); change.Changed() {
			t.Errorf("a slower ramp would shut visitors out: %+v", change)
		}
		synctest.Wait()
		in := early(e, false)
		on(t, e, Opening{})
		if admit(e, in) {
			t.Error("on does not close")
		}
		if w := e.Situation().Running[0]; !w.End.IsZero() || w.Ramp != 0 {
			t.Errorf("it closes until %v", w.End)
		}
		reopen(t, e, 10*time.Minute)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if s := e.Situation().Running[0].Share(time.Now()); s > 0.01 {
			t.Errorf("the second ramp begins with %v", s)
		}
	})
}

// TestAClockThatIsSetBackShutsNobodyOut.
func TestAClockThatIsSetBackShutsNobodyOut(t *testing.T) {
	e := started(t, Config{})
	now := time.Now()
	s := state.State{Windows: []state.Window{{ID: "w", Mode: state.Full, End: now.Add(50 * time.Second), Ramp: 100 * time.Second}}}
	before := e.compileSnapshot(&s, now)
	share := before.running[0].share.Load()
	before.refresh(now.Add(-20 * time.Second))
	if before.running[0].share.Load() != share || share == 0 {
		t.Errorf("the share was %v, and is %v", percent(share), percent(before.running[0].share.Load()))
	}
	after := e.compileSnapshot(&s, now.Add(-20*time.Second))
	after.keepShares(before)
	if after.running[0].share.Load() != share {
		t.Errorf("in the next snapshot it is %v", percent(after.running[0].share.Load()))
	}
}

func TestWhatCanReopenByDegrees(t *testing.T) {
	for _, c := range []struct {
		name string
		open Opening
		want string // of the change: opened, updated, ended
	}{
		{"full", Opening{}, "0 1 0"},
		{"readonly", Opening{Mode: state.ReadOnly}, "0 1 0"},
		{"hold", Opening{Mode: state.Hold}, "0 0 1"},
		{"announce", Opening{Mode: state.Announce}, "0 0 1"},
		{"planned", Opening{Start: time.Now().Add(48 * time.Hour)}, "0 0 1"},
		{"it ends before", Opening{End: time.Now().Add(time.Minute)}, "0 1 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := started(t, Config{})
			on(t, e, c.open)
			change := reopen(t, e, time.Hour)
			if got := fmt.Sprint(len(change.Opened), len(change.Updated), len(change.Ended)); got != c.want {
				t.Errorf("opened, updated and ended are %s, want %s", got, c.want)
			}
			for _, w := range change.Updated {
				if !c.open.End.IsZero() && w.End.After(c.open.End) {
					t.Errorf("it ends at %v, later than it would have", w.End)
				}
			}
		})
	}
	if _, err := started(t, Config{}).Control(state.Actor{}).Off(t.Context(), Ending{Ramp: 25 * time.Hour}); err == nil {
		t.Error("a ramp of 25 hours")
	}
}

func TestAnOccurrenceReopensByDegrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		if _, err := e.Control(state.Actor{}).Schedule(t.Context(), Opening{Repeat: nightly()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24*hour + time.Minute)
		synctest.Wait()
		change := reopen(t, e, 10*time.Minute)
		if len(change.Opened) != 1 || len(change.Recurring) != 1 || change.Opened[0].ID == change.Recurring[0].ID {
			t.Fatalf("%+v", change)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if !admit(e, early(e, false)) || admit(e, early(e, true)) {
			t.Error("half of the visitors are not let in")
		}
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if s := e.Situation(); len(s.Running) != 0 || len(s.Planned) != 1 {
			t.Errorf("after the ramp: %+v", s)
		}
	})
}

func TestATurnCostsNoAllocation(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { turnOf("w0123456789abcdef", []byte("client 1234")) }); n > 0 {
		t.Errorf("drawing a turn allocates %v times", n)
	}
}

// TestTheShareGrowsWhateverTheAnswersSay: the countdown of Retry-After is not what moves it.
func TestTheShareGrowsWhateverTheAnswersSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{Policy: Policy{RetryAfter: NoRetryAfter}, Poll: time.Hour})
		on(t, e, Opening{})
		reopen(t, e, 100*time.Second)
		for second := 10; second < 100; second += 10 {
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if share := percent(e.snap.Load().running[0].share.Load()); math.Abs(share-float64(second)) > 1 {
				t.Errorf("after %d %% of the ramp the share is %.1f %%", second, share)
			}
		}
	})
}

// TestARampThatIsPlannedBegins in time: its page is another one from then on.
func TestARampThatIsPlannedBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFallible()
		t.Cleanup(func() { b.Close() })
		end := time.Now().Add(2 * time.Hour).UTC()
		data, err := state.Encode(state.State{Version: state.Version, Windows: []state.Window{{ID: "w", Mode: state.Full, End: end, Ramp: time.Hour}}})
		if err != nil {
			t.Fatal(err)
		}
		b.becomes(t, data)
		e := started(t, Config{Backend: b, Poll: time.Minute})
		time.Sleep(time.Hour - time.Second)
		synctest.Wait()
		if snap := e.snap.Load(); snap.running[0].reopens || snap.running[0].share.Load() != 0 {
			t.Error("it begins too early")
		}
		if status := e.PublicStatus(); *status.RetryAfter != 3601 {
			t.Errorf("before its ramp the status says to come back in %d s", *status.RetryAfter)
		}
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		if !e.snap.Load().running[0].reopens {
			t.Error("it has not begun")
		}
		if status := e.PublicStatus(); !status.Active || *status.RetryAfter != 60 {
			t.Errorf("while it reopens the status says to come back in %d s", *status.RetryAfter)
		}
	})
}

// TestAStreamOfWhoIsLetInIsNotTold, though others run that are.
func TestAStreamOfWhoIsLetInIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		before := e.Begin() // runs from before the window
		defer before.End()
		on(t, e, Opening{})
		reopen(t, e, 10*time.Minute)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		for late, want := range map[bool]bool{false: false, true: true} {
			s := e.Stream(t.Context(), early(e, late))
			select {
			case <-Closing(s.Context()):
				if !want {
					t.Error("who is let in is told to go")
				}
			default:
				if want {
					t.Error("who would be refused is not told to go")
				}
			}
			s.Done()
		}
	})
}
