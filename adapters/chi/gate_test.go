package recesschi_test

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/recess-go/recess/adapters/chi"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/core/state"
)

func TestInstallComesBeforeRoutes(t *testing.T) {
	engine := newEngine(t, recess.Policy{})
	for name, prepare := range map[string]func(chi.Router){
		"a route": func(r chi.Router) { r.Get("/x", says("x")) },
		"a group": func(r chi.Router) { r.Group(nil) },
		"a mount": func(r chi.Router) { r.Mount("/x", says("x")) },
	} {
		r := chi.NewRouter()
		prepare(r)
		if _, err := recesschi.Install(r, engine, recesschi.Hooks{}); err == nil || !strings.Contains(err.Error(), "install the gate before") {
			t.Errorf("after %s: %v, want an error that says what to do", name, err)
		}
	}
}

func TestAPolicyThatNeedsAMissingHookStartsNothing(t *testing.T) {
	engine := newEngine(t, recess.Policy{AllowStaff: true})
	if _, err := recesschi.Install(chi.NewRouter(), engine, recesschi.Hooks{}); err == nil {
		t.Error("Install: no error, although AllowStaff needs Hooks.User")
	}
	if _, err := recesschi.New(chi.NewRouter(), engine, recesschi.Hooks{}); err == nil {
		t.Error("New: no error, although AllowStaff needs Hooks.User")
	}
}

func TestBlockedTellsALoggerBeforeTheGate(t *testing.T) {
	engine, r := newEngine(t, recess.Policy{}), chi.NewRouter()
	var gate *recesschi.Gate
	var blocked []bool
	r.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r)
			blocked = append(blocked, gate.Blocked(r))
		})
	})
	gate = install(t, r, engine, recesschi.Hooks{Respond: func(c nethttp.Context, _ recess.Decision) error {
		http.Error(c.Writer, "away", 503)
		return nil
	}})
	r.With(gate.ForceOff).Get("/live", says("live"))
	r.With(gate.ForceOn).Get("/closed", says("closed"))
	r.Get("/broken", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", 503) })
	for _, target := range []string{"/broken", "/closed", "/live"} {
		ask(r, "GET", target)
	}
	open(t, engine, recess.Opening{})
	for _, target := range []string{"/broken", "/live", "/nowhere"} {
		ask(r, "GET", target)
	}
	if got, want := fmt.Sprint(blocked), "[false true false true false true]"; got != want {
		t.Errorf("blocked: %s, want %s", got, want)
	}
	if gate.Blocked(httptest.NewRequest("GET", "/", nil)) {
		t.Error("a request that no router has seen is called blocked")
	}
}

// access is an application's log format for chi's own logger.
type access struct{ log *bytes.Buffer }

func (a access) NewLogEntry(r *http.Request) middleware.LogEntry { return &line{a.log, r} }

type line struct {
	log     *bytes.Buffer
	request *http.Request
}

func (l *line) Panic(any, []byte) {}

func (l *line) Write(status, _ int, header http.Header, _ time.Duration, _ any) {
	if nethttp.Blocked(header) {
		return // expected, and a thousand of them a second
	}
	fmt.Fprintln(l.log, l.request.Method, l.request.URL.Path, status)
}

// chi's request logger stands before the gate and leaves out what the gate refuses, and no other 503.
func ExampleGate_Blocked() {
	engine := exampleEngine()
	defer engine.Close()
	log := new(bytes.Buffer)
	r := chi.NewRouter()
	r.Use(middleware.RequestLogger(access{log}))
	gate, err := recesschi.Install(r, engine, recesschi.Hooks{})
	if err != nil {
		fmt.Println(err)
		return
	}
	r.With(gate.ForceOff).Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	r.Get("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "welcome") })

	get(r, "/")
	closeSite(engine)
	get(r, "/")
	get(r, "/healthz")
	fmt.Print(log)
	// Output:
	// GET / 200
	// GET /healthz 503
}

func Example() {
	engine := exampleEngine()
	defer engine.Close()
	r := chi.NewRouter()
	r.Use(middleware.StripSlashes)
	gate, err := recesschi.Install(r, engine, recesschi.Hooks{})
	if err != nil {
		fmt.Println(err)
		return
	}
	r.Get("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "welcome") })
	r.With(gate.ForceOff).Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "well") })

	fmt.Println(get(r, "/"), get(r, "/healthz"))
	closeSite(engine)
	fmt.Println(get(r, "/"), get(r, "/healthz"))
	// Output:
	// 200 welcome 200 well
	// 503 full 200 well
}

// A page tells its visitors what is to come.
func ExampleGate_Maintenance() {
	engine := exampleEngine()
	defer engine.Close()
	r := chi.NewRouter()
	gate, err := recesschi.Install(r, engine, recesschi.Hooks{})
	if err != nil {
		fmt.Println(err)
		return
	}
	front := template.Must(template.New("").Parse(`{{with .Maintenance}}<p class="banner">{{.Message}}</p>{{end}}<h1>Shop</h1>`))
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		_ = front.Execute(w, map[string]any{"Maintenance": gate.Maintenance(r)})
	})

	fmt.Println(get(r, "/"))
	opening := recess.Opening{Mode: state.Announce, Messages: map[string]string{"": "Back <soon>"}}
	if _, err := engine.Control(state.Actor{Name: "ops"}).On(ctx, opening); err != nil {
		fmt.Println(err)
	}
	fmt.Println(get(r, "/"))
	// Output:
	// 200 <h1>Shop</h1>
	// 200 <p class="banner">Back &lt;soon&gt;</p><h1>Shop</h1>
}
