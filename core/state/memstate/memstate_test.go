package memstate_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
	"github.com/recess-go/recess/core/state/statetest"
)

func TestConformance(t *testing.T) {
	statetest.Run(t, statetest.Harness{
		Push: true, Presence: true,
		Fresh: func(t *testing.T) statetest.Store {
			name := state.NewID()
			return statetest.Store{
				Open: func(*testing.T) state.Backend { return memstate.New(memstate.Config{Name: name}) },
				Put: func(t *testing.T, data []byte) {
					b := memstate.New(memstate.Config{Name: name})
					doc, err := state.Read(t.Context(), b)
					if err == nil {
						_, err = b.Save(t.Context(), doc.Rev, data)
					}
					if err != nil {
						t.Fatal(err)
					}
				},
			}
		},
	})
}

func open(t *testing.T, url string) state.Backend {
	t.Helper()
	b, err := state.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestStoresAreSharedByNameAlone(t *testing.T) {
	name := strings.ToLower(state.NewID()) // named stores stay for as long as the process
	first := open(t, "memory:"+name)
	if _, err := first.Save(t.Context(), state.None, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		b    state.Backend
		want string
	}{
		"the same name":                     {open(t, "memory:"+name), "x"},
		"the same name by New":              {memstate.New(memstate.Config{Name: name}), "x"},
		"another name":                      {open(t, "memory:"+name+"2"), ""},
		"no name":                           {open(t, "memory:"), ""},
		"no name again":                     {open(t, "memory:"), ""},
		"the zero Config, which is no name": {memstate.New(memstate.Config{}), ""},
	} {
		doc, err := state.Read(t.Context(), c.b)
		if err != nil || string(doc.Data) != c.want {
			t.Errorf("%s: %q, %v, want %q", what, doc.Data, err, c.want)
		}
		if c.want == "" {
			if _, err := c.b.Save(t.Context(), state.None, []byte("own")); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}

func TestAStoreNameIsChecked(t *testing.T) {
	if _, err := state.Open(t.Context(), "memory://host/x"); err == nil {
		t.Error("memory://host/x was opened")
	}
}

// TestWaitingIsDurablyBlocking: in a bubble, time only moves on when every goroutine waits for something inside it.
func TestWaitingIsDurablyBlocking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstate.New(memstate.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		if _, _, err := b.Next(ctx, state.None); !errors.Is(err, state.ErrUnchanged) {
			t.Errorf("Next: %v", err)
		}
		if took := time.Since(began); took != time.Hour {
			t.Errorf("Next ended after %v of an hour", took)
		}
	})
}

func TestSaveRefusesAnEndedContext(t *testing.T) {
	b := memstate.New(memstate.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Save(ctx, state.None, []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Save: %v", err)
	}
}
