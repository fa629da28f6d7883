// Package rigs sets up every backend that keeps the state outside of this machine's memory over its real server, for
// the suites beside it: conformance, faults, history, propagation.
package rigs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/statetest"
)

// A Rig is one backend over a server of its own, in a place of its own that holds no document at first.
type Rig struct {
	Name string

	// Server is the process that keeps the document. It can be killed, frozen, wiped and started again.
	Server *servers.Server

	// Open returns another backend on the rig's document, as state.Open would make it from a URL, that reaches the
	// server at addr: at Server.Addr, or through a proxy. It does not wait for a server that is down. The caller closes it.
	Open func(t testing.TB, addr string) state.Backend

	// URL is the state URL of the rig's document at an address, for another process that is to open it.
	URL func(addr string) string

	// Put writes the document past the backend, as an operator or a foreign program would; nil data removes it.
	Put func(t testing.TB, data []byte)

	// Notice is how soon a backend must notice that its link is half open.
	Notice time.Duration

	// Harness is how the conformance suite sees the backend. Its stores are places of their own on Server.
	Harness statetest.Harness
}

var makers = make(map[string]func(testing.TB) Rig)

// register is called by the init function of each backend's file.
func register(name string, make func(testing.TB) Rig) { makers[name] = make }

// Names lists the rigs there are.
func Names() []string { return slices.Sorted(maps.Keys(makers)) }

// New starts a server and returns a rig over it, which ends with the test. It skips the test where the server cannot be
// had, and says so.
func New(t testing.TB, name string) Rig {
	t.Helper()
	rig := makers[name](t)
	rig.Name = name
	return rig
}

// open opens a backend by its URL.
func open(t testing.TB, stateURL string) state.Backend {
	t.Helper()
	b, err := state.Open(context.Background(), stateURL)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var keysMade atomic.Int64

// freshKey returns a name for a document that no other test has.
func freshKey() string { return fmt.Sprintf("recess-%d", keysMade.Add(1)) }
