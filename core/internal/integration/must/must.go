// Package must says in a test what has to be. What is not ends the test, but for Refuse, after which it goes on.
package must

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

// patience is how long something that must happen may take on a machine that has much else to do.
const patience = time.Minute

// Do asserts that something was done.
func Do(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Read returns the document.
func Read(t testing.TB, b state.Backend) state.Doc {
	t.Helper()
	doc, err := state.Read(t.Context(), b)
	Do(t, err)
	return doc
}

// Save saves a document over a revision, and returns its own.
func Save[Text string | []byte](t testing.TB, b state.Backend, old state.Rev, text Text) state.Rev {
	t.Helper()
	rev, err := b.Save(t.Context(), old, []byte(text))
	if err != nil {
		t.Fatalf("Save over %q: %v", old, err)
	}
	return rev
}

// List returns the instances as "id=data" words.
func List(t testing.TB, b state.Presence) string {
	t.Helper()
	instances, err := b.Instances(t.Context())
	Do(t, err)
	var words []string
	for _, i := range instances {
		words = append(words, i.ID+"="+string(i.Data))
	}
	return strings.Join(words, " ")
}

// Receive returns what comes in time.
func Receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("%s: nothing within %v", what, patience)
		panic("unreachable")
	}
}

// End asserts that a call does not take for ever.
func End(t testing.TB, what string, call func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); call() }()
	Receive(t, what, done)
}

// Become returns once something is so that nobody can tell of.
func Become(t testing.TB, what string, is func() bool) {
	t.Helper()
	began := time.Now()
	for ; !is(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Logf("%s: after %v", what, took.Round(time.Millisecond))
	}
}

// Refuse asserts that an error wraps another, nil for none of [state.ErrReadOnly] and [state.ErrConflict], and says some
// words.
func Refuse(t testing.TB, what string, err, wraps error, says ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	t.Logf("%s: %v", what, err)
	if wraps != nil && !errors.Is(err, wraps) {
		t.Errorf("%s: the error does not wrap %q: %v", what, wraps, err)
	}
	if wraps == nil && (errors.Is(err, state.ErrReadOnly) || errors.Is(err, state.ErrConflict)) {
		t.Errorf("%s: the error is of the wrong kind: %v", what, err)
	}
	for _, words := range says {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("%s: the error does not say %q: %v", what, words, err)
		}
	}
}
