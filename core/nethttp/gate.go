package nethttp

import (
	"net/http"
	"sync"

	"github.com/recess-go/recess/core"
)

// Context is what [Hooks] are given: Go's net/http has no context of its own that holds both.
type Context struct {
	Writer  http.ResponseWriter
	Request *http.Request
}

// Hooks is what an application on net/http may add.
type Hooks = recess.Hooks[Context]

// A Finder says what the route that a request will match says of itself. A nil Finder finds nothing.
type Finder func(*http.Request) recess.Marker

// A Gate is an engine before the handlers of one application.
type Gate struct {
	engine *recess.Engine
	hooks  Hooks
	find   Finder
	pool   sync.Pool
}

// New makes a gate. It returns an error if the engine's policy needs a hook that is missing.
func New(engine *recess.Engine, hooks Hooks, find Finder) (*Gate, error) {
	if err := hooks.Check(engine); err != nil {
		return nil, err
	}
	g := &Gate{engine: engine, hooks: hooks, find: find}
	g.pool.New = func() any { return new(exchange) }
	return g, nil
}

// Middleware decides every request before next sees it. Install it outermost, but for what must also see refusals (a
// logger) and what changes the path that is routed.
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

// admit asks about a request that has come to a marker, or to the zero Marker of the middleware. It returns the request to go on with, nil if it was refused and answered.
func (g *Gate) admit(ask func(recess.Exchange) bool, at recess.Marker, w http.ResponseWriter, r *http.Request) *http.Request {
	x := g.pool.Get().(*exchange)
	*x = exchange{Exchange{w, r}, recess.Caller[Context]{Hooks: &g.hooks, Context: Context{w, r}}, g.find, at}
	defer func() {
		*x = exchange{}
		g.pool.Put(x)
	}()
	if !ask(x) {
		return nil
	}
	return x.Request
}

// Status answers the public status endpoint: mount it below Policy.ControlPath, or mark it with [Gate.ForceOff].
func (g *Gate) Status(w http.ResponseWriter, r *http.Request) {
	x := Exchange{w, r}
	x.Answer(g.engine.StatusAnswer())
}

// exchange is one request on its way through a gate.
type exchange struct {
	Exchange
	recess.Caller[Context]
	find Finder
	at   recess.Marker
}

// Marker implements [recess.Request]. A marker that asks for itself counts also where no Finder finds it, and stands
// back for those further in.
func (x *exchange) Marker() recess.Marker {
	if x.find == nil {
		return x.at
	}
	return x.at.Within(x.find(x.Exchange.Request))
}
