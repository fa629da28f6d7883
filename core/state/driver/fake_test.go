package driver_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// A fake is a store in memory that does what a test scripts, and takes down what it is asked.
type fake struct {
	mu      sync.Mutex
	n       uint64
	doc     state.Doc
	log     []string
	watches []*fakeWatch
	closed  int

	// What is done in the middle of a call, with the context of the call and without the lock. Nil does nothing.
	onRead  func(ctx context.Context) error // after the document has been looked up, before it is returned
	onSave  func(ctx context.Context) error
	onWatch func(ctx context.Context) error
	onWait  func()
	onLeave func() // when the context has ended a wait
	onPing  func(ctx context.Context) error
	onClose func() error
}

// A fakeWatch is a subscription to a fake. It keeps what it is told until it is waited for.
type fakeWatch struct {
	of     *fake
	told   chan change
	closed int
}

type change struct {
	doc state.Doc
	err error
}

func (f *fake) did(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, fmt.Sprintf(format, args...))
}

// times returns how often the store was asked for something.
func (f *fake) times(what string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, entry := range f.log {
		if entry == what {
			n++
		}
	}
	return n
}

// since returns what was asked after the first n entries.
func (f *fake) since(n int) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.log[n:], " ")
}

// put makes the n-th document the current one, and tells nobody.
func (f *fake) put(n uint64) state.Doc {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n, f.doc = n, numbered(n)
	return f.doc
}

func numbered(n uint64) state.Doc {
	data := []byte(strconv.FormatUint(n, 10))
	return state.Doc{Rev: driver.Numbered(n, data), Data: data}
}

// tell sends something to whoever watches.
func (f *fake) tell(doc state.Doc, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.watches {
		w.told <- change{doc, err}
	}
}

func (f *fake) watching() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.watches)
}

func call(hook func(context.Context) error, ctx context.Context) error {
	if hook == nil {
		return nil
	}
	return hook(ctx)
}

func (f *fake) Read(ctx context.Context) (state.Doc, error) {
	f.did("read")
	f.mu.Lock()
	doc := f.doc
	f.mu.Unlock()
	if err := call(f.onRead, ctx); err != nil {
		return state.Doc{}, err
	}
	return doc, ctx.Err()
}

func (f *fake) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	f.did("save")
	if err := call(f.onSave, ctx); err != nil {
		return state.None, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.doc.Rev != old {
		return state.None, state.ErrConflict
	}
	f.set(slices.Clone(data))
	return f.doc.Rev, nil
}

// set makes a document the current one, and tells it. The lock is held.
func (f *fake) set(data []byte) {
	f.n++
	f.doc = state.Doc{Rev: driver.Numbered(f.n, data), Data: data}
	for _, w := range f.watches {
		w.told <- change{doc: f.doc}
	}
}

func (f *fake) Watch(ctx context.Context) (driver.Watch, error) {
	f.did("watch")
	if err := call(f.onWatch, ctx); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &fakeWatch{of: f, told: make(chan change, 10_000)}
	f.watches = append(f.watches, w)
	return w, nil
}

func (f *fake) Newer(a, b state.Rev) bool { return driver.NewerNumber(a, b) }

func (f *fake) Close() error {
	f.mu.Lock()
	f.closed++
	f.mu.Unlock()
	if f.onClose != nil {
		return f.onClose()
	}
	return nil
}

func (w *fakeWatch) Wait(ctx context.Context) (state.Doc, error) {
	if w.of.onWait != nil {
		w.of.onWait()
	}
	select {
	case c := <-w.told:
		return c.doc, c.err
	case <-ctx.Done():
		if w.of.onLeave != nil {
			w.of.onLeave()
		}
		return state.Doc{}, ctx.Err()
	}
}

func (w *fakeWatch) Ping(ctx context.Context) error {
	w.of.did("ping")
	return call(w.of.onPing, ctx)
}

func (w *fakeWatch) Close() {
	w.of.did("unwatch")
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	w.closed++
	w.of.watches = slices.DeleteFunc(w.of.watches, func(other *fakeWatch) bool { return other == w })
}

// hang is a server that does not answer.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return errors.New("the connection was closed")
}

// polled hides that a store can be watched.
type polled struct{ driver.Store }

const (
	timeout = 4 * time.Second
	probe   = 2 * time.Second
)

// over returns a backend over a store, which the end of the test closes.
func over(t *testing.T, store driver.Store) *driver.Backend {
	t.Helper()
	b := driver.New(store, driver.Config{Name: "fakestate", Timeout: timeout, Probe: probe})
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// An answer is what Next returned, and how long it took.
type answer struct {
	doc   state.Doc
	retry time.Duration
	err   error
	took  time.Duration
}

func next(ctx context.Context, b state.Backend, since state.Rev) answer {
	began := time.Now()
	doc, retry, err := b.Next(ctx, since)
	return answer{doc, retry, err, time.Since(began)}
}

// waiters starts n calls of Next. Each answers on the channel.
func waiters(ctx context.Context, b state.Backend, since state.Rev, n int) <-chan answer {
	answers := make(chan answer, n)
	for range n {
		go func() { answers <- next(ctx, b, since) }()
	}
	return answers
}

// idle fails if there is an answer already.
func idle(t *testing.T, answers <-chan answer) {
	t.Helper()
	select {
	case a := <-answers:
		t.Fatalf("a waiter returned revision %q, %v", a.doc.Rev, a.err)
	default:
	}
}

func wantRev(t *testing.T, a answer, want state.Rev) {
	t.Helper()
	if a.err != nil || a.doc.Rev != want {
		t.Fatalf("got revision %q, %v, want %q", a.doc.Rev, a.err, want)
	}
}

// wantErr asserts that an error wraps another and has words in it, and that no document came with it.
func wantErr(t *testing.T, a answer, wraps error, says string) {
	t.Helper()
	if !errors.Is(a.err, wraps) || !strings.Contains(fmt.Sprint(a.err), says) {
		t.Fatalf("got %v, want an error that wraps %q and says %q", a.err, wraps, says)
	}
	if a.doc.Rev != state.None || a.doc.Data != nil {
		t.Fatalf("with the error came revision %q", a.doc.Rev)
	}
}

func wantTimes(t *testing.T, f *fake, what string, want int) {
	t.Helper()
	if got := f.times(what); got != want {
		t.Errorf("%d × %s, want %d: %s", got, what, want, f.since(0))
	}
}
