package recessfiber_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/adaptertest"
	"github.com/recess-go/recess/core/page"
)

var framework = adaptertest.Framework{Name: "fiber", Serve: serve, Traits: adaptertest.Traits{
	RoutesHead: true, UnknownMethod: fiber.StatusBadRequest, ReadsBodies: true, LooseSlash: true, LooseCase: true,
}}

func TestConformance(t *testing.T) { adaptertest.Run(t, framework) }

func TestTriples(t *testing.T) { adaptertest.Triples(t, framework) }

func FuzzDecisions(f *testing.F) { adaptertest.Fuzz(f, framework) }

func BenchmarkHold(b *testing.B) { adaptertest.BenchHold(b, framework) }

func TestAllocations(t *testing.T) {
	adaptertest.Allocs(t, adaptertest.Meter{
		Bare:   func(testing.TB) func() { return driver(fiber.New()) },
		Branch: func(_ testing.TB, a *page.Answer) func() { return driver(refusing(a)) },
		Gated: func(t testing.TB, engine *recess.Engine) func() {
			app := fiber.New()
			install(t, app, engine, recessfiber.Hooks{})
			return driver(app)
		},
	})
}

// refusing is an application behind the refusal that a careful person would write by hand.
func refusing(a *page.Answer) *fiber.App {
	app := fiber.New()
	app.Use(func(c *fiber.Ctx) error {
		for _, f := range a.Header {
			c.Set(f.Name, f.Value[0])
		}
		return c.Status(a.Status).Send(a.Body)
	})
	return app
}

// serve builds the site in fiber's idiom.
func serve(t testing.TB, engine *recess.Engine, site *adaptertest.Site, listener net.Listener) {
	app := fiber.New(fiber.Config{DisableStartupMessage: true, ReadBufferSize: 1 << 20})
	app.Use(recover.New())
	gate, err := recessfiber.New(app, engine, adaptertest.Hooks(site, func(c *fiber.Ctx) adaptertest.Call {
		return call{c, recess.FromContext(c.UserContext()), nil}
	}))
	if err != nil {
		t.Fatal(err)
	}
	for range site.Gates {
		app.Use(gate.Middleware)
	}
	(&builder{gate, site}).group(app, &site.Root)
	adaptertest.Serve(t, func() error { return app.Listener(listener) }, app.Shutdown)
}

// call is a request as the suite sees it.
type call struct {
	c    *fiber.Ctx
	m    *recess.Maintenance
	gate *recessfiber.Gate
}

func (x call) Header(name string) string    { return x.c.Get(name) }
func (x call) SetHeader(name, value string) { x.c.Set(name, value) }
func (x call) Body() ([]byte, error)        { return x.c.Body(), nil }

func (x call) Maintenance() *recess.Maintenance { return x.m }
func (x call) Context() context.Context         { return x.c.UserContext() }
func (x call) Stream(write func(io.Writer, func() error)) error {
	x.c.Context().SetBodyStreamWriter(x.gate.Writer(x.c, func(w *bufio.Writer) { write(w, w.Flush) }))
	return nil
}

func (x call) Hijack(serve func(net.Conn)) error {
	x.c.Status(fiber.StatusSwitchingProtocols).Set(fiber.HeaderUpgrade, "test")
	x.c.Context().Hijack(serve)
	return nil
}

func (x call) Reply(status int, body string) error {
	return x.c.Status(status).Type("txt", "utf-8").SendString(body)
}

type builder struct {
	gate *recessfiber.Gate
	site *adaptertest.Site
}

func (b *builder) group(r fiber.Router, group *adaptertest.Group) {
	for i := range group.Routes {
		b.route(r, &group.Routes[i])
	}
	for i := range group.Groups {
		inner := &group.Groups[i]
		prefix := adaptertest.StarPattern(inner.Prefix)
		if !inner.Mount {
			b.group(r.Group(prefix, b.marks(inner.Marks)...), inner)
			continue
		}
		sub := fiber.New()
		for _, mark := range b.marks(inner.Marks) {
			sub.Use(mark)
		}
		b.group(sub, inner)
		r.Mount(prefix, sub)
	}
}

func (b *builder) route(r fiber.Router, route *adaptertest.Route) {
	pattern := adaptertest.StarPattern(route.Pattern)
	handler := func(c *fiber.Ctx) error { return b.site.Handle(call{c, b.gate.Maintenance(c), b.gate}, route) }
	switch route.Kind {
	case adaptertest.Status:
		handler = b.gate.Status
	case adaptertest.Live:
		handler = b.gate.Live
	case adaptertest.Ready:
		handler = b.gate.Ready
	case adaptertest.PassLink:
		handler = b.gate.PassLink
	case adaptertest.Panel:
		handler = b.gate.Panel(b.site.Panel)
	case adaptertest.Files:
		r.Static(pattern, route.Dir)
		return
	}
	handlers := append(b.marks(route.Marks), handler)
	if len(route.Methods) == 0 {
		r.All(pattern, handlers...)
	}
	for _, method := range route.Methods {
		if method == fiber.MethodGet {
			r.Get(pattern, handlers...) // and HEAD
		} else {
			r.Add(method, pattern, handlers...)
		}
	}
}

func (b *builder) marks(marks []adaptertest.Mark) (all []fiber.Handler) {
	for _, mark := range marks {
		switch {
		case mark.LongLived:
			all = append(all, b.gate.LongLived)
		case mark.Force == recess.ForcedOff:
			all = append(all, b.gate.ForceOff)
		case mark.Force == recess.ForcedOn:
			all = append(all, b.gate.ForceOn)
		default:
			scope := b.gate.Scope(mark.Scope)
			if mark.Wrapped {
				bare := scope
				scope = func(c *fiber.Ctx) error { return bare(c) }
			}
			all = append(all, scope)
		}
	}
	return all
}
