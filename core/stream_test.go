package recess

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/state"
)

// A streamed request is one that an adapter serves: admitted, followed, and ended in that order.
type streamed struct {
	*Stream
	ticket Ticket
}

// stream begins a long-lived request, or fails the test if it is refused.
func stream(t *testing.T, e *Engine, a *asked) streamed {
	t.Helper()
	ticket := e.Begin()
	if !ticket.Open() && !ticket.Admit(a) {
		t.Fatalf("%s is refused", a.Path())
	}
	return streamed{e.Stream(t.Context(), a), ticket}
}

// end is what follows when the handler has returned.
func (s streamed) end() {
	s.Done()
	s.ticket.End()
}

func (s streamed) closing() bool {
	select {
	case <-Closing(s.Context()):
		return true
	default:
		return false
	}
}

func TestAStreamIsToldOfTheWindowsThatWouldRefuseIt(t *testing.T) {
	policy := Policy{Scopes: map[string][]string{"shop": {"/shop/**"}, "eu": {"host:eu.example.com"}}}
	with := func(change func(*Policy)) Policy { p := policy; change(&p); return p }
	staff := func() User { return User{Authenticated: true, Staff: true} }
	for _, c := range []struct {
		name   string
		window Opening
		asked  asked
		policy Policy
		told   bool
	}{
		{"the whole site", Opening{}, asked{}, policy, true},
		{"its scope, by path", Opening{Scope: "shop"}, asked{path: "/shop/events"}, policy, true},
		{"its scope, by path in another spelling", Opening{Scope: "shop"}, asked{path: "/SHOP/%65vents"}, policy, true},
		{"its scope, by host", Opening{Scope: "eu"}, asked{host: "EU.example.com:443"}, policy, true},
		{"its scope, by marker", Opening{Scope: "live"}, asked{marker: Marker{Scopes: []string{"live"}}}, policy, true},
		{"another scope", Opening{Scope: "shop"}, asked{path: "/events"}, policy, false},
		{"a scope that nobody knows", Opening{Scope: "nowhere"}, asked{path: "/events"}, policy, false},
		{"an announcement", Opening{Mode: state.Announce}, asked{}, policy, false},
		{"read-only, and it reads", Opening{Mode: state.ReadOnly}, asked{}, policy, false},
		{"read-only, and it writes", Opening{Mode: state.ReadOnly}, asked{method: "POST"}, policy, true},
		{"a route that is forced off", Opening{}, asked{marker: Marker{Force: ForcedOff}}, policy, false},
		{"a path that is let in", Opening{}, asked{path: "/live"}, with(func(p *Policy) { p.AllowPaths = []string{"/live"} }), false},
		{"a user who is let in", Opening{}, asked{user: staff}, with(func(p *Policy) { p.AllowStaff = true }), false},
		{"a user who is not", Opening{}, asked{}, with(func(p *Policy) { p.AllowStaff = true }), true},
		{"a user whose session would be ended", Opening{}, asked{user: staff}, with(func(p *Policy) { p.AllowStaff, p.Logout.Staff = true, Yes }), true},
		{"a callback that panics", Opening{}, asked{user: func() User { panic("oops") }}, with(func(p *Policy) { p.AllowStaff = true }), true},
		{"a marker that panics", Opening{Scope: "eu"}, asked{findMarker: func() Marker { panic("oops") }}, policy, true},
		{"a policy that only reports", Opening{}, asked{}, with(func(p *Policy) { p.ReportOnly = true }), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := started(t, Config{Policy: c.policy})
				if c.asked.method == "" {
					c.asked.method = "GET"
				}
				s := stream(t, e, &c.asked)
				defer s.end()
				on(t, e, Opening{Mode: state.Announce, Name: "soon"})
				if s.closing() {
					t.Error("it was told of an announcement")
				}
				on(t, e, c.window)
				if s.closing() != c.told {
					t.Errorf("it was told: %v", s.closing())
				}
				if c.asked.loggedOut > 0 {
					t.Error("its session was ended")
				}
				time.Sleep(DefaultGrace - time.Millisecond)
				synctest.Wait()
				if err := s.Context().Err(); err != nil {
					t.Errorf("before the grace period was over: %v", err)
				}
				time.Sleep(time.Hour)
				if err := context.Cause(s.Context()); (err != nil) != c.told || c.told && !errors.Is(err, ErrClosing) {
					t.Errorf("after the grace period: %v", err)
				}
			})
		})
	}
}

func TestAStreamThatIsToldHasItsTimeThenLosesItsContextThenItsConnection(t *testing.T) {
	for name, c := range map[string]struct {
		policy Policy
		grace  time.Duration
	}{
		"by default": {Policy{}, DefaultGrace},
		"as is set":  {Policy{Grace: time.Minute}, time.Minute},
		"none":       {Policy{Grace: NoGrace}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := started(t, Config{Policy: c.policy})
				s := stream(t, e, &asked{})
				closed, forgotten := new(closeTime), new(closeTime)
				s.CloseLast(closed)
				s.CloseLast(forgotten)()
				time.Sleep(time.Hour)
				began := time.Now()
				on(t, e, Opening{})
				<-Closing(s.Context())
				if took := time.Since(began); took > 0 {
					t.Errorf("it was told after %v", took)
				}
				off(t, e) // it is told, whatever comes
				<-s.Context().Done()
				if took := time.Since(began); took != c.grace || !errors.Is(context.Cause(s.Context()), ErrClosing) {
					t.Errorf("its context ended after %v: %v", took, context.Cause(s.Context()))
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if took := time.Time(*closed).Sub(began); took != c.grace+lastWord {
					t.Errorf("it was closed after %v", took)
				}
				if !time.Time(*forgotten).IsZero() {
					t.Error("what was forgotten was closed")
				}
				if n := e.Counts(); n.InFlight != 1 || n.Streams != 1 {
					t.Errorf("its handler runs, and %+v are counted", n)
				}
				s.end()
				if n := e.Counts(); n.InFlight != 0 || n.Streams != 0 {
					t.Errorf("it is over, and %+v are counted", n)
				}
			})
		})
	}
}

type closeTime time.Time

func (c *closeTime) Close() error {
	*c = closeTime(time.Now())
	return nil
}

func TestAStreamThatEndsInTimeIsCutByNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		s, closed := stream(t, e, &asked{}), new(closeTime)
		s.CloseLast(closed)
		on(t, e, Opening{})
		s.end()
		if err := context.Cause(s.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("its context ended by %v", err)
		}
		time.Sleep(time.Hour)
		if !time.Time(*closed).IsZero() || len(e.streams) > 0 {
			t.Errorf("it was closed at %v, %d are known", time.Time(*closed), len(e.streams))
		}
	})
}

func TestWhoWasLetInWhileAWindowRunsIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{Policy: Policy{AllowStaff: true, Scopes: map[string][]string{"shop": {"/shop/**"}}}})
		on(t, e, Opening{})
		time.Sleep(time.Minute)
		// The middleware was told who it is, the route is not: authentication stood before the one and not the other.
		asks, who := 0, &asked{}
		who.user = func() User { asks++; return User{Authenticated: asks == 1, Staff: asks == 1} }
		s := stream(t, e, who)
		defer s.end()
		on(t, e, Opening{Scope: "shop"})
		if s.closing() {
			t.Error("it was told")
		}
	})
}

func TestAStreamThatIsKnownTooLateIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		ticket := e.Begin()
		on(t, e, Opening{}) // while a middleware in between takes its time
		s := streamed{e.Stream(t.Context(), &asked{}), ticket}
		defer s.end()
		if !s.closing() {
			t.Error("it was not told")
		}
	})
}

func TestAStreamWithinAStreamIsOne(t *testing.T) {
	e := started(t, Config{})
	s := stream(t, e, &asked{})
	defer s.end()
	if e.Stream(s.Context(), &asked{}) != nil {
		t.Error("it is another one")
	}
	other := started(t, Config{})
	second := other.Stream(s.Context(), &asked{})
	if second == nil {
		t.Fatal("another engine's stream is taken for one's own")
	}
	second.Done()
}

func TestADrainWaitsForStreamsAndTheyAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{AllowPaths: []string{"/open"}})
		e := c.engines[0]
		time.Sleep(time.Minute)
		polite := stream(t, e, &asked{path: "/polite"})
		deaf := stream(t, e, &asked{path: "/deaf/7", route: "/deaf/:id"})
		over := Linger(deaf.Context()) // its connection is another goroutine's
		go func() {
			<-Closing(polite.Context())
			polite.end()
		}()
		time.AfterFunc(time.Minute, deaf.end)
		time.AfterFunc(2*time.Minute, over)
		time.AfterFunc(2*time.Minute, over) // no more than once
		let := stream(t, e, &asked{path: "/open"})
		letGoesOn := Linger(let.Context())
		let.end()
		defer letGoesOn()
		c.on(t)
		began := time.Now()
		synctest.Wait()
		time.Sleep(announceSpacing + time.Second)
		if fleet := fleetOf(t, c.members[0]); fleet[0].Earlier != 1 || fleet[0].Streams != 2 || fleet[0].Closing != 1 || fleet[0].InFlight != 2 {
			t.Errorf("on the way it says %+v", fleet[0])
		}
		phases, err := c.drain(t, time.Hour)
		if err != nil || phases != "drained" {
			t.Errorf("%s: %v", phases, err)
		}
		if took := time.Since(began); took < 2*time.Minute || took > 2*time.Minute+5*time.Second {
			t.Errorf("the drain took %v, and the last one ended after 2m", took)
		}
		// How old it was when the instance last announced itself is left to chance: announcements are spread at random.
		if words := c.told[0].Instances[0].Words(); !strings.HasPrefix(words, "has 1 request to finish, 1 of them streams that were told to end, the oldest: GET /deaf/:id for ") {
			t.Errorf("it says that the instance %s", words)
		}
		if n := e.Counts(); n.InFlight != 1 || n.Streams != 1 {
			t.Errorf("one stream is open, and %+v are counted", n)
		}
	})
}

func TestADrainSaysWhichStreamsMayHoldItUp(t *testing.T) {
	i := DrainInstance{Instance: Instance{Earlier: 3, Streams: 4, Closing: 2}, Phase: Draining}
	if got, want := i.Words(), "has 3 requests to finish, 2 of them streams that were told to end; of streams that the windows let in 2 go on"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

// TestNoStreamRunsUncountedOnceAllIsDrained toggles while streams come, linger and go.
func TestNoStreamRunsUncountedOnceAllIsDrained(t *testing.T) {
	e := started(t, Config{Policy: Policy{Grace: NoGrace}})
	ctx, stop := context.WithCancel(t.Context())
	var (
		running, done atomic.Int64
		workers       sync.WaitGroup
	)
	for worker := range 8 {
		workers.Go(func() {
			for ctx.Err() == nil {
				ticket := e.Begin()
				if !ticket.Open() && !ticket.Admit(&asked{}) {
					ticket.End()
					runtime.Gosched()
					continue
				}
				running.Add(1)
				s := e.Stream(ctx, &asked{})
				over := s.Linger()
				if rand.IntN(2) == 0 {
					runtime.Gosched()
				}
				s.Done()
				ticket.End()
				if worker < 4 {
					<-s.Context().Done() // when it is told, or all ends
				}
				running.Add(-1)
				over()
				done.Add(1)
			}
		})
	}
	nothingRunsDrained(t, e, &running, &done)
	stop()
	workers.Wait()
	if n := e.Counts(); n.InFlight != 0 || n.Streams != 0 || len(e.streams) != 0 {
		t.Errorf("all is over, and %+v are counted", n)
	}
}

func TestConnectionsMoveOnForTheGracePeriodOfEachWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{Policy: Policy{
			AllowPaths: []string{"/open"}, Scopes: map[string][]string{"shop": {"/shop"}, "eu": {"/eu"}},
		}})
		closes := func(path string, lines ...string) bool {
			a := &asked{path: path, header: make(map[string]string)}
			for _, line := range lines {
				name, value, _ := strings.Cut(line, ": ")
				a.header[name] = value
			}
			if strings.HasPrefix(path, "/forced") {
				a.marker.Force = ForcedOff
			}
			admit(e, a)
			return a.sent.Get("Connection") == "close"
		}
		expect := func(when string, want map[string]bool) {
			t.Helper()
			for path, moves := range want {
				if closes(path) != moves {
					t.Errorf("%s: %s moves on: %v", when, path, !moves)
				}
			}
		}
		expect("off", map[string]bool{"/": false, "/shop": false, "/open": false})
		on(t, e, Opening{Scope: "shop"})
		expect("a part is closed", map[string]bool{"/": false, "/shop": true, "/eu": false})
		time.Sleep(DefaultGrace - time.Millisecond)
		on(t, e, Opening{Mode: state.Announce, Name: "x"})
		expect("at the end of its grace period", map[string]bool{"/shop": true})
		time.Sleep(2 * time.Millisecond)
		expect("after its grace period", map[string]bool{"/shop": false})
		time.Sleep(time.Hour)
		on(t, e, Opening{})
		expect("all is closed", map[string]bool{"/": true, "/shop": true, "/open": true, "/forced": false})
		if closes("/open", "Upgrade: websocket") {
			t.Error("a WebSocket that is let in is told to close")
		}
		time.Sleep(DefaultGrace + time.Millisecond)
		expect("later", map[string]bool{"/": false, "/shop": false, "/open": false})
		time.Sleep(time.Hour)
		if n := e.Counts().Refused; n == 0 {
			t.Error("nothing was refused")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{Policy: Policy{Grace: NoGrace}})
		on(t, e, Opening{})
		a := new(asked)
		if admit(e, a) || a.sent.Get("Connection") != "" {
			t.Errorf("without a grace period it is told %v", a.sent)
		}
	})
}
