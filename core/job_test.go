package recess

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/state"
)

func TestWorkWaitsForTheWindowsThatCoverIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		window Opening
		scopes []string
		policy Policy
		waits  bool
	}{
		{"full", Opening{}, nil, Policy{}, true},
		{"readonly", Opening{Mode: state.ReadOnly}, nil, Policy{}, true},
		{"announced", Opening{Mode: state.Announce}, nil, Policy{}, false},
		{"its own scope", Opening{Scope: "billing"}, []string{"mail", "billing"}, Policy{}, true},
		{"another scope", Opening{Scope: "checkout"}, []string{"billing"}, Policy{}, false},
		{"a scope, and it has none", Opening{Scope: "checkout"}, nil, Policy{}, false},
		{"the whole site, and it has a scope", Opening{}, []string{"billing"}, Policy{}, true},
		{"a policy that only reports", Opening{}, nil, Policy{ReportOnly: true}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := started(t, Config{Policy: c.policy})
				on(t, e, c.window)
				if ticket, err := e.TryEnter(c.scopes...); errors.Is(err, ErrMaintenance) != c.waits || (err == nil) == c.waits {
					t.Errorf("TryEnter: %v", err)
				} else if err == nil {
					ticket.End()
				}
				entered := make(chan error, 1)
				go func() {
					ticket, err := e.Enter(t.Context(), c.scopes...)
					if err == nil {
						ticket.End()
					}
					entered <- err
				}()
				synctest.Wait()
				if waits := len(entered) == 0; waits != c.waits {
					t.Errorf("it waits: %v", waits)
				}
				on(t, e, Opening{Scope: "elsewhere"}) // a change that ends nothing
				synctest.Wait()
				if waits := len(entered) == 0; waits != c.waits {
					t.Errorf("after another change it waits: %v", waits)
				}
				if _, err := e.Control(state.Actor{}).Off(t.Context(), Ending{Scope: c.window.Scope}); err != nil {
					t.Fatal(err)
				}
				if err := <-entered; err != nil {
					t.Errorf("Enter: %v", err)
				}
				if n := e.Counts().InFlight; n != 0 {
					t.Errorf("%d are in flight after all have ended", n)
				}
			})
		})
	}
}

func TestWorkThatWaitsEndsWithItsContextOrTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		on(t, e, Opening{})
		why := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, why)
		defer cancel()
		if _, err := e.Enter(ctx); !errors.Is(err, why) {
			t.Errorf("after the context: %v", err)
		}
		time.AfterFunc(time.Minute, func() { e.Close() })
		if _, err := e.Enter(t.Context()); !errors.Is(err, state.ErrClosed) {
			t.Errorf("after the engine: %v", err)
		}
		if _, err := e.Enter(t.Context(), "No Scope"); !errors.Is(err, ErrInvalidOrder) {
			t.Errorf("with a name that is none: %v", err)
		}
		if n := e.Counts().InFlight; n != 0 {
			t.Errorf("%d are in flight", n)
		}
	})
}

func TestADrainWaitsForJobsAndTheyAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{})
		e := c.engines[0]
		began, told := make(chan struct{}), make(chan time.Time, 1)
		var job sync.WaitGroup
		job.Go(func() {
			err := e.Job(t.Context(), func(ctx context.Context) error {
				close(began)
				<-Closing(ctx)
				told <- time.Now()
				time.Sleep(20 * time.Second) // to a good place
				return errors.New("not all is done")
			}, "billing")
			if err == nil || err.Error() != "not all is done" {
				t.Errorf("Job: %v", err)
			}
		})
		<-began
		on(t, e, Opening{Scope: "checkout"})
		synctest.Wait()
		if len(told) > 0 {
			t.Error("it was told of a window that does not cover it")
		}
		time.Sleep(time.Minute)
		c.on(t)
		at := time.Now()
		phases, err := c.drain(t, time.Minute)
		if err != nil || phases != "drained" || time.Since(at) < 20*time.Second {
			t.Errorf("after %v: %s: %v", time.Since(at), phases, err)
		}
		if late := (<-told).Sub(at); late > time.Second {
			t.Errorf("it was told %v after the change", late)
		}
		job.Wait()
		if len(e.closers) != 0 {
			t.Errorf("%d closers are left", len(e.closers))
		}
	})
}

func TestClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if Closing(t.Context()) != nil {
			t.Error("a context of somebody else closes")
		}
		e := started(t, Config{})
		err := e.Job(t.Context(), func(ctx context.Context) error {
			on(t, e, Opening{})
			select {
			case <-Closing(ctx): // whoever asks late is told at once
			default:
				t.Error("it is not told of a window that runs already")
			}
			if first, again := Closing(ctx), Closing(ctx); first != again {
				t.Error("it is another channel each time")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		off(t, e)
		func() {
			defer func() { _ = recover() }()
			_ = e.Job(t.Context(), func(ctx context.Context) error { Closing(ctx); panic("oops") })
		}()
		if n := e.Counts().InFlight; n != 0 || len(e.closers) != 0 {
			t.Errorf("after a panic %d are in flight, %d closers are left", n, len(e.closers))
		}
	})
}

// TestNoWorkRunsOnceAllIsDrained toggles while much work comes and goes.
func TestNoWorkRunsOnceAllIsDrained(t *testing.T) {
	e := started(t, Config{})
	ctx, stop := context.WithCancel(t.Context())
	var (
		running, done atomic.Int64
		workers       sync.WaitGroup
	)
	for range 8 {
		workers.Go(func() {
			for ctx.Err() == nil {
				ticket, err := e.Enter(ctx)
				if err != nil {
					return
				}
				running.Add(1)
				runtime.Gosched()
				running.Add(-1)
				done.Add(1)
				ticket.End()
			}
		})
	}
	nothingRunsDrained(t, e, &running, &done)
	stop()
	workers.Wait()
}

// nothingRunsDrained closes and opens a site whose work is counted while it runs and when it is done, and asserts that none
// runs once the engine says that all from before has ended.
func nothingRunsDrained(t *testing.T, e *Engine, running, done *atomic.Int64) {
	t.Helper()
	for range 60 {
		on(t, e, Opening{})
		for e.earlier() > 0 {
			runtime.Gosched()
		}
		for range 20 {
			if n := running.Load(); n != 0 {
				t.Fatalf("%d run while all is drained", n)
			}
			runtime.Gosched()
		}
		before := done.Load()
		off(t, e)
		for done.Load() == before {
			runtime.Gosched()
		}
	}
}
