package adaptertest

import (
	"log/slog"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// A Meter drives one framework in process, so that [Allocs] can compare. Each of its functions builds an application
// with one route, GET /orders, whose handler answers 200 without a body, and returns a function that puts one request
// for it through the whole framework. What the driver itself allocates is the same in all three.
type Meter struct {
	// Bare has nothing before the handler.
	Bare func(t testing.TB) func()
	// Branch has a middleware before the handler that a careful person would write by hand: it sends the answer,
	// headers and body, and never calls on.
	Branch func(t testing.TB, answer *page.Answer) func()
	// Gated has the adapter's gate before the handler, without hooks.
	Gated func(t testing.TB, engine *recess.Engine) func()
	// Refused is how many allocations the gate may cost a refused request beyond Branch.
	Refused float64
}

// Allocs asserts what the gate costs in allocations: nothing at all while nothing runs, requests that are named included, and
// Meter.Refused at most for a refused request. It says nothing in a binary built with -race, where pools forget on purpose.
func Allocs(t *testing.T, m Meter) {
	t.Helper()
	if raceEnabled {
		t.Skip("allocations are not comparable under the race detector")
	}
	engine := metered(t, recess.Policy{})
	gated := m.Gated(t, engine)

	bare, off := count(m.Bare(t)), count(gated)
	if off != bare {
		t.Errorf("nothing runs: %v allocations behind the gate, %v without it, want the same", off, bare)
	}
	if named := count(m.Gated(t, metered(t, recess.Policy{NameRequests: true}))); named != bare {
		t.Errorf("nothing runs, and requests are named: %v allocations behind the gate, %v without it, want the same", named, bare)
	}

	if _, err := engine.Control(state.Actor{Name: "adaptertest"}).On(t.Context(), recess.Opening{}); err != nil {
		t.Fatal(err)
	}
	before := engine.Counts().Refused
	refused := count(gated)
	if engine.Counts().Refused == before {
		t.Fatal("the gated function's requests are not refused")
	}
	renderer, err := page.New(page.Config{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := renderer.Prepare(page.Notice{Mode: "full"})
	if err != nil {
		t.Fatal(err)
	}
	branch := count(m.Branch(t, set.Choose("", "", "")))
	if refused > branch+m.Refused {
		t.Errorf("refused: %v allocations by the gate, %v by a branch written by hand, want at most %v more", refused, branch, m.Refused)
	}
}

// metered is an engine that ends with the test.
func metered(t testing.TB, p recess.Policy) *recess.Engine {
	t.Helper()
	engine, err := recess.New(t.Context(), recess.Config{
		Backend: memstate.New(memstate.Config{}), Policy: p, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Errorf("closing the engine: %v", err)
		}
	})
	return engine
}

func count(run func()) float64 { return testing.AllocsPerRun(1000, run) }
