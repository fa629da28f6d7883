package statetest

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

func wokenByItsOwnHandle(t *testing.T, s *subject) {
	b := s.handle(t)
	rev := s.write(t, b, 1)
	waiter := later("the waiter", func() answer { return await(t.Context(), b, rev) })
	untilParked(b, 1)
	s.write(t, b, 2)
	s.woken(t, waiter.take(t), 2)
}

func wokenByAnotherHandle(t *testing.T, s *subject) {
	a, b := s.handle(t), s.handle(t)
	rev := s.write(t, a, 1)
	var waiters []pending[answer]
	for range 10 {
		waiters = append(waiters, later("a waiter", func() answer { return await(t.Context(), b, rev) }))
	}
	untilParked(b, len(waiters))
	s.write(t, a, 2)
	for _, waiter := range waiters {
		s.woken(t, waiter.take(t), 2)
	}
}

func noneWaitsForTheFirst(t *testing.T, s *subject) {
	a, b := s.handle(t), s.handle(t)
	s.stays(t, b, state.None)
	waiter := later("the waiter", func() answer { return await(t.Context(), b, state.None) })
	untilParked(b, 1)
	s.write(t, a, 1)
	s.woken(t, waiter.take(t), 1)
}

// woken asserts that a waiter got the n-th document.
func (s *subject) woken(t *testing.T, a answer, n int) {
	t.Helper()
	if a.err != nil {
		t.Fatalf("the waiter got %v", a.err)
	}
	s.expect(t, a.doc, n)
}

// noChangeIsLost starts the look and the change together, or the change as soon as the look has begun, so that over many
// rounds the change falls before, into and after the moment between look and wait.
func noChangeIsLost(t *testing.T, s *subject) {
	const rounds = 60
	a, b := s.handle(t), s.handle(t)
	rev := s.write(t, a, 1)
	for n := 2; n < rounds && !t.Failed(); n++ {
		since, begun := rev, make(chan struct{})
		waiter := later("the waiter", func() answer {
			close(begun)
			return await(t.Context(), b, since)
		})
		if n%2 == 0 { // a processor that is shared would always have the change come first
			<-begun
			for range n / 2 % 8 {
				runtime.Gosched()
			}
		}
		rev = s.write(t, a, n)
		s.woken(t, waiter.take(t), n)
	}
}

func contextEndsTheWait(t *testing.T, s *subject) {
	b := s.handle(t)
	s.stays(t, b, state.None)
	s.stays(t, b, s.write(t, b, 1))
}

// stays asserts that Next does not answer while the revision is the current one, looks at the store once, and ends
// with its context.
func (s *subject) stays(t *testing.T, b state.Backend, rev state.Rev) {
	t.Helper()
	nothing := func() {}
	s.waitsInVain(t, b, rev, nothing) // what is still told of the last change may make it look again, rightly
	if looks := s.waitsInVain(t, b, rev, nothing); looks > 1 {
		t.Errorf("an idle backend looked %d times in one Next", looks)
	}
}

// waitsInVain waits for a while, in which something happens that is no change, and returns how often the backend looked.
func (s *subject) waitsInVain(t *testing.T, b state.Backend, rev state.Rev, meanwhile func()) int {
	t.Helper()
	before := s.looks()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	waiter := later("Next, when its context ended,", func() answer { return next(ctx, b, rev) })
	untilParked(b, 1)
	meanwhile()
	select {
	case a := <-waiter.result:
		t.Fatalf("Next since the current revision %q answered early: revision %q, %v", rev, a.doc.Rev, a.err)
	case <-time.After(stillness):
	}
	looks := s.looks() - before
	cancel()
	a := waiter.take(t)
	wantErr(t, "Next, when its context ended", a.err, state.ErrUnchanged)
	if a.doc.Rev != state.None || a.doc.Data != nil {
		t.Errorf("with ErrUnchanged came revision %q", a.doc.Rev)
	}
	return looks
}

// storm is fault F19: changes as fast as the store takes them.
func storm(t *testing.T, s *subject) {
	const changes = 200
	a, b := s.handle(t), s.handle(t)
	ctx := t.Context()
	follower := later("the follower", func() error { return followTo(ctx, b, changes) })
	rev := state.None
	for n := 1; n <= changes; n++ {
		rev = save(t, a, rev, document(n))
	}
	if err := follower.take(t); err != nil {
		t.Errorf("the follower: %v", err)
	}
}

// followTo follows a backend up to the last document.
func followTo(ctx context.Context, b state.Backend, last int) error {
	rev, at := state.Unseen, 0
	for answers := 0; at < last; answers++ {
		got := await(ctx, b, rev)
		if got.err != nil {
			return got.err
		}
		n, err := number(got.doc)
		if err != nil {
			return err
		}
		if n < at || answers > 2*last {
			return fmt.Errorf("after document %d came %d, in answer %d", at, n, answers)
		}
		rev, at = got.doc.Rev, n
	}
	return nil
}
