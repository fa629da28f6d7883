package readme

import (
	"crypto/sha256"
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
	"github.com/recess-go/recess/core/admin"
	"github.com/recess-go/recess/core/nethttp"
)

// panelPolicy is what the panel needs of a policy, and a token.
func panelPolicy(token string) recess.Policy {
	// snippet: policy
	policy := recess.Policy{
		ControlPath: "/maintenance",
		AdminTokens: []recess.AdminToken{{Name: "deploy", Write: true, Hash: sha256.Sum256([]byte(token))}},
	}
	// end
	return policy
}

func newPanel(engine *recess.Engine) (*admin.Panel, error) {
	// snippet: panel
	panel, err := admin.New(admin.Config{
		Engine:    engine,
		Authorize: admin.Superusers,
		Title:     "the shop",
		SignIn:    "/login",
	})
	// end
	return panel, err
}

// snippet: authorize
func authorize(r *http.Request) admin.Access {
	user := recess.UserFrom(r.Context()) // as Hooks.User says
	access := admin.Access{Name: user.Name, SignedIn: user.Authenticated}
	switch {
	case !user.Authenticated:
	case user.Superuser:
		access.Right = admin.Write
	case user.Staff:
		access.Right = admin.Read
	}
	return access
}

// end

func panelOnGin(router *gin.Engine, gate *recessgin.Gate, panel *admin.Panel) {
	// snippet: gin
	router.Any("/maintenance/*path", gate.Panel(panel))
	// end
}

func panelOnEcho(e *echo.Echo, gate *recessecho.Gate, panel *admin.Panel) {
	// snippet: echo
	e.Any("/maintenance/*", gate.Panel(panel))
	// end
}

func panelOnChi(router chi.Router, gate *recesschi.Gate, panel *admin.Panel) {
	// snippet: chi
	router.Handle("/maintenance/*", gate.Panel(panel))
	// end
}

func panelOnFiber(app *fiber.App, gate *recessfiber.Gate, panel *admin.Panel) {
	// snippet: fiber
	app.All("/maintenance/*", gate.Panel(panel))
	// end
}

func panelOnNetHTTP(mux *http.ServeMux, gate *nethttp.Gate, panel *admin.Panel) {
	// snippet: net/http
	mux.Handle("/maintenance/", gate.Panel(panel))
	// end
}
