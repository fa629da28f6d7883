package recess

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

func controller(t *testing.T) *Controller {
	b := memstate.New(memstate.Config{})
	t.Cleanup(func() { b.Close() })
	return NewController(b, state.Actor{Name: "alice", Source: "go"}, NotForced)
}

func must(t *testing.T) func(Change, error) Change {
	return func(c Change, err error) Change {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func TestOnIsIdempotentAndUpdates(t *testing.T) {
	c, ok := controller(t), must(t)
	first := ok(c.On(t.Context(), Opening{Reason: "db", Messages: map[string]string{"": "hi", "de": "hallo"}}))
	if len(first.Opened) != 1 || first.After.Revision != 1 || first.After.Epoch == 0 {
		t.Fatalf("%+v", first)
	}
	if again := ok(c.On(t.Context(), Opening{})); again.Changed() || again.After.Revision != 1 {
		t.Errorf("saying it again wrote revision %d", again.After.Revision)
	}
	end := time.Now().Add(time.Hour)
	update := ok(c.On(t.Context(), Opening{End: end, Mode: state.ReadOnly, Messages: map[string]string{"de": "", "fr": "salut"}}))
	if len(update.Updated) != 1 || update.Updated[0].ID != first.Opened[0].ID {
		t.Fatalf("%+v", update)
	}
	w := update.After.Windows[0]
	if w.Mode != state.ReadOnly || !w.End.Equal(end.Truncate(time.Millisecond)) || w.Reason != "db" || len(w.Messages) != 2 || w.Messages["fr"] != "salut" {
		t.Errorf("%+v", w)
	}
	if w := ok(c.On(t.Context(), Opening{NoEnd: true})).After.Windows[0]; !w.End.IsZero() {
		t.Errorf("the end stays: %+v", w)
	}
}

func TestOffEndsTheScopesWindowsAndLeavesOthers(t *testing.T) {
	c, ok := controller(t), must(t)
	later := time.Now().Add(time.Hour)
	ok(c.On(t.Context(), Opening{}))
	ok(c.On(t.Context(), Opening{Name: "deploy"}))
	ok(c.On(t.Context(), Opening{Scope: "checkout"}))
	ok(c.Schedule(t.Context(), Opening{Start: later, End: later.Add(time.Hour)}))
	if change := ok(c.Off(t.Context(), Ending{Name: "deploy"})); len(change.Ended) != 1 || len(change.After.Windows) != 3 {
		t.Errorf("%+v", change)
	}
	change := ok(c.Off(t.Context(), Ending{Reason: "done"}))
	if len(change.Ended) != 2 || len(change.After.Windows) != 1 || change.After.Windows[0].Scope != "checkout" {
		t.Errorf("%+v", change)
	}
	if again := ok(c.Off(t.Context(), Ending{})); again.Changed() {
		t.Error("off over off wrote something")
	}
	last := change.After.History[len(change.After.History)-1]
	if last.Action != "off" || last.Reason != "done" || last.By.Name != "alice" || len(last.Windows) != 2 {
		t.Errorf("history: %+v", last)
	}
}

func TestOrdersThatMakeNoSenseChangeNothing(t *testing.T) {
	c := controller(t)
	now := time.Now()
	ctx := t.Context()
	for name, do := range map[string]func() (Change, error){
		"an end in the past":           func() (Change, error) { return c.On(ctx, Opening{End: now.Add(-time.Second)}) },
		"a start at the end":           func() (Change, error) { return c.On(ctx, Opening{Start: now.Add(hour), End: now.Add(hour)}) },
		"a start after the end":        func() (Change, error) { return c.On(ctx, Opening{Start: now.Add(2 * hour), End: now.Add(hour)}) },
		"an end and none":              func() (Change, error) { return c.On(ctx, Opening{End: now.Add(hour), NoEnd: true}) },
		"an unknown mode":              func() (Change, error) { return c.On(ctx, Opening{Mode: "half"}) },
		"a scope no name can be":       func() (Change, error) { return c.On(ctx, Opening{Scope: "Check Out"}) },
		"a message with a NUL":         func() (Change, error) { return c.On(ctx, Opening{Messages: map[string]string{"": "a\x00"}}) },
		"a plan without a start":       func() (Change, error) { return c.Schedule(ctx, Opening{End: now.Add(hour)}) },
		"a plan without an end":        func() (Change, error) { return c.Schedule(ctx, Opening{Start: now.Add(hour)}) },
		"a plan for the past":          func() (Change, error) { return c.Schedule(ctx, Opening{Start: now.Add(-hour), End: now.Add(hour)}) },
		"cancelling what is not there": func() (Change, error) { return c.Cancel(ctx, "w404") },
	} {
		if _, err := do(); !errors.Is(err, ErrInvalidOrder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, err := c.State(ctx); err != nil || s.Numbered() {
		t.Errorf("something was written: %+v, %v", s, err)
	}
}

func TestCancelTakesPlannedWindowsOnly(t *testing.T) {
	c, ok := controller(t), must(t)
	later := time.Now().Add(time.Hour)
	running := ok(c.On(t.Context(), Opening{})).Opened[0]
	a := ok(c.Schedule(t.Context(), Opening{Start: later, End: later.Add(hour)})).Opened[0]
	ok(c.Schedule(t.Context(), Opening{Start: later.Add(2 * hour), End: later.Add(3 * hour)}))
	if _, err := c.Schedule(t.Context(), Opening{Start: later, End: later.Add(hour)}); !errors.Is(err, ErrInvalidOrder) {
		t.Errorf("the same plan twice: %v", err)
	}
	if _, err := c.Cancel(t.Context(), running.ID); !errors.Is(err, ErrInvalidOrder) {
		t.Errorf("a running window was cancelled: %v", err)
	}
	if change := ok(c.Cancel(t.Context(), a.ID)); len(change.Ended) != 1 || len(change.After.Windows) != 2 {
		t.Errorf("%+v", change)
	}
	if change := ok(c.Cancel(t.Context())); len(change.Ended) != 1 || len(change.After.Windows) != 1 {
		t.Errorf("all: %+v", change)
	}
}

// late is a backend on which somebody else writes between every look and save.
type late struct {
	state.Backend
	meddle func()
}

func (l *late) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	l.meddle()
	return l.Backend.Save(ctx, old, data)
}

// after is a backend on which somebody else writes after every save.
type after struct {
	state.Backend
	meddle func()
}

func (a *after) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	rev, err := a.Backend.Save(ctx, old, data)
	a.meddle()
	return rev, err
}

// cut is a backend whose connection is cut while it answers its first save.
type cut struct {
	state.Backend
	over bool
}

func (c *cut) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	rev, err := c.Backend.Save(ctx, old, data)
	if !c.over {
		c.over = true
		return "", errors.New("connection reset")
	}
	return rev, err
}

func TestTheLoserIsShownTheWinnersState(t *testing.T) {
	shared := memstate.New(memstate.Config{})
	defer shared.Close()
	winner := NewController(shared, state.Actor{Name: "bob", Host: "web-1"}, NotForced)
	loser := NewController(&late{shared, func() { winner.On(context.Background(), Opening{Scope: "api"}) }}, state.Actor{Name: "alice"}, NotForced)
	_, err := loser.On(t.Context(), Opening{})
	var conflict *ConflictError
	if !errors.As(err, &conflict) || !errors.Is(err, state.ErrConflict) {
		t.Fatalf("%v", err)
	}
	if len(conflict.Current.Windows) != 1 || conflict.Current.Windows[0].Scope != "api" || !strings.Contains(err.Error(), "bob@web-1") {
		t.Errorf("%v: %+v", err, conflict.Current)
	}
}

func TestOffRepairsADocumentThatMakesNoSense(t *testing.T) {
	b := memstate.New(memstate.Config{})
	defer b.Close()
	if _, err := b.Save(t.Context(), state.None, []byte(`{"version":1,"windows":[`)); err != nil {
		t.Fatal(err)
	}
	c := NewController(b, state.Actor{Name: "alice"}, NotForced)
	if _, err := c.State(t.Context()); !errors.Is(err, state.ErrInvalid) {
		t.Errorf("State: %v", err)
	}
	if _, err := c.On(t.Context(), Opening{}); !errors.Is(err, state.ErrInvalid) || !strings.Contains(err.Error(), `"off"`) {
		t.Errorf("On: %v", err)
	}
	change := must(t)(c.Off(t.Context(), Ending{}))
	if change.Salvaged == "" || !strings.Contains(change.After.History[0].Replaced, `{\"version\":1`) {
		t.Errorf("%+v", change)
	}
}

func TestOffRepairsAStoreThatWasLost(t *testing.T) {
	for name, with := range map[string]func(*Engine, state.Backend) *Controller{
		"from the engine's own process": func(e *Engine, _ state.Backend) *Controller { return e.Control(state.Actor{}) },
		"from the command line":         func(_ *Engine, b state.Backend) *Controller { return NewController(b, state.Actor{}, NotForced) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFallible()
				e := started(t, Config{Backend: b})
				on(t, e, Opening{})
				time.Sleep(time.Second)
				b.becomes(t, nil)
				time.Sleep(2 * DefaultPoll)
				synctest.Wait()
				if s := e.Situation(); s.Follower.Phase != Stale || !s.Active() {
					t.Fatalf("a lost store: %+v", s)
				}
				change, err := with(e, b).Off(t.Context(), Ending{})
				if err != nil || !change.Started {
					t.Fatalf("%+v, %v", change, err)
				}
				time.Sleep(2 * DefaultPoll)
				synctest.Wait()
				if s := e.Situation(); s.Follower.Phase != Valid || s.Active() {
					t.Errorf("after off: %+v", s)
				}
			})
		})
	}
}

func TestOffRepairsAStoreThatWasRolledBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstate.New(memstate.Config{})
		e := started(t, Config{Backend: b})
		cli := NewController(b, state.Actor{}, NotForced)
		must(t)(cli.On(t.Context(), Opening{}))
		backup, err := state.Read(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			time.Sleep(time.Second)
			must(t)(cli.Off(t.Context(), Ending{}))
			must(t)(cli.On(t.Context(), Opening{}))
		}
		now, _ := state.Read(t.Context(), b)
		if _, err := b.Save(t.Context(), now.Rev, backup.Data); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * DefaultPoll)
		synctest.Wait()
		if s := e.Situation(); s.Follower.Phase != Stale {
			t.Fatalf("a rollback: %+v", s.Follower)
		}
		must(t)(cli.Off(t.Context(), Ending{}))
		time.Sleep(2 * DefaultPoll)
		synctest.Wait()
		if s := e.Situation(); s.Follower.Phase != Valid || s.Active() {
			t.Errorf("after off: %+v", s)
		}
	})
}

func TestOnlyAPlainOffReplacesADocument(t *testing.T) {
	b := memstate.New(memstate.Config{})
	defer b.Close()
	if _, err := b.Save(t.Context(), state.None, []byte(`{"version":2,"windows":[]}`)); err != nil {
		t.Fatal(err)
	}
	c := NewController(b, state.Actor{}, NotForced)
	for _, o := range []Ending{{Scope: "eu"}, {Name: "deploy"}} {
		if _, err := c.Off(t.Context(), o); !errors.Is(err, state.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := NewController(nil, state.Actor{}, NotForced).On(t.Context(), Opening{}); err == nil {
		t.Error("a controller without a backend")
	}
}

// TestANoOpIsInForceToo: another process has switched on, this one says the same again, and its requests must know.
func TestANoOpIsInForceToo(t *testing.T) {
	b := newScripted(state.Doc{}, nil)
	e := started(t, Config{Backend: b})
	b.mu.Lock()
	b.doc = document(t, 5, 1, true) // and no watch tells
	b.mu.Unlock()
	if _, err := e.Control(state.Actor{}).On(t.Context(), Opening{}); err != nil {
		t.Fatal(err)
	}
	if admit(e, new(asked)) {
		t.Error("a request passed after On had returned")
	}
}

func TestDuringRestoresWhatWasThere(t *testing.T) {
	running := func(t *testing.T, c *Controller) int {
		s, err := c.State(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return len(s.In(state.Running, time.Now()))
	}
	nop := func(context.Context) error { return nil }
	t.Run("after a return", func(t *testing.T) {
		c := controller(t)
		err := c.During(t.Context(), Opening{}, func(context.Context) error {
			if running(t, c) != 1 {
				t.Error("it is not on inside")
			}
			return errors.New("mine")
		})
		if err == nil || err.Error() != "mine" || running(t, c) != 0 {
			t.Errorf("%v, %d running", err, running(t, c))
		}
	})
	t.Run("after a panic", func(t *testing.T) {
		c := controller(t)
		func() {
			defer func() {
				if recover() != "boom" {
					t.Error("the panic is lost")
				}
			}()
			c.During(t.Context(), Opening{}, func(context.Context) error { panic("boom") })
		}()
		if running(t, c) != 0 {
			t.Error("it stays on")
		}
	})
	t.Run("after its context was cancelled", func(t *testing.T) {
		c := controller(t)
		ctx, cancel := context.WithCancel(t.Context())
		c.During(ctx, Opening{}, func(context.Context) error { cancel(); return nil })
		if running(t, c) != 0 {
			t.Error("it stays on")
		}
	})
	t.Run("in nested use", func(t *testing.T) {
		c := controller(t)
		must(t)(c.On(t.Context(), Opening{Reason: "before"}))
		err := c.During(t.Context(), Opening{}, func(ctx context.Context) error {
			return c.During(ctx, Opening{Scope: "api"}, func(ctx context.Context) error {
				if n := running(t, c); n != 3 {
					t.Errorf("%d windows inside", n)
				}
				return c.DuringOff(ctx, Ending{}, func(context.Context) error {
					if n := running(t, c); n != 1 {
						t.Errorf("%d windows inside off", n)
					}
					return nil
				})
			})
		})
		s, _ := c.State(t.Context())
		if err != nil || len(s.Windows) != 1 || s.Windows[0].Reason != "before" {
			t.Errorf("%v: %+v", err, s.Windows)
		}
	})
	t.Run("and leaves what others did", func(t *testing.T) {
		c := controller(t)
		c.During(t.Context(), Opening{}, func(ctx context.Context) error {
			must(t)(c.On(ctx, Opening{Reason: "theirs"}))
			return nil
		})
		s, _ := c.State(t.Context())
		if len(s.Windows) != 1 || s.Windows[0].Reason != "theirs" {
			t.Errorf("%+v", s.Windows)
		}
	})
	t.Run("beside another of its name", func(t *testing.T) {
		c := controller(t)
		o := Opening{Name: "migrate"}
		err := c.During(t.Context(), o, func(ctx context.Context) error {
			if err := c.During(ctx, o, nop); err != nil {
				t.Error(err)
			}
			if n := running(t, c); n != 1 {
				t.Errorf("%d windows after the second of the name is over", n)
			}
			return nil
		})
		if err != nil || running(t, c) != 0 {
			t.Errorf("%v, %d running", err, running(t, c))
		}
	})
	t.Run("and what others did while it was saved", func(t *testing.T) {
		shared := memstate.New(memstate.Config{})
		defer shared.Close()
		others := NewController(shared, state.Actor{Name: "bob"}, NotForced)
		meddled := false
		c := NewController(&after{Backend: shared, meddle: func() {
			if !meddled {
				meddled = true
				others.On(context.Background(), Opening{Scope: "eu"})
			}
		}}, state.Actor{Name: "alice"}, NotForced)
		if err := c.During(t.Context(), Opening{}, nop); err != nil {
			t.Fatal(err)
		}
		if s, _ := others.State(t.Context()); len(s.Windows) != 1 || s.Windows[0].Scope != "eu" {
			t.Errorf("%+v", s.Windows)
		}
	})
	t.Run("when nobody can tell whether it was saved", func(t *testing.T) {
		shared := memstate.New(memstate.Config{})
		defer shared.Close()
		c := NewController(&cut{Backend: shared}, state.Actor{}, NotForced)
		if err := c.During(t.Context(), Opening{}, nop); !errors.Is(err, ErrUnreachable) {
			t.Errorf("%v", err)
		}
		if running(t, c) != 0 {
			t.Error("a window stays that nobody knows of")
		}
	})
	t.Run("not at all while a mode is forced", func(t *testing.T) {
		b := memstate.New(memstate.Config{})
		defer b.Close()
		c := NewController(b, state.Actor{}, ForcedOff)
		if err := c.During(t.Context(), Opening{}, nop); !errors.Is(err, ErrForced) {
			t.Errorf("%v", err)
		}
	})
	t.Run("among many at the same time", func(t *testing.T) {
		c := controller(t)
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if err := c.During(context.Background(), Opening{}, nop); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if running(t, c) != 0 {
			t.Error("somebody's window stays")
		}
	})
}
