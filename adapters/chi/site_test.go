package recesschi_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/recess-go/recess/adapters/chi"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

func newEngine(t testing.TB, p recess.Policy) *recess.Engine {
	t.Helper()
	engine, err := recess.New(t.Context(), recess.Config{
		Backend: memstate.New(memstate.Config{}), Policy: p, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	return engine
}

func open(t testing.TB, engine *recess.Engine, o recess.Opening) {
	t.Helper()
	if _, err := engine.Control(state.Actor{Name: "test"}).On(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

func install(t testing.TB, r chi.Router, engine *recess.Engine, hooks recesschi.Hooks) *recesschi.Gate {
	t.Helper()
	gate, err := recesschi.Install(r, engine, hooks)
	if err != nil {
		t.Fatal(err)
	}
	return gate
}

// says is a handler that answers with a word.
func says(word string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(word)) }
}

// ask sends a request and returns "503" for a refusal by Recess, the status of another response without a handler, or
// the handler's word.
func ask(handler http.Handler, method, target string) string {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	switch {
	case w.Code == 200:
		return w.Body.String()
	case w.Code == 503 && w.Header().Get("Maintenance-Mode") == "":
		return "503 without Maintenance-Mode"
	}
	return http.StatusText(w.Code)
}

const refused = "Service Unavailable"

// expect asks for GET targets and compares what answered.
func expect(t *testing.T, handler http.Handler, want map[string]string) {
	t.Helper()
	for target, word := range want {
		if got := ask(handler, "GET", target); got != word {
			t.Errorf("GET %s is answered by %q, want %q", target, got, word)
		}
	}
}

// reused is a ResponseWriter that costs nothing.
type reused struct{ header http.Header }

func (w *reused) Header() http.Header       { return w.header }
func (*reused) Write(b []byte) (int, error) { return len(b), nil }
func (*reused) WriteHeader(int)             {}

// driver adds GET /orders to a router and returns a function that asks for it.
func driver(r chi.Router) func() {
	r.Get("/orders", func(http.ResponseWriter, *http.Request) {})
	return asking(r, "/orders")
}

func asking(r http.Handler, target string) func() {
	w, request := &reused{make(http.Header)}, httptest.NewRequest("GET", target, nil)
	return func() { r.ServeHTTP(w, request) }
}

// silent is a log entry that says nothing.
type silent struct{}

func (silent) Write(int, int, http.Header, time.Duration, any) {}
func (silent) Panic(any, []byte)                               {}

var ctx = context.Background()

func exampleEngine() *recess.Engine {
	engine, err := recess.New(ctx, recess.Config{Backend: memstate.New(memstate.Config{})})
	if err != nil {
		panic(err)
	}
	return engine
}

func closeSite(engine *recess.Engine) {
	if _, err := engine.Control(state.Actor{Name: "ops"}).On(ctx, recess.Opening{}); err != nil {
		panic(err)
	}
}

// get returns status and body; of a refusal, status and mode.
func get(handler http.Handler, target string) string {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
	if mode := w.Header().Get("Maintenance-Mode"); nethttp.Blocked(w.Header()) {
		return fmt.Sprint(w.Code, " ", mode)
	}
	return fmt.Sprint(w.Code, " ", w.Body)
}
