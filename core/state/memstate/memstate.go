// Package memstate keeps the state in the memory of this process: for a single instance, for tests, and for trying
// things out. What it keeps ends with the process.
//
// Its state URL is "memory:", a store of its own for each [state.Open], or "memory:NAME", one store for everybody in
// this process who opens that name.
package memstate

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/recess-go/recess/core/state"
)

func init() {
	state.Register("memory", open)
}

// Config says which store a backend uses. The zero Config makes a new one.
type Config struct {
	// Name shares one store among all backends of this name in this process. The store stays for as long as the
	// process runs, so that closing the last backend does not lose the state. "" is a store of the backend's own.
	Name string
}

// A Backend is a [state.Backend] in memory. Its waiters wait on channels alone, so it works in testing/synctest
// bubbles (a named store only in the bubble that first used it).
type Backend struct {
	store *store
	once  sync.Once
	done  chan struct{} // closed by Close
}

// store is the document, and a channel that is closed, and replaced, at each change of it.
type store struct {
	mu      sync.Mutex
	doc     state.Doc
	saves   uint64
	changed chan struct{}
	there   map[string]announcement
}

var named = struct {
	sync.Mutex
	stores map[string]*store
}{stores: make(map[string]*store)}

// New returns a backend. Whoever holds it shares its store.
func New(config Config) *Backend {
	if config.Name == "" {
		return on(newStore())
	}
	named.Lock()
	defer named.Unlock()
	s := named.stores[config.Name]
	if s == nil {
		s = newStore()
		named.stores[config.Name] = s
	}
	return on(s)
}

func on(s *store) *Backend { return &Backend{store: s, done: make(chan struct{})} }

func newStore() *store {
	return &store{changed: make(chan struct{}), there: make(map[string]announcement)}
}

// open is the Opener of "memory:" and "memory:NAME".
func open(_ context.Context, rest string) (state.Backend, error) {
	if rest != "" {
		if err := state.CheckName("name", rest); err != nil {
			return nil, fmt.Errorf("memstate: open: write memory: or memory:NAME: %w", err)
		}
	}
	return New(Config{Name: rest}), nil
}

// Next implements [state.Backend]. It is told of every change at once.
func (b *Backend) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	for {
		if b.closed() {
			return state.Doc{}, 0, fmt.Errorf("memstate: next: %w", state.ErrClosed)
		}
		doc, changed := b.store.look()
		if doc.Rev != since {
			return doc, 0, nil
		}
		select {
		case <-changed:
		case <-b.done:
		case <-ctx.Done():
			return state.Doc{}, 0, state.ErrUnchanged
		}
	}
}

// look returns the document, and the channel that tells of the change after exactly this one.
func (s *store) look() (state.Doc, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doc, s.changed
}

// Save implements [state.Backend]. The document is as durable as the process.
func (b *Backend) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	if b.closed() {
		return state.None, fmt.Errorf("memstate: save: %w", state.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return state.None, fmt.Errorf("memstate: save: %w", err)
	}
	s := b.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doc.Rev != old {
		return state.None, fmt.Errorf("memstate: save: %w", state.ErrConflict)
	}
	s.saves++
	s.doc = state.Doc{Rev: state.Rev(strconv.FormatUint(s.saves, 10)), Data: bytes.Clone(data)}
	close(s.changed)
	s.changed = make(chan struct{})
	return s.doc.Rev, nil
}

// Close implements [state.Backend]. Other backends on the same store stay open.
func (b *Backend) Close() error {
	b.once.Do(func() { close(b.done) })
	return nil
}

func (b *Backend) closed() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}
