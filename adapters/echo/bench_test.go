package recessecho_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/recess-go/recess/adapters/echo"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/adaptertest"
	"github.com/recess-go/recess/core/page"
)

func TestAllocations(t *testing.T) {
	adaptertest.Allocs(t, adaptertest.Meter{
		Bare:    func(testing.TB) func() { return drive(one(passOn)) },
		Branch:  func(_ testing.TB, answer *page.Answer) func() { return drive(one(branch(answer))) },
		Gated:   func(t testing.TB, engine *recess.Engine) func() { return drive(gated(t, engine)) },
		Refused: 0,
	})
}

// one is an Echo with one route behind a middleware.
func one(middleware echo.MiddlewareFunc) *echo.Echo {
	e := echo.New()
	e.Use(middleware)
	e.GET("/orders", noContent)
	return e
}

// passOn is the cheapest middleware there is. Echo builds its chain per request, which costs one closure for any.
func passOn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error { return next(c) }
}

// branch is what a careful person would write by hand to close a site.
func branch(answer *page.Answer) echo.MiddlewareFunc {
	return func(echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			header := c.Response().Header()
			for _, f := range answer.Header {
				header[f.Name] = f.Value
			}
			c.Response().WriteHeader(answer.Status)
			_, err := c.Response().Write(answer.Body)
			return err
		}
	}
}

func noContent(c echo.Context) error { return c.NoContent(http.StatusOK) }

func gated(t testing.TB, engine *recess.Engine) *echo.Echo {
	e := echo.New()
	if _, err := recessecho.Install(e, engine, recessecho.Hooks{}); err != nil {
		t.Fatal(err)
	}
	e.GET("/orders", noContent)
	return e
}

// drive returns a function that puts one and the same request through a handler, with a writer that is reused.
func drive(handler http.Handler) func() {
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	w := &sink{header: make(http.Header)}
	return func() {
		clear(w.header)
		handler.ServeHTTP(w, r)
	}
}

type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

func BenchmarkOff(b *testing.B) {
	bare := echo.New()
	bare.GET("/orders", noContent)
	measure(b, map[string]http.Handler{
		"bare": bare, "no-op": one(passOn), "gated": gated(b, start(b, recess.Policy{}, nil)),
		"named": gated(b, start(b, recess.Policy{NameRequests: true}, nil)),
	})
}

func BenchmarkRefused(b *testing.B) {
	engine := start(b, recess.Policy{}, nil)
	on(b, engine, recess.Opening{})
	renderer, err := page.New(page.Config{})
	if err != nil {
		b.Fatal(err)
	}
	answers, err := renderer.Prepare(page.Notice{Mode: "full"})
	if err != nil {
		b.Fatal(err)
	}
	measure(b, map[string]http.Handler{"by hand": one(branch(answers.Choose("", "", ""))), "gated": gated(b, engine)})
}

// BenchmarkMarked is a route that is forced off among 1000 others, while a window runs and while none does.
func BenchmarkMarked(b *testing.B) {
	measure(b, map[string]http.Handler{"off": marked(b, false), "on": marked(b, true)})
}

func marked(t testing.TB, running bool) http.Handler {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	s.GET("/orders", noContent, s.gate.ForceOff)
	for i := range 1000 {
		s.GET(fmt.Sprintf("/other/%d/:id", i), noContent)
	}
	if running {
		s.on(recess.Opening{})
	}
	return s
}

func measure(b *testing.B, handlers map[string]http.Handler) {
	for name, handler := range handlers {
		b.Run(name, func(b *testing.B) {
			run := drive(handler)
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
}
