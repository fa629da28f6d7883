package recesschi

import (
	"net/http"
	"reflect"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
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

// Scope returns a marker that puts routes into a named scope. While that is closed it refuses by itself too, where the
// gate's look-up does not find it.
func (g *Gate) Scope(name string) func(http.Handler) http.Handler {
	return (&mark{g, g.port.Engine.ScopeMarker(name)}).before
}

// LongLived marks routes whose requests last: server-sent events, WebSockets, long polls. A window that covers them tells
// them by [recess.Closing], cancels their contexts after [recess.Policy].Grace, and closes connections that were hijacked
// last. See [recess.Stream].
func (g *Gate) LongLived(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.port.LongLived(nethttp.Context{Writer: w, Request: r}, w, r, next.ServeHTTP)
	})
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
	case m.says.Force == recess.ForcedOff:
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.gate.port.AdmitMarked(m.says, nethttp.Context{Writer: w, Request: r}, w, r) {
			next.ServeHTTP(w, r)
			return
		}
		block(r)
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
