package recess

import (
	"cmp"
	"slices"

	"github.com/recess-go/recess/core/state"
)

// Within returns what a route says that stands within m and carries inner: the inner force counts, and the route
// belongs to the scopes of both. It allocates only where each has scopes that the other has not.
func (m Marker) Within(inner Marker) Marker {
	inner.Force = cmp.Or(inner.Force, m.Force)
	missing := func(scope string) bool { return !slices.Contains(inner.Scopes, scope) }
	switch {
	case len(inner.Scopes) == 0:
		inner.Scopes = m.Scopes
	case slices.ContainsFunc(m.Scopes, missing):
		inner.Scopes = slices.Concat(m.Scopes, inner.Scopes)
	}
	return inner
}

// everyScope is the scope of a route whose marker has no usable name: in doubt it belongs to all of them.
const everyScope = "*"

// ScopeMarker returns the marker of a route that belongs to a named scope, and makes the name known to the engine. A
// name that no window can have (see [state.CheckName]) is logged as an error, and the route then belongs to every
// scope: a typing error must not leave it open.
func (e *Engine) ScopeMarker(name string) Marker {
	if err := state.CheckName("scope", name); err != nil {
		return e.EveryScope(err)
	}
	e.mu.Lock()
	defer e.unlock()
	e.marked[name] = true
	return Marker{Scopes: []string{name}}
}

// EveryScope returns the marker of a route that belongs to a scope which cannot be told, and logs why.
func (e *Engine) EveryScope(why error) Marker {
	e.log.Error("a route's scope cannot be told: it belongs to every scope", "error", why)
	return Marker{Scopes: []string{everyScope}}
}

// in reports whether the route says that it belongs to a scope.
func (m Marker) in(scope string) bool {
	return slices.Contains(m.Scopes, scope) || slices.Contains(m.Scopes, everyScope)
}
