package driver_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

func TestUnseenIsALookWithoutAWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		if a := next(t.Context(), b, state.Unseen); a.err != nil || a.doc.Rev != state.None || a.doc.Data != nil {
			t.Errorf("a missing document: %+v", a)
		}
		first := f.put(1)
		wantRev(t, next(t.Context(), b, state.Unseen), first.Rev)
		if log := f.since(0); log != "read read" {
			t.Errorf("the store was asked: %s", log)
		}
	})
}

func TestTheEndOfTheContextEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		rev := f.put(1).Rev
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		a := next(ctx, b, rev)
		wantErr(t, a, state.ErrUnchanged, "")
		if a.took != time.Minute || a.retry != 0 {
			t.Errorf("after %v: %v", a.took, a.retry)
		}
		wantTimes(t, f, "read", 1)
	})
}

// TestTheEndOfTheContextInASecondLookIsNoFailure: the call has looked, and the next one will look again.
func TestTheEndOfTheContextInASecondLookIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		rev := f.put(1).Rev
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		answers := waiters(ctx, b, rev, 1)
		synctest.Wait()
		f.onRead = hang
		f.tell(state.Doc{}, nil)
		wantErr(t, <-answers, state.ErrUnchanged, "")
		wantTimes(t, f, "read", 2)

		// The first look is another matter: without one, nothing is known.
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a := next(ctx, b, rev)
		wantErr(t, a, context.DeadlineExceeded, "fakestate: next: context deadline exceeded: the connection was closed")
		if errors.Is(a.err, state.ErrUnchanged) {
			t.Errorf("it says that nothing has changed: %v", a.err)
		}
	})
}

func TestASecondLookThatFailsIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		answers := waiters(t.Context(), b, f.put(1).Rev, 1)
		synctest.Wait()
		refused := errors.New("refused")
		f.onRead = func(context.Context) error { return refused }
		f.tell(state.Doc{}, nil)
		wantErr(t, <-answers, refused, "fakestate: next: refused")
	})
}

func TestEveryCallHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{onRead: hang, onSave: hang}
		b := over(t, f)
		for name, call := range map[string]func() error{
			"next": func() error { _, _, err := b.Next(t.Context(), state.Unseen); return err },
			"save": func() error { _, err := b.Save(t.Context(), state.None, nil); return err },
			"ask":  func() error { return b.Call(t.Context(), "ask", hang) },
		} {
			began := time.Now()
			err := call()
			want := "fakestate: " + name + ": no answer within 4s: context deadline exceeded: the connection was closed"
			if !errors.Is(err, context.DeadlineExceeded) || err.Error() != want {
				t.Errorf("%s: %v\nwant %s", name, err, want)
			}
			if took := time.Since(began); took != timeout {
				t.Errorf("%s: gave up after %v, want %v", name, took, timeout)
			}
		}
	})
}

func TestTheCallersOwnDeadlineCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := over(t, &fake{})
		for name, c := range map[string]struct {
			call func(ctx context.Context) error
			want string
		}{
			"a client with words of its own": {hang, "fakestate: ask: context deadline exceeded: the connection was closed"},
			"a client that hands it on":      {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, "fakestate: ask: context deadline exceeded"},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := b.Call(ctx, "ask", c.call)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) || err.Error() != c.want {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Call(ctx, "ask", hang); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who has gone: %v", err)
		}
	})
}

func TestAnErrorOfTheStoreIsHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		for _, sentinel := range []error{state.ErrConflict, state.ErrReadOnly, state.ErrInexpressible} {
			f.onSave = func(context.Context) error { return sentinel }
			rev, err := b.Save(t.Context(), state.None, nil)
			if !errors.Is(err, sentinel) || rev != state.None || !strings.HasPrefix(err.Error(), "fakestate: save: ") {
				t.Errorf("%q, %v", rev, err)
			}
		}
	})
}

func TestCloseEndsEverythingAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		broken := errors.New("the pool is broken")
		b := driver.New(f, driver.Config{Name: "fakestate"})
		rev := f.put(1).Rev
		answers := waiters(t.Context(), b, rev, 5)
		var cutOff atomic.Bool
		f.onSave = func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			cutOff.Store(true)
			return errors.New("cut off")
		}
		saved := make(chan error, 1)
		go func() { _, err := b.Save(t.Context(), rev, nil); saved <- err }()
		synctest.Wait()
		f.onClose = func() error {
			if f.watching() != 0 || !cutOff.Load() {
				t.Errorf("the store was closed with %d watches, and a call has ended: %v", f.watching(), cutOff.Load())
			}
			return broken
		}
		began := time.Now()
		closed := make(chan error, 3)
		for range 3 {
			go func() { closed <- b.Close() }()
		}
		for range 3 {
			if err := <-closed; !errors.Is(err, broken) || err.Error() != "fakestate: close: the pool is broken" {
				t.Errorf("Close: %v", err)
			}
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("Close took %v, the call under way %v", took, time.Second)
		}
		for range 5 {
			wantErr(t, <-answers, state.ErrClosed, "fakestate: next: the backend is closed")
		}
		if err := <-saved; !errors.Is(err, state.ErrClosed) {
			t.Errorf("the save under way: %v", err)
		}
		if f.closed != 1 {
			t.Errorf("the store was closed %d times", f.closed)
		}

		asked := len(f.log)
		for _, since := range []state.Rev{state.Unseen, state.None, rev} {
			wantErr(t, next(t.Context(), b, since), state.ErrClosed, "fakestate: next: ")
		}
		if _, err := b.Save(t.Context(), rev, nil); !errors.Is(err, state.ErrClosed) {
			t.Errorf("Save after Close: %v", err)
		}
		if err := b.Call(t.Context(), "ask", hang); !errors.Is(err, state.ErrClosed) || err.Error() != "fakestate: ask: the backend is closed" {
			t.Errorf("Call after Close: %v", err)
		}
		if log := f.since(asked); log != "" {
			t.Errorf("after Close the store was asked: %s", log)
		}
	})
}

// TestCloseAtAnyMomentIsToldAsSuch closes the backend in the middle of each thing that a Next does.
func TestCloseAtAnyMomentIsToldAsSuch(t *testing.T) {
	for name, arm := range map[string]func(f *fake, closing func()){
		"while it subscribes": func(f *fake, closing func()) {
			f.onWatch = func(ctx context.Context) error { closing(); return hang(ctx) }
		},
		"once it has subscribed": func(f *fake, closing func()) {
			f.onWatch = func(context.Context) error { closing(); return nil }
		},
		"while it looks": func(f *fake, closing func()) {
			f.onRead = func(ctx context.Context) error { closing(); return hang(ctx) }
		},
		"between look and wait": func(f *fake, closing func()) {
			f.onRead = func(context.Context) error { closing(); synctest.Wait(); return nil }
		},
		"while it polls": func(f *fake, closing func()) {
			f.onWatch = func(context.Context) error { return errors.New("refused") }
			f.onRead = func(context.Context) error { closing(); synctest.Wait(); return nil }
		},
		"while it waits": func(f *fake, closing func()) { f.onWait = closing },
		"while it gives a sign of life": func(f *fake, closing func()) {
			f.onPing = func(ctx context.Context) error { closing(); return hang(ctx) }
		},
		"in a second look": func(f *fake, closing func()) {
			f.onPing = func(context.Context) error {
				f.onRead = func(ctx context.Context) error { closing(); return hang(ctx) }
				f.tell(state.Doc{}, nil)
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := new(fake)
				b := over(t, f)
				rev := f.put(1).Rev
				closed := make(chan error, 1)
				arm(f, sync.OnceFunc(func() { go func() { closed <- b.Close() }() }))
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				a := next(ctx, b, rev)
				wantErr(t, a, state.ErrClosed, "fakestate: next: ")
				if errors.Is(a.err, state.ErrUnchanged) || a.took > probe {
					t.Errorf("after %v: %v", a.took, a.err)
				}
				if err := <-closed; err != nil {
					t.Errorf("Close: %v", err)
				}
				if n := f.watching(); n != 0 {
					t.Errorf("%d watches are open", n)
				}
			})
		})
	}
}

// TestAStoreThatTakesItsTimeKeepsNoWaiter: it is Close that waits for the store, and nobody else.
func TestAStoreThatTakesItsTimeKeepsNoWaiter(t *testing.T) {
	slowly := func() { time.Sleep(time.Second) }
	for name, f := range map[string]*fake{
		"to end a wait":          {onLeave: slowly},
		"to give up subscribing": {onWatch: func(ctx context.Context) error { defer slowly(); return hang(ctx) }},
	} {
		t.Run(name+", at Close", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := over(t, f)
				answers := waiters(t.Context(), b, f.put(1).Rev, 3)
				synctest.Wait()
				go func() { _ = b.Close() }()
				for range 3 {
					a := <-answers
					wantErr(t, a, state.ErrClosed, "")
					if a.took != 0 {
						t.Errorf("Close ended a wait after %v", a.took)
					}
				}
			})
		})
		t.Run(name+", at the end of the context", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := over(t, f)
				ctx, cancel := context.WithCancel(t.Context())
				answers := waiters(ctx, b, f.put(1).Rev, 3)
				synctest.Wait()
				cancel()
				for range 3 {
					if a := <-answers; a.err == nil || a.took != 0 {
						t.Errorf("after %v: %v", a.took, a.err)
					}
				}
			})
		})
	}
}

func TestAConflictOutlivesClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(fake)
		b := over(t, f)
		f.onSave = func(ctx context.Context) error { <-ctx.Done(); return state.ErrConflict }
		go func() { time.Sleep(time.Second); _ = b.Close() }()
		if _, err := b.Save(t.Context(), state.None, nil); !errors.Is(err, state.ErrConflict) || errors.Is(err, state.ErrClosed) {
			t.Errorf("Save: %v", err) // whether something was saved is known: it was not
		}
	})
}

func TestTheDefaultsOfTheTimeLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{onRead: hang}
		b := driver.New(f, driver.Config{Name: "fakestate"})
		defer b.Close()
		if a := next(t.Context(), b, state.Unseen); a.took != driver.DefaultTimeout {
			t.Errorf("a look ended after %v", a.took)
		}
		f.onRead, f.onPing = nil, hang
		if a := next(t.Context(), b, f.put(1).Rev); a.took != 2*driver.DefaultProbe {
			t.Errorf("a dead watch was noticed after %v", a.took)
		}
	})
}

func TestNumberedRevisions(t *testing.T) {
	one, other := []byte("one"), []byte("other")
	if driver.Numbered(1, one) == driver.Numbered(1, other) || driver.Numbered(1, one) == driver.Numbered(2, one) {
		t.Error("two documents share a revision")
	}
	if a, b := driver.Numbered(7, one), driver.Numbered(7, one); a != b {
		t.Errorf("one document has two revisions: %q and %q", a, b)
	}
	for rev, want := range map[state.Rev]struct {
		n  uint64
		ok bool
	}{
		driver.Numbered(42, one):          {42, true},
		driver.Numbered(1<<64-1, nil):     {1<<64 - 1, true},
		driver.Numbered(0, nil):           {0, true},
		state.None:                        {0, true},
		state.Unseen:                      {0, false},
		"42":                              {0, false},
		"-1-aa":                           {0, false},
		"x-aa":                            {0, false},
		"18446744073709551616-0000000000": {0, false},
	} {
		n, ok := driver.Number(rev)
		if ok != want.ok || ok && n != want.n {
			t.Errorf("Number(%q) is %d, %v", rev, n, ok)
		}
	}
	for _, c := range []struct {
		a, b state.Rev
		want bool
	}{
		{driver.Numbered(2, one), driver.Numbered(1, one), true},
		{driver.Numbered(10, one), driver.Numbered(9, one), true},
		{driver.Numbered(1, one), state.None, true},
		{driver.Numbered(1, one), driver.Numbered(1, one), false},
		{driver.Numbered(1, one), driver.Numbered(1, other), false},
		{driver.Numbered(1, one), driver.Numbered(2, one), false},
		{state.None, driver.Numbered(1, one), false},
		{driver.Numbered(1, one), state.Unseen, false},
		{driver.Numbered(2, one), "abc", false},
		{"abc", driver.Numbered(1, one), false},
	} {
		if got := driver.NewerNumber(c.a, c.b); got != c.want {
			t.Errorf("NewerNumber(%q, %q) is %v", c.a, c.b, got)
		}
	}
}
