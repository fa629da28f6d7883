// Command fiber is the shop on fiber.
package main

import (
	"bufio"
	"context"
	"html/template"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/logger"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/internal/shop"
)

func main() { os.Exit(shop.Main(build)) }

func build(s *shop.Shop) (shop.Server, error) {
	app := fiber.New(fiber.Config{
		Views:                 views{shop.Templates()},
		StrictRouting:         true,
		CaseSensitive:         true,
		DisableStartupMessage: true,
		ReadTimeout:           10 * time.Second,
		IdleTimeout:           time.Minute,
	})
	h := &handlers{shop: s}
	app.Use(recover.New())
	var err error
	h.gate, err = recessfiber.Install(app, s.Engine, recessfiber.Hooks{User: h.user, Logout: h.endSession})
	if err != nil {
		return nil, err
	}
	// fiber's logger asks what to leave out before the handlers run. Behind the gate it sees no refusal at all, but for
	// those of a route that is forced on while nothing runs.
	app.Use(logger.New(logger.Config{Output: s.Requests, Format: "${time} | ${status} | ${latency} | ${method} | ${path}\n"}))
	h.routes(app)
	return server{app}, nil
}

// server is how fiber begins and ends.
type server struct{ app *fiber.App }

func (s server) Serve(l net.Listener) error { return s.app.Listener(l) }

func (s server) Shutdown(ctx context.Context) error { return s.app.ShutdownWithContext(ctx) }

// Close has nothing to do: fasthttp cannot cut the connections that it still serves, the end of the process does.
func (s server) Close() error { return nil }

// views is fiber's way to templates.
type views struct{ templates *template.Template }

func (v views) Load() error { return nil }

func (v views) Render(w io.Writer, name string, data any, _ ...string) error {
	return v.templates.ExecuteTemplate(w, name, data)
}

type handlers struct {
	shop *shop.Shop
	gate *recessfiber.Gate
}

func (h *handlers) routes(app *fiber.App) {
	app.Get("/", h.home)
	app.Get("/ignored/", plain("ignored"))
	app.Get("/ignored/deep/er", plain("ignored, deeper"))
	app.Get("/healthz", h.gate.ForceOff, plain("ok"))
	app.Get("/closed", h.gate.ForceOn, plain("nobody reads this"))
	app.Get("/admin", plain("the shop's own admin site"))
	app.Get("/admin/", plain("the shop's own admin site"))
	app.Get("/login", h.login)
	app.Get("/logout", h.logout)
	app.Get("/me", h.me)
	app.Get("/slow", h.slow)
	app.Add(fiber.MethodGet, "/events", h.gate.LongLived, h.events) // without the HEAD that Get adds
	app.Add(fiber.MethodGet, "/ws", h.gate.LongLived, h.upgrade, websocket.New(h.ws))
	app.All(shop.ControlPath+"/*", h.gate.Panel(h.shop.Panel))

	checkout := app.Group("/checkout", h.gate.Scope("checkout"))
	checkout.Get("/cart", h.cart)
	checkout.Post("/cart", h.cart)

	app.Get("/api/orders", func(c *fiber.Ctx) error { return c.JSON(h.shop.Orders.List()) })
	app.Post("/api/orders", h.order)
}

func plain(text string) fiber.Handler {
	return func(c *fiber.Ctx) error { return c.SendString(text + "\n") }
}

// user says who is logged in, to Recess and to the pages.
func (h *handlers) user(c *fiber.Ctx) recess.User {
	return h.shop.Sessions.User(c.Cookies(shop.SessionCookie))
}

func (h *handlers) endSession(c *fiber.Ctx) error {
	setCookie(c, h.shop.Sessions.End(c.Cookies(shop.SessionCookie)))
	return nil
}

func setCookie(c *fiber.Ctx, cookie *http.Cookie) {
	own := &fiber.Cookie{
		Name: cookie.Name, Value: cookie.Value, Path: cookie.Path, MaxAge: cookie.MaxAge,
		HTTPOnly: cookie.HttpOnly, SameSite: fiber.CookieSameSiteLaxMode,
	}
	if cookie.MaxAge < 0 {
		own.Expires = time.Unix(1, 0) // fasthttp knows no negative age
	}
	c.Cookie(own)
}

func (h *handlers) view(c *fiber.Ctx) shop.View {
	c.Set(fiber.HeaderVary, fiber.HeaderAcceptLanguage) // the banner's message
	return shop.ViewFor(h.user(c), h.gate.Maintenance(c), c.Get(fiber.HeaderAcceptLanguage))
}

func (h *handlers) home(c *fiber.Ctx) error { return c.Render("shop.html", h.view(c)) }

func (h *handlers) cart(c *fiber.Ctx) error {
	return c.Render("cart.html", h.view(c).With(c.FormValue("item")))
}

func (h *handlers) login(c *fiber.Ctx) error {
	cookie, err := h.shop.Sessions.Begin(c.Query("user"))
	if err != nil {
		return c.Status(fiber.StatusBadRequest).SendString(err.Error() + "\n")
	}
	setCookie(c, cookie)
	return c.JSON(shop.MeOf(h.shop.Sessions.User(cookie.Value)))
}

func (h *handlers) logout(c *fiber.Ctx) error {
	if err := h.endSession(c); err != nil {
		return err
	}
	return c.JSON(shop.MeOf(recess.User{}))
}

func (h *handlers) me(c *fiber.Ctx) error { return c.JSON(shop.MeOf(h.user(c))) }

func (h *handlers) order(c *fiber.Ctx) error {
	if len(c.Body()) > shop.MaxOrder {
		return c.Status(fiber.StatusRequestEntityTooLarge).SendString("the order is too long\n")
	}
	order, err := h.shop.Orders.Add(c.Body())
	if err != nil {
		return c.Status(fiber.StatusBadRequest).SendString(err.Error() + "\n")
	}
	return c.Status(fiber.StatusCreated).JSON(order)
}

// slow does not notice a client that leaves: fasthttp cannot tell.
func (h *handlers) slow(c *fiber.Ctx) error {
	d, err := shop.SlowFor(c.Query("d"))
	if err != nil {
		return c.Status(fiber.StatusBadRequest).SendString(err.Error() + "\n")
	}
	if !h.shop.Wait(c.UserContext(), d) {
		return nil
	}
	return c.SendString("done after " + d.String() + "\n")
}

func (h *handlers) events(c *fiber.Ctx) error {
	for name, value := range shop.EventHeader {
		c.Set(name, value)
	}
	// snippet: stream
	// The writer runs when all handlers have returned, so it must not touch c. A client that left shows at the next write.
	ctx := c.UserContext()
	c.Context().SetBodyStreamWriter(h.gate.Writer(c, func(w *bufio.Writer) {
		h.shop.Events(ctx, w, w.Flush)
	}))
	return nil
	// end
}

// upgrade refuses what the upgrader would refuse too, for that would drop the headers which Recess has set.
func (h *handlers) upgrade(c *fiber.Ctx) error {
	if !websocket.IsWebSocketUpgrade(c) {
		return fiber.ErrUpgradeRequired
	}
	if !shop.SameSite(c.Get(fiber.HeaderOrigin), c.Hostname()) {
		return fiber.ErrForbidden
	}
	c.Locals(streamContext, c.UserContext()) // the WebSocket keeps what stands under a string
	return c.Next()
}

const streamContext = "context"

func (h *handlers) ws(wrapped *websocket.Conn) {
	conn, left := wrapped.Conn, make(chan struct{}) // the wrapper is used again when this function has returned
	defer close(left)
	ctx, _ := wrapped.Locals(streamContext).(context.Context)
	conn.SetReadLimit(shop.MaxMessage)
	goodbye := func(why string) {
		deadline := time.Now().Add(5 * time.Second)
		_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseServiceRestart, why), deadline)
		select {
		case <-left:
		case <-time.After(time.Until(deadline)):
			_ = conn.Close()
		}
	}
	forget := h.shop.OnClosing(func() { goodbye(shop.Restarting) })
	defer forget()
	go func() {
		select {
		case <-recess.Closing(ctx):
			goodbye(shop.Maintenance)
		case <-left:
		}
	}()
	for {
		kind, message, err := conn.ReadMessage()
		if err != nil || conn.WriteMessage(kind, message) != nil {
			return
		}
	}
}
