package readme

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
)

// TestTheSnippetsRun drives what README.md shows: open, a closed part, closed.
func TestTheSnippetsRun(t *testing.T) {
	t.Chdir(t.TempDir())
	engine, err := newEngine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	askers := make(map[string]func(path string) int)
	for name, build := range map[string]func(*recess.Engine) (http.Handler, error){
		"gin": onGin, "echo": onEcho, "chi": onChi, "net/http": onNetHTTP,
	} {
		handler, err := build(engine)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		askers[name] = func(path string) int {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			return w.Code
		}
	}
	app, err := onFiber(engine)
	if err != nil {
		t.Fatal(err)
	}
	askers["fiber"] = func(path string) int {
		response, err := app.Test(httptest.NewRequest("GET", path, nil), -1)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	control := engine.Control(state.Actor{Name: "test"})
	for _, step := range []struct {
		do               func() (recess.Change, error)
		healthz, thecart int
	}{
		{func() (recess.Change, error) { return recess.Change{}, nil }, 200, 200},
		{func() (recess.Change, error) { return control.On(t.Context(), recess.Opening{Scope: "checkout"}) }, 200, 503},
		{func() (recess.Change, error) { return control.Off(t.Context(), recess.Ending{Scope: "checkout"}) }, 200, 200},
		{func() (recess.Change, error) { return control.On(t.Context(), recess.Opening{}) }, 200, 503},
	} {
		if _, err := step.do(); err != nil {
			t.Fatal(err)
		}
		for name, ask := range askers {
			if healthz, cart := ask("/healthz"), ask("/checkout/cart"); healthz != step.healthz || cart != step.thecart {
				t.Errorf("%s: %d and %d, want %d and %d", name, healthz, cart, step.healthz, step.thecart)
			}
		}
	}
}
