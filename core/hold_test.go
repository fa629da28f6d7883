package recess

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/state"
)

// A visit is a request that is admitted by a goroutine of its own, as a server does.
type visit struct {
	asked
	began    time.Time
	took     time.Duration // until it was decided; zero while it waits
	admitted bool
}

func (v *visit) waits() bool { return v.took == 0 }

func (v *visit) String() string {
	switch {
	case v.waits():
		return "it waits"
	case v.admitted:
		return fmt.Sprint("admitted after ", v.took)
	}
	return fmt.Sprint("refused after ", v.took)
}

// arrive begins one. Nothing takes no time under synctest: a moment passes before the decision counts.
func arrive(e *Engine, v *visit) *visit {
	v.began = time.Now()
	go func() {
		ticket := e.Begin()
		defer ticket.End()
		v.admitted = ticket.Open() || ticket.Admit(v)
		v.took = time.Since(v.began) + 1
	}()
	synctest.Wait()
	return v
}

// want asserts what has become of a visit by now, to the second.
func (v *visit) want(t *testing.T, what string, waits, admitted bool, took time.Duration) {
	t.Helper()
	synctest.Wait()
	if v.waits() != waits || v.admitted != admitted || !waits && v.took.Truncate(time.Second) != took {
		t.Errorf("%s: %v, want admitted %v after %v, or that it waits: %v", what, v, admitted, took, waits)
	}
}

func TestARequestIsHeldUntilTheWindowEndsOrItsTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{Policy: Policy{AllowPaths: []string{"/open"}}})
		on(t, e, Opening{Hold: 30 * time.Second})
		early := arrive(e, &visit{})
		arrive(e, &visit{asked: asked{path: "/open"}}).want(t, "the exception", false, true, 0)
		early.want(t, "the first", true, false, 0)
		if c := e.Counts(); c.Held != 1 || c.InFlight != 0 || c.Refused != 0 {
			t.Errorf("while one is held: %+v", c)
		}
		time.Sleep(20 * time.Second)
		late := arrive(e, &visit{})
		time.Sleep(10 * time.Second)
		early.want(t, "whose time is up", false, false, 30*time.Second)
		if early.answered == nil || early.answered.Status != 503 {
			t.Errorf("the answer is %+v", early.answered)
		}
		if retry := header(early.answered, "Retry-After"); retry != "30" {
			t.Errorf("Retry-After: %q: it may be held again", retry)
		}
		time.Sleep(5 * time.Second)
		off(t, e)
		late.want(t, "when the window ends", false, true, 15*time.Second)
		if late.answered != nil || early.released != 1 || late.released != 1 {
			t.Errorf("answered %v, released %d and %d times", late.answered, early.released, late.released)
		}
		if c := e.Counts(); c.Held != 0 || c.InFlight != 0 || c.Refused != 1 || c.Allowed != 1 {
			t.Errorf("at the end: %+v", c)
		}
	})
}

func TestHoldingLastsTwentySecondsUnlessTheWindowSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		on(t, e, Opening{Mode: state.Hold})
		v := arrive(e, &visit{})
		time.Sleep(time.Minute)
		v.want(t, "by default", false, false, state.DefaultHold)
	})
}

// TestWhatHappensWhileARequestIsHeld: it is decided anew, and its time runs on.
func TestWhatHappensWhileARequestIsHeld(t *testing.T) {
	for _, c := range []struct {
		name     string
		happens  func(*testing.T, *Engine, *visit)
		admitted bool
		after    time.Duration
	}{
		{"another window opens elsewhere", func(t *testing.T, e *Engine, _ *visit) { on(t, e, Opening{Scope: "elsewhere"}) }, false, 20 * time.Second},
		{"the window closes in earnest", func(t *testing.T, e *Engine, _ *visit) { on(t, e, Opening{Mode: state.Full}) }, false, 10 * time.Second},
		{"a further window refuses", func(t *testing.T, e *Engine, _ *visit) { on(t, e, Opening{Name: "deploy", Mode: state.Full}) }, false, 10 * time.Second},
		{"a further window refuses for a while", func(t *testing.T, e *Engine, _ *visit) {
			on(t, e, Opening{Name: "deploy", Mode: state.Full, End: time.Now().Add(time.Hour)})
		}, false, 10 * time.Second},
		{"a further window holds for less", func(t *testing.T, e *Engine, _ *visit) { on(t, e, Opening{Name: "deploy", Hold: 12 * time.Second}) }, false, 12 * time.Second},
		{"a further window holds for less than it has waited", func(t *testing.T, e *Engine, _ *visit) { on(t, e, Opening{Name: "deploy", Hold: time.Second}) }, false, 10 * time.Second},
		{"the window holds for longer", func(t *testing.T, e *Engine, _ *visit) { on(t, e, Opening{Hold: time.Minute}) }, false, time.Minute},
		{"the window gets an end", func(t *testing.T, e *Engine, _ *visit) { on(t, e, Opening{End: time.Now().Add(5 * time.Second)}) }, true, 15 * time.Second},
		{"it only announces", func(t *testing.T, e *Engine, _ *visit) { on(t, e, Opening{Mode: state.Announce}) }, true, 10 * time.Second},
		{"the client goes", func(t *testing.T, e *Engine, v *visit) { close(v.gone) }, false, 10 * time.Second},
		{"the engine is closed", func(t *testing.T, e *Engine, _ *visit) { e.Close() }, false, 10 * time.Second},
		{"nothing", func(*testing.T, *Engine, *visit) {}, false, 20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := started(t, Config{})
				on(t, e, Opening{Mode: state.Hold})
				v := arrive(e, &visit{asked: asked{gone: make(chan struct{})}})
				time.Sleep(10 * time.Second)
				c.happens(t, e, v)
				time.Sleep(2 * time.Minute)
				v.want(t, c.name, false, c.admitted, c.after)
				if counts := e.Counts(); counts.Held != 0 || counts.InFlight != 0 {
					t.Errorf("counted afterwards: %+v", counts)
				}
			})
		})
	}
}

func TestOnlySoManyRequestsAndBytesAreHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{Policy: Policy{HoldRequests: 3, HoldBytes: 100}})
		on(t, e, Opening{Mode: state.Hold})
		first := arrive(e, &visit{asked: asked{bytes: 60}})
		arrive(e, &visit{asked: asked{bytes: 41}}).want(t, "too many bytes", false, false, 0)
		second := arrive(e, &visit{asked: asked{bytes: 40}})
		third := arrive(e, &visit{})
		arrive(e, &visit{}).want(t, "the fourth", false, false, 0)
		if c := e.Counts(); c.Held != 3 || c.Refused != 2 {
			t.Errorf("counted: %+v", c)
		}
		time.Sleep(state.DefaultHold)
		synctest.Wait()
		again := arrive(e, &visit{asked: asked{bytes: 100}})
		again.want(t, "when there is room again", true, false, 0)
		off(t, e)
		for _, v := range []*visit{first, second, third} {
			v.want(t, "one of the first", false, false, state.DefaultHold)
		}
	})
	for _, p := range []Policy{{HoldRequests: -1}, {HoldBytes: -1}} {
		synctest.Test(t, func(t *testing.T) {
			e := started(t, Config{Policy: p})
			on(t, e, Opening{Mode: state.Hold})
			arrive(e, &visit{asked: asked{bytes: 1}}).want(t, "nothing may be held", false, false, 0)
		})
	}
}

func TestADrainDoesNotWaitForWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{}, Policy{})
		if _, err := c.On(t.Context(), Opening{Hold: state.MaxHold}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		v := arrive(c.engines[0], &visit{})
		began := time.Now()
		phases, err := c.drain(t, time.Minute)
		if took := time.Since(began); err != nil || phases != "drained drained" || took > 5*time.Second {
			t.Errorf("%s after %v: %v", phases, took, err)
		}
		if held := c.told[len(c.told)-1].Instances[0].Held; held != 1 {
			t.Errorf("the instance says that it holds %d requests", held)
		}
		if _, err := c.Off(t.Context(), Ending{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !v.admitted {
			t.Error(v)
		}
	})
}

// TestWhatIsHeldBeginsAnewWhenItGoesOn: a drain that begins while it runs waits for it.
func TestWhatIsHeldBeginsAnewWhenItGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		on(t, e, Opening{Mode: state.Hold})
		ticket, admitted := e.Begin(), make(chan bool)
		go func() { admitted <- ticket.Admit(&asked{}) }()
		synctest.Wait()
		off(t, e)
		if !<-admitted || e.Counts().InFlight != 1 {
			t.Fatalf("it goes on, and counted are %+v", e.Counts())
		}
		on(t, e, Opening{})
		if earlier := e.earlier(); earlier != 1 {
			t.Errorf("%d are from before the second window", earlier)
		}
		ticket.End()
		if earlier := e.earlier(); earlier != 0 {
			t.Errorf("%d are from before the second window, and none runs", earlier)
		}
	})
}

func TestAPolicyThatOnlyReportsHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{Policy: Policy{ReportOnly: true}})
		on(t, e, Opening{Mode: state.Hold})
		arrive(e, &visit{}).want(t, "only reported", false, true, 0)
	})
}

func TestThousandsAreHeldAndAllGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		on(t, e, Opening{Mode: state.Hold})
		const n = 4000 // the race detector takes some 8,000 goroutines
		admitted := make(chan bool, n)
		for range n {
			go func() { admitted <- admit(e, &asked{}) }()
		}
		synctest.Wait()
		if c := e.Counts(); c.Held != n || c.InFlight != 0 {
			t.Fatalf("of %d: %+v", n, c)
		}
		off(t, e)
		for range n {
			if !<-admitted {
				t.Fatal("one is refused")
			}
		}
		synctest.Wait()
		if c := e.Counts(); c.Held != 0 || c.InFlight != 0 || c.Refused != 0 {
			t.Errorf("at the end: %+v", c)
		}
	})
}
