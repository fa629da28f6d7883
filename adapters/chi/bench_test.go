package recesschi_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/recess-go/recess/adapters/chi"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
)

func noop(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) })
}

// BenchmarkOff is a request while nothing runs (performance target T1).
func BenchmarkOff(b *testing.B) {
	gated, withNoop := chi.NewRouter(), chi.NewRouter()
	install(b, gated, newEngine(b, recess.Policy{}), recesschi.Hooks{})
	withNoop.Use(noop)
	run(b, "bare", driver(chi.NewRouter()))
	run(b, "noop", driver(withNoop))
	run(b, "gated", driver(gated))
	named := chi.NewRouter()
	install(b, named, newEngine(b, recess.Policy{NameRequests: true}), recesschi.Hooks{})
	run(b, "named", driver(named))
}

// BenchmarkRefused is a refusal against the same bytes sent by hand (T3).
func BenchmarkRefused(b *testing.B) {
	engine, gated := newEngine(b, recess.Policy{}), chi.NewRouter()
	install(b, gated, engine, recesschi.Hooks{})
	open(b, engine, recess.Opening{})
	run(b, "by hand", driver(refusing(prepared(b))))
	run(b, "gated", driver(gated))
}

// BenchmarkMarked is a route that is forced off, among many, while the site is closed (T6).
func BenchmarkMarked(b *testing.B) {
	for _, routes := range []int{200, 1000} {
		run(b, fmt.Sprintf("open %d", routes), marked(b, routes, false))
		run(b, fmt.Sprintf("closed %d", routes), marked(b, routes, true))
	}
}

// marked asks for the one marked of many routes.
func marked(t testing.TB, routes int, closed bool) func() {
	t.Helper()
	r, gate, engine := router(t)
	for i := range routes {
		r.Get(fmt.Sprintf("/api/v1/resource%d/{id}", i), says("resource"))
	}
	r.With(gate.ForceOff).Get("/api/v1/healthz", func(http.ResponseWriter, *http.Request) {})
	if closed {
		open(t, engine, recess.Opening{})
	}
	return asking(r, "/api/v1/healthz")
}

func TestAMarkedRouteCostsNoAllocation(t *testing.T) {
	opened, closed := marked(t, 200, false), marked(t, 200, true)
	bare, got := testing.AllocsPerRun(1000, opened), testing.AllocsPerRun(1000, closed)
	if got > bare && !raceEnabled {
		t.Errorf("%v allocations while closed, %v while open, want the same", got, bare)
	}
}

func run(b *testing.B, name string, f func()) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f()
		}
	})
}

func prepared(t testing.TB) *page.Answer {
	t.Helper()
	renderer, err := page.New(page.Config{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := renderer.Prepare(page.Notice{Mode: "full"})
	if err != nil {
		t.Fatal(err)
	}
	return set.Choose("", "", "")
}
