package recessecho_test

import (
	"net"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/recess-go/recess/adapters/echo"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/adaptertest"
)

var framework = adaptertest.Framework{Name: "echo", Serve: serve}

func TestConformance(t *testing.T) { adaptertest.Run(t, framework) }

func TestTriples(t *testing.T) { adaptertest.Triples(t, framework) }

func FuzzDecisions(f *testing.F) { adaptertest.Fuzz(f, framework) }

func BenchmarkHold(b *testing.B) { adaptertest.BenchHold(b, framework) }

func serve(t testing.TB, engine *recess.Engine, site *adaptertest.Site, listener net.Listener) {
	e := echo.New()
	e.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{LogErrorFunc: func(_ echo.Context, err error, _ []byte) error { return err }}))
	b := builder{site: site}
	var err error
	b.gate, err = recessecho.New(e, engine, adaptertest.Hooks(site, func(c echo.Context) adaptertest.Call { return b.call(c) }))
	if err != nil {
		t.Fatal(err)
	}
	for range site.Gates {
		e.Use(b.gate.Middleware)
	}
	b.add(e.Group(""), &site.Root)
	adaptertest.ServeHTTP(t, listener, e)
}

// builder puts the site's routes into echo's groups.
type builder struct {
	gate *recessecho.Gate
	site *adaptertest.Site
}

func (b *builder) call(c echo.Context) adaptertest.Call {
	return adaptertest.HTTPCall(c.Response(), c.Request(), b.gate.Maintenance(c))
}

func (b *builder) add(into *echo.Group, g *adaptertest.Group) {
	for i := range g.Routes {
		b.route(into, &g.Routes[i])
	}
	for i := range g.Groups {
		inner := &g.Groups[i]
		b.add(into.Group(inner.Prefix, b.marks(inner.Marks)...), inner)
	}
}

func (b *builder) route(into *echo.Group, r *adaptertest.Route) {
	pattern, marks := adaptertest.StarPattern(r.Pattern), b.marks(r.Marks)
	handler := func(c echo.Context) error { return b.site.Handle(b.call(c), r) }
	switch {
	case r.Kind == adaptertest.Files:
		into.Group("", marks...).Static(pattern, r.Dir)
		return
	case r.Kind == adaptertest.Status:
		handler = b.gate.Status
	case r.Kind == adaptertest.Live:
		handler = b.gate.Live
	case r.Kind == adaptertest.Ready:
		handler = b.gate.Ready
	case r.Kind == adaptertest.PassLink:
		handler = b.gate.PassLink
	case r.Kind == adaptertest.Panel:
		handler = b.gate.Panel(b.site.Panel)
	}
	if len(r.Methods) == 0 {
		into.Any(pattern, handler, marks...)
	}
	into.Match(r.Methods, pattern, handler, marks...)
}

func (b *builder) marks(marks []adaptertest.Mark) (middlewares []echo.MiddlewareFunc) {
	for _, m := range marks {
		switch {
		case m.LongLived:
			middlewares = append(middlewares, b.gate.LongLived)
		case m.Force == recess.ForcedOff:
			middlewares = append(middlewares, b.gate.ForceOff)
		case m.Force == recess.ForcedOn:
			middlewares = append(middlewares, b.gate.ForceOn)
		default:
			scope := b.gate.Scope(m.Scope)
			if m.Wrapped {
				scope = wrapped(scope)
			}
			middlewares = append(middlewares, scope)
		}
	}
	return middlewares
}

// wrapped is a middleware of the application's own around a marker.
func wrapped(marker echo.MiddlewareFunc) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc { return marker(next) }
}
