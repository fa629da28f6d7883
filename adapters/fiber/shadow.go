package recessfiber

import (
	"slices"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"
	"github.com/recess-go/recess/core"
	"github.com/valyala/fasthttp"
)

// shadow is an application with the same routes, whose handlers only take down what the real ones say. fiber cannot be
// asked which route a request will match, and nothing but its router answers as its router does.
type shadow struct {
	config  fiber.Config
	groups  map[*fiber.Route]bool // whatever is put below a prefix: Use, Group, Static
	marked  bool                  // some route is, or what is put below a prefix
	handler fasthttp.RequestHandler
	probes  sync.Pool
}

// probe is a request to the shadow, and what it met there.
type probe struct {
	fasthttp.RequestCtx
	marker recess.Marker
	routed bool
	route  string // the pattern, if it was routed
}

type probeKey struct{}

// shadow returns the shadow of an application as it stood when it was first asked.
func (g *Gate) shadow(app *fiber.App) *shadow {
	if known, ok := g.shadows.Load(app); ok {
		return known.(*shadow)
	}
	known, _ := g.shadows.LoadOrStore(app, g.newShadow(app))
	return known.(*shadow)
}

func (g *Gate) newShadow(app *fiber.App) *shadow {
	s := &shadow{config: app.Config(), groups: make(map[*fiber.Route]bool)}
	s.probes.New = func() any {
		p := new(probe)
		p.SetUserValue(probeKey{}, p)
		return p
	}
	// No UnescapePath: the shadow is given paths as the router sees them.
	dark := fiber.New(fiber.Config{
		CaseSensitive: s.config.CaseSensitive, StrictRouting: s.config.StrictRouting, RequestMethods: s.config.RequestMethods,
	})
	routes := app.GetRoutes(true)
	for _, stack := range app.Stack() {
		for _, r := range stack {
			m := g.said(r.Handlers)
			says := m.Force != recess.NotForced || len(m.Scopes) > 0
			s.marked = s.marked || says
			switch {
			case len(routes) > 0 && same(r, &routes[0]):
				routes = routes[1:]
				dark.Add(r.Method, r.Path, func(c *fiber.Ctx) error { probeOf(c).meet(m).reach(r.Path); return nil })
			default:
				s.groups[r] = true
				if !says {
					continue
				}
				for _, pattern := range s.below(r.Path) {
					dark.Add(r.Method, pattern, func(c *fiber.Ctx) error { probeOf(c).meet(m); return c.Next() })
				}
			}
		}
	}
	dark.All("/*", func(*fiber.Ctx) error { return nil }) // no error to be made for each request without a route
	s.handler = dark.Handler()
	return s
}

// same reports whether a route of the stack, groups and all, is this one of the routes without the groups.
func same(r, route *fiber.Route) bool {
	return r.Method == route.Method && r.Path == route.Path && len(r.Handlers) == len(route.Handlers) &&
		len(r.Handlers) > 0 && &r.Handlers[0] == &route.Handlers[0]
}

// below are the patterns of a group's prefix and the segments below it, where fiber's Use takes it for a mere string.
func (s *shadow) below(prefix string) []string {
	switch {
	case strings.HasSuffix(prefix, "*"):
		return []string{prefix}
	case s.config.StrictRouting && strings.HasSuffix(prefix, "/") && prefix != "/":
		return []string{prefix, prefix + "+"} // "/api/*" would match "/api"
	}
	return []string{strings.TrimRight(prefix, "/") + "/*"}
}

// covers reports whether a path that has matched a group's prefix lies below it.
func (s *shadow) covers(group *fiber.Route, path string) bool {
	if prefix := strings.TrimRight(group.Path, "/"); !strings.ContainsAny(prefix, `:*+\`) {
		return len(path) <= len(prefix) || path[len(prefix)] == '/'
	}
	return slices.ContainsFunc(s.below(group.Path), func(pattern string) bool {
		return fiber.RoutePatternMatch(path, pattern, s.config)
	})
}

func probeOf(c *fiber.Ctx) *probe { return c.Context().UserValue(probeKey{}).(*probe) }

// meet takes a marker down.
func (p *probe) meet(m recess.Marker) *probe {
	p.marker = p.marker.Within(m)
	return p
}

// reach takes down which route answers.
func (p *probe) reach(route string) { p.routed, p.route = true, route }

// marker is what the route of a request says of itself.
func (s *shadow) marker(c *fiber.Ctx) recess.Marker {
	if !s.marked {
		return recess.Marker{}
	}
	marker, _ := s.find(c)
	return marker
}

// find looks a request up: its route's marker and pattern.
func (s *shadow) find(c *fiber.Ctx) (marker recess.Marker, route string) {
	p := s.probes.Get().(*probe)
	defer s.probes.Put(p)
	if s.ask(p, c.Method(), c.Path()); !p.routed && c.Method() == fiber.MethodHead {
		s.ask(p, fiber.MethodGet, c.Path())
	}
	if !p.routed && p.marker.Force == recess.ForcedOff {
		p.marker.Force = recess.NotForced
	}
	return p.marker, p.route
}

func (s *shadow) ask(p *probe, method, path string) {
	p.marker, p.routed, p.route = recess.Marker{}, false, ""
	p.Request.Header.SetMethod(method)
	p.Request.URI().SetPath(path)
	s.handler(&p.RequestCtx)
}
