// Package multistate reads the state from the first of several backends that answers: a Redis, and a file for when it is
// down. Its state URL is "multi:" and the URLs of the others in their order, with blanks or line breaks between them, as in
//
//	multi:redis://cache:6379 file:/var/lib/shop/recess.json
//
// An answer is a document, also one that makes no sense, and "there is none"; what is no answer is an error, or silence.
// A backend that has only lost its watch answers when it is asked again, and stays in use; one that does not even end its
// calls (a file on a server that is gone) is left alone until it does. While a later backend is read, the earlier ones are asked again, ever more rarely, and taken as soon as they answer.
// [Backend.Source] says which one it is.
//
// Changes go to the first backend and to no other. While it does not answer they are refused: a switch that is turned in
// one place while services follow another would be two switches. What a later backend holds is its keeper's business; a
// document there that is older than the one the services have seen is not followed (they keep the last known state and
// say so), and the same holds for the first one when it comes back with an older one.
package multistate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/recess-go/recess/core/state"
)

// A Source is one of the backends, and what to call it in errors and in the status: no secret.
type Source struct {
	Name    string
	Backend state.Backend
}

// Config says how the backends are asked. The zero Config is fine.
type Config struct {
	// Timeout is how long one backend may keep the next from being asked: DefaultTimeout if 0.
	Timeout time.Duration
}

// DefaultTimeout is the default of [Config].Timeout: an engine waits two seconds for its first state.
const DefaultTimeout = 1500 * time.Millisecond

// A Backend is a [state.Backend] that reads the first of several that answers. What the first can do beside that, it
// can do too: see [state.As].
type Backend struct {
	sources []*source
	timeout time.Duration
	owned   bool // Close closes the sources

	ctx   context.Context // ends with Close
	close context.CancelFunc

	mu     sync.Mutex
	active int // the source that answered last; -1 before the first
}

var (
	_ state.Backend = (*Backend)(nil)
	_ state.Wrapper = (*Backend)(nil)
	_ state.Sourcer = (*Backend)(nil)
)

// New returns a backend over at least two others, in the order in which they are asked. The caller keeps and closes them.
func New(sources []Source, config Config) (*Backend, error) {
	if len(sources) < 2 {
		return nil, errors.New("multistate: new: an order of backends needs at least two of them")
	}
	if config.Timeout < 0 {
		return nil, fmt.Errorf("multistate: new: the timeout is %s: it must be positive", config.Timeout)
	}
	if config.Timeout == 0 {
		config.Timeout = DefaultTimeout
	}
	b := &Backend{timeout: config.Timeout, active: -1}
	for i, s := range sources {
		if s.Name == "" || s.Backend == nil {
			return nil, fmt.Errorf("multistate: new: backend number %d needs a name, and must not be nil", i+1)
		}
		b.sources = append(b.sources, &source{Source: s, prefix: strconv.Itoa(i) + ":"})
	}
	b.ctx, b.close = context.WithCancel(context.Background())
	return b, nil
}

// Unwrap returns the first backend: instances announce themselves there, and there a store is prepared.
func (b *Backend) Unwrap() state.Backend { return b.sources[0].Backend }

// Source names the backend that answered last; "" if none has yet.
func (b *Backend) Source() string {
	if i := b.activeIndex(); i >= 0 {
		return b.sources[i].Name
	}
	return ""
}

func (b *Backend) activeIndex() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.active
}

// Save implements [state.Backend] on the first backend alone.
func (b *Backend) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	if b.ctx.Err() != nil {
		return state.None, fmt.Errorf("multistate: save: %w", state.ErrClosed)
	}
	first := b.sources[0]
	inner, isFirsts := first.inner(old)
	if !isFirsts && old != state.None {
		return state.None, b.refuse(ctx, old)
	}
	a := b.call(ctx, first, func(ctx context.Context) answer {
		rev, err := first.Backend.Save(ctx, inner, data)
		return answer{rev: rev, err: err}
	})
	switch {
	case a.err == nil:
		return first.outer(a.rev), nil
	case errors.Is(a.err, state.ErrConflict), errors.Is(a.err, state.ErrReadOnly), errors.Is(a.err, state.ErrInexpressible):
		return state.None, fmt.Errorf("multistate: save: %s: %w", first.Name, a.err)
	case b.ctx.Err() != nil:
		return state.None, fmt.Errorf("multistate: save: %w", state.ErrClosed)
	case b.activeIndex() > 0:
		return state.None, fmt.Errorf("multistate: save: %s: %w; meanwhile the state is read from %s, which is not changed in its place",
			first.Name, a.err, b.Source())
	}
	return state.None, fmt.Errorf("multistate: save: %s: %w", first.Name, a.err)
}

// refuse says why a document that was read from a later backend is not replaced.
func (b *Backend) refuse(ctx context.Context, old state.Rev) error {
	from := "another backend"
	for _, s := range b.sources[1:] {
		if _, ok := s.inner(old); ok {
			from = s.Name
		}
	}
	first := b.sources[0]
	if _, err := b.ask(ctx, first, b.timeout); err != nil {
		return fmt.Errorf("multistate: save: %w; until it answers, the state is read from %s and cannot be changed: "+
			"a change there would contradict what is kept in %s", err, from, first.Name)
	}
	return fmt.Errorf("multistate: save: the document was read from %s, and %s answers again: %w", from, first.Name, state.ErrConflict)
}

// closing bounds how long Close waits for a source of its own that does not come back.
const closing = 5 * time.Second

// Close implements [state.Backend].
func (b *Backend) Close() error {
	b.close()
	if !b.owned {
		return nil
	}
	closed := make(chan error, len(b.sources))
	for _, s := range b.sources {
		go func() {
			err := s.Backend.Close()
			if err != nil {
				err = fmt.Errorf("multistate: close: %s: %w", s.Name, err)
			}
			closed <- err
		}()
	}
	patience := time.NewTimer(closing)
	defer patience.Stop()
	var errs []error
	for range b.sources {
		select {
		case err := <-closed:
			errs = append(errs, err)
		case <-patience.C:
			return errors.Join(append(errs, fmt.Errorf("multistate: close: not all backends have ended within %s", closing))...)
		}
	}
	return errors.Join(errs...)
}

// open is the Opener of "multi:".
func open(ctx context.Context, rest string) (_ state.Backend, err error) {
	var sources []Source
	defer func() {
		if err == nil {
			return
		}
		for _, s := range sources {
			err = errors.Join(err, s.Backend.Close())
		}
	}()
	for i, stateURL := range strings.Fields(rest) {
		if strings.HasPrefix(stateURL, "multi:") {
			return nil, errors.New("multistate: open: an order of backends cannot be one of the backends: write them in one list")
		}
		backend, err := state.Open(ctx, stateURL)
		if err != nil {
			return nil, fmt.Errorf("multistate: open: state URL number %d: %w", i+1, err)
		}
		sources = append(sources, Source{state.Redact(stateURL), backend})
	}
	b, err := New(sources, Config{})
	if err != nil {
		return nil, fmt.Errorf("%w: write their state URLs with blanks between them, as in multi:redis://HOST file:PATH", err)
	}
	b.owned = true
	return b, nil
}

func init() {
	state.Register("multi", open)
}
