// Command gin is the shop on gin.
package main

import (
	"io"
	"net/http"
	"os"

	"github.com/gin-gonic/gin"
	"github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/internal/shop"
)

func main() { os.Exit(shop.Main(build)) }

func build(s *shop.Shop) (shop.Server, error) {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.RedirectTrailingSlash = false // gin redirects before any middleware runs, and a 301 outlives the maintenance
	if err := r.SetTrustedProxies(nil); err != nil {
		return nil, err
	}
	r.SetHTMLTemplate(shop.Templates())

	h := &handlers{shop: s}
	r.Use(gin.LoggerWithConfig(gin.LoggerConfig{
		Output: s.Requests,
		Skip:   func(c *gin.Context) bool { return h.gate.Blocked(c) },
	}), gin.Recovery())
	var err error
	h.gate, err = recessgin.Install(r, s.Engine, recessgin.Hooks{User: h.user, Logout: h.endSession})
	if err != nil {
		return nil, err
	}
	h.routes(r)
	return s.HTTP(r), nil
}

type handlers struct {
	shop *shop.Shop
	gate *recessgin.Gate
}

func (h *handlers) routes(r *gin.Engine) {
	get := func(path string, chain ...gin.HandlerFunc) {
		r.Match([]string{http.MethodGet, http.MethodHead}, path, chain...)
	}
	get("/", h.home)
	get("/ignored/", plain("ignored"))
	get("/ignored/deep/er", plain("ignored, deeper"))
	get("/healthz", h.gate.ForceOff, plain("ok"))
	get("/closed", h.gate.ForceOn, plain("nobody reads this"))
	get("/admin", plain("the shop's own admin site"))
	get("/admin/", plain("the shop's own admin site"))
	get("/login", h.login)
	get("/logout", h.logout)
	get("/me", h.me)
	get("/slow", h.slow)
	r.GET("/events", h.gate.LongLived, h.events)
	r.GET("/ws", h.gate.LongLived, func(c *gin.Context) { h.shop.WebSocket(c.Writer, c.Request) })
	r.Any(shop.ControlPath, h.gate.Panel(h.shop.Panel))
	r.Any(shop.ControlPath+"/*path", h.gate.Panel(h.shop.Panel))

	checkout := r.Group("/checkout", h.gate.Scope("checkout"))
	checkout.Match([]string{http.MethodGet, http.MethodHead, http.MethodPost}, "/cart", h.cart)

	get("/api/orders", func(c *gin.Context) { c.JSON(http.StatusOK, h.shop.Orders.List()) })
	r.POST("/api/orders", h.order)
}

func plain(text string) gin.HandlerFunc {
	return func(c *gin.Context) { c.String(http.StatusOK, "%s\n", text) }
}

// user says who is logged in, to Recess and to the pages.
func (h *handlers) user(c *gin.Context) recess.User { return h.shop.Sessions.User(session(c)) }

func session(c *gin.Context) string {
	value, err := c.Cookie(shop.SessionCookie)
	if err != nil {
		return "" // nobody is logged in
	}
	return value
}

func (h *handlers) endSession(c *gin.Context) error {
	http.SetCookie(c.Writer, h.shop.Sessions.End(session(c)))
	return nil
}

func (h *handlers) view(c *gin.Context) shop.View {
	c.Header("Vary", "Accept-Language") // the banner's message
	return shop.ViewFor(h.user(c), h.gate.Maintenance(c), c.GetHeader("Accept-Language"))
}

func (h *handlers) home(c *gin.Context) { c.HTML(http.StatusOK, "shop.html", h.view(c)) }

func (h *handlers) cart(c *gin.Context) {
	c.HTML(http.StatusOK, "cart.html", h.view(c).With(c.PostForm("item")))
}

func (h *handlers) login(c *gin.Context) {
	cookie, err := h.shop.Sessions.Begin(c.Query("user"))
	if err != nil {
		c.String(http.StatusBadRequest, "%s\n", err)
		return
	}
	http.SetCookie(c.Writer, cookie)
	c.JSON(http.StatusOK, shop.MeOf(h.shop.Sessions.User(cookie.Value)))
}

func (h *handlers) logout(c *gin.Context) {
	if err := h.endSession(c); err != nil {
		_ = c.AbortWithError(http.StatusInternalServerError, err)
		return
	}
	c.JSON(http.StatusOK, shop.MeOf(recess.User{}))
}

func (h *handlers) me(c *gin.Context) { c.JSON(http.StatusOK, shop.MeOf(h.user(c))) }

func (h *handlers) order(c *gin.Context) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, shop.MaxOrder))
	if err != nil {
		c.String(http.StatusRequestEntityTooLarge, "the order is too long\n")
		return
	}
	order, err := h.shop.Orders.Add(body)
	if err != nil {
		c.String(http.StatusBadRequest, "%s\n", err)
		return
	}
	c.JSON(http.StatusCreated, order)
}

func (h *handlers) slow(c *gin.Context) {
	d, err := shop.SlowFor(c.Query("d"))
	if err != nil {
		c.String(http.StatusBadRequest, "%s\n", err)
		return
	}
	if h.shop.Wait(c.Request.Context(), d) {
		c.String(http.StatusOK, "done after %s\n", d)
	}
}

func (h *handlers) events(c *gin.Context) {
	for name, value := range shop.EventHeader {
		c.Header(name, value)
	}
	c.Status(http.StatusOK)
	h.shop.Events(c.Request.Context(), c.Writer, http.NewResponseController(c.Writer).Flush)
}
