package multistate_test

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
	"github.com/recess-go/recess/core/state/memstate"
	"github.com/recess-go/recess/core/state/multistate"
	"github.com/recess-go/recess/core/state/statetest"
)

func TestConformanceWhileTheFirstAnswers(t *testing.T) {
	statetest.Run(t, statetest.Harness{
		Push: true, Presence: false, // the first one's presence is found by state.As
		Fresh: func(t *testing.T) statetest.Store {
			first, second := memstate.New(memstate.Config{}), memstate.New(memstate.Config{})
			return statetest.Store{Open: func(t *testing.T) state.Backend { return over(t, first, second) }}
		},
	})
}

func TestConformanceWhileTheFirstIsPolled(t *testing.T) {
	statetest.Run(t, statetest.Harness{
		Fresh: func(t *testing.T) statetest.Store {
			first := &fallible{Backend: memstate.New(memstate.Config{}), polled: true}
			return statetest.Store{
				Open:  func(t *testing.T) state.Backend { return over(t, first, memstate.New(memstate.Config{})) },
				Looks: func() int { return first.count() },
			}
		},
	})
}

func over(t *testing.T, backends ...state.Backend) *multistate.Backend {
	t.Helper()
	var sources []multistate.Source
	for i, b := range backends {
		sources = append(sources, multistate.Source{Name: string(rune('A' + i)), Backend: b})
	}
	b, err := multistate.New(sources, multistate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A fallible is a backend that can be out of order: it fails at once, or does not answer before its caller gives up.
type fallible struct {
	state.Backend
	mu     sync.Mutex
	fault  error
	hangs  bool
	polled bool
	slow   time.Duration
	lost   error // what every watch is lost by, after its look
	looks  int
	ended  chan struct{} // closed, and replaced, when it goes out of order: its waiters are told
}

func newFallible() *fallible {
	return &fallible{Backend: memstate.New(memstate.Config{}), ended: make(chan struct{})}
}

func (f *fallible) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.looks
}

func (f *fallible) breaks(fault error, hangs bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.hangs = fault, hangs
	if f.ended != nil {
		close(f.ended)
		f.ended = make(chan struct{})
	}
}

func (f *fallible) now() (hangs, polled bool, ended <-chan struct{}, fault error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	return f.hangs, f.polled, f.ended, f.fault
}

func (f *fallible) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	hangs, polled, ended, fault := f.now()
	slow, lost := f.watching()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
			return state.Doc{}, 0, ctx.Err()
		}
	}
	switch {
	case hangs:
		<-ctx.Done()
		return state.Doc{}, 0, ctx.Err()
	case fault != nil:
		return state.Doc{}, 0, fault
	case polled, lost != nil:
		doc, err := state.Read(ctx, f.Backend)
		if err == nil && doc.Rev == since {
			return state.Doc{}, 0, cmp.Or(lost, state.ErrUnchanged)
		}
		return doc, 0, err
	}
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	over := make(chan struct{})
	defer func() { <-over }()
	defer cancel(nil)
	go func() {
		defer close(over)
		select {
		case <-ended:
			cancel(errors.New("the link is lost"))
		case <-waiting.Done():
		}
	}()
	doc, wait, err := f.Backend.Next(waiting, since)
	if errors.Is(err, state.ErrUnchanged) && ctx.Err() == nil {
		return state.Doc{}, 0, context.Cause(waiting)
	}
	return doc, wait, err
}

// watching returns how long a look takes, and by what every watch is lost after it.
func (f *fallible) watching() (slow time.Duration, lost error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.slow, f.lost
}

func (f *fallible) breaksSlowly(slow time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slow = slow
}

func (f *fallible) losesWatches(lost error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = lost
}

func (f *fallible) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	f.mu.Lock()
	fault, hangs := f.fault, f.hangs
	f.mu.Unlock()
	switch {
	case hangs:
		<-ctx.Done()
		return state.None, ctx.Err()
	case fault != nil:
		return state.None, fault
	}
	return f.Backend.Save(ctx, old, data)
}

var errDown = errors.New("connection refused")

func document(t *testing.T, epoch, revision int64, closed bool) []byte {
	t.Helper()
	s := state.State{Version: state.Version, Epoch: epoch, Revision: revision}
	if closed {
		s.Windows = []state.Window{{ID: "w1", Mode: state.Full}}
	}
	data, err := state.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// put replaces the document of a backend, whatever it is.
func put(t *testing.T, b state.Backend, data []byte) {
	t.Helper()
	doc, err := state.Read(t.Context(), b)
	if err == nil {
		_, err = b.Save(t.Context(), doc.Rev, data)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheFirstThatAnswersIsReadAndNamed(t *testing.T) {
	for name, c := range map[string]struct {
		faults [3]error
		hangs  int // which one hangs; -1 for none
		want   string
	}{
		"all answer":               {[3]error{}, -1, "A"},
		"the first is down":        {[3]error{errDown}, -1, "B"},
		"the first hangs":          {[3]error{}, 0, "B"},
		"two are down":             {[3]error{errDown, errDown}, -1, "C"},
		"one hangs, one is down":   {[3]error{0: errDown}, 1, "C"},
		"a later one is down, too": {[3]error{1: errDown}, -1, "A"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var all []state.Backend
				for i := range 3 {
					f := newFallible()
					put(t, f, document(t, 1, int64(i)+1, false))
					f.breaks(c.faults[i], i == c.hangs)
					all = append(all, f)
				}
				b := over(t, all...)
				if b.Source() != "" {
					t.Errorf("before the first look it reads from %q", b.Source())
				}
				doc, err := state.Read(t.Context(), b)
				if err != nil {
					t.Fatal(err)
				}
				s, err := state.Decode(doc.Data)
				if want := int64(c.want[0]-'A') + 1; err != nil || s.Revision != want || b.Source() != c.want {
					t.Errorf("it read revision %d from %q, want %q: %v", s.Revision, b.Source(), c.want, err)
				}
			})
		})
	}
}

func TestNoDocumentIsAnAnswerAndSoIsNonsense(t *testing.T) {
	for name, data := range map[string][]byte{"no document": nil, "nonsense": []byte("nonsense")} {
		t.Run(name, func(t *testing.T) {
			first, second := newFallible(), newFallible()
			if data != nil {
				put(t, first, data)
			}
			put(t, second, document(t, 1, 1, true))
			doc, err := state.Read(t.Context(), over(t, first, second))
			if err != nil || string(doc.Data) != string(data) {
				t.Errorf("it read %q: %v", doc.Data, err)
			}
		})
	}
}

func TestAllErrorsAreTold(t *testing.T) {
	first, second := newFallible(), newFallible()
	first.breaks(errDown, false)
	second.breaks(errors.New("permission denied"), false)
	_, err := state.Read(t.Context(), over(t, first, second))
	for _, says := range []string{"multistate: next: ", "A does not answer: connection refused", "B does not answer: permission denied"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("the error does not say %q: %v", says, err)
		}
	}
	if !errors.Is(err, errDown) {
		t.Errorf("the error does not wrap its causes: %v", err)
	}
}

// follow returns what Next says until its context ends, as an engine would ask.
func follow(t *testing.T, b state.Backend, since state.Rev, d time.Duration) (state.Doc, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	doc, _, err := b.Next(ctx, since)
	return doc, err
}

func TestAWaiterMovesOnWhenTheOneInUseFailsAndBackWhenAnEarlierOneAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newFallible(), newFallible()
		put(t, first, document(t, 1, 1, false))
		put(t, second, document(t, 1, 2, false))
		b := over(t, first, second)
		doc, err := state.Read(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(time.Second)
			first.breaks(errDown, false)
		}()
		began := time.Now()
		next, err := follow(t, b, doc.Rev, time.Minute)
		if err != nil || b.Source() != "B" || time.Since(began) != time.Second {
			t.Fatalf("after %v it reads from %q: %v", time.Since(began), b.Source(), err)
		}

		// Nothing happens: the reason is told, and the first one is asked ever more rarely.
		before := first.count()
		_, err = follow(t, b, next.Rev, 10*time.Minute)
		if !errors.Is(err, state.ErrUnchanged) || !strings.Contains(err.Error(), "the state is read from B, since A does not answer: connection refused") {
			t.Errorf("while nothing happens: %v", err)
		}
		if asked := first.count() - before; asked < 35 || asked > 90 {
			t.Errorf("in ten minutes the first one was asked %d times", asked)
		}

		// A change in the one in use arrives at once.
		go func() {
			time.Sleep(time.Second)
			put(t, second, document(t, 1, 3, false))
		}()
		began = time.Now()
		next, err = follow(t, b, next.Rev, time.Minute)
		if err != nil || time.Since(began) != time.Second || b.Source() != "B" {
			t.Errorf("a change in the second one was seen after %v in %q: %v", time.Since(began), b.Source(), err)
		}

		first.breaks(nil, false)
		began = time.Now()
		next, err = follow(t, b, next.Rev, time.Minute)
		if err != nil || b.Source() != "A" || time.Since(began) > 16*time.Second {
			t.Errorf("the first one was taken again after %v: %q, %v", time.Since(began), b.Source(), err)
		}
		if next.Rev != doc.Rev {
			t.Errorf("its document is revision %q, and was %q", next.Rev, doc.Rev)
		}
	})
}

func TestABackendThatIsPolledWhileItStandsInIsNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newFallible(), newFallible()
		first.breaks(errDown, false)
		second.polled = true
		put(t, second, document(t, 1, 1, false))
		b := over(t, first, second)
		doc, err := state.Read(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		before := second.count()
		if _, err := follow(t, b, doc.Rev, 10*time.Minute); !errors.Is(err, state.ErrUnchanged) {
			t.Errorf("the wait ended with %v", err)
		}
		if looks := second.count() - before; looks < 35 || looks > 90 {
			t.Errorf("in ten minutes it was asked %d times", looks)
		}
	})
}

// The look at the one that stands in takes longer than the first one is left alone.
func TestASlowStandInIsReadAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newFallible(), newFallible()
		first.breaks(errDown, false)
		second.slow = 1200 * time.Millisecond
		put(t, second.Backend, document(t, 1, 1, false))
		b := over(t, first, second)
		doc, err := state.Read(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		for n := int64(2); n < 8; n++ {
			put(t, second.Backend, document(t, 1, n, false))
			next, err := follow(t, b, doc.Rev, 10*time.Second)
			if err != nil || next.Rev == doc.Rev {
				t.Fatalf("change %d was not seen: %v", n, err)
			}
			doc = next
		}
	})
}

// Both have no document: the return to the first one is no change.
func TestAReturnToTheSameNothingIsNoChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newFallible(), newFallible()
		first.breaks(errDown, false)
		b := over(t, first, second)
		if doc, err := state.Read(t.Context(), b); err != nil || doc.Rev != state.None || b.Source() != "B" {
			t.Fatalf("%+v from %q: %v", doc, b.Source(), err)
		}
		first.breaks(nil, false)
		if _, err := follow(t, b, state.None, time.Minute); !errors.Is(err, state.ErrUnchanged) || b.Source() != "A" {
			t.Errorf("the wait ended with %v, reading from %q", err, b.Source())
		}
	})
}

func TestChangesGoToTheFirstAloneOrAreRefused(t *testing.T) {
	first, second := newFallible(), newFallible()
	b := over(t, first, second)
	rev, err := b.Save(t.Context(), state.None, document(t, 1, 1, false))
	if err != nil {
		t.Fatal(err)
	}
	if doc, err := state.Read(t.Context(), second); err != nil || doc.Rev != state.None {
		t.Errorf("the second one holds %+v: %v", doc, err)
	}
	put(t, second, document(t, 1, 2, false))

	first.breaks(errDown, false)
	if _, err := b.Save(t.Context(), rev, document(t, 1, 3, false)); !errors.Is(err, errDown) || !strings.Contains(err.Error(), "multistate: save: A: ") {
		t.Errorf("a change while the first one is down: %v", err)
	}
	read, err := state.Read(t.Context(), b)
	if err != nil || b.Source() != "B" {
		t.Fatalf("it reads from %q: %v", b.Source(), err)
	}
	_, err = b.Save(t.Context(), read.Rev, document(t, 1, 3, false))
	if err == nil || errors.Is(err, state.ErrConflict) || !strings.Contains(err.Error(), "until it answers, the state is read from B and cannot be changed") {
		t.Errorf("a change over what the second one holds: %v", err)
	}
	first.breaks(nil, false)
	if _, err = b.Save(t.Context(), read.Rev, document(t, 1, 3, false)); !errors.Is(err, state.ErrConflict) {
		t.Errorf("the same once the first one answers: %v", err)
	}
	if doc, err := state.Read(t.Context(), second); err != nil || doc.Rev != "1" {
		t.Errorf("the second one was written: %+v, %v", doc, err)
	}
}

// A start with the first one down serves what the second has; the return to the first with an older document is a
// regression, and the last known state stays.
func TestAnEngineKeepsTheLastKnownStateWhenTheFirstReturnsWithAnOlderOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newFallible(), newFallible()
		put(t, first, document(t, 1, 1, false))
		put(t, second, document(t, 2, 1, true)) // an operator closed the site there, while the first one was down
		first.breaks(errDown, false)
		b := over(t, first, second)
		e, err := recess.New(t.Context(), recess.Config{Backend: b})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if s := e.Situation(); s.Follower.Phase != recess.Valid || !s.Active() || s.Follower.Source != "B" {
			t.Fatalf("it starts with %+v, active %v", s.Follower, s.Active())
		}
		first.breaks(nil, false)
		time.Sleep(2 * recess.DefaultPoll)
		if s := e.Situation(); s.Follower.Phase != recess.Stale || !s.Active() || s.Follower.Source != "A" {
			t.Errorf("after the return it has %+v, active %v", s.Follower, s.Active())
		}
		if _, err := e.Control(state.Actor{}).Off(t.Context(), recess.Ending{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * recess.DefaultPoll)
		if s := e.Situation(); s.Follower.Phase != recess.Valid || s.Active() {
			t.Errorf("after off it has %+v, active %v", s.Follower, s.Active())
		}
	})
}

func TestWhatTheFirstCanDoBesideIsFound(t *testing.T) {
	file, err := filestate.New(filepath.Join(t.TempDir(), "recess.json"), filestate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	memory := memstate.New(memstate.Config{})
	if _, ok := state.As[state.Presence](over(t, memory, file)); !ok {
		t.Error("the presence of the first one is not found")
	}
	if _, ok := state.As[state.Salvager](over(t, memory, file)); ok {
		t.Error("the second one salvages")
	}
	if _, ok := state.As[state.Salvager](over(t, over(t, file, memory), memory)); !ok {
		t.Error("the salvager of the first one of the first one is not found")
	}
}

func TestNewRefusesWhatCannotBeAnOrder(t *testing.T) {
	b := memstate.New(memstate.Config{})
	for name, c := range map[string]struct {
		sources []multistate.Source
		config  multistate.Config
	}{
		"nothing":            {},
		"one":                {sources: []multistate.Source{{"A", b}}},
		"one without a name": {sources: []multistate.Source{{"A", b}, {"", b}}},
		"one that is nil":    {sources: []multistate.Source{{"A", b}, {"B", nil}}},
		"a negative timeout": {sources: []multistate.Source{{"A", b}, {"B", b}}, config: multistate.Config{Timeout: -1}},
	} {
		if _, err := multistate.New(c.sources, c.config); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
}

func TestTheURLListsOthersAndHidesTheirSecrets(t *testing.T) {
	dir := t.TempDir()
	put(t, opened(t, "file:"+dir+"/b.json"), document(t, 1, 7, false))
	b := opened(t, "multi:file:"+dir+"/a.json\n\tfile:"+dir+"/b.json ")
	if _, err := state.Read(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if got, want := b.(state.Sourcer).Source(), "file:"+dir+"/a.json"; got != want {
		t.Errorf("it reads from %q, want %q", got, want)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for rest, says := range map[string]string{
		"":                                  "at least two",
		"file:" + dir + "/a.json":           "at least two",
		"file:x.json multi:file:y":          "cannot be one of the backends",
		"file:x.json consul://u:hunter2@h":  `state URL number 2: state: open: no backend has the scheme "consul"`,
		"redis://u:hunter2@h file:x.json":   "state URL number 1: ",
		"file:x.json file:/none/hunter2/x/": "state URL number 2: ",
	} {
		_, err := state.Open(t.Context(), "multi:"+rest)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "u:hunter2") {
			t.Errorf("multi:%s: %v, want it to say %q", rest, err, says)
		}
	}
}

func opened(t *testing.T, stateURL string) state.Backend {
	t.Helper()
	b, err := state.Open(t.Context(), stateURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestCloseClosesWhatItOpenedAndNothingElse(t *testing.T) {
	first, second := memstate.New(memstate.Config{}), memstate.New(memstate.Config{})
	if err := over(t, first, second).Close(); err != nil {
		t.Fatal(err)
	}
	for _, b := range []state.Backend{first, second} {
		if _, err := state.Read(t.Context(), b); err != nil {
			t.Errorf("a backend that was handed in: %v", err)
		}
	}
}
