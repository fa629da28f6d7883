// Command echo is the shop on echo.
package main

import (
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/recess-go/recess/adapters/echo"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/internal/shop"
)

func main() { os.Exit(shop.Main(build)) }

func build(s *shop.Shop) (shop.Server, error) {
	e := echo.New()
	e.Logger.SetOutput(s.Requests)
	e.IPExtractor = echo.ExtractIPDirect()

	h := &handlers{shop: s, log: slog.New(slog.NewTextHandler(s.Requests, nil))}
	e.Use(middleware.RequestLoggerWithConfig(middleware.RequestLoggerConfig{
		LogMethod: true, LogURIPath: true, LogStatus: true, LogLatency: true, HandleError: true,
		LogValuesFunc: h.logRequest,
	}), middleware.Recover())
	var err error
	h.gate, err = recessecho.Install(e, s.Engine, recessecho.Hooks{User: h.user, Logout: h.endSession})
	if err != nil {
		return nil, err
	}
	e.Renderer = &renderer{shop.Templates(), h}
	h.routes(e)
	return s.HTTP(e), nil
}

type handlers struct {
	shop *shop.Shop
	gate *recessecho.Gate
	log  *slog.Logger
}

func (h *handlers) logRequest(c echo.Context, v middleware.RequestLoggerValues) error {
	if !h.gate.Blocked(c) {
		h.log.Info("request", "method", v.Method, "path", v.URIPath, "status", v.Status, "latency", v.Latency)
	}
	return nil
}

func (h *handlers) routes(e *echo.Echo) {
	get := func(path string, handler echo.HandlerFunc, markers ...echo.MiddlewareFunc) {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, handler, markers...)
	}
	get("/", h.home)
	get("/ignored/", plain("ignored"))
	get("/ignored/deep/er", plain("ignored, deeper"))
	get("/healthz", plain("ok"), h.gate.ForceOff)
	get("/closed", plain("nobody reads this"), h.gate.ForceOn)
	get("/admin", plain("the shop's own admin site"))
	get("/admin/", plain("the shop's own admin site"))
	get("/login", h.login)
	get("/logout", h.logout)
	get("/me", h.me)
	get("/slow", h.slow)
	e.GET("/events", h.events, h.gate.LongLived)
	e.GET("/ws", h.ws, h.gate.LongLived)
	e.Any(shop.ControlPath, h.gate.Panel(h.shop.Panel))
	e.Any(shop.ControlPath+"/*", h.gate.Panel(h.shop.Panel))

	checkout := e.Group("/checkout", h.gate.Scope("checkout"))
	checkout.Match([]string{http.MethodGet, http.MethodHead, http.MethodPost}, "/cart", h.cart)

	get("/api/orders", func(c echo.Context) error { return c.JSON(http.StatusOK, h.shop.Orders.List()) })
	e.POST("/api/orders", h.order)
}

// renderer is echo's way to templates. What it shows of the maintenance comes from the context it renders for, so no
// handler has to think of it.
type renderer struct {
	templates *template.Template
	handlers  *handlers
}

func (r *renderer) Render(w io.Writer, name string, data any, c echo.Context) error {
	c.Response().Header().Set("Vary", "Accept-Language") // the banner's message
	view := shop.ViewFor(r.handlers.user(c), r.handlers.gate.Maintenance(c), c.Request().Header.Get("Accept-Language"))
	if item, ok := data.(string); ok {
		view = view.With(item)
	}
	return r.templates.ExecuteTemplate(w, name, view)
}

func plain(text string) echo.HandlerFunc {
	return func(c echo.Context) error { return c.String(http.StatusOK, text+"\n") }
}

// user says who is logged in, to Recess and to the pages.
func (h *handlers) user(c echo.Context) recess.User { return h.shop.Sessions.User(session(c)) }

func session(c echo.Context) string {
	cookie, err := c.Cookie(shop.SessionCookie)
	if err != nil {
		return "" // nobody is logged in
	}
	return cookie.Value
}

func (h *handlers) endSession(c echo.Context) error {
	c.SetCookie(h.shop.Sessions.End(session(c)))
	return nil
}

func (h *handlers) home(c echo.Context) error { return c.Render(http.StatusOK, "shop.html", nil) }

func (h *handlers) cart(c echo.Context) error {
	return c.Render(http.StatusOK, "cart.html", c.FormValue("item"))
}

func (h *handlers) login(c echo.Context) error {
	cookie, err := h.shop.Sessions.Begin(c.QueryParam("user"))
	if err != nil {
		return c.String(http.StatusBadRequest, err.Error()+"\n")
	}
	c.SetCookie(cookie)
	return c.JSON(http.StatusOK, shop.MeOf(h.shop.Sessions.User(cookie.Value)))
}

func (h *handlers) logout(c echo.Context) error {
	if err := h.endSession(c); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, shop.MeOf(recess.User{}))
}

func (h *handlers) me(c echo.Context) error { return c.JSON(http.StatusOK, shop.MeOf(h.user(c))) }

func (h *handlers) order(c echo.Context) error {
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, shop.MaxOrder))
	if err != nil {
		return c.String(http.StatusRequestEntityTooLarge, "the order is too long\n")
	}
	order, err := h.shop.Orders.Add(body)
	if err != nil {
		return c.String(http.StatusBadRequest, err.Error()+"\n")
	}
	return c.JSON(http.StatusCreated, order)
}

func (h *handlers) slow(c echo.Context) error {
	d, err := shop.SlowFor(c.QueryParam("d"))
	if err != nil {
		return c.String(http.StatusBadRequest, err.Error()+"\n")
	}
	if !h.shop.Wait(c.Request().Context(), d) {
		return nil
	}
	return c.String(http.StatusOK, "done after "+d.String()+"\n")
}

func (h *handlers) events(c echo.Context) error {
	for name, value := range shop.EventHeader {
		c.Response().Header().Set(name, value)
	}
	c.Response().WriteHeader(http.StatusOK)
	h.shop.Events(c.Request().Context(), c.Response(), http.NewResponseController(c.Response()).Flush)
	return nil
}

func (h *handlers) ws(c echo.Context) error {
	h.shop.WebSocket(c.Response(), c.Request())
	return nil
}
