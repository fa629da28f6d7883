package statetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

func closeEndsWaiting(t *testing.T, s *subject) {
	b := s.Open(t)
	rev := s.write(t, b, 1)
	var waiters []pending[answer]
	for range 5 {
		waiters = append(waiters, later("a waiter, after Close,", func() answer { return next(t.Context(), b, rev) }))
	}
	untilParked(b, len(waiters))
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	for _, waiter := range waiters {
		wantErr(t, "a waiter, after Close", waiter.take(t).err, state.ErrClosed)
	}
}

func closedAnswersErrClosed(t *testing.T, s *subject) {
	b := s.Open(t)
	rev := s.write(t, b, 1)
	for range 2 {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	for _, since := range []state.Rev{state.Unseen, state.None, rev} {
		a := soon(t, "Next after Close", func() answer { return next(t.Context(), b, since) })
		wantErr(t, "Next after Close", a.err, state.ErrClosed)
	}
	err := soon(t, "Save after Close", func() error { _, err := b.Save(t.Context(), rev, document(2)); return err })
	wantErr(t, "Save after Close", err, state.ErrClosed)
	s.expect(t, read(t, s.handle(t)), 1)
}

func closeLeavesOthersOpen(t *testing.T, s *subject) {
	a, b := s.Open(t), s.handle(t)
	s.write(t, b, 1)
	if err := a.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	s.expect(t, read(t, b), 1)
	s.write(t, b, 2)
	s.expect(t, read(t, s.handle(t)), 2)
}

// everythingAtOnce is for the race detector, and fault F20: a backend is closed in the middle of everything.
func everythingAtOnce(t *testing.T, s *subject) {
	a, b := s.Open(t), s.Open(t)
	ctx := t.Context()
	var (
		all   sync.WaitGroup
		found faults
	)
	for _, handle := range []state.Backend{a, b} {
		for range 4 {
			all.Go(func() { keepReading(ctx, handle, &found) })
			all.Go(func() { keepSaving(ctx, handle, &found) })
		}
	}
	all.Go(func() {
		for range 20 {
			if _, err := state.Read(ctx, b); err != nil {
				found.add("before Close: %w", err)
			}
		}
		for range 3 {
			all.Go(func() {
				if err := b.Close(); err != nil {
					found.add("Close: %w", err)
				}
			})
		}
	})
	soon(t, "everything", func() bool { all.Wait(); return true })
	found.report(t)
	if err := a.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := number(read(t, s.handle(t))); err != nil {
		t.Error(err)
	}
}

func keepReading(ctx context.Context, b state.Backend, found *faults) {
	rev := state.Unseen
	for range 40 {
		short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
		deadline, _ := short.Deadline()
		a := next(short, b, rev)
		ended := !time.Now().Before(deadline) // which a dialer may notice before the context does
		cancel()
		switch {
		case a.err == nil:
			rev = a.doc.Rev
		case errors.Is(a.err, state.ErrClosed):
			return
		case !ended && !errors.Is(a.err, state.ErrUnchanged):
			found.add("Next: %w", a.err)
			return
		}
	}
}

func keepSaving(ctx context.Context, b state.Backend, found *faults) {
	for range 10 {
		doc, err := state.Read(ctx, b)
		n := 0
		if err == nil {
			n, err = number(doc)
		}
		if err == nil {
			_, err = b.Save(ctx, doc.Rev, document(n+1))
		}
		switch {
		case errors.Is(err, state.ErrClosed):
			return
		case err != nil && !errors.Is(err, state.ErrConflict) && !errors.Is(err, state.ErrReadOnly):
			found.add("read and save: %w", err)
			return
		}
	}
}

func noGoroutineStays(t *testing.T, s *subject) {
	first := s.Open(t)
	packages := append([]string{packageOf(first), "github.com/recess-go/recess/core/state/driver"}, s.Packages...)
	if err := first.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	before := untilCalm(packages, 0)

	a, b := s.Open(t), s.Open(t)
	rev := s.write(t, a, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var waiters []pending[answer]
	for _, handle := range []state.Backend{a, b} {
		waiters = append(waiters, later("a waiter", func() answer { return next(ctx, handle, rev) }))
	}
	if s.Push {
		untilParked(a, 1)
	}
	cancel()
	for _, waiter := range waiters {
		waiter.take(t)
	}
	if now := untilCalm(packages, before); now > before && !s.Resident {
		t.Errorf("while nobody waits, %d goroutines more are there:\n%s", now-before, goroutinesOf(packages))
	}
	for _, handle := range []state.Backend{a, b} {
		if err := handle.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if now := untilCalm(packages, before); now > before {
		t.Errorf("after Close, %d goroutines more are there:\n%s", now-before, goroutinesOf(packages))
	}
}
