package blobstate_test

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

// A stall holds one request up.
type stall struct {
	reached, release chan struct{}
}

// stop holds up the first request of a kind for a key, before it takes effect or after.
func (f *fake) stop(request, key string, effective bool) stall {
	s := stall{make(chan struct{}), make(chan struct{})}
	var stopped atomic.Bool
	hook := func(r, k string) error {
		if r == request && k == key && stopped.CompareAndSwap(false, true) {
			close(s.reached)
			<-s.release
		}
		return nil
	}
	if effective {
		f.hook(nil, hook)
	} else {
		f.hook(hook, nil)
	}
	return s
}

// An outcome is what Save returned.
type outcome struct {
	rev state.Rev
	err error
}

// saveLater starts a Save, and returns when it is held up.
func saveLater(t *testing.T, b state.Backend, old state.Rev, text string, at stall) <-chan outcome {
	t.Helper()
	done := make(chan outcome, 1)
	go func() {
		rev, err := b.Save(t.Context(), old, []byte(text))
		done <- outcome{rev, err}
	}()
	select {
	case <-at.reached:
	case o := <-done:
		t.Fatalf("Save was not held up: %q, %v", o.rev, o.err)
	case <-time.After(20 * time.Second):
		t.Fatal("Save has not come to where it is held up")
	}
	return done
}

func wantConflict(t *testing.T, o outcome) {
	t.Helper()
	if !errors.Is(o.err, state.ErrConflict) {
		t.Errorf("Save returned %q, %v, want a conflict", o.rev, o.err)
	}
}

// wantOpen asserts that Save neither succeeded nor said that nothing changed.
func wantOpen(t *testing.T, o outcome) {
	t.Helper()
	if o.err == nil || errors.Is(o.err, state.ErrConflict) {
		t.Errorf("Save returned %q, %v, want an error that leaves it open", o.rev, o.err)
	}
}

// few is how many revisions the tests of stalls keep.
const few = 5

func TestAWriterWhoseNumberWasUsedAndRemovedWhileItStalledDoesNotWin(t *testing.T) {
	for base := range 4 {
		for others := 1; others <= 3*few; others++ {
			f := newFake()
			slow, fast := f.open(t), f.open(t)
			keepFew(slow, fast)
			saveUpTo(t, fast, base)
			held := f.stop(put, key(base+1), false)
			done := saveLater(t, slow, read(t, slow).Rev, "too late", held)
			saveUpTo(t, fast, base+others)
			close(held.release)
			o := <-done
			if o.err == nil {
				t.Errorf("a writer that read revision %d succeeded after %d others", base, others)
			}
			wantConflict(t, o)
			for _, k := range f.keys() {
				if f.text(k) == "too late" {
					t.Errorf("its object stays after %d others on revision %d", others, base)
				}
			}
			wantText(t, fast, text(base+others))
			saveUpTo(t, slow, base+others+3)
			wantText(t, fast, text(base+others+3))
		}
	}
}

func TestAWriterThatWasOvertakenIsToldThatItWasSaved(t *testing.T) {
	for base := range 4 {
		f := newFake()
		slow, fast := f.open(t), f.open(t)
		saveUpTo(t, fast, base)
		held := f.stop(put, key(base+1), true)
		done := saveLater(t, slow, read(t, slow).Rev, text(base+1), held)
		saveUpTo(t, fast, base+5)
		close(held.release)
		if o := <-done; o.err != nil || o.rev == state.None {
			t.Errorf("Save returned %q, %v", o.rev, o.err)
		}
		wantText(t, slow, text(base+5))
	}
}

func TestAWriterThatStallsForTheLifetimeOfItsRevisionIsToldNeither(t *testing.T) {
	for _, others := range []int{few, 2 * few, 4 * few} {
		f := newFake()
		slow, fast := f.open(t), f.open(t)
		keepFew(slow, fast)
		saveUpTo(t, fast, 2)
		held := f.stop(put, key(3), true)
		done := saveLater(t, slow, read(t, slow).Rev, text(3), held)
		saveUpTo(t, fast, 3+others)
		close(held.release)
		wantOpen(t, <-done)
		wantText(t, slow, text(3+others))
	}
}

func TestAChangeToAStoreThatIsWipedMeanwhileIsTakenBack(t *testing.T) {
	f := newFake()
	b := f.open(t)
	saveUpTo(t, b, 3)
	held := f.stop(put, key(4), false)
	done := saveLater(t, b, read(t, b).Rev, text(4), held)
	f.erase("recess/")
	f.write(key(1), "begun anew")
	close(held.release)
	wantConflict(t, <-done)
	wantText(t, b, "begun anew")
	if keys := f.keys(); !slices.Equal(keys, []string{key(1)}) {
		t.Errorf("the store holds %q", keys)
	}
}

func TestAChangeToARevisionThatIsReplacedMeanwhileIsTakenBack(t *testing.T) {
	f := newFake()
	b := f.open(t)
	saveUpTo(t, b, 3)
	held := f.stop(put, key(4), false)
	done := saveLater(t, b, read(t, b).Rev, text(4), held)
	f.write(key(3), "by hand")
	close(held.release)
	wantConflict(t, <-done)
	wantText(t, b, "by hand")
}

func TestAChangeThatCannotBeTakenBackIsNoConflict(t *testing.T) {
	interventions := map[string]func(f *fake) (before, after func(string, string) error){
		"others have built on it": func(f *fake) (_, _ func(string, string) error) {
			return nil, func(request, k string) error {
				if request == remove && k == key(4) {
					f.write(key(5), "built on it")
				}
				return nil
			}
		},
		"it may not be removed": func(*fake) (_, _ func(string, string) error) {
			return func(request, _ string) error {
				if request == remove {
					return errDenied
				}
				return nil
			}, nil
		},
	}
	for name, intervene := range interventions {
		f := newFake()
		b := f.open(t)
		saveUpTo(t, b, 3)
		held := f.stop(put, key(4), false)
		done := saveLater(t, b, read(t, b).Rev, text(4), held)
		f.erase("recess/")
		f.hook(intervene(f))
		close(held.release)
		o := <-done
		wantOpen(t, o)
		if o.err != nil && !strings.Contains(o.err.Error(), "could not be taken back") {
			t.Errorf("%s: %v", name, o.err)
		}
	}
}

func TestARevisionThatTheStoreDoesNotListIsNotCalledSaved(t *testing.T) {
	f := newFake()
	b := f.open(t)
	saveUpTo(t, b, 2)
	f.shown = func(keys []string) []string {
		return slices.DeleteFunc(keys, func(k string) bool { return k == key(3) })
	}
	_, err := b.Save(t.Context(), read(t, b).Rev, []byte(text(3)))
	wantOpen(t, outcome{"", err})
}

func TestAJumpByHandIsNotBuiltOnUnread(t *testing.T) {
	f := newFake()
	b := f.open(t)
	saveUpTo(t, b, 3)
	held := f.stop(put, key(4), false)
	done := saveLater(t, b, read(t, b).Rev, text(4), held)
	f.write(key(100), "by hand")
	close(held.release)
	wantConflict(t, <-done)
	wantText(t, b, "by hand")
	if slices.Contains(f.keys(), key(4)) {
		t.Error("what was created too late stays")
	}
}
