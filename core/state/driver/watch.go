package driver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/recess-go/recess/core/state"
)

// A watch is the subscription that all waiters of a backend share. It begins with the first of them, and ends when it
// is lost, when nobody has waited for a while, or with the backend. One that could not be subscribed stays in its place
// until it is time for another attempt.
type watch struct {
	ready chan struct{} // closed once it is subscribed, or could not be

	mu      sync.Mutex
	changes uint64
	changed chan struct{} // closed, and replaced, at each change; closed for good at the end
	doc     state.Doc     // the last one that came with a change; zero if that came without
	toldAt  time.Time     // when that was
	err     error         // what to answer when there is no watch, or none any more
	retryAt time.Time     // when to try again to subscribe; zero for never
	waiters int
	wanted  bool // somebody has waited since the last time that this was asked
}

// A moment in the life of a watch is over at its next change, or its end.
type moment struct {
	changes uint64
	over    <-chan struct{}
}

// share joins the watch, or begins one, and waits until it is subscribed or cannot be. A subscription that takes its
// time does not keep its waiters from looking at the store: they are told when it begins. Without a Watcher it is nil.
func (b *Backend) share(ctx context.Context) (w *watch, unwatch func()) {
	b.mu.Lock()
	if b.closed || !b.watchable {
		b.mu.Unlock()
		return nil, func() {}
	}
	w = b.watch
	if w == nil || w.isDue() {
		w = &watch{ready: make(chan struct{}), changed: make(chan struct{})}
		b.watch = w
		b.calls.Add(1)
		go b.run(w)
	}
	w.join(1)
	b.mu.Unlock()
	patience := time.NewTimer(b.patience(ctx))
	defer patience.Stop()
	select {
	case <-w.ready:
	case <-patience.C:
	case <-ctx.Done():
	case <-b.ctx.Done():
	}
	return w, func() { w.join(-1) }
}

// patience is for how long a look waits for the subscription that should come before it.
func (b *Backend) patience(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(b.config.Probe, time.Until(deadline)/2)
	}
	return b.config.Probe
}

// run keeps a watch from its subscription to its end.
func (b *Backend) run(w *watch) {
	defer b.calls.Done()
	subscription, err := b.subscribe()
	if err != nil {
		b.miss(w, err)
		return
	}
	defer subscription.Close()
	b.begin(w)
	for asked := time.Now(); ; {
		doc, err := b.listen(subscription)
		switch {
		case err == nil:
			w.tell(doc)
		case !errors.Is(err, errSilence):
			b.lose(w, err)
			return
		}
		if time.Since(asked) < b.config.Probe {
			continue
		}
		if b.leave(w) {
			return
		}
		asked = time.Now()
	}
}

// subscribe ends the context as soon as it returns, so that a store whose watch hangs on it is found out at once.
func (b *Backend) subscribe() (Watch, error) {
	ctx, cancel := context.WithTimeout(b.ctx, b.config.Timeout)
	defer cancel()
	subscription, err := b.store.(Watcher).Watch(ctx)
	if err != nil {
		return nil, b.late(ctx, err)
	}
	return subscription, nil
}

// errSilence is listen's answer when nothing came and the server lives.
var errSilence = errors.New("nothing came")

// listen waits for a change; in silence it asks for a sign of life.
func (b *Backend) listen(subscription Watch) (state.Doc, error) {
	waiting, cancel := context.WithTimeout(b.ctx, b.config.Probe)
	defer cancel()
	doc, err := subscription.Wait(waiting)
	switch {
	case err == nil:
		return doc, nil
	case b.ctx.Err() != nil:
		return state.Doc{}, b.ctx.Err()
	case waiting.Err() == nil:
		return state.Doc{}, fmt.Errorf("the watch was lost: %w", err)
	}
	probing, cancel := context.WithTimeout(b.ctx, b.config.Probe)
	defer cancel()
	if err := subscription.Ping(probing); err != nil {
		return state.Doc{}, fmt.Errorf("the watch was lost: it gave no sign of life: %w", err)
	}
	return state.Doc{}, errSilence
}

// begin tells those who wait for the subscription of it, and those who have looked meanwhile to look again.
func (b *Backend) begin(w *watch) {
	b.mu.Lock()
	b.misses = 0
	b.mu.Unlock()
	w.tell(state.Doc{})
	close(w.ready)
}

// miss ends a watch that could not be subscribed. It stays the backend's watch until another attempt is due, ever more
// rarely: until then there is polling.
func (b *Backend) miss(w *watch, err error) {
	defer close(w.ready)
	b.mu.Lock()
	defer b.mu.Unlock()
	if errors.Is(err, ErrNoWatch) {
		w.end(fmt.Errorf("%w; it is polled: %w", state.ErrUnchanged, err), time.Time{})
		return
	}
	retryIn := b.config.Probe << min(b.misses, maxMisses)
	b.misses++
	w.end(fmt.Errorf("%w; it is polled, since it could not be watched: %w", state.ErrUnchanged, err),
		time.Now().Add(retryIn-rand.N(retryIn/2+1)))
}

// maxMisses bounds the wait for another attempt at a watch: 8 times Probe.
const maxMisses = 3

// lose ends a watch that was lost. The next waiter begins another at once.
func (b *Backend) lose(w *watch, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watch = nil
	w.end(err, time.Time{})
}

// leave ends a watch that nobody has waited on since the last time that it was asked, and reports whether it did.
func (b *Backend) leave(w *watch) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wanted || w.waiters > 0 {
		w.wanted = false
		return false
	}
	b.watch = nil
	return true
}

func (w *watch) join(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiters += n
	w.wanted = true
}

func (w *watch) now() moment {
	if w == nil {
		return moment{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return moment{w.changes, w.changed}
}

// justNow is for how long a document that the watch has told is as good as one that was read. It is what a follower needs
// to come back for more; without it a change would be read by a whole fleet that has it already.
const justNow = 100 * time.Millisecond

// justTold returns the moment that the last change began, and whether that change was just now, and brought the very
// document that the caller has.
func (w *watch) justTold(rev state.Rev) (moment, bool) {
	if w == nil || rev == state.None {
		return moment{}, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return moment{w.changes, w.changed}, w.err == nil && w.doc.Rev == rev && time.Since(w.toldAt) < justNow
}

func (w *watch) tell(doc state.Doc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.doc, w.toldAt = doc, time.Now()
	w.changes++
	close(w.changed)
	w.changed = make(chan struct{})
}

// told returns what the last change brought, and the moment that it began; or, at the end, what to answer.
func (w *watch) told() (state.Doc, moment, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.doc, moment{w.changes, w.changed}, w.err
}

func (w *watch) end(err error, retryAt time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err, w.retryAt = err, retryAt
	close(w.changed)
}

// isDue reports whether the watch could not be subscribed, and it is time for another attempt.
func (w *watch) isDue() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.retryAt.IsZero() && !time.Now().Before(w.retryAt)
}

// retryIn is when a poller should ask for a watch again; 0 leaves it to the poller.
func (w *watch) retryIn() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.retryAt.IsZero() {
		return 0
	}
	return max(time.Until(w.retryAt), time.Millisecond)
}
