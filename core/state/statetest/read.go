package statetest

import (
	"context"
	"errors"
	"testing"

	"github.com/recess-go/recess/core/state"
)

func missingDocument(t *testing.T, s *subject) {
	doc := read(t, s.handle(t))
	if doc.Rev != state.None || doc.Data != nil {
		t.Errorf("got revision %q with %d bytes", doc.Rev, len(doc.Data))
	}
}

func unseenIsAnsweredAtOnce(t *testing.T, s *subject) {
	b := s.handle(t)
	for range 3 {
		read(t, b)
	}
	s.write(t, b, 1)
	for range 3 {
		s.expect(t, read(t, b), 1)
	}
}

func oneRevisionOnEveryHandle(t *testing.T, s *subject) {
	a, b := s.handle(t), s.handle(t)
	seen := make(map[state.Rev]int)
	for n := 1; n <= 5; n++ {
		rev := s.write(t, a, n)
		for range 2 {
			doc := read(t, b)
			s.expect(t, doc, n)
			if doc.Rev != rev {
				t.Errorf("document %d is revision %q here and %q there", n, rev, doc.Rev)
			}
		}
		if was, again := seen[rev]; again {
			t.Errorf("documents %d and %d share the revision %q", was, n, rev)
		}
		seen[rev] = n
	}
}

func nonsenseIsReturned(t *testing.T, s *subject) {
	b := s.handle(t)
	before := s.write(t, b, 1)
	for _, text := range []string{`{"version":1,"windows":[`, "nonsense", "{}"} {
		s.Put(t, []byte(text))
		doc := read(t, b)
		if string(doc.Data) != text || doc.Rev == before {
			t.Errorf("%q was returned as %q, revision %q after %q", text, doc.Data, doc.Rev, before)
		}
		if _, err := state.Decode(doc.Data); !errors.Is(err, state.ErrInvalid) {
			t.Errorf("%q: Decode says %v", text, err)
		}
		before = doc.Rev
	}
	s.write(t, b, 2) // it can be replaced as any other
	s.expect(t, read(t, b), 2)
}

func polledOnce(t *testing.T, s *subject) {
	b := s.handle(t)
	s.polled(t, b, state.None)
	s.polled(t, b, s.write(t, b, 1))
}

func (s *subject) polled(t *testing.T, b state.Backend, current state.Rev) {
	t.Helper()
	before := s.looks()
	a := soon(t, "Next since the current revision", func() answer { return next(t.Context(), b, current) })
	wantErr(t, "Next since the current revision", a.err, state.ErrUnchanged)
	if a.doc.Rev != state.None || a.doc.Data != nil {
		t.Errorf("with ErrUnchanged came revision %q", a.doc.Rev)
	}
	if looks := s.looks() - before; looks > 1 {
		t.Errorf("one Next looked %d times", looks)
	}
}

func (s *subject) looks() int {
	if s.Looks == nil {
		return 0
	}
	return s.Looks()
}

func endedContext(t *testing.T, s *subject) {
	b := s.handle(t)
	rev := s.write(t, b, 1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	// What a call answers when its context has ended before it began is left open, but answer it must.
	soon(t, "Next since the current revision", func() answer { return next(ended, b, rev) })
	soon(t, "Next since None", func() answer { return next(ended, b, state.None) })
	err := soon(t, "Save", func() error { _, err := b.Save(ended, rev, document(2)); return err })
	if want := 2; err == nil {
		s.expect(t, read(t, b), want)
	} else {
		s.expect(t, read(t, b), 1)
	}
}
