package recessgin_test

import (
	"context"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

func Example() {
	engine, err := recess.New(context.Background(), recess.Config{Backend: memstate.New(memstate.Config{})})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	r := gin.New()
	gate, err := recessgin.Install(r, engine, recessgin.Hooks{})
	if err != nil {
		log.Fatal(err)
	}
	hello := func(c *gin.Context) { c.String(http.StatusOK, "hello") }
	r.GET("/", hello)
	r.GET("/healthz", gate.ForceOff, hello)
	shop := r.Group("/checkout", gate.Scope("checkout"))
	shop.GET("/cart", hello)

	show := func(when string) {
		fmt.Print(when)
		for _, path := range []string{"/", "/healthz", "/checkout/cart"} {
			w := httptest.NewRecorder()
			r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			fmt.Printf("  %s %d", path, w.Code)
		}
		fmt.Println()
	}
	control := engine.Control(state.Actor{Name: "alice"})
	show("open:           ")
	_, _ = control.On(context.Background(), recess.Opening{Scope: "checkout"})
	show("checkout closed:")
	_, _ = control.On(context.Background(), recess.Opening{})
	show("all closed:     ")
	// Output:
	// open:             / 200  /healthz 200  /checkout/cart 200
	// checkout closed:  / 200  /healthz 200  /checkout/cart 503
	// all closed:       / 503  /healthz 200  /checkout/cart 503
}

// Expected refusals stay out of gin's log. A logger behind the gate never sees them; one before it asks the gate.
func ExampleGate_Blocked() {
	engine, err := recess.New(context.Background(), recess.Config{
		Backend: memstate.New(memstate.Config{}), Policy: recess.Policy{AllowPaths: []string{"/broken"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	r := gin.New()
	gate, err := recessgin.New(r, engine, recessgin.Hooks{})
	if err != nil {
		log.Fatal(err)
	}
	r.Use(gin.LoggerWithConfig(gin.LoggerConfig{
		Output:    os.Stdout,
		Formatter: func(p gin.LogFormatterParams) string { return fmt.Sprintln(p.Method, p.Path, p.StatusCode) },
		Skip:      gate.Blocked,
	}), gate.Middleware)
	r.GET("/page", func(c *gin.Context) { c.Status(http.StatusOK) })
	r.GET("/broken", func(c *gin.Context) { c.Status(http.StatusServiceUnavailable) })

	get := func(path string) {
		r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	get("/page")
	_, _ = engine.Control(state.Actor{Name: "alice"}).On(context.Background(), recess.Opening{})
	get("/page")
	get("/broken") // a 503 of its own
	// Output:
	// GET /page 200
	// GET /broken 503
}

// A banner, while a window is planned or announced and for whoever was let in. Nothing is shown otherwise.
func ExampleGate_Maintenance() {
	engine, err := recess.New(context.Background(), recess.Config{Backend: memstate.New(memstate.Config{})})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	r := gin.New()
	r.SetHTMLTemplate(template.Must(template.New("front").Parse(
		`{{with .maintenance}}<p class="banner">{{if .Planned}}Closed from {{.StartsAt.Format "15:04"}}: {{end}}{{.Message}}</p>{{end}}<h1>Shop</h1>` + "\n")))
	gate, err := recessgin.Install(r, engine, recessgin.Hooks{})
	if err != nil {
		log.Fatal(err)
	}
	r.GET("/", func(c *gin.Context) { c.HTML(http.StatusOK, "front", gin.H{"maintenance": gate.Maintenance(c)}) })

	show := func() {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		fmt.Print(w.Body)
	}
	show()
	night := time.Date(2126, 1, 31, 22, 0, 0, 0, time.UTC)
	_, err = engine.Control(state.Actor{Name: "alice"}).Schedule(context.Background(), recess.Opening{
		Start: night, End: night.Add(time.Hour), Messages: map[string]string{"": "we move to new machines."},
	})
	if err != nil {
		log.Fatal(err)
	}
	show()
	// Output:
	// <h1>Shop</h1>
	// <p class="banner">Closed from 22:00: we move to new machines.</p><h1>Shop</h1>
}
