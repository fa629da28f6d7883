package recesschi

import (
	"cmp"
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
	engine *recess.Engine
	hooks  Hooks
	root   chi.Routes
	tables sync.Map  // chi.Routes → *table
	pool   sync.Pool // of *exchange
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
	g := &Gate{engine: engine, hooks: hooks, root: r}
	g.pool.New = func() any { return &exchange{gate: g, scratch: chi.NewRouteContext()} }
	return g, nil
}

// Middleware decides every request before the handlers behind it see it.
func (g *Gate) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ticket := g.engine.Begin()
		defer ticket.End()
		if !ticket.Open() {
			if r = g.admit(ticket.Admit, recess.Marker{}, w, r); r == nil {
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// Blocked reports whether Recess has refused a request: for loggers that stand before the gate and hold no more than
// the request. It is false outside of the router; [nethttp.Blocked] tells it from the response's header.
func (g *Gate) Blocked(r *http.Request) bool {
	return routing(r).URLParam(blocked) != ""
}

// blocked is the URL parameter that a refused request carries. chi makes its context once, before all middlewares, so
// whoever holds an older request finds it there; and no handler runs that it could surprise.
const blocked = "recess: blocked"

// Maintenance is what handlers and templates may tell their visitors; nil if there is nothing to tell.
func (g *Gate) Maintenance(r *http.Request) *recess.Maintenance {
	return recess.FromContext(r.Context())
}

// Status answers the public status endpoint: put it below Policy.ControlPath, or behind [Gate.ForceOff].
func (g *Gate) Status(w http.ResponseWriter, r *http.Request) {
	x := nethttp.Exchange{Writer: w, Request: r}
	x.Answer(g.engine.StatusAnswer())
}

// admit asks about a request. It returns the request to go on with, nil if it was refused and answered.
func (g *Gate) admit(ask func(recess.Exchange) bool, outer recess.Marker, w http.ResponseWriter, r *http.Request) *http.Request {
	x := g.pool.Get().(*exchange)
	x.Exchange, x.outer = nethttp.Exchange{Writer: w, Request: r}, outer
	x.Caller = recess.Caller[nethttp.Context]{Hooks: &g.hooks, Context: nethttp.Context{Writer: w, Request: r}}
	defer func() {
		*x = exchange{gate: g, scratch: x.scratch}
		g.pool.Put(x)
	}()
	if ask(x) {
		return x.Request
	}
	if rctx := chi.RouteContext(r.Context()); rctx != nil {
		rctx.URLParams.Add(blocked, "yes")
	}
	return nil
}

// exchange is one request on its way through a gate.
type exchange struct {
	nethttp.Exchange
	recess.Caller[nethttp.Context]
	gate    *Gate
	outer   recess.Marker // what the request has reached already
	scratch *chi.Context  // to look routes up with
}

// Marker implements [recess.Request].
func (x *exchange) Marker() recess.Marker {
	return x.outer.Within(x.gate.marker(x.scratch, x.Request))
}

// Method implements [recess.Request].
func (x *exchange) Method() string {
	return cmp.Or(routing(x.Request).RouteMethod, x.Request.Method)
}

// Path implements [recess.Request]: the path that the root routes by, if a middleware has set one. Once a route has
// matched, chi's path may be what a mounted router sees of it.
func (x *exchange) Path() string {
	if rctx := routing(x.Request); rctx.RoutePath != "" && len(rctx.RoutePatterns) == 0 {
		return rctx.RoutePath
	}
	return x.Exchange.Path()
}

// routing is chi's context of a request, to be read; an empty one before the router has seen it.
func routing(r *http.Request) *chi.Context {
	if rctx := chi.RouteContext(r.Context()); rctx != nil {
		return rctx
	}
	return unrouted
}

var unrouted = chi.NewRouteContext()
