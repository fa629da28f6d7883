package recesschi_test

import (
	"net"
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/recess-go/recess/adapters/chi"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/adaptertest"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/core/page"
)

var framework = adaptertest.Framework{Name: "chi", Serve: serve}

func TestConformance(t *testing.T) { adaptertest.Run(t, framework) }

func TestTriples(t *testing.T) { adaptertest.Triples(t, framework) }

func FuzzDecisions(f *testing.F) { adaptertest.Fuzz(f, framework) }

func BenchmarkHold(b *testing.B) { adaptertest.BenchHold(b, framework) }

func TestAllocations(t *testing.T) {
	adaptertest.Allocs(t, adaptertest.Meter{
		Bare:   func(testing.TB) func() { return driver(chi.NewRouter()) },
		Branch: func(_ testing.TB, a *page.Answer) func() { return driver(refusing(a)) },
		Gated: func(t testing.TB, engine *recess.Engine) func() {
			r := chi.NewRouter()
			install(t, r, engine, recesschi.Hooks{})
			return driver(r)
		},
	})
}

// refusing is a router behind the refusal that a careful person would write by hand.
func refusing(a *page.Answer) chi.Router {
	r := chi.NewRouter()
	r.Use(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			header := w.Header()
			for _, f := range a.Header {
				header[f.Name] = f.Value
			}
			w.WriteHeader(a.Status)
			if r.Method != http.MethodHead {
				_, _ = w.Write(a.Body)
			}
		})
	})
	return r
}

// serve builds the site in chi's idiom.
func serve(t testing.TB, engine *recess.Engine, site *adaptertest.Site, listener net.Listener) {
	r := chi.NewRouter()
	r.Use(quiet, middleware.Recoverer)
	gate, err := recesschi.New(r, engine, adaptertest.Hooks(site, func(c nethttp.Context) adaptertest.Call {
		return adaptertest.HTTPCall(c.Writer, c.Request, recess.FromContext(c.Request.Context()))
	}))
	if err != nil {
		t.Fatal(err)
	}
	for range site.Gates {
		r.Use(gate.Middleware)
	}
	(&builder{gate, site}).group(r, &site.Root)
	adaptertest.ServeHTTP(t, listener, r)
}

type builder struct {
	gate *recesschi.Gate
	site *adaptertest.Site
}

func (b *builder) group(r chi.Router, group *adaptertest.Group) {
	r.Use(b.marks(group.Marks)...)
	for i := range group.Routes {
		b.route(r, &group.Routes[i])
	}
	for i := range group.Groups {
		inner := &group.Groups[i]
		build := func(r chi.Router) { b.group(r, inner) }
		switch {
		case inner.Prefix == "":
			r.Group(build)
		case inner.Mount:
			sub := chi.NewRouter()
			build(sub)
			r.Mount(adaptertest.BracePattern(inner.Prefix), sub)
		default:
			r.Route(adaptertest.BracePattern(inner.Prefix), build)
		}
	}
}

func (b *builder) route(r chi.Router, route *adaptertest.Route) {
	if len(route.Marks) > 0 {
		r = r.With(b.marks(route.Marks)...)
	}
	pattern := adaptertest.BracePattern(route.Pattern)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = b.site.Handle(adaptertest.HTTPCall(w, r, b.gate.Maintenance(r)), route)
	})
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
		handler = b.gate.Panel(b.site.Panel).ServeHTTP
	case adaptertest.Files:
		r.Mount(pattern, http.StripPrefix(pattern, http.FileServer(http.Dir(route.Dir))))
		return
	}
	if len(route.Methods) == 0 {
		r.Handle(pattern, handler)
	}
	for _, method := range route.Methods {
		r.Method(method, pattern, handler)
	}
}

func (b *builder) marks(marks []adaptertest.Mark) (all []func(http.Handler) http.Handler) {
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
				scope = func(next http.Handler) http.Handler { return bare(next) }
			}
			all = append(all, scope)
		}
	}
	return all
}

// quiet keeps Recoverer from printing the panics that the suite provokes.
func quiet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, middleware.WithLogEntry(r, silent{}))
	})
}
