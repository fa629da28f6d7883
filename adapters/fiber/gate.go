package recessfiber

import (
	"fmt"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/recess-go/recess/core"
)

// Hooks is what an application on fiber may add.
type Hooks = recess.Hooks[*fiber.Ctx]

// A Gate is an engine before the routes of one application.
type Gate struct {
	engine  *recess.Engine
	hooks   Hooks
	shadows sync.Map  // *fiber.App → *shadow
	pool    sync.Pool // of *exchange
}

// Install puts the gate before everything that is added from now on. It returns an error if there are routes, mounted
// applications or static files already, for fiber would not put it before those, or if the engine's policy needs a hook
// that is missing.
func Install(app *fiber.App, engine *recess.Engine, hooks Hooks) (*Gate, error) {
	if open := uncovered(app); len(open) > 0 {
		return nil, fmt.Errorf("recessfiber: install: what exists already would stay open (%s): install the gate before it",
			strings.Join(open, ", "))
	}
	g, err := New(app, engine, hooks)
	if err != nil {
		return nil, err
	}
	app.Use(g.Middleware)
	return g, nil
}

// uncovered names what would answer before a middleware that is added now.
func uncovered(app *fiber.App) (open []string) {
	for _, r := range app.GetRoutes(true) {
		open = append(open, r.Method+" "+r.Path)
	}
	for _, r := range app.Stack()[0] {
		switch {
		case len(r.Handlers) == 0:
			open = append(open, "Mount "+r.Path)
		case strings.Contains(runtime.FuncForPC(reflect.ValueOf(r.Handlers[0]).Pointer()).Name(), ".registerStatic."):
			open = append(open, "Static "+r.Path)
		}
	}
	return open
}

// New makes a gate to be mounted by hand: on a group, behind the authentication that Hooks.User relies on. It serves
// the application, or the one that this is mounted in. It returns an error if the engine's policy needs a hook that is
// missing.
func New(_ *fiber.App, engine *recess.Engine, hooks Hooks) (*Gate, error) {
	if err := hooks.Check(engine); err != nil {
		return nil, err
	}
	g := &Gate{engine: engine, hooks: hooks}
	g.pool.New = func() any { return new(exchange) }
	return g, nil
}

// Middleware decides every request before the handlers behind it see it.
func (g *Gate) Middleware(c *fiber.Ctx) error {
	ticket := g.engine.Begin()
	defer ticket.End()
	if !ticket.Open() && !g.admit(ticket.Admit, false, c) {
		return nil
	}
	return c.Next()
}

// admit asks whether a request may go on. If not it is answered, past the application's error handler.
func (g *Gate) admit(ask func(recess.Exchange) bool, reached bool, c *fiber.Ctx) bool {
	x := g.pool.Get().(*exchange)
	*x = exchange{Caller: recess.Caller[*fiber.Ctx]{Hooks: &g.hooks, Context: c}, gate: g, reached: reached}
	defer func() {
		*x = exchange{}
		g.pool.Put(x)
	}()
	if ask(x) {
		return true
	}
	c.Locals(blocked{}, true)
	return false
}

type blocked struct{}

// Blocked reports whether Recess has refused a request.
func (g *Gate) Blocked(c *fiber.Ctx) bool { return c.Locals(blocked{}) != nil }

// Maintenance is what handlers and templates may tell their visitors; nil if there is nothing to tell. The same value
// is in the locals under [recess.ContextKey], and [recess.FromContext] finds it in the user context.
func (g *Gate) Maintenance(c *fiber.Ctx) *recess.Maintenance {
	m, _ := c.Locals(recess.ContextKey).(*recess.Maintenance)
	return m
}

// Panel mounts a handler of net/http, which knows nothing of fiber, and asks who is asking: package admin's. It finds the user
// of Hooks.User by [recess.UserFrom]. One line serves all below Policy.ControlPath, with the status endpoint and the probes:
//
//	app.All("/maintenance/*", gate.Panel(panel))
func (g *Gate) Panel(h http.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		caller := recess.Caller[*fiber.Ctx]{Hooks: &g.hooks, Context: c}
		ctx := recess.WithUser(c.UserContext(), caller.SafeUser(g.engine))
		return adaptor.HTTPHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header = header(c)
			h.ServeHTTP(w, r.WithContext(ctx)) // fasthttp's own is used again when the request has ended
			for name := range w.Header() {
				c.Response().Header.Del(name) // the adaptor adds to what the gate has set
			}
		}))(c)
	}
}

// header are all lines of the request's header, in strings of their own. (The adaptor keeps one line of each name.)
func header(c *fiber.Ctx) http.Header {
	all := make(http.Header)
	c.Request().Header.VisitAll(func(name, value []byte) { all.Add(string(name), string(value)) })
	all.Del(fiber.HeaderHost) // as net/http has it
	return all
}

// Live and Ready answer probes, see [recess.Engine.LiveAnswer] and [recess.Engine.ReadyAnswer]: put them below
// Policy.ControlPath, or behind [Gate.ForceOff].
func (g *Gate) Live(c *fiber.Ctx) error {
	send(c, g.engine.LiveAnswer())
	return nil
}

// Ready answers a readiness probe.
func (g *Gate) Ready(c *fiber.Ctx) error {
	send(c, g.engine.ReadyAnswer())
	return nil
}

// Status answers the public status endpoint: put it below Policy.ControlPath, or behind [Gate.ForceOff].
func (g *Gate) Status(c *fiber.Ctx) error {
	send(c, g.engine.StatusAnswer())
	return nil
}
