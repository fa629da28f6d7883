// Package envstate reads the state from an environment variable: for a process that is put into maintenance by the
// way in which it is started. Its state URL is "env:NAME".
//
// The variable holds a word that switches the whole site ([state.ParseWord]: on, yes, true, 1, off, no, false, 0) or
// a document ([state.Decode]). Unset or empty means that there is no document, which is off.
package envstate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/recess-go/recess/core/state"
)

func init() {
	state.Register("env", func(_ context.Context, rest string) (state.Backend, error) {
		b, err := New(rest)
		if err != nil {
			return nil, err
		}
		return b, nil
	})
}

// A Backend is a [state.Backend] that reads an environment variable. It can only be polled (the process may change
// its own environment by os.Setenv), and never be saved to.
type Backend struct {
	name   string
	lookup func(string) (string, bool) // os.LookupEnv
	closed atomic.Bool
}

// New returns a backend on the variable of this name, which need not be set.
func New(name string) (*Backend, error) {
	if name == "" {
		return nil, errors.New("envstate: which environment variable? write it as in env:RECESS_SWITCH")
	}
	if strings.ContainsAny(name, "=\x00") {
		return nil, errors.New("envstate: the name of an environment variable holds no '=' and no NUL: write it as in env:RECESS_SWITCH")
	}
	return &Backend{name: name, lookup: os.LookupEnv}, nil
}

// Next implements [state.Backend]. A value that makes no sense is returned as it is.
func (b *Backend) Next(_ context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	if b.closed.Load() {
		return state.Doc{}, 0, fmt.Errorf("envstate: next: %w", state.ErrClosed)
	}
	value, _ := b.lookup(b.name)
	if rev(value) == since {
		return state.Doc{}, 0, state.ErrUnchanged
	}
	data, err := document(value)
	if err != nil {
		return state.Doc{}, 0, fmt.Errorf("envstate: next: %s: %w", b.name, err)
	}
	return state.Doc{Rev: rev(value), Data: data}, 0, nil
}

// rev names a value by its hash.
func rev(value string) state.Rev {
	if value == "" {
		return state.None
	}
	sum := sha256.Sum256([]byte(value))
	return state.Rev(hex.EncodeToString(sum[:8]))
}

func document(value string) ([]byte, error) {
	if on, ok := state.ParseWord(value); ok {
		return state.Encode(state.Switched(on, time.Time{}, time.Time{}))
	}
	if value == "" {
		return nil, nil
	}
	return []byte(value), nil
}

// Save implements [state.Backend]: it always answers with an error that wraps [state.ErrReadOnly], since no process
// can change the environment from which it, or another one, was started.
func (b *Backend) Save(context.Context, state.Rev, []byte) (state.Rev, error) {
	if b.closed.Load() {
		return state.None, fmt.Errorf("envstate: save: %w", state.ErrClosed)
	}
	return state.None, fmt.Errorf("envstate: save: %w: the environment variable %s is set where the process is started: change it there and start the process anew", state.ErrReadOnly, b.name)
}

// Close implements [state.Backend].
func (b *Backend) Close() error {
	b.closed.Store(true)
	return nil
}
