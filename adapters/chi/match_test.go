package recesschi

import (
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"
)

// chi adds what it finds to the context: one that is used again and not emptied grows with every request.
func TestALookUpLeavesNothingBehind(t *testing.T) {
	scratch := chi.NewRouteContext()
	before := scratches.New
	scratches.New = func() any { return scratch }
	t.Cleanup(func() { scratches.New = before })
	for scratches.Get() != scratch { // of those that other tests left
	}
	r := chi.NewRouter()
	r.Get("/users/{id}", func(http.ResponseWriter, *http.Request) {})
	for range 100 {
		if pattern := match(r, "GET", "/users/7"); pattern != "/users/{id}" {
			t.Fatalf("the pattern is %q", pattern)
		}
	}
	if n := len(scratch.URLParams.Keys); n != 1 {
		t.Errorf("%d parameters are left in the context, want 1", n)
	}
}
