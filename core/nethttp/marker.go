package nethttp

import (
	"net/http"

	"github.com/recess-go/recess/core"
)

// Marked is a handler that says of itself what [Gate.ForceOff], [Gate.ForceOn] or [Gate.Scope] made it say.
type Marked struct {
	gate   *Gate
	marker recess.Marker
	next   http.Handler
}

// ForceOff marks a handler that no maintenance ever closes: a health check.
func (g *Gate) ForceOff(next http.Handler) http.Handler {
	return &Marked{g, recess.Marker{Force: recess.ForcedOff}, next}
}

// ForceOn marks a handler that is always closed. It refuses by itself too, where no middleware covers it.
func (g *Gate) ForceOn(next http.Handler) http.Handler {
	return &Marked{g, recess.Marker{Force: recess.ForcedOn}, next}
}

// Scope returns a marker that puts handlers into a named scope.
//
//go:noinline
func (g *Gate) Scope(name string) func(http.Handler) http.Handler {
	marker := g.port.Engine.ScopeMarker(name)
	return func(next http.Handler) http.Handler {
		return &Marked{g, marker, next}
	}
}

// ServeHTTP runs the marked handler. One that is forced on, or in a scope that is closed, refuses by itself where the
// middleware did not, unless the route as a whole says otherwise.
func (m *Marked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m.marker.Force == recess.ForcedOff || m.gate.port.AdmitMarked(m.marker, Context{w, r}, w, r) {
		m.next.ServeHTTP(w, r)
	}
}

// Marker is what the handler says of itself.
func (m *Marked) Marker() recess.Marker { return m.marker }

// MuxMarkers finds the markers of a ServeMux's handlers, nested ones included.
func MuxMarkers(mux *http.ServeMux) Finder {
	return func(r *http.Request) recess.Marker {
		handler, _ := mux.Handler(r)
		var sum recess.Marker
		for {
			marked, ok := handler.(*Marked)
			if !ok {
				return sum
			}
			sum = sum.Within(marked.marker)
			handler = marked.next
		}
	}
}
