package recesschi

import (
	"cmp"
	"net/http"
	"reflect"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/recess-go/recess/core"
)

// ForceOff marks routes as never in maintenance: a health check.
func (g *Gate) ForceOff(next http.Handler) http.Handler {
	return (&mark{g, recess.Marker{Force: recess.ForcedOff}}).before(next)
}

// ForceOn marks routes as always closed. It refuses by itself too, while nothing runs and where no middleware covers
// the route.
func (g *Gate) ForceOn(next http.Handler) http.Handler {
	return (&mark{g, recess.Marker{Force: recess.ForcedOn}}).before(next)
}

// Scope returns a marker that puts routes into a named scope.
func (g *Gate) Scope(name string) func(http.Handler) http.Handler {
	return (&mark{g, g.engine.ScopeMarker(name)}).before
}

// mark is one marker of one gate.
type mark struct {
	gate *Gate
	says recess.Marker
}

// before puts the mark before a handler. Before no handler at all it returns itself: that is how it is asked.
func (m *mark) before(next http.Handler) http.Handler {
	switch {
	case next == nil:
		return m
	case m.says.Force != recess.ForcedOn:
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r = m.gate.admit(m.gate.engine.AdmitForced, m.says, w, r); r != nil {
			next.ServeHTTP(w, r)
		}
	})
}

// ServeHTTP is never reached: a mark before no handler serves nothing.
func (m *mark) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

// said is what a middleware says of the routes behind it. Markers are known by their code, which is the same for every
// gate and every scope; which one it is they say themselves.
func (g *Gate) said(middleware func(http.Handler) http.Handler) recess.Marker {
	switch code(middleware) {
	case code(g.ForceOff), code(g.ForceOn), code((*mark)(nil).before):
		if m, ok := middleware(nil).(*mark); ok && m.gate == g {
			return m.says
		}
	}
	return recess.Marker{}
}

func code(f func(http.Handler) http.Handler) uintptr { return reflect.ValueOf(f).Pointer() }

// table is the routes below one root, as they stood when it was first asked.
type table struct {
	marked  bool // some route is
	root    chi.Routes
	markers map[route]recess.Marker // of every route, marked or not
	mounts  map[string]chi.Routes   // the routers below, by the patterns that lead there: "/api/*/v1/*"
}

type route struct{ method, pattern string }

func (g *Gate) newTable(root chi.Routes) *table {
	t := &table{root: root, markers: make(map[route]recess.Marker), mounts: make(map[string]chi.Routes)}
	t.mount("", root)
	_ = chi.Walk(root, func(method, pattern string, _ http.Handler, chain ...func(http.Handler) http.Handler) error {
		var sum recess.Marker
		for _, middleware := range chain {
			sum = sum.Within(g.said(middleware))
		}
		t.markers[route{method, plain(pattern)}] = sum
		t.marked = t.marked || sum.Force != recess.NotForced || len(sum.Scopes) > 0
		return nil
	})
	return t
}

func (t *table) mount(at string, router chi.Routes) {
	for _, r := range router.Routes() {
		if r.SubRoutes != nil {
			t.mounts[at+r.Pattern] = r.SubRoutes
			t.mount(at+r.Pattern, r.SubRoutes)
		}
	}
}

// plain is a route's full pattern: without the wildcards by which the routers on the way to it are mounted.
func plain(pattern string) string {
	for strings.Contains(pattern, "/*/") {
		pattern = strings.ReplaceAll(pattern, "/*/", "/")
	}
	return pattern
}

// marker is what the route of a request says of itself, wherever in the routing the request is.
func (g *Gate) marker(scratch *chi.Context, r *http.Request) recess.Marker {
	rctx := routing(r)
	root := rctx.Routes
	if root == nil {
		root = g.root
	}
	known, ok := g.tables.Load(root)
	if !ok {
		known, _ = g.tables.LoadOrStore(root, g.newTable(root))
	}
	t := known.(*table)
	if !t.marked {
		return recess.Marker{}
	}
	method := cmp.Or(rctx.RouteMethod, r.Method)
	m, ok := t.find(scratch, rctx, r, method)
	if !ok && method == http.MethodHead {
		m, _ = t.find(scratch, rctx, r, http.MethodGet)
	}
	return m
}

// find looks up the route of a request: by its path, until a pattern has matched, and by that pattern then. The pattern
// of a mount is half of the answer; the other half is what the router there makes of the rest of the path.
func (t *table) find(scratch, rctx *chi.Context, r *http.Request, method string) (recess.Marker, bool) {
	if len(rctx.RoutePatterns) == 0 {
		return t.below(scratch, t.root, "", method, cmp.Or(rctx.RoutePath, r.URL.RawPath, r.URL.Path, "/"))
	}
	matched := strings.Join(rctx.RoutePatterns, "")
	rest := cmp.Or(rctx.RoutePath, "/")
	if wild := rctx.URLParam("*"); wild != "" {
		rest = "/" + wild // a middleware of the mount, before chi has cut the path
	}
	router, mounted := t.mounts[matched]
	if !mounted {
		if m, ok := t.markers[route{method, plain(matched)}]; ok {
			return m, true
		}
		// "/api" and "/api/" stand for "/api/*", in chi's tree too.
		matched, rest = strings.TrimSuffix(matched, "/")+"/*", "/"
		if router, mounted = t.mounts[matched]; !mounted {
			m, ok := t.markers[route{method, plain(matched)}]
			return m, ok
		}
	}
	return t.below(scratch, router, strings.TrimSuffix(plain(matched), "/*"), method, rest)
}

// below looks a path up in the router that is mounted at a pattern.
func (t *table) below(scratch *chi.Context, router chi.Routes, at, method, path string) (recess.Marker, bool) {
	pattern := match(scratch, router, method, path)
	if pattern == "" {
		return recess.Marker{}, false
	}
	if m, ok := t.markers[route{method, at + pattern}]; ok {
		return m, true
	}
	// What matched is where something is mounted: "/api" is served by the route "/" of the router there…
	if !strings.HasSuffix(path, "/") {
		if m, ok := t.markers[route{method, at + match(scratch, router, method, path+"/")}]; ok {
			return m, true
		}
	}
	// … or by its route "/*", or by a handler that is no router and known as "/api/*" only.
	m, ok := t.markers[route{method, at + strings.TrimSuffix(pattern, "/") + "/*"}]
	return m, ok
}

// match is chi's own look-up. The context collects what it finds and must be emptied each time.
func match(scratch *chi.Context, router chi.Routes, method, path string) string {
	scratch.Reset()
	return router.Find(scratch, method, path)
}
