package recesschi

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/go-chi/chi/v5"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
)

// Hooks is what an application on chi may add.
type Hooks = nethttp.Hooks

// A Gate is an engine before the routes of one application.
type Gate struct {
	port   nethttp.Port[nethttp.Context]
	root   chi.Routes
	tables sync.Map // chi.Routes → *table
}

// Install puts the gate before every route. It returns an error if chi takes no middleware any more, since r has routes
// or groups already, or if the engine's policy needs a hook that is missing.
func Install(r chi.Router, engine *recess.Engine, hooks Hooks) (gate *Gate, err error) {
	if gate, err = New(r, engine, hooks); err != nil {
		return nil, err
	}
	defer func() {
		if v := recover(); v != nil {
			gate, err = nil, fmt.Errorf("recesschi: install: %v: install the gate before the first route, Group or With", v)
		}
	}()
	r.Use(gate.Middleware)
	return gate, nil
}

// New makes a gate to be mounted by hand: on a group, behind the authentication that Hooks.User relies on, or around r
// as a whole. It returns an error if the engine's policy needs a hook that is missing.
func New(r chi.Router, engine *recess.Engine, hooks Hooks) (*Gate, error) {
	if err := hooks.Check(engine); err != nil {
		return nil, err
	}
	g := &Gate{root: r}
	g.port = nethttp.Port[nethttp.Context]{Engine: engine, Hooks: hooks, Marker: g.marker, Route: g.route, Method: method, Path: path}
	return g, nil
}

// Middleware decides every request before the handlers behind it see it.
func (g *Gate) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ticket := g.port.Engine.Begin()
		defer ticket.End()
		if ticket.Open() || g.port.Admit(&ticket, nethttp.Context{Writer: w, Request: r}, w, r) {
			next.ServeHTTP(w, r)
			return
		}
		block(r)
	})
}

// Blocked reports whether Recess has refused a request: for loggers that stand before the gate and hold no more than
// the request. It is false outside of the router; [nethttp.Blocked] tells it from the response's header.
func (g *Gate) Blocked(r *http.Request) bool { return routing(r).URLParam(blocked) != "" }

// blocked is the URL parameter that a refused request carries. chi makes its context once, before all middlewares, so
// whoever holds an older request finds it there; and no handler runs that it could surprise.
const blocked = "recess: blocked"

func block(r *http.Request) {
	if rctx := chi.RouteContext(r.Context()); rctx != nil {
		rctx.URLParams.Add(blocked, "yes")
	}
}

// Maintenance is what handlers and templates may tell their visitors; nil if there is nothing to tell.
func (g *Gate) Maintenance(r *http.Request) *recess.Maintenance {
	return recess.FromContext(r.Context())
}

// Status answers the public status endpoint: put it below Policy.ControlPath, or behind [Gate.ForceOff].
func (g *Gate) Status(w http.ResponseWriter, r *http.Request) {
	nethttp.Answer(w, r, g.port.Engine.StatusAnswer())
}

// Panel mounts a handler that asks who is asking: package admin's. It finds the user of Hooks.User by [recess.UserFrom]. One
// line serves all below Policy.ControlPath, with the status endpoint and the probes:
//
//	r.Handle("/maintenance/*", gate.Panel(panel))
func (g *Gate) Panel(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, g.port.WithUser(nethttp.Context{Writer: w, Request: r}, r))
	})
}

// Live and Ready answer probes, see [recess.Engine.LiveAnswer] and [recess.Engine.ReadyAnswer]: put them below
// Policy.ControlPath, or behind [Gate.ForceOff]. [nethttp.Health] answers on a port of its own.
func (g *Gate) Live(w http.ResponseWriter, r *http.Request) {
	nethttp.Answer(w, r, g.port.Engine.LiveAnswer())
}

// Ready answers a readiness probe.
func (g *Gate) Ready(w http.ResponseWriter, r *http.Request) {
	nethttp.Answer(w, r, g.port.Engine.ReadyAnswer())
}

// PassLink is the page behind links to bypass passes: see [recess.Engine.LinkAnswer]. Put it below Policy.ControlPath, or
// behind [Gate.ForceOff], for GET and POST.
func (g *Gate) PassLink(w http.ResponseWriter, r *http.Request) { g.port.PassLink(w, r) }
