package recessfiber

import (
	"errors"
	"reflect"

	"github.com/gofiber/fiber/v2"
	"github.com/recess-go/recess/core"
)

// ForceOff marks a route, or a group's, as never in maintenance: a health check.
func (g *Gate) ForceOff(c *fiber.Ctx) error {
	if c == nil {
		return &mark{g, recess.Marker{Force: recess.ForcedOff}}
	}
	return c.Next()
}

// ForceOn marks a route, or a group's, as always closed. It refuses by itself too, while nothing runs and where no
// middleware covers the route.
func (g *Gate) ForceOn(c *fiber.Ctx) error {
	switch {
	case c == nil:
		return &mark{g, recess.Marker{Force: recess.ForcedOn}}
	case !g.admit(g.engine.AdmitForced, true, c):
		return nil
	}
	return c.Next()
}

// Scope returns a marker that puts routes into a named scope.
func (g *Gate) Scope(name string) fiber.Handler {
	return (&mark{g, g.engine.ScopeMarker(name)}).handle
}

// mark is what a marker returns when it is called without a request: that is how it is asked.
type mark struct {
	gate *Gate
	says recess.Marker
}

func (m *mark) Error() string { return "recessfiber: a marker" }

func (m *mark) handle(c *fiber.Ctx) error {
	if c == nil {
		return m
	}
	return c.Next()
}

// said sums up what a chain of handlers says. Markers are known by their code, which is the same for every gate and
// every scope; which one it is they say themselves.
func (g *Gate) said(chain []fiber.Handler) (sum recess.Marker) {
	for _, handler := range chain {
		switch code(handler) {
		case code(g.ForceOff), code(g.ForceOn), code((*mark)(nil).handle):
			var m *mark
			if errors.As(handler(nil), &m) && m.gate == g {
				sum = sum.Within(m.says)
			}
		}
	}
	return sum
}

func code(handler fiber.Handler) uintptr { return reflect.ValueOf(handler).Pointer() }
