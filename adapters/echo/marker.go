package recessecho

import (
	"errors"
	"maps"
	"net/http"
	"reflect"

	"github.com/labstack/echo/v4"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
)

// ForceOff marks a route, or a group's, as never in maintenance: a health check.
func (g *Gate) ForceOff(next echo.HandlerFunc) echo.HandlerFunc { return next }

// ForceOn marks a route, or a group's, as always closed. It refuses by itself too, while nothing runs and where no
// middleware covers the route.
func (g *Gate) ForceOn(next echo.HandlerFunc) echo.HandlerFunc {
	return g.before(next, recess.Marker{Force: recess.ForcedOn})
}

// Scope returns a marker that puts routes into a named scope. While that is closed it refuses by itself too, where the
// gate does not know of it.
func (g *Gate) Scope(name string) echo.MiddlewareFunc {
	return (&scope{g, g.port.Engine.ScopeMarker(name)}).middleware
}

// LongLived marks routes whose requests last: server-sent events, WebSockets, long polls. A window that covers them tells
// them by [recess.Closing], cancels their contexts after [recess.Policy].Grace, and closes connections that were hijacked
// last. See [recess.Stream].
func (g *Gate) LongLived(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		request, response := c.Request(), c.Response()
		stream := g.port.Stream(c, response, request)
		if stream == nil {
			return next(c)
		}
		defer stream.Done()
		inner, writer := request.WithContext(stream.Context()), response.Writer
		c.SetRequest(inner)
		response.Writer = nethttp.Following(writer, stream)
		defer func() {
			nethttp.Rejoin(request, inner)
			c.SetRequest(request)
			response.Writer = writer
		}()
		return next(c)
	}
}

// before puts a marker before a handler.
func (g *Gate) before(next echo.HandlerFunc, marker recess.Marker) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !g.port.AdmitMarked(marker, c, c.Response(), c.Request()) {
			return nil
		}
		return next(c)
	}
}

// scope is the marker of a named scope. All of them have one code pointer, by which they are recognised; which one it
// is they say themselves, as the error of the handler that they make of none.
type scope struct {
	gate   *Gate
	marker recess.Marker
}

func (s *scope) middleware(next echo.HandlerFunc) echo.HandlerFunc {
	if next == nil {
		return func(echo.Context) error { return s }
	}
	return s.gate.before(next, s.marker)
}

func (s *scope) Error() string { return "recessecho: this route belongs to a scope" }

// says is what a middleware says of the routes it stands before.
func says(m echo.MiddlewareFunc) recess.Marker {
	switch pointer(m) {
	case pointer((*Gate)(nil).ForceOff):
		return recess.Marker{Force: recess.ForcedOff}
	case pointer((*Gate)(nil).ForceOn):
		return recess.Marker{Force: recess.ForcedOn}
	case pointer((*scope)(nil).middleware):
		var s *scope
		if errors.As(m(nil)(nil), &s) {
			return s.marker
		}
	}
	return recess.Marker{}
}

func pointer(function any) uintptr { return reflect.ValueOf(function).Pointer() }

// route is what echo knows a route by. The host is that of a Host router.
type route struct{ host, method, pattern string }

// learn takes down the routes that are there, none of which can have a marker of this gate, and those to come.
func (g *Gate) learn() {
	routers := maps.Clone(g.echo.Routers())
	routers[""] = g.echo.Router()
	for host, router := range routers {
		for _, r := range router.Routes() {
			g.routes[route{host, r.Method, r.Path}] = recess.Marker{}
		}
	}
	previous := g.echo.OnAddRouteHandler
	g.echo.OnAddRouteHandler = func(host string, r echo.Route, h echo.HandlerFunc, chain []echo.MiddlewareFunc) {
		if previous != nil {
			previous(host, r, h, chain)
		}
		var sum recess.Marker
		if r.Method != echo.RouteNotFound || pointer(h) != pointer(echo.NotFoundHandler) { // not what every group has
			for _, m := range chain {
				sum = sum.Within(says(m))
			}
		}
		g.routes[route{host, r.Method, r.Path}] = sum
	}
}

// marker is what the matched route says of itself; nothing if none matched.
func (g *Gate) marker(c echo.Context) recess.Marker {
	r := c.Request()
	key := route{r.Host, r.Method, c.Path()}
	router, ok := g.echo.Routers()[r.Host]
	if !ok {
		key.host, router = "", g.echo.Router()
	}
	if m, ok := g.routes[key]; ok {
		return m
	}
	if r.Method == http.MethodHead {
		as := g.echo.AcquireContext()
		defer g.echo.ReleaseContext(as)
		as.Reset(r, nil)
		router.Find(http.MethodGet, echo.GetPath(r), as)
		if m, ok := g.routes[route{key.host, http.MethodGet, as.Path()}]; ok {
			return m
		}
	}
	return g.routes[route{key.host, echo.RouteNotFound, key.pattern}]
}
