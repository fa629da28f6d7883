package recessfiber_test

import (
	"fmt"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
)

// BenchmarkOff is a request while nothing runs (performance target T1).
func BenchmarkOff(b *testing.B) {
	withGate, withNoop := fiber.New(), fiber.New()
	install(b, withGate, newEngine(b, recess.Policy{}), recessfiber.Hooks{})
	withNoop.Use(func(c *fiber.Ctx) error { return c.Next() })
	run(b, "bare", driver(fiber.New()))
	run(b, "noop", driver(withNoop))
	run(b, "gated", driver(withGate))
	named := fiber.New()
	install(b, named, newEngine(b, recess.Policy{NameRequests: true}), recessfiber.Hooks{})
	run(b, "named", driver(named))
}

// BenchmarkRefused is a refusal against the same bytes sent by hand (T3).
func BenchmarkRefused(b *testing.B) {
	engine, app := newEngine(b, recess.Policy{}), fiber.New()
	install(b, app, engine, recessfiber.Hooks{})
	open(b, engine, recess.Opening{})
	run(b, "by hand", driver(refusing(prepared(b))))
	run(b, "gated", driver(app))
}

// BenchmarkMarked is a route that is forced off, among many, while the site is closed (T6).
func BenchmarkMarked(b *testing.B) {
	for _, routes := range []int{200, 1000} {
		run(b, fmt.Sprintf("open %d", routes), marked(b, routes, "/healthz", false))
		run(b, fmt.Sprintf("closed %d", routes), marked(b, routes, "/healthz", true))
	}
}

// marked asks for one of many routes, some of which are marked.
func marked(t testing.TB, routes int, target string, closed bool) func() {
	t.Helper()
	app, gate, engine := gated(t)
	empty := func(*fiber.Ctx) error { return nil }
	for i := range routes {
		app.Get(fmt.Sprintf("/%c%c/resource%d/:id", 'a'+i%26, 'a'+i/26%26, i), says("resource"))
	}
	app.Get("/healthz", gate.ForceOff, empty)
	eu := app.Group("/shop", gate.Scope("shop")).Group("/eu", gate.ForceOff)
	eu.Get("/cart", empty)
	if closed {
		open(t, engine, recess.Opening{})
	}
	return asking(app, target)
}

func TestAMarkedRouteCostsNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("pools forget on purpose under the race detector")
	}
	for _, target := range []string{"/healthz", "/shop/eu/cart", "/nowhere"} {
		closed := marked(t, 200, target, true)
		if got := testing.AllocsPerRun(1000, closed); got != 0 {
			t.Errorf("%s: %v allocations while closed, want none", target, got)
		}
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
