package multistate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/recess-go/recess/core/state"
)

// maxPause bounds how long an earlier backend is left alone that does not answer.
const maxPause = 15 * time.Second

// A source is a backend, what its revisions begin with here, and how it has answered lately.
type source struct {
	Source
	prefix string

	mu       sync.Mutex
	failures int       // in a row
	trouble  error     // of the last; nil after an answer
	again    time.Time // when it is to be asked again
	silence  time.Time // when the first of the questions was put that callers gave up before there was an answer; else zero
	losses   int       // of watches, in a row
	behind   int       // calls that have not come back although they were told to
}

// outer returns a revision of the source as it is known outside. There is one None for all.
func (s *source) outer(rev state.Rev) state.Rev {
	if rev == state.None {
		return state.None
	}
	return state.Rev(s.prefix) + rev
}

// inner is the counterpart of outer, and false for a revision of another source.
func (s *source) inner(rev state.Rev) (state.Rev, bool) {
	text, ok := strings.CutPrefix(string(rev), s.prefix)
	if !ok {
		return state.None, false
	}
	return state.Rev(text), true
}

// note takes down whether the source has answered.
func (s *source) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noteLocked(err)
}

func (s *source) noteLocked(err error) {
	s.trouble, s.silence = err, time.Time{}
	if err == nil {
		s.failures, s.again = 0, time.Time{}
		return
	}
	pause := min(maxPause, time.Second<<min(s.failures, 10))
	s.failures++
	s.again = time.Now().Add(pause - rand.N(pause/2))
}

// noteSilence takes down that a question was given up before there was an answer. What one impatient caller gives up
// says nothing about the source; but if all do, for as long as it may keep the next from being asked, it is silent.
func (s *source) noteSilence(began time.Time, patience time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.silence.IsZero() || began.Before(s.silence) {
		s.silence = began
	}
	if time.Since(s.silence) >= patience {
		s.noteLocked(err)
	}
}

// pause returns how long the source is still to be left alone, and why.
func (s *source) pause() (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Until(s.again), s.trouble
}

// lose takes down that a watch was lost, and returns how long to wait for another.
func (s *source) lose() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	pause := min(maxPause, 200*time.Millisecond<<min(s.losses, 10))
	s.losses++
	return pause - rand.N(pause/2)
}

// keep takes down that a watch has held.
func (s *source) keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.losses = 0
}

// An answer is what a source says, whatever it was asked.
type answer struct {
	doc  state.Doc
	rev  state.Rev
	wait time.Duration
	err  error
}

// errStuck is the answer of a source that has not come back from a call although that was told to end.
var errStuck = errors.New("it has not come back from a question that has ended")

// call asks a source in a goroutine of its own. One that does not even come back when the context ends, as a file on a
// server that is gone, is left behind, and asked nothing more until it has come back.
func (b *Backend) call(ctx context.Context, s *source, ask func(ctx context.Context) answer) answer {
	if s.isStuck() {
		return answer{err: errStuck}
	}
	answers := make(chan answer, 1)
	go func() { answers <- ask(ctx) }()
	select {
	case a := <-answers:
		return a
	case <-ctx.Done():
	}
	moment := time.NewTimer(b.timeout)
	defer moment.Stop()
	select {
	case a := <-answers:
		return a
	case <-moment.C:
	case <-b.ctx.Done():
	}
	s.leave(1)
	go func() {
		<-answers
		s.leave(-1)
	}()
	return answer{err: fmt.Errorf("%w: %w", ctx.Err(), errStuck)}
}

func (s *source) isStuck() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.behind > 0
}

func (s *source) leave(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind += n
}

// ask reads a source, within its time.
func (b *Backend) ask(ctx context.Context, s *source, limit time.Duration) (state.Doc, error) {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	a := b.call(bounded, s, func(ctx context.Context) answer {
		doc, err := state.Read(ctx, s.Backend)
		return answer{doc: doc, err: err}
	})
	if a.err != nil {
		return state.Doc{}, b.fault(bounded, s, began, a.err)
	}
	s.note(nil)
	a.doc.Rev = s.outer(a.doc.Rev)
	return a.doc, nil
}

// fault takes down that a source has not answered a question, and says so.
func (b *Backend) fault(asking context.Context, s *source, began time.Time, err error) error {
	err = fmt.Errorf("%s does not answer: %w", s.Name, err)
	if asking.Err() != nil {
		s.noteSilence(began, b.timeout, err)
	} else {
		s.note(err)
	}
	return err
}
