package readme

import (
	"html/template"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"
	recesschi "github.com/recess-go/recess/adapters/chi"
	recessecho "github.com/recess-go/recess/adapters/echo"
	recessfiber "github.com/recess-go/recess/adapters/fiber"
	recessgin "github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core/page"
)

// front is a page of the site, with {{.banner}} at the head of its body.
var front = template.Must(template.New("front.html").Parse("<!doctype html><body>{{.banner}}<h1>Shop</h1>"))

func bannerOnGin(router *gin.Engine, gate *recessgin.Gate) {
	// snippet: gin
	router.GET("/", func(c *gin.Context) {
		c.Header("Vary", "Accept-Language")
		c.HTML(200, "front.html", gin.H{
			"banner": gate.Maintenance(c).Banner(c.GetHeader("Accept-Language"), page.BannerInline),
		})
	})
	// end
}

func bannerOnEcho(e *echo.Echo, gate *recessecho.Gate) {
	// snippet: echo
	e.GET("/", func(c echo.Context) error {
		c.Response().Header().Set("Vary", "Accept-Language")
		languages := c.Request().Header.Get("Accept-Language")
		return c.Render(200, "front.html", echo.Map{
			"banner": gate.Maintenance(c).Banner(languages, page.BannerInline),
		})
	})
	// end
}

func bannerOnChi(router chi.Router, gate *recesschi.Gate) {
	// snippet: chi
	router.Get("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept-Language")
		_ = front.Execute(w, map[string]any{
			"banner": gate.Maintenance(r).Banner(r.Header.Get("Accept-Language"), page.BannerInline),
		})
	})
	// end
}

func bannerOnFiber(app *fiber.App, gate *recessfiber.Gate) {
	// snippet: fiber
	app.Get("/", func(c *fiber.Ctx) error {
		c.Set("Vary", "Accept-Language")
		return c.Render("front.html", fiber.Map{
			"banner": gate.Maintenance(c).Banner(c.Get("Accept-Language"), page.BannerInline),
		})
	})
	// end
}
