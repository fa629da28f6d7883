package recessgin

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
)

// Hooks is what an application on gin may add.
type Hooks = recess.Hooks[*gin.Context]

// A Gate is an engine before the routes of one [gin.Engine].
type Gate struct {
	port   nethttp.Port[*gin.Context]
	routes sync.Map // route → recess.Marker, of the routes that were asked about
}

// Install puts the gate before every route that is added from now on, and before what answers where no route matches.
// It returns an error if there are routes already, for gin would not put it before those, or if the engine's policy
// needs a hook that is missing.
func Install(r *gin.Engine, engine *recess.Engine, hooks Hooks) (*Gate, error) {
	if routes := r.Routes(); len(routes) > 0 {
		return nil, fmt.Errorf("recessgin: install: routes that exist already would stay open (%s %s, %d in all): install the gate before the first one",
			routes[0].Method, routes[0].Path, len(routes))
	}
	g, err := New(r, engine, hooks)
	if err != nil {
		return nil, err
	}
	r.Use(g.Middleware)
	return g, nil
}

// New makes a gate to be mounted by hand: on a group, behind the authentication that Hooks.User relies on. It serves
// that one gin.Engine. It returns an error if the engine's policy needs a hook that is missing.
func New(_ *gin.Engine, engine *recess.Engine, hooks Hooks) (*Gate, error) {
	if err := hooks.Check(engine); err != nil {
		return nil, err
	}
	g := new(Gate)
	g.port = nethttp.Port[*gin.Context]{Engine: engine, Hooks: hooks, Marker: g.marker, Route: (*gin.Context).FullPath, Attach: attach}
	return g, nil
}

// Middleware decides every request before the handlers behind it see it.
func (g *Gate) Middleware(c *gin.Context) {
	ticket := g.port.Engine.Begin()
	defer ticket.End()
	if ticket.Open() || g.port.Admit(&ticket, c, c.Writer, c.Request) {
		c.Next()
		return
	}
	refused(c)
}

// refused ends a request that is answered.
func refused(c *gin.Context) {
	c.Abort()
	c.Writer.WriteHeaderNow() // else gin takes a refusal without a body for no answer where no route matched
}

func attach(c *gin.Context, m *recess.Maintenance) { c.Set(recess.ContextKey, m) }

// Blocked reports whether the response is a refusal by Recess: for [gin.LoggerConfig].Skip.
func (g *Gate) Blocked(c *gin.Context) bool { return nethttp.Blocked(c.Writer.Header()) }

// Maintenance is what handlers and templates may tell their visitors; nil if there is nothing to tell. The same value
// is in the context under [recess.ContextKey], and [recess.FromContext] finds it in the request's context.
func (g *Gate) Maintenance(c *gin.Context) *recess.Maintenance {
	return recess.FromContext(c.Request.Context())
}

// Status answers the public status endpoint: put it below Policy.ControlPath, or behind [Gate.ForceOff].
func (g *Gate) Status(c *gin.Context) {
	nethttp.Answer(c.Writer, c.Request, g.port.Engine.StatusAnswer())
}

// Panel mounts a handler of net/http that knows nothing of gin, and asks who is asking: package admin's. It finds the user of
// Hooks.User by [recess.UserFrom]. One line serves all below Policy.ControlPath, with the status endpoint and the probes:
//
//	r.Any("/maintenance/*path", gate.Panel(panel))
func (g *Gate) Panel(h http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) { h.ServeHTTP(c.Writer, g.port.WithUser(c, c.Request)) }
}

// Live and Ready answer probes, see [recess.Engine.LiveAnswer] and [recess.Engine.ReadyAnswer]: put them below
// Policy.ControlPath, or behind [Gate.ForceOff]. [nethttp.Health] answers on a port of its own.
func (g *Gate) Live(c *gin.Context) { nethttp.Answer(c.Writer, c.Request, g.port.Engine.LiveAnswer()) }

// Ready answers a readiness probe.
func (g *Gate) Ready(c *gin.Context) {
	nethttp.Answer(c.Writer, c.Request, g.port.Engine.ReadyAnswer())
}

// PassLink is the page behind links to bypass passes: see [recess.Engine.LinkAnswer]. Put it below Policy.ControlPath, or
// behind [Gate.ForceOff], for GET and POST.
func (g *Gate) PassLink(c *gin.Context) { g.port.PassLink(c.Writer, c.Request) }
