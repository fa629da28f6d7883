package recessecho

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
)

// Hooks is what an application on echo may add.
type Hooks = recess.Hooks[echo.Context]

// A Gate is an engine before the routes of one [echo.Echo].
type Gate struct {
	port   nethttp.Port[echo.Context]
	echo   *echo.Echo
	routes map[route]recess.Marker // all routes, marked or not
}

// Install puts the gate before every route, and before what answers where no route matches. It returns an error if
// the engine's policy needs a hook that is missing.
func Install(e *echo.Echo, engine *recess.Engine, hooks Hooks) (*Gate, error) {
	g, err := New(e, engine, hooks)
	if err != nil {
		return nil, err
	}
	e.Use(g.Middleware)
	return g, nil
}

// New makes a gate to be mounted by hand: on a group, behind the authentication that Hooks.User relies on. It sets
// e.OnAddRouteHandler and calls the one that was set; whoever sets it later must do the same, or the gate does not
// learn the markers of later routes. It returns an error if the engine's policy needs a hook that is missing.
func New(e *echo.Echo, engine *recess.Engine, hooks Hooks) (*Gate, error) {
	if err := hooks.Check(engine); err != nil {
		return nil, err
	}
	g := &Gate{echo: e, routes: make(map[route]recess.Marker)}
	g.port = nethttp.Port[echo.Context]{Engine: engine, Hooks: hooks, Marker: g.marker, Route: echo.Context.Path, Attach: attach}
	g.learn()
	return g, nil
}

// Middleware decides every request before the handlers behind it see it.
func (g *Gate) Middleware(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ticket := g.port.Engine.Begin()
		defer ticket.End()
		if !ticket.Open() && !g.port.Admit(&ticket, c, c.Response(), c.Request()) {
			return nil
		}
		return next(c)
	}
}

func attach(c echo.Context, m *recess.Maintenance) { c.Set(recess.ContextKey, m) }

// Blocked reports whether the response is a refusal by Recess: for the LogValuesFunc of echo's RequestLogger.
func (g *Gate) Blocked(c echo.Context) bool { return nethttp.Blocked(c.Response().Header()) }

// Maintenance is what handlers and templates may tell their visitors; nil if there is nothing to tell. The same value
// is in the context under [recess.ContextKey], and [recess.FromContext] finds it in the request's context.
func (g *Gate) Maintenance(c echo.Context) *recess.Maintenance {
	return recess.FromContext(c.Request().Context())
}

// Status answers the public status endpoint: put it below Policy.ControlPath, or mark it with [Gate.ForceOff].
func (g *Gate) Status(c echo.Context) error {
	nethttp.Answer(c.Response(), c.Request(), g.port.Engine.StatusAnswer())
	return nil
}

// Panel mounts a handler of net/http that knows nothing of echo, and asks who is asking: package admin's. It finds the user of
// Hooks.User by [recess.UserFrom]. One line serves all below Policy.ControlPath, with the status endpoint and the probes:
//
//	e.Any("/maintenance/*", gate.Panel(panel))
func (g *Gate) Panel(h http.Handler) echo.HandlerFunc {
	return func(c echo.Context) error {
		h.ServeHTTP(c.Response(), g.port.WithUser(c, c.Request()))
		return nil
	}
}

// Live and Ready answer probes, see [recess.Engine.LiveAnswer] and [recess.Engine.ReadyAnswer]: put them below
// Policy.ControlPath, or mark them with [Gate.ForceOff]. [nethttp.Health] answers on a port of its own.
func (g *Gate) Live(c echo.Context) error {
	nethttp.Answer(c.Response(), c.Request(), g.port.Engine.LiveAnswer())
	return nil
}

// Ready answers a readiness probe.
func (g *Gate) Ready(c echo.Context) error {
	nethttp.Answer(c.Response(), c.Request(), g.port.Engine.ReadyAnswer())
	return nil
}

// PassLink is the page behind links to bypass passes: see [recess.Engine.LinkAnswer]. Put it below Policy.ControlPath, or
// mark it with [Gate.ForceOff], for GET and POST.
func (g *Gate) PassLink(c echo.Context) error {
	g.port.PassLink(c.Response(), c.Request())
	return nil
}
