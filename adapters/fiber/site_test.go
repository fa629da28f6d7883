package recessfiber_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
	"github.com/valyala/fasthttp"
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

func install(t testing.TB, app *fiber.App, engine *recess.Engine, hooks recessfiber.Hooks) *recessfiber.Gate {
	t.Helper()
	gate, err := recessfiber.Install(app, engine, hooks)
	if err != nil {
		t.Fatal(err)
	}
	return gate
}

// says is a handler that answers with a word.
func says(word string) fiber.Handler {
	return func(c *fiber.Ctx) error { return c.SendString(word) }
}

// ask sends a request line as it is through the application, and returns the handler's word or the status.
func ask(app *fiber.App, method, target string) string { return asker(app)(method, target) }

// asker is ask for many requests, once the application has started.
func asker(app *fiber.App) func(method, target string) string {
	handler := app.Handler()
	return func(method, target string) string {
		ctx := new(fasthttp.RequestCtx)
		ctx.Request.Header.SetMethod(method)
		ctx.Request.Header.SetHost("shop.example")
		ctx.Request.SetRequestURI(target)
		handler(ctx)
		switch status := ctx.Response.StatusCode(); {
		case status == 200:
			return string(ctx.Response.Body())
		case status == 503 && len(ctx.Response.Header.Peek("Maintenance-Mode")) == 0:
			return "503 without Maintenance-Mode"
		default:
			return http.StatusText(status)
		}
	}
}

const refused = "Service Unavailable"

// expect sends requests, "/x" by GET or "POST /x", and compares what answered.
func expect(t *testing.T, app *fiber.App, want map[string]string) {
	t.Helper()
	for line, word := range want {
		method, target, ok := strings.Cut(line, " ")
		if !ok {
			method, target = "GET", line
		}
		if got := ask(app, method, target); got != word {
			t.Errorf("%s %s is answered by %q, want %q", method, target, got, word)
		}
	}
}

// driver adds GET /orders to an application and returns a function that asks for it.
func driver(app *fiber.App) func() {
	app.Get("/orders", func(*fiber.Ctx) error { return nil })
	return asking(app, "/orders")
}

func asking(app *fiber.App, target string) func() {
	handler, ctx := app.Handler(), new(fasthttp.RequestCtx)
	ctx.Request.Header.SetMethod("GET")
	ctx.Request.SetRequestURI(target)
	return func() {
		handler(ctx)
		ctx.Response.Reset() // the server does so between requests, and keeps the user values from growing
		ctx.ResetUserValues()
	}
}

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
func get(app *fiber.App, target string) string {
	response, err := app.Test(httptest.NewRequest("GET", target, nil), -1)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	if nethttp.Blocked(response.Header) {
		return fmt.Sprint(response.StatusCode, " ", response.Header.Get("Maintenance-Mode"))
	}
	body, _ := io.ReadAll(response.Body)
	return fmt.Sprint(response.StatusCode, " ", string(body))
}

// response reads a response and its body off a connection.
func response(t *testing.T, conn io.Reader, method string) *http.Response {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response
}

// views is an engine for templates with one template.
type views struct{}

func (*views) Load() error { return nil }

func (*views) Render(w io.Writer, _ string, values any, _ ...string) error {
	banner := template.Must(template.New("").Parse(`{{with .maintenance}}{{.Message}}{{end}}`))
	return banner.Execute(w, values)
}
