package statetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

// patience is how long something that must happen may take. It is a deadline for broken backends; sound ones need
// milliseconds, but for fifty writers at a store behind HTTP, on a machine with much else to do.
var patience = time.Minute

// stillness is for how long something that must not happen is watched: a backend that spins or answers early does so
// at once. A slow machine can make the suite miss such a fault, but not find one that is not there.
var stillness = 100 * time.Millisecond

// A subject is the store under test.
type subject struct {
	Harness
	Store
}

// handle opens another backend and closes it when the test ends.
func (s *subject) handle(t *testing.T) state.Backend {
	t.Helper()
	b := s.Open(t)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

// write makes the n-th document the current one and returns its revision: by Save, or past a read-only backend.
func (s *subject) write(t *testing.T, b state.Backend, n int) state.Rev {
	t.Helper()
	if s.ReadOnly {
		s.Put(t, document(n))
		return read(t, b).Rev
	}
	return save(t, b, read(t, b).Rev, document(n))
}

// expect asserts that a Doc is the n-th document.
func (s *subject) expect(t *testing.T, doc state.Doc, n int) {
	t.Helper()
	want := document(n)
	if s.Normalise != nil {
		want = s.Normalise(want)
	}
	if !bytes.Equal(doc.Data, want) {
		t.Fatalf("the document is\n%.500s\nwant number %d:\n%.500s", doc.Data, n, want)
	}
	if doc.Rev == state.None || doc.Rev == state.Unseen {
		t.Fatalf("document %d has the revision %q", n, doc.Rev)
	}
}

// An answer is what Next returned.
type answer struct {
	doc  state.Doc
	wait time.Duration
	err  error
}

func next(ctx context.Context, b state.Backend, since state.Rev) answer {
	doc, wait, err := b.Next(ctx, since)
	return answer{doc, wait, err}
}

// A pending is a call under way, and the time by which it must have returned.
type pending[T any] struct {
	what     string
	deadline time.Time
	result   chan T
}

// later starts a call. The call must not use t: it may outlive the test.
func later[T any](what string, call func() T) pending[T] {
	p := pending[T]{what, time.Now().Add(patience), make(chan T, 1)}
	go func() { p.result <- call() }()
	return p
}

// take waits for what a call returns, and ends the test if that does not come in time.
func (p pending[T]) take(t *testing.T) T {
	t.Helper()
	select {
	case v := <-p.result:
		return v
	case <-time.After(time.Until(p.deadline)):
		t.Fatalf("%s: no answer within %v", p.what, patience)
		panic("unreachable")
	}
}

// soon returns what call returns, and ends the test if that takes too long.
func soon[T any](t *testing.T, what string, call func() T) T {
	t.Helper()
	return later(what, call).take(t)
}

// faults collects what goroutines find, for the test to report.
type faults struct {
	mu    sync.Mutex
	found []error
}

func (f *faults) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.found = append(f.found, fmt.Errorf(format, args...))
}

func (f *faults) report(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, err := range f.found {
		t.Error(err)
	}
}

// read returns the document as it is now.
func read(t *testing.T, b state.Backend) state.Doc {
	t.Helper()
	a := soon(t, "Next(Unseen)", func() answer { return next(t.Context(), b, state.Unseen) })
	if a.err != nil {
		t.Fatalf("Next(Unseen): %v", a.err)
	}
	if a.doc.Rev == state.Unseen {
		t.Fatal("Next returned Unseen as a revision")
	}
	return a.doc
}

func save(t *testing.T, b state.Backend, old state.Rev, data []byte) state.Rev {
	t.Helper()
	rev, err := b.Save(t.Context(), old, data)
	if err != nil {
		t.Fatalf("Save over revision %q: %v", old, err)
	}
	if rev == state.None || rev == state.Unseen {
		t.Fatalf("Save returned the revision %q", rev)
	}
	return rev
}

// await returns the first document whose revision is not since, as an engine would see it: it asks again on
// ErrUnchanged, after the time that the backend asks for.
func await(ctx context.Context, b state.Backend, since state.Rev) answer {
	for {
		a := next(ctx, b, since)
		if !errors.Is(a.err, state.ErrUnchanged) || ctx.Err() != nil {
			return a
		}
		timer := time.NewTimer(a.wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// wantErr asserts that an error wraps a sentinel.
func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: error %v, want one that wraps %q", what, got, want)
	}
}
