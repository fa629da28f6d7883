package multistate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
	"github.com/recess-go/recess/core/state/multistate"
)

// started returns a backend over two, of which the first has been read, and the revision that this gave.
func started(t *testing.T) (b *multistate.Backend, first, second *fallible, rev state.Rev) {
	t.Helper()
	first, second = newFallible(), newFallible()
	put(t, first, document(t, 1, 1, false))
	put(t, second, document(t, 1, 2, false))
	b = over(t, first, second)
	doc, err := state.Read(t.Context(), b)
	if err != nil || b.Source() != "A" {
		t.Fatalf("it reads from %q: %v", b.Source(), err)
	}
	return b, first, second, doc.Rev
}

// TestAFirstThatFallsSilentIsLeft whatever the patience of the caller: an engine's is its Poll, which may be shorter than
// what a source takes to give up.
func TestAFirstThatFallsSilentIsLeft(t *testing.T) {
	for _, poll := range []time.Duration{100 * time.Millisecond, time.Second, 3 * time.Second, 15 * time.Second} {
		t.Run(poll.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, first, _, rev := started(t)
				defer b.Close()
				first.breaks(nil, true)
				began := time.Now()
				for {
					asking := time.Now()
					doc, err := follow(t, b, rev, poll)
					if err == nil && doc.Rev != rev {
						if took := time.Since(asking); took != 0 {
							t.Errorf("once the first is known to be silent, the second is asked after %v", took)
						}
						break
					}
					if errors.Is(err, state.ErrUnchanged) {
						t.Fatalf("after %v a silent backend is called unchanged", time.Since(began))
					}
					if time.Since(began) > time.Minute {
						t.Fatalf("after %v it still reads from %q: %v", time.Since(began), b.Source(), err)
					}
				}
				if took := time.Since(began); b.Source() != "B" || took > multistate.DefaultTimeout+2*poll {
					t.Errorf("it reads from %q after %v", b.Source(), took)
				}
			})
		})
	}
}

func TestAnEngineLeavesAFirstThatFallsSilentWhateverItsPoll(t *testing.T) {
	for _, poll := range []time.Duration{time.Second, 15 * time.Second} {
		t.Run(poll.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, first, _, _ := started(t)
				defer b.Close()
				e, err := recess.New(t.Context(), recess.Config{Backend: b, Poll: poll})
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				first.breaks(nil, true)
				time.Sleep(2*poll + 5*time.Second)
				if f := e.Situation().Follower; f.Phase != recess.Valid || f.Source != "B" || f.Revision != 2 {
					t.Errorf("it follows %+v", f)
				}
			})
		})
	}
}

// TestAnImpatientCallerIsNoReasonToLeave: what it has no time to wait for says nothing about the source.
func TestAnImpatientCallerIsNoReasonToLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first, _, rev := started(t)
		defer b.Close()
		first.breaksSlowly(100 * time.Millisecond)
		for range 200 {
			if _, err := follow(t, b, rev, 10*time.Millisecond); err == nil {
				t.Fatal("there was an answer")
			}
			if _, err := follow(t, b, rev, time.Second); !errors.Is(err, state.ErrUnchanged) {
				t.Fatalf("a patient caller: %v", err)
			}
		}
		if b.Source() != "A" {
			t.Errorf("it reads from %q", b.Source())
		}
	})
}

// A stuck backend does not even answer when its context has ended, as a file on a server that is gone.
type stuck struct {
	state.Backend
	until   atomic.Pointer[chan struct{}]
	calls   atomic.Int64
	waiting atomic.Int64
}

func (s *stuck) stop() (release func()) {
	until := make(chan struct{})
	s.until.Store(&until)
	return func() { s.until.Store(nil); close(until) }
}

func (s *stuck) wait() {
	s.calls.Add(1)
	if until := s.until.Load(); until != nil {
		s.waiting.Add(1)
		defer s.waiting.Add(-1)
		<-*until
	}
}

func (s *stuck) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	s.wait()
	return s.Backend.Next(ctx, since)
}

func (s *stuck) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	s.wait()
	return s.Backend.Save(ctx, old, data)
}

func TestABackendThatIsStuckKeepsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := &stuck{Backend: memstate.New(memstate.Config{})}, newFallible()
		put(t, first, document(t, 1, 1, false))
		put(t, second, document(t, 1, 2, false))
		b := over(t, first, second)
		defer b.Close()
		doc, err := state.Read(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		release := first.stop()
		began := time.Now()
		for b.Source() != "B" {
			next, err := follow(t, b, doc.Rev, 15*time.Second)
			if err == nil {
				doc = next
			}
			if time.Since(began) > time.Minute {
				t.Fatalf("it is kept: %v", err)
			}
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it was kept for %v", took)
		}
		if _, err := b.Save(t.Context(), "0:1", document(t, 1, 3, false)); err == nil || !strings.Contains(err.Error(), "A: it has not come back") {
			t.Errorf("a change: %v", err)
		}
		for range 20 {
			if _, err := follow(t, b, doc.Rev, 15*time.Second); !errors.Is(err, state.ErrUnchanged) {
				t.Errorf("the stand-in: %v", err)
			}
		}
		if n := first.waiting.Load(); n > 1 {
			t.Errorf("%d calls are stuck", n)
		}
		release()
		_, err = follow(t, b, doc.Rev, 20*time.Second)
		if err != nil || b.Source() != "A" {
			t.Errorf("once it is free it reads from %q: %v", b.Source(), err)
		}
	})
}

// TestALostWatchIsNoReasonToLeave: the source answers all the same, and it is not asked again and again.
func TestALostWatchIsNoReasonToLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first, second, rev := started(t)
		defer b.Close()
		asked := second.count()
		first.losesWatches(errors.New("the watch was lost"))
		looks := first.count()
		began := time.Now()
		for time.Since(began) < 10*time.Minute {
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			_, wait, err := b.Next(ctx, rev)
			cancel()
			if !errors.Is(err, state.ErrUnchanged) || !strings.Contains(err.Error(), "A: the watch was lost") {
				t.Fatalf("%v", err)
			}
			if wait <= 0 || wait > 15*time.Second {
				t.Fatalf("it asks for %v", wait)
			}
			time.Sleep(wait)
		}
		if n := second.count() - asked; n != 0 || b.Source() != "A" {
			t.Errorf("the second was asked %d times, and it reads from %q", n, b.Source())
		}
		if n := first.count() - looks; n > 200 {
			t.Errorf("in ten minutes the first was asked %d times", n)
		}
		first.losesWatches(nil)
		if _, err := follow(t, b, rev, time.Minute); err != state.ErrUnchanged { //nolint:errorlint // nothing is to be said of it
			t.Errorf("when watches last again: %v", err)
		}
		first.losesWatches(errors.New("the watch was lost"))
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		if _, wait, _ := b.Next(ctx, rev); wait > time.Second {
			t.Errorf("the first loss after that asks for %v", wait)
		}
	})
}

// TestAChangeAtTheLossOfAWatchIsSeen: the question that follows is a look.
func TestAChangeAtTheLossOfAWatchIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first, _, rev := started(t)
		defer b.Close()
		first.losesWatches(errors.New("the watch was lost"))
		put(t, first.Backend, document(t, 1, 5, false))
		if doc, err := follow(t, b, rev, time.Second); err != nil || doc.Rev == rev || b.Source() != "A" {
			t.Errorf("revision %q from %q: %v", doc.Rev, b.Source(), err)
		}
	})
}

func TestWhereNobodyAnswersNothingIsCalledUnchanged(t *testing.T) {
	for name, hangs := range map[string]bool{"they are down": false, "they hang": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, first, second, _ := started(t)
				defer b.Close()
				first.breaks(errDown, false)
				doc, err := state.Read(t.Context(), b)
				if err != nil || b.Source() != "B" {
					t.Fatalf("it reads from %q: %v", b.Source(), err)
				}
				second.breaks(errDown, hangs)
				first.breaks(errDown, hangs)
				for range 20 {
					began := time.Now()
					if _, err := follow(t, b, doc.Rev, 13*time.Second); err == nil || errors.Is(err, state.ErrUnchanged) {
						t.Fatalf("it says %v", err)
					}
					if took := time.Since(began); took > 13*time.Second {
						t.Fatalf("it took %v", took)
					}
				}
				first.breaks(nil, false)
				if _, err := follow(t, b, doc.Rev, 13*time.Second); err != nil || b.Source() != "A" {
					t.Errorf("when the first is back it reads from %q: %v", b.Source(), err)
				}
			})
		})
	}
}

func TestAShortFailureIsSoonOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first, _, rev := started(t)
		defer b.Close()
		first.breaks(errDown, false)
		doc, err := follow(t, b, rev, time.Minute)
		if err != nil || b.Source() != "B" {
			t.Fatalf("it reads from %q: %v", b.Source(), err)
		}
		first.breaks(nil, false)
		began := time.Now()
		if _, err := follow(t, b, doc.Rev, time.Minute); err != nil || b.Source() != "A" || time.Since(began) > 2*time.Second {
			t.Errorf("after %v it reads from %q: %v", time.Since(began), b.Source(), err)
		}
	})
}

// TestNoDocumentInTheStandInIsWaitedForWithOneLook: which source has none does not stand in the revision.
func TestNoDocumentInTheStandInIsWaitedForWithOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newFallible(), newFallible()
		first.breaks(errDown, false)
		b := over(t, first, second)
		defer b.Close()
		if doc, err := state.Read(t.Context(), b); err != nil || doc.Rev != state.None {
			t.Fatalf("%+v, %v", doc, err)
		}
		asked, looked := first.count(), second.count()
		if _, err := follow(t, b, state.None, 400*time.Millisecond); !errors.Is(err, state.ErrUnchanged) {
			t.Errorf("%v", err)
		}
		if a, l := first.count()-asked, second.count()-looked; a != 0 || l != 1 {
			t.Errorf("the first was asked %d times, the second %d times", a, l)
		}
	})
}

// TestAWordInTheStandInCountsUntilTheFirstIsBack: it has no number, so it is neither older nor newer.
func TestAWordInTheStandInCountsUntilTheFirstIsBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("off")
	first := newFallible()
	put(t, first, document(t, 1, 5, false))
	b := over(t, first, opened(t, "file:"+path))
	defer b.Close()
	e, err := recess.New(t.Context(), recess.Config{Backend: b, Poll: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	until := func(what string, ok func(recess.Situation) bool) {
		t.Helper()
		for deadline := time.Now().Add(60 * time.Second); !ok(e.Situation()); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v", what, e.Situation().Follower)
			}
		}
	}
	first.breaks(errDown, false)
	until("the stand-in", func(s recess.Situation) bool { return s.Follower.Source == "B" && !s.Active() })
	write("on")
	until("the word", func(s recess.Situation) bool { return s.Active() && s.Follower.Phase == recess.Valid })
	first.breaks(nil, false)
	until("the first again", func(s recess.Situation) bool {
		return s.Follower.Source == "A" && !s.Active() && s.Follower.Phase == recess.Valid
	})
}

func TestWhoWasNotAskedIsNotBlamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first, _, rev := started(t)
		defer b.Close()
		first.breaks(nil, true)
		asked := first.count()
		_, err := follow(t, b, rev, 10*time.Millisecond)
		if n := first.count() - asked; n != 1 {
			t.Errorf("the first was asked %d times", n)
		}
		if err == nil || !strings.Contains(err.Error(), "A does not answer: ") || strings.Contains(err.Error(), "B") {
			t.Errorf("%v", err)
		}
	})
}

func TestARefusedChangeSaysWhatIsReadMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, first, second, rev := started(t)
		defer b.Close()
		first.breaks(errDown, false)
		const meanwhile = "; meanwhile the state is read from B, which is not changed in its place"
		if _, err := b.Save(t.Context(), rev, document(t, 1, 3, false)); err == nil || strings.Contains(err.Error(), "meanwhile") {
			t.Errorf("before the second is read: %v", err)
		}
		if _, err := state.Read(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		for _, old := range []state.Rev{rev, state.None} {
			_, err := b.Save(t.Context(), old, document(t, 1, 3, false))
			if !errors.Is(err, errDown) || !strings.HasSuffix(fmt.Sprint(err), "multistate: save: A: connection refused"+meanwhile) {
				t.Errorf("over %q: %v", old, err)
			}
		}
		// What is an answer is told as it is.
		first.breaks(state.ErrReadOnly, false)
		if _, err := b.Save(t.Context(), rev, nil); !errors.Is(err, state.ErrReadOnly) || strings.Contains(err.Error(), "meanwhile") {
			t.Errorf("%v", err)
		}
		first.breaks(nil, true)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := b.Save(ctx, "1:1", nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 2*time.Second {
			t.Errorf("over what the second has, while the first hangs: %v after %v", err, time.Since(began))
		}
		if doc, err := state.Read(t.Context(), second); err != nil || doc.Rev != "1" {
			t.Errorf("the second holds %+v, %v", doc, err)
		}
	})
}

func TestCloseEndsWaitersWhateverTheyWaitFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := &stuck{Backend: memstate.New(memstate.Config{})}
		b := over(t, first, newFallible())
		release := first.stop()
		defer release()
		ended := make(chan error, 1)
		go func() {
			_, _, err := b.Next(t.Context(), "0:1")
			ended <- err
		}()
		synctest.Wait()
		began := time.Now()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, state.ErrClosed) || time.Since(began) != 0 {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}
