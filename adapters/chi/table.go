package recesschi

import (
	"cmp"
	"net/http"
	"strings"
	"sync"

	"github.com/go-chi/chi/v5"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
)

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
func (g *Gate) marker(c nethttp.Context) recess.Marker {
	t := g.table(c)
	if !t.marked {
		return recess.Marker{}
	}
	return t.markers[t.route(c)]
}

// route is the pattern of that route; "" if there is none.
func (g *Gate) route(c nethttp.Context) string { return g.table(c).route(c).pattern }

// table returns the routes that a request is routed by.
func (g *Gate) table(c nethttp.Context) *table {
	root := routing(c.Request).Routes
	if root == nil {
		root = g.root
	}
	known, ok := g.tables.Load(root)
	if !ok {
		known, _ = g.tables.LoadOrStore(root, g.newTable(root))
	}
	return known.(*table)
}

// route is the one that a request will match, or has; the zero route if there is none.
func (t *table) route(c nethttp.Context) route {
	r, ok := t.find(c.Request, method(c))
	if !ok && method(c) == http.MethodHead {
		r, _ = t.find(c.Request, http.MethodGet)
	}
	return r
}

// known returns a route of the table.
func (t *table) known(method, pattern string) (route, bool) {
	r := route{method, pattern}
	if _, ok := t.markers[r]; !ok {
		return route{}, false
	}
	return r, true
}

// find looks up the route of a request: by its path, until a pattern has matched, and by that pattern then. The pattern
// of a mount is half of the answer; the other half is what the router there makes of the rest of the path.
func (t *table) find(r *http.Request, method string) (route, bool) {
	rctx := routing(r)
	if len(rctx.RoutePatterns) == 0 {
		return t.below(t.root, "", method, cmp.Or(rctx.RoutePath, r.URL.RawPath, r.URL.Path, "/"))
	}
	matched := strings.Join(rctx.RoutePatterns, "")
	rest := cmp.Or(rctx.RoutePath, "/")
	if wild := rctx.URLParam("*"); wild != "" {
		rest = "/" + wild // a middleware of the mount, before chi has cut the path
	}
	router, mounted := t.mounts[matched]
	if !mounted {
		if known, ok := t.known(method, plain(matched)); ok {
			return known, true
		}
		// "/api" and "/api/" stand for "/api/*", in chi's tree too.
		matched, rest = strings.TrimSuffix(matched, "/")+"/*", "/"
		if router, mounted = t.mounts[matched]; !mounted {
			return t.known(method, plain(matched))
		}
	}
	return t.below(router, strings.TrimSuffix(plain(matched), "/*"), method, rest)
}

// below looks a path up in the router that is mounted at a pattern.
func (t *table) below(router chi.Routes, at, method, path string) (route, bool) {
	pattern := match(router, method, path)
	if pattern == "" {
		return route{}, false
	}
	if r, ok := t.known(method, at+pattern); ok {
		return r, true
	}
	// What matched is where something is mounted: "/api" is served by the route "/" of the router there…
	if !strings.HasSuffix(path, "/") {
		if r, ok := t.known(method, at+match(router, method, path+"/")); ok {
			return r, true
		}
	}
	// … or by its route "/*", or by a handler that is no router and known as "/api/*" only.
	return t.known(method, at+strings.TrimSuffix(pattern, "/")+"/*")
}

// match is chi's own look-up. It adds what it finds to its context, which must be emptied before it is used again.
func match(router chi.Routes, method, path string) string {
	scratch := scratches.Get().(*chi.Context)
	defer scratches.Put(scratch)
	scratch.Reset()
	return router.Find(scratch, method, path)
}

var scratches = sync.Pool{New: func() any { return chi.NewRouteContext() }}

// routing is chi's context of a request, to be read; an empty one before the router has seen it.
func routing(r *http.Request) *chi.Context {
	if rctx := chi.RouteContext(r.Context()); rctx != nil {
		return rctx
	}
	return unrouted
}

var unrouted = chi.NewRouteContext()

// method is the one that chi dispatches on.
func method(c nethttp.Context) string {
	return cmp.Or(routing(c.Request).RouteMethod, c.Request.Method)
}

// path is the one that the root routes by, if a middleware has set one. Once a route has matched, chi's path may be
// what a mounted router sees of it.
func path(c nethttp.Context) string {
	if rctx := routing(c.Request); rctx.RoutePath != "" && len(rctx.RoutePatterns) == 0 {
		return rctx.RoutePath
	}
	x := nethttp.Exchange{Request: c.Request}
	return x.Path()
}
