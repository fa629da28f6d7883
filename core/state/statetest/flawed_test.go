package statetest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

// flaws are the ways in which a backend can break its contract, each with a promise whose subtest must notice.
var flaws = []struct{ flaw, promise string }{
	{"reads, then subscribes", "no change is lost between the look and the wait"},
	{"never wakes anybody", "a waiter is woken by a save on its own handle"},
	{"wakes one waiter only", "every waiter is woken by a save on another handle"},
	{"keeps Unseen waiting", "Unseen is answered at once, every time"},
	{"calls a missing document one", "a missing document is the zero Doc"},
	{"wakes without a first document", "without a document, None waits for the first one"},
	{"never conflicts", "Save over a stale revision is a conflict"},
	{"never conflicts", "of 50 writers exactly one wins each revision"},
	{"takes None for anything", "Save over None is a conflict where a document exists"},
	{"creates over any revision", "Save over a revision is a conflict where no document exists"},
	{"compares, then saves", "of 50 writers exactly one wins each revision"},
	{"keeps the caller's buffer", "Save keeps a copy of what it was given"},
	{"drops the last byte", "a saved document is read back"},
	{"keeps 64 KiB at most", "a document of the largest size is kept"},
	{"numbers for each handle", "one document has one revision on every handle"},
	{"repairs nonsense", "a document that makes no sense is returned as it is"},
	{"ignores the context", "the end of the context ends the wait with ErrUnchanged, and nothing else does"},
	{"ignores the context", "a call whose context has ended returns"},
	{"answers early", "the end of the context ends the wait with ErrUnchanged, and nothing else does"},
	{"spins", "the end of the context ends the wait with ErrUnchanged, and nothing else does"},
	{"answers with the context's error", "the end of the context ends the wait with ErrUnchanged, and nothing else does"},
	{"goes back after 200 changes", "a storm of changes ends with the last one and never goes back"},
	{"leaves waiters waiting", "Close ends every waiting call with ErrClosed"},
	{"works on after Close", "after Close every call answers ErrClosed, and closing again is no error"},
	{"closes everybody", "Close leaves other handles open"},
	{"leaves a goroutine", "no goroutine stays behind"},
	{"locks up", "all methods may be called at the same time"},
	{"saves although it is read-only", "a read-only backend refuses to save"},
	{"looks twice", "a polled backend answers ErrUnchanged at once and looks once"},

	{"forgets who announced itself", "who announced itself is there"},
	{"keeps what was said first", "who announced itself is there"},
	{"lists in any order", "who announced itself is there"},
	{"keeps one fleet for all stores", "who announced itself is there"},
	{"withdraws nobody", "who withdrew is gone"},
	{"withdraws everybody", "who withdrew is gone"},
	{"fails to withdraw who is not there", "who withdrew is gone"},
	{"never expires", "whose announcement expired is gone, and nobody else"},
	{"expires at once", "whose announcement expired is gone, and nobody else"},
	{"expires everybody together", "whose announcement expired is gone, and nobody else"},
	{"does not renew", "whose announcement expired is gone, and nobody else"},
	{"numbers the document anew at an announcement", "an announcement changes no document and wakes nobody"},
	{"looks again at an announcement", "an announcement changes no document and wakes nobody"},
	{"answers at an announcement", "an announcement changes no document and wakes nobody"},
	{"takes any announcement", "an announcement that cannot be kept is refused"},
	{"keeps short announcements only", "an announcement that cannot be kept is refused"},
	{"turns its clock back", "the store's time does not go back"},
	{"tells the time now and then", "the store's time does not go back"},
	{"lists one page", "many announce themselves at once"},
	{"announces after Close", "after Close nobody can be announced"},
	{"withdraws its instances at Close", "after Close nobody can be announced"},
}

const flawVariable = "STATETEST_FLAW"

func TestTheSuiteNoticesEveryFlaw(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range promises {
		if !slices.ContainsFunc(flaws, func(f struct{ flaw, promise string }) bool { return f.promise == p.name }) {
			t.Errorf("no flaw shows that the suite can fail at: %s", p.name)
		}
	}
	places := make(chan struct{}, 6) // of processes at a time: they mostly wait for what does not happen
	run := func(flaw, promise string) func() (string, error) {
		var (
			out  []byte
			err  error
			done = make(chan struct{})
		)
		go func() {
			defer close(done)
			places <- struct{}{}
			cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestFlawed$/"+strings.ReplaceAll(promise, " ", "_"), "-test.v", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), flawVariable+"="+flaw)
			out, err = cmd.CombinedOutput()
			<-places
		}()
		return func() (string, error) { <-done; return string(out), err }
	}
	sound := run("none", "")
	found := make([]func() (string, error), len(flaws))
	for i, f := range flaws {
		found[i] = run(f.flaw, f.promise)
	}
	for i, f := range flaws {
		t.Run(f.flaw+": "+f.promise, func(t *testing.T) {
			out, err := found[i]()
			if err == nil || !strings.Contains(out, "--- FAIL: TestFlawed/") {
				t.Errorf("a backend that %s passes: %v\n%s", f.flaw, err, out)
			}
			if strings.Contains(out, "panic: ") {
				t.Errorf("the suite broke instead of failing:\n%s", out)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		if out, err := sound(); err != nil || !strings.Contains(out, "--- PASS: TestFlawed/") {
			t.Errorf("a sound backend fails: %v\n%s", err, out)
		}
	})
}

// TestFlawed runs the suite over one flawed backend, in a process of its own.
func TestFlawed(t *testing.T) {
	flaw := os.Getenv(flawVariable)
	if flaw == "" {
		t.Skip("started by TestTheSuiteNoticesEveryFlaw")
	}
	if flaw != "none" {
		patience, passing = 2*time.Second, time.Second
	}
	everywhere := newFlawedFleet()
	Run(t, Harness{
		Presence: true,
		Push:     flaw != "looks twice",
		ReadOnly: flaw == "saves although it is read-only",
		Fresh: func(t *testing.T) Store {
			s := &flawedStore{flaw: flaw, changed: make(chan struct{}), fleet: newFlawedFleet()}
			if s.is("keeps one fleet for all stores") {
				s.fleet = everywhere
			}
			return Store{
				Open:  func(*testing.T) state.Backend { return &flawed{flawedStore: s, done: make(chan struct{})} },
				Put:   func(_ *testing.T, data []byte) { s.put(data) },
				Looks: func() int { s.mu.Lock(); defer s.mu.Unlock(); return s.looks },
			}
		},
	})
}

// A flawedStore is a sound backend's store, but for its flaw.
type flawedStore struct {
	flaw    string
	mu      sync.Mutex
	doc     state.Doc
	all     []state.Doc
	saves   int
	looks   int
	changed chan struct{}
	shut    bool
	fleet   *flawedFleet
	hinted  bool
}

type flawed struct {
	*flawedStore
	once sync.Once
	seen int
	done chan struct{}
}

func (s *flawedStore) is(flaw string) bool { return s.flaw == flaw }

func (s *flawedStore) put(data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(data)
}

func (s *flawedStore) set(data []byte) {
	s.saves++
	s.doc = state.Doc{Rev: state.Rev(strconv.Itoa(s.saves)), Data: data}
	s.all = append(s.all, s.doc)
	switch {
	case s.is("never wakes anybody"):
		return
	case s.is("wakes one waiter only"):
		select {
		case s.changed <- struct{}{}:
		default:
		}
		return
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

func (f *flawed) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	for {
		if f.closed() {
			return state.Doc{}, 0, state.ErrClosed
		}
		doc, changed := f.look()
		switch {
		case f.is("keeps Unseen waiting") && since == state.Unseen && f.again():
		case f.is("wakes without a first document") && since == state.None:
			return state.Doc{}, 0, nil
		case doc.Rev != since:
			return doc, 0, nil
		case f.is("looks twice"):
			f.look()
			return state.Doc{}, 0, state.ErrUnchanged
		case f.is("answers early"):
			return state.Doc{}, 0, state.ErrUnchanged
		}
		if f.is("reads, then subscribes") {
			time.Sleep(time.Millisecond) // the flaw itself: a change in this moment is lost
			f.mu.Lock()
			changed = f.changed
			f.mu.Unlock()
		}
		if f.is("leaves a goroutine") {
			go func() { <-changed }()
		}
		if f.is("spins") && ctx.Err() == nil {
			runtime.Gosched()
			continue
		}
		ended, done := ctx.Done(), f.done
		if f.is("ignores the context") {
			ended = nil
		}
		if f.is("leaves waiters waiting") {
			done = nil
		}
		select {
		case <-changed:
			if f.is("answers at an announcement") && f.unhint() {
				return state.Doc{}, 0, state.ErrUnchanged
			}
		case <-done:
		case <-ended:
			if f.is("answers with the context's error") {
				return state.Doc{}, 0, ctx.Err()
			}
			return state.Doc{}, 0, state.ErrUnchanged
		}
	}
}

// again reports whether this handle has been here before.
func (f *flawed) again() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen++
	return f.seen > 1
}

func (f *flawed) look() (state.Doc, <-chan struct{}) {
	f.mu.Lock()
	if !f.is("locks up") || f.saves < 5 {
		defer f.mu.Unlock()
	}
	f.looks++
	doc := f.doc
	switch {
	case f.is("goes back after 200 changes") && f.saves >= 200:
		doc = f.all[99-50*(f.looks%2)]
	case f.is("calls a missing document one") && doc.Rev == state.None:
		doc.Data = []byte{}
	case f.is("repairs nonsense"):
		if _, err := state.Decode(doc.Data); err != nil {
			doc.Data = nil
		}
	case f.is("numbers for each handle") && doc.Rev != state.None:
		f.seen++
		doc.Rev = state.Rev(strconv.Itoa(f.seen))
	}
	return doc, f.changed
}

func (f *flawed) Save(_ context.Context, old state.Rev, data []byte) (state.Rev, error) {
	if f.closed() {
		return state.None, state.ErrClosed
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	conflict := f.doc.Rev != old
	switch {
	case f.is("never conflicts"), f.is("takes None for anything") && old == state.None, f.is("creates over any revision") && f.saves == 0:
		conflict = false
	case f.is("compares, then saves"):
		f.mu.Unlock()
		runtime.Gosched()
		f.mu.Lock()
	}
	if conflict {
		return state.None, state.ErrConflict
	}
	switch {
	case f.is("keeps the caller's buffer"):
	case f.is("drops the last byte"):
		data = bytes.Clone(data[:len(data)-1])
	case f.is("keeps 64 KiB at most"):
		data = bytes.Clone(data[:min(len(data), 64<<10)])
	default:
		data = bytes.Clone(data)
	}
	f.set(data)
	return f.doc.Rev, nil
}

func (f *flawed) Close() error {
	f.once.Do(func() { close(f.done) })
	if f.is("withdraws its instances at Close") {
		f.mu.Lock()
		clear(f.fleet.there)
		f.mu.Unlock()
	}
	if f.is("closes everybody") {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.shut = true
	}
	return nil
}

func (f *flawed) closed() bool {
	if f.is("works on after Close") {
		return false
	}
	if f.is("closes everybody") {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.shut
	}
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}
