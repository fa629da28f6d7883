package driver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/recess-go/recess/core/state"
)

// Config says how a backend treats its store.
type Config struct {
	// Name stands before every error: the package's name.
	Name string
	// Timeout bounds every call to the store, the making of a connection included: DefaultTimeout if 0.
	Timeout time.Duration
	// Probe is after how much silence a watch has to show that it lives, and how long it may take for it: DefaultProbe
	// if 0. A dead link is noticed after twice this time at most; a watch that nobody waits on ends as soon. It is also
	// for how long a look waits for a watch that is just being subscribed.
	Probe time.Duration
}

// The defaults of [Config].
const (
	DefaultTimeout = 4 * time.Second
	DefaultProbe   = 2 * time.Second
)

// A Backend is a [state.Backend] over a [Store].
type Backend struct {
	config Config
	store  Store

	ctx   context.Context // ends with Close
	close context.CancelFunc

	mu        sync.Mutex
	closed    bool
	calls     sync.WaitGroup // calls to the store and watches; added to while mu is held and the backend is open
	watchable bool           // the store is a Watcher
	watch     *watch         // the one that waiters share, or the last that could not be subscribed; else nil
	misses    int            // watches in a row that could not be subscribed

	ended    chan struct{} // closed when everything has ended
	closeErr error         // what the store said to that; set before ended is closed
}

// New returns a backend over a store, which it closes when it is closed itself.
func New(store Store, config Config) *Backend {
	config.Timeout = cmp.Or(config.Timeout, DefaultTimeout)
	config.Probe = cmp.Or(config.Probe, DefaultProbe)
	ctx, cancel := context.WithCancel(context.Background())
	_, watchable := store.(Watcher)
	return &Backend{config: config, store: store, ctx: ctx, close: cancel, watchable: watchable, ended: make(chan struct{})}
}

// Next implements [state.Backend].
func (b *Backend) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	if since == state.Unseen {
		doc, err := b.read(ctx)
		return doc, 0, err
	}
	w, unwatch := b.share(ctx)
	defer unwatch()
	seen, known := w.justTold(since)
	for looked := false; ; looked, known = true, false {
		if !known {
			seen = w.now()
			doc, err := b.read(ctx)
			switch {
			case err != nil && looked && ctx.Err() != nil:
				return state.Doc{}, 0, state.ErrUnchanged // the wait ended in the middle of another look
			case err != nil:
				return state.Doc{}, 0, err
			case doc.Rev != since:
				return doc, 0, nil
			case w == nil:
				return state.Doc{}, 0, state.ErrUnchanged
			}
		}
		doc, retryIn, err := b.await(ctx, w, seen, since)
		if err != nil || doc.Rev != state.None {
			return doc, retryIn, err
		}
	}
}

// await waits for the watch to tell of a change after the moment that the caller has seen. It returns the document if
// that came along, or the zero Doc if the store has to be read.
func (b *Backend) await(ctx context.Context, w *watch, seen moment, since state.Rev) (state.Doc, time.Duration, error) {
	for {
		select {
		case <-seen.over:
		case <-b.ctx.Done():
		case <-ctx.Done():
			return state.Doc{}, 0, state.ErrUnchanged
		}
		told, now, err := w.told()
		switch {
		case b.ctx.Err() != nil: // asked last: it is why the watch has ended, then
			return state.Doc{}, 0, b.fault("next", state.ErrClosed)
		case err != nil:
			return state.Doc{}, w.retryIn(), b.fault("next", err)
		case told.Rev == state.None:
			return state.Doc{}, 0, nil
		case b.store.(Watcher).Newer(told.Rev, since):
			return told, 0, nil
		case told.Rev == since && now.changes == seen.changes+1:
			seen = now // it was told what it knows, and nothing else
			continue
		}
		return state.Doc{}, 0, nil
	}
}

func (b *Backend) read(ctx context.Context) (doc state.Doc, err error) {
	err = b.Call(ctx, "next", func(ctx context.Context) error {
		doc, err = b.store.Read(ctx)
		return err
	})
	if err != nil {
		return state.Doc{}, err
	}
	return doc, nil
}

// Save implements [state.Backend].
func (b *Backend) Save(ctx context.Context, old state.Rev, data []byte) (rev state.Rev, err error) {
	err = b.Call(ctx, "save", func(ctx context.Context) error {
		rev, err = b.store.Save(ctx, old, data)
		return err
	})
	if err != nil {
		return state.None, err
	}
	return rev, nil
}

// Call does something on the store, for what a backend can do beside [state.Backend]: within the deadline, not after
// Close, and with the backend's name and the operation before its error.
func (b *Backend) Call(ctx context.Context, operation string, do func(context.Context) error) error {
	if !b.enter() {
		return b.fault(operation, state.ErrClosed)
	}
	defer b.calls.Done()
	bounded, cancel := context.WithTimeout(ctx, b.config.Timeout)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	err := do(bounded)
	switch {
	case err == nil:
		return nil
	case b.ctx.Err() != nil && !errors.Is(err, state.ErrConflict):
		return b.fault(operation, state.ErrClosed)
	case ctx.Err() == nil:
		return b.fault(operation, b.late(bounded, err))
	case !errors.Is(err, ctx.Err()):
		return b.fault(operation, fmt.Errorf("%w: %w", ctx.Err(), err))
	}
	return b.fault(operation, err)
}

// late says of an error that the store was given no more time, if that is so: clients have many words for it.
func (b *Backend) late(bounded context.Context, err error) error {
	switch {
	case !errors.Is(bounded.Err(), context.DeadlineExceeded):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s: %w", b.config.Timeout, err)
	}
	return fmt.Errorf("no answer within %s: %w: %w", b.config.Timeout, context.DeadlineExceeded, err)
}

func (b *Backend) fault(operation string, err error) error {
	return fmt.Errorf("%s: %s: %w", b.config.Name, operation, err)
}

// enter takes part in what Close waits for, unless the backend is closed.
func (b *Backend) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.calls.Add(1)
	return true
}

// Close implements [state.Backend]. It waits for calls under way, which end at once where the store keeps its word.
func (b *Backend) Close() error {
	b.mu.Lock()
	first := !b.closed
	b.closed = true
	b.mu.Unlock()
	if !first {
		<-b.ended
		return b.closeErr
	}
	defer close(b.ended)
	b.close()
	b.calls.Wait()
	if err := b.store.Close(); err != nil {
		b.closeErr = b.fault("close", err)
	}
	return b.closeErr
}
