package statetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/recess-go/recess/core/state"
)

func savedIsReadBack(t *testing.T, s *subject) {
	a, b := s.handle(t), s.handle(t)
	rev := state.None
	for n := 1; n <= 3; n++ {
		saved := save(t, a, rev, document(n))
		if saved == rev {
			t.Errorf("document %d got the revision of the one before", n)
		}
		for who, handle := range map[string]state.Backend{"the writer": a, "another handle": b} {
			// Since the revision before, and not only since Unseen: a new document must differ from the old.
			got := soon(t, who, func() answer { return next(t.Context(), handle, rev) })
			if got.err != nil {
				t.Fatalf("%s: Next since revision %q: %v", who, rev, got.err)
			}
			s.expect(t, got.doc, n)
			if got.doc.Rev != saved {
				t.Errorf("%s: revision %q, Save returned %q", who, got.doc.Rev, saved)
			}
		}
		rev = saved
	}
}

func saveKeepsACopy(t *testing.T, s *subject) {
	b := s.handle(t)
	data := document(1)
	save(t, b, state.None, data)
	for i := range data {
		data[i] = 'x'
	}
	s.expect(t, read(t, b), 1)
}

func staleRevisionConflicts(t *testing.T, s *subject) {
	a, b := s.handle(t), s.handle(t)
	first := save(t, a, state.None, document(1))
	second := save(t, b, first, document(2))
	for _, handle := range []state.Backend{a, b} {
		_, err := handle.Save(t.Context(), first, document(3))
		wantErr(t, "Save over a stale revision", err, state.ErrConflict)
		s.expect(t, read(t, handle), 2)
	}
	save(t, a, second, document(3))
	s.expect(t, read(t, b), 3)
}

func noneConflicts(t *testing.T, s *subject) {
	b := s.handle(t)
	save(t, b, state.None, document(1))
	for _, handle := range []state.Backend{b, s.handle(t)} {
		_, err := handle.Save(t.Context(), state.None, document(2))
		wantErr(t, "Save over None", err, state.ErrConflict)
		s.expect(t, read(t, handle), 1)
	}
}

func missingConflicts(t *testing.T, s *subject) {
	// A revision of this backend's own making, from a store that has documents.
	b := s.handle(t)
	other := &subject{Harness: s.Harness, Store: s.Fresh(t)}
	rev := save(t, other.handle(t), state.None, document(7))
	for _, old := range []state.Rev{rev, state.Unseen} {
		_, err := b.Save(t.Context(), old, document(1))
		wantErr(t, fmt.Sprintf("Save over revision %q", old), err, state.ErrConflict)
		if doc := read(t, b); doc.Rev != state.None {
			t.Errorf("the refused document was saved as revision %q", doc.Rev)
		}
	}
}

// oneWriterWins is fault F12: each writer counts the number up once, by as many attempts as it takes.
func oneWriterWins(t *testing.T, s *subject) {
	const writers = 50
	handles := []state.Backend{s.handle(t), s.handle(t), s.handle(t)}
	ctx := t.Context()
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		wins  = make(map[int]int)
		found faults
		ready sync.WaitGroup // until all have read the same: a writer that comes when the others are done meets nobody
	)
	ready.Add(writers)
	for w := range writers {
		all.Go(func() {
			n, err := countUp(ctx, handles[w%len(handles)], sync.OnceFunc(func() { ready.Done(); ready.Wait() }))
			if err != nil {
				found.add("writer %d: %w", w, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			wins[n]++
		})
	}
	soon(t, "all writers", func() bool { all.Wait(); return true })
	found.report(t)
	for n := 1; n <= writers; n++ {
		if wins[n] != 1 {
			t.Errorf("revision %d was won %d times", n, wins[n])
		}
	}
	s.expect(t, read(t, handles[0]), writers)
}

// countUp replaces the document by its successor and returns the successor's number. It calls meet after each look.
func countUp(ctx context.Context, b state.Backend, meet func()) (int, error) {
	for {
		doc, n, err := readNumber(ctx, b)
		meet()
		if err != nil {
			return 0, err
		}
		_, err = b.Save(ctx, doc.Rev, document(n+1))
		if err == nil {
			return n + 1, nil
		}
		if !errors.Is(err, state.ErrConflict) {
			return 0, err
		}
		_, now, err := readNumber(ctx, b)
		if err != nil {
			return 0, err
		}
		if now <= n {
			return 0, fmt.Errorf("after a conflict over document %d, the document is number %d", n, now)
		}
	}
}

func readNumber(ctx context.Context, b state.Backend) (doc state.Doc, n int, err error) {
	if doc, err = state.Read(ctx, b); err == nil {
		n, err = number(doc)
	}
	return doc, n, err
}

func largestDocument(t *testing.T, s *subject) {
	a, b := s.handle(t), s.handle(t)
	if s.Narrow {
		narrow(t, s, a)
		return
	}
	want := large()
	rev := save(t, a, state.None, want)
	doc := read(t, b)
	if !bytes.Equal(doc.Data, want) || doc.Rev != rev {
		t.Errorf("%d bytes came back as %d, revision %q as %q", len(want), len(doc.Data), rev, doc.Rev)
	}
}

func narrow(t *testing.T, s *subject, b state.Backend) {
	rev := save(t, b, state.None, document(1))
	wide, err := state.Encode(state.State{Version: state.Version, Windows: []state.Window{{ID: "a", Mode: state.Full, Scope: "eu"}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Save(t.Context(), rev, wide)
	wantErr(t, "Save of a scope", err, state.ErrInexpressible)
	s.expect(t, read(t, b), 1)
}

func readOnlyRefuses(t *testing.T, s *subject) {
	if !s.ReadOnly {
		t.Skip("this backend can be written")
	}
	b := s.handle(t)
	_, err := b.Save(t.Context(), state.None, document(1))
	wantErr(t, "Save", err, state.ErrReadOnly)
	if doc := read(t, b); doc.Rev != state.None {
		t.Errorf("the document was saved as revision %q", doc.Rev)
	}
	rev := s.write(t, b, 1)
	_, err = b.Save(t.Context(), rev, document(2))
	wantErr(t, "Save", err, state.ErrReadOnly)
	s.expect(t, read(t, b), 1)
}
