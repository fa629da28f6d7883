package nethttp

import (
	"net/http"

	"github.com/recess-go/recess/core"
)

// Marked is a handler that says of itself what [Gate.ForceOff], [Gate.ForceOn], [Gate.Scope] or [Gate.LongLived] made it
// say.
type Marked struct {
	gate   *Gate
	marker recess.Marker
	next   http.Handler
	long   bool
}

// ForceOff marks a handler that no maintenance ever closes: a health check.
func (g *Gate) ForceOff(next http.Handler) http.Handler {
	return &Marked{gate: g, marker: recess.Marker{Force: recess.ForcedOff}, next: next}
}

// ForceOn marks a handler that is always closed. It refuses by itself too, where no middleware covers it.
func (g *Gate) ForceOn(next http.Handler) http.Handler {
	return &Marked{gate: g, marker: recess.Marker{Force: recess.ForcedOn}, next: next}
}

// Scope returns a marker that puts handlers into a named scope.
//
//go:noinline
func (g *Gate) Scope(name string) func(http.Handler) http.Handler {
	marker := g.port.Engine.ScopeMarker(name)
	return func(next http.Handler) http.Handler {
		return &Marked{gate: g, marker: marker, next: next}
	}
}

// LongLived marks a handler whose requests last: server-sent events, WebSockets, long polls. A window that covers them tells
// them by [recess.Closing], cancels their contexts after [recess.Policy].Grace, and closes connections that were hijacked
// last. See [recess.Stream].
func (g *Gate) LongLived(next http.Handler) http.Handler {
	return &Marked{gate: g, next: next, long: true}
}

// ServeHTTP runs the marked handler. One that is forced on, or in a scope that is closed, refuses by itself where the
// middleware did not, unless the route as a whole says otherwise.
func (m *Marked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m.long {
		m.gate.port.LongLived(Context{w, r}, w, r, m.next.ServeHTTP)
		return
	}
	if m.marker.Force == recess.ForcedOff || m.gate.port.AdmitMarked(m.marker, Context{w, r}, w, r) {
		m.next.ServeHTTP(w, r)
	}
}

// Marker is what the handler says of itself.
func (m *Marked) Marker() recess.Marker { return m.marker }

// MuxMarkers finds the routes of a ServeMux and the markers of their handlers, nested ones included.
func MuxMarkers(mux *http.ServeMux) Finder {
	return func(r *http.Request) (string, recess.Marker) {
		handler, pattern := mux.Handler(r)
		var sum recess.Marker
		for {
			marked, ok := handler.(*Marked)
			if !ok {
				return pattern, sum
			}
			sum = sum.Within(marked.marker)
			handler = marked.next
		}
	}
}
