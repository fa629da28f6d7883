package recessgin_test

import (
	"net"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/adaptertest"
)

// quiet is gin without its redirects, plain is gin as it comes.
var (
	quiet = adaptertest.Framework{Name: "gin", Serve: serve(false), Traits: adaptertest.Traits{BareScopes: true}}
	plain = adaptertest.Framework{Name: "gin with redirects", Serve: serve(true), Traits: adaptertest.Traits{SlashRedirect: true, BareScopes: true}}
)

func TestConformance(t *testing.T)              { adaptertest.Run(t, quiet) }
func TestConformanceWithRedirects(t *testing.T) { adaptertest.Run(t, plain) }

func TestTriples(t *testing.T) { adaptertest.Triples(t, quiet) }

func FuzzDecisions(f *testing.F) { adaptertest.Fuzz(f, quiet) }

func BenchmarkHold(b *testing.B) { adaptertest.BenchHold(b, quiet) }

func serve(redirects bool) func(testing.TB, *recess.Engine, *adaptertest.Site, net.Listener) {
	return func(t testing.TB, engine *recess.Engine, site *adaptertest.Site, listener net.Listener) {
		r := gin.New()
		r.RedirectTrailingSlash = redirects
		r.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, _ any) { c.AbortWithStatus(http.StatusInternalServerError) }))
		build(t, r, engine, site)
		adaptertest.ServeHTTP(t, listener, r)
	}
}

func build(t testing.TB, r *gin.Engine, engine *recess.Engine, site *adaptertest.Site) {
	t.Helper()
	b := builder{site: site}
	var err error
	b.gate, err = recessgin.New(r, engine, adaptertest.Hooks(site, func(c *gin.Context) adaptertest.Call { return b.call(c) }))
	if err != nil {
		t.Fatal(err)
	}
	for range site.Gates {
		r.Use(b.gate.Middleware)
	}
	b.add(&r.RouterGroup, &site.Root)
}

// builder puts the site's routes into gin's groups.
type builder struct {
	gate *recessgin.Gate
	site *adaptertest.Site
}

func (b *builder) call(c *gin.Context) adaptertest.Call {
	return adaptertest.HTTPCall(c.Writer, c.Request, b.gate.Maintenance(c))
}

func (b *builder) add(into *gin.RouterGroup, g *adaptertest.Group) {
	for i := range g.Routes {
		b.route(into, &g.Routes[i])
	}
	for i := range g.Groups {
		inner := &g.Groups[i]
		b.add(into.Group(inner.Prefix, b.marks(inner.Marks)...), inner)
	}
}

func (b *builder) route(into *gin.RouterGroup, r *adaptertest.Route) {
	pattern := adaptertest.ColonPattern(r.Pattern)
	handler := func(c *gin.Context) { _ = b.site.Handle(b.call(c), r) }
	switch r.Kind {
	case adaptertest.Files:
		into.Group("", b.marks(r.Marks)...).Static(pattern, r.Dir)
		return
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
	}
	chain := append(b.marks(r.Marks), handler)
	if len(r.Methods) == 0 {
		into.Any(pattern, chain...)
	}
	into.Match(r.Methods, pattern, chain...)
}

func (b *builder) marks(marks []adaptertest.Mark) (handlers []gin.HandlerFunc) {
	for _, m := range marks {
		switch {
		case m.LongLived:
			handlers = append(handlers, b.gate.LongLived)
		case m.Force == recess.ForcedOff:
			handlers = append(handlers, b.gate.ForceOff)
		case m.Force == recess.ForcedOn:
			handlers = append(handlers, b.gate.ForceOn)
		default:
			handlers = append(handlers, b.gate.Scope(m.Scope))
		}
	}
	return handlers
}
