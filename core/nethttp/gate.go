package nethttp

import (
	"cmp"
	"net/http"
	"path"
	"strings"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
)

// Context is what [Hooks] are given: Go's net/http has no context of its own that holds both.
type Context struct {
	Writer  http.ResponseWriter
	Request *http.Request
}

// Hooks is what an application on net/http may add.
type Hooks = recess.Hooks[Context]

// A Finder says which route a request will match, by its pattern, and what that route says of itself. The pattern is ""
// where none matches. A nil Finder finds nothing.
type Finder func(*http.Request) (pattern string, marker recess.Marker)

// A Gate is an engine before the handlers of one application.
type Gate struct{ port Port[Context] }

// New makes a gate. It returns an error if the engine's policy needs a hook that is missing.
func New(engine *recess.Engine, hooks Hooks, find Finder) (*Gate, error) {
	if err := hooks.Check(engine); err != nil {
		return nil, err
	}
	g := &Gate{Port[Context]{Engine: engine, Hooks: hooks}}
	if find == nil {
		find = func(*http.Request) (string, recess.Marker) { return "", recess.Marker{} }
	}
	g.port.Marker = func(c Context) recess.Marker {
		_, marker := find(c.Request)
		return marker
	}
	g.port.Route = func(c Context) string {
		pattern, _ := find(c.Request)
		return unmethod(cmp.Or(pattern, c.Request.Pattern))
	}
	return g, nil
}

// unmethod is a pattern of a ServeMux without its method.
func unmethod(pattern string) string {
	if _, rest, ok := strings.Cut(pattern, " "); ok {
		return strings.TrimLeft(rest, " \t")
	}
	return pattern
}

// Middleware decides every request before next sees it. Install it outermost, but for what must also see refusals (a
// logger) and what changes the path that is routed.
func (g *Gate) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ticket := g.port.Engine.Begin()
		defer ticket.End()
		if ticket.Open() || g.port.Admit(&ticket, Context{w, r}, w, r) {
			next.ServeHTTP(w, r)
		}
	})
}

// Status answers the public status endpoint: mount it below Policy.ControlPath, or mark it with [Gate.ForceOff].
func (g *Gate) Status(w http.ResponseWriter, r *http.Request) {
	Answer(w, r, g.port.Engine.StatusAnswer())
}

// Panel mounts a handler that asks who is asking: package admin's. It finds the user of Hooks.User by [recess.UserFrom]. One
// line serves all below Policy.ControlPath, with the status endpoint and the probes:
//
//	mux.Handle("/maintenance/", gate.Panel(panel))
func (g *Gate) Panel(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, g.port.WithUser(Context{w, r}, r))
	})
}

// Live and Ready answer probes, see [recess.Engine.LiveAnswer] and [recess.Engine.ReadyAnswer]: mount them below
// Policy.ControlPath, or mark them with [Gate.ForceOff]. [Health] answers on a port of its own.
func (g *Gate) Live(w http.ResponseWriter, r *http.Request) { Answer(w, r, g.port.Engine.LiveAnswer()) }

// Ready answers a readiness probe.
func (g *Gate) Ready(w http.ResponseWriter, r *http.Request) {
	Answer(w, r, g.port.Engine.ReadyAnswer())
}

// PassLink is the page behind links to bypass passes: see [recess.Engine.LinkAnswer]. Mount it for GET and POST, below
// Policy.ControlPath or marked with [Gate.ForceOff], so that it can be reached while the site is closed.
func (g *Gate) PassLink(w http.ResponseWriter, r *http.Request) { g.port.PassLink(w, r) }

// Health answers probes on a server of their own, which no gate stands before: paths that end with "/live" as
// [Gate.Live] does, those that end with "/ready" as [Gate.Ready]. Everything else is 404.
//
//	go http.ListenAndServe("127.0.0.1:9090", nethttp.Health(engine)) // /live and /ready
func Health(engine *recess.Engine) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path.Base(r.URL.Path) {
		case "live":
			Answer(w, r, engine.LiveAnswer())
		case "ready":
			Answer(w, r, engine.ReadyAnswer())
		default:
			http.NotFound(w, r)
		}
	})
}

// Answer sends an answer of the engine's.
func Answer(w http.ResponseWriter, r *http.Request, a *page.Answer) {
	x := Exchange{w, r}
	x.Answer(a)
}
