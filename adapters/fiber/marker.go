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
	if c == nil {
		return &mark{g, recess.Marker{Force: recess.ForcedOn}}
	}
	return g.reached(recess.Marker{Force: recess.ForcedOn}, c)
}

// Scope returns a marker that puts routes into a named scope. While that is closed it refuses by itself too, where the
// gate's look-up does not find it.
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
	return m.gate.reached(m.says, c)
}

// reached goes on past a marker, if it lets the request through. A group may have been reached by a neighbour, which
// shares its first letters only and is not the marker's to close.
func (g *Gate) reached(marker recess.Marker, c *fiber.Ctx) error {
	if marker.Force != recess.ForcedOn && g.engine.Open() {
		return c.Next()
	}
	s, route := g.shadow(c.App()), c.Route()
	neighbour := s.groups[route] && !s.covers(route, c.Path())
	ask := func(x recess.Exchange) bool { return g.engine.AdmitMarked(x, marker) }
	if neighbour || g.admit(ask, true, c) {
		return c.Next()
	}
	return nil
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
