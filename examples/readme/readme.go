// Package readme holds the snippets of README.md, so that they compile and run.
package readme

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"
	recesschi "github.com/recess-go/recess/adapters/chi"
	recessecho "github.com/recess-go/recess/adapters/echo"
	recessfiber "github.com/recess-go/recess/adapters/fiber"
	recessgin "github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/core/state/filestate"
)

func newEngine(ctx context.Context) (*recess.Engine, error) {
	// snippet: engine
	backend, err := filestate.New("recess.json", filestate.Config{})
	if err != nil {
		return nil, err
	}
	engine, err := recess.New(ctx, recess.Config{
		Backend: backend,
		Policy: recess.Policy{
			AllowPaths:    []string{"/static/**"},
			AllowNetworks: []string{"10.0.0.0/8"},
		},
	})
	// end
	return engine, err
}

func onGin(engine *recess.Engine) (http.Handler, error) {
	// snippet: gin
	router := gin.New()
	gate, err := recessgin.Install(router, engine, recessgin.Hooks{})
	if err != nil {
		return nil, err
	}
	router.GET("/healthz", gate.ForceOff, func(c *gin.Context) { c.String(200, "ok") })
	checkout := router.Group("/checkout", gate.Scope("checkout"))
	checkout.GET("/cart", func(c *gin.Context) { c.String(200, "your cart") })
	// end
	return router, nil
}

func onEcho(engine *recess.Engine) (http.Handler, error) {
	// snippet: echo
	e := echo.New()
	gate, err := recessecho.Install(e, engine, recessecho.Hooks{})
	if err != nil {
		return nil, err
	}
	e.GET("/healthz", func(c echo.Context) error { return c.String(200, "ok") }, gate.ForceOff)
	checkout := e.Group("/checkout", gate.Scope("checkout"))
	checkout.GET("/cart", func(c echo.Context) error { return c.String(200, "your cart") })
	// end
	return e, nil
}

func onChi(engine *recess.Engine) (http.Handler, error) {
	// snippet: chi
	router := chi.NewRouter()
	gate, err := recesschi.Install(router, engine, recesschi.Hooks{})
	if err != nil {
		return nil, err
	}
	router.With(gate.ForceOff).Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok")) })
	router.With(gate.Scope("checkout")).Get("/checkout/cart", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("your cart"))
	})
	// end
	return router, nil
}

func onFiber(engine *recess.Engine) (*fiber.App, error) {
	// snippet: fiber
	app := fiber.New()
	gate, err := recessfiber.Install(app, engine, recessfiber.Hooks{})
	if err != nil {
		return nil, err
	}
	app.Get("/healthz", gate.ForceOff, func(c *fiber.Ctx) error { return c.SendString("ok") })
	checkout := app.Group("/checkout", gate.Scope("checkout"))
	checkout.Get("/cart", func(c *fiber.Ctx) error { return c.SendString("your cart") })
	// end
	return app, nil
}

func onNetHTTP(engine *recess.Engine) (http.Handler, error) {
	// snippet: net/http
	mux := http.NewServeMux()
	gate, err := nethttp.New(engine, nethttp.Hooks{}, nethttp.MuxMarkers(mux))
	if err != nil {
		return nil, err
	}
	healthz := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok")) })
	cart := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("your cart")) })
	mux.Handle("GET /healthz", gate.ForceOff(healthz))
	mux.Handle("GET /checkout/cart", gate.Scope("checkout")(cart))
	handler := gate.Middleware(mux)
	// end
	return handler, nil
}
