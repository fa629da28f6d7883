package nethttp_test

import (
	"net"
	"net/http"
	"slices"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/adaptertest"
	"github.com/recess-go/recess/core/nethttp"
)

var plain = adaptertest.Framework{Name: "net/http", Serve: serve, Traits: adaptertest.Traits{RoutesHead: true}}

func TestConformance(t *testing.T) { adaptertest.Run(t, plain) }

func TestTriples(t *testing.T) { adaptertest.Triples(t, plain) }

func FuzzDecisions(f *testing.F) { adaptertest.Fuzz(f, plain) }

func BenchmarkHold(b *testing.B) { adaptertest.BenchHold(b, plain) }

func serve(t testing.TB, engine *recess.Engine, site *adaptertest.Site, listener net.Listener) {
	mux := http.NewServeMux()
	hooks := adaptertest.Hooks(site, func(c nethttp.Context) adaptertest.Call {
		return adaptertest.HTTPCall(c.Writer, c.Request, recess.FromContext(c.Request.Context()))
	})
	gate, err := nethttp.New(engine, hooks, nethttp.MuxMarkers(mux))
	if err != nil {
		t.Fatal(err)
	}
	b := builder{gate, site, mux}
	b.add("", nil, &site.Root)
	var handler http.Handler = mux
	for range site.Gates {
		handler = gate.Middleware(handler)
	}
	adaptertest.ServeHTTP(t, listener, handler)
}

// builder puts the site's routes into a ServeMux, which has no groups of its own.
type builder struct {
	gate *nethttp.Gate
	site *adaptertest.Site
	mux  *http.ServeMux
}

func (b *builder) add(prefix string, marks []adaptertest.Mark, g *adaptertest.Group) {
	prefix, marks = prefix+g.Prefix, slices.Concat(marks, g.Marks)
	for i := range g.Routes {
		b.route(prefix, marks, &g.Routes[i])
	}
	for i := range g.Groups {
		b.add(prefix, marks, &g.Groups[i])
	}
}

func (b *builder) route(prefix string, marks []adaptertest.Mark, r *adaptertest.Route) {
	pattern := prefix + adaptertest.MuxPattern(r.Pattern)
	var handler http.Handler
	switch r.Kind {
	case adaptertest.Status:
		handler = http.HandlerFunc(b.gate.Status)
	case adaptertest.Live:
		handler = http.HandlerFunc(b.gate.Live)
	case adaptertest.Ready:
		handler = http.HandlerFunc(b.gate.Ready)
	case adaptertest.PassLink:
		handler = http.HandlerFunc(b.gate.PassLink)
	case adaptertest.Panel:
		handler = b.gate.Panel(b.site.Panel)
	case adaptertest.Files:
		handler = http.StripPrefix(pattern, http.FileServer(http.Dir(r.Dir)))
		pattern += "/"
	default:
		handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			_ = b.site.Handle(adaptertest.HTTPCall(w, req, recess.FromContext(req.Context())), r)
		})
	}
	for _, m := range slices.Backward(slices.Concat(marks, r.Marks)) {
		handler = b.mark(m)(handler)
	}
	if len(r.Methods) == 0 {
		b.mux.Handle(pattern, handler)
	}
	for _, method := range r.Methods {
		b.mux.Handle(method+" "+pattern, handler)
	}
}

func (b *builder) mark(m adaptertest.Mark) func(http.Handler) http.Handler {
	switch {
	case m.LongLived:
		return b.gate.LongLived
	case m.Force == recess.ForcedOff:
		return b.gate.ForceOff
	case m.Force == recess.ForcedOn:
		return b.gate.ForceOn
	}
	scope := b.gate.Scope(m.Scope)
	if !m.Wrapped {
		return scope
	}
	return func(next http.Handler) http.Handler { return http.HandlerFunc(scope(next).ServeHTTP) }
}
