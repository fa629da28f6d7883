package readme

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
	"github.com/recess-go/recess/core/state/memstate"
)

// TestThePanelSnippetsRun closes and opens a site on each framework, by the API.
func TestThePanelSnippetsRun(t *testing.T) {
	gin.SetMode(gin.TestMode)
	const token = "sXQnPp2h"
	mounts := map[string]func(*recess.Engine, *admin.Panel) (http.Handler, error){
		"gin": func(e *recess.Engine, p *admin.Panel) (http.Handler, error) {
			router := gin.New()
			gate, err := recessgin.Install(router, e, recessgin.Hooks{})
			if err == nil {
				panelOnGin(router, gate, p)
			}
			return router, err
		},
		"echo": func(e *recess.Engine, p *admin.Panel) (http.Handler, error) {
			router := echo.New()
			gate, err := recessecho.Install(router, e, recessecho.Hooks{})
			if err == nil {
				panelOnEcho(router, gate, p)
			}
			return router, err
		},
		"chi": func(e *recess.Engine, p *admin.Panel) (http.Handler, error) {
			router := chi.NewRouter()
			gate, err := recesschi.Install(router, e, recesschi.Hooks{})
			if err == nil {
				panelOnChi(router, gate, p)
			}
			return router, err
		},
		"fiber": func(e *recess.Engine, p *admin.Panel) (http.Handler, error) {
			app := fiber.New()
			gate, err := recessfiber.Install(app, e, recessfiber.Hooks{})
			if err == nil {
				panelOnFiber(app, gate, p)
			}
			return overFiber{t, app}, err
		},
		"net/http": func(e *recess.Engine, p *admin.Panel) (http.Handler, error) {
			mux := http.NewServeMux()
			gate, err := nethttp.New(e, nethttp.Hooks{}, nethttp.MuxMarkers(mux))
			if err == nil {
				panelOnNetHTTP(mux, gate, p)
			}
			return gate.Middleware(mux), err
		},
	}
	for name, mount := range mounts {
		t.Run(name, func(t *testing.T) {
			engine, err := recess.New(t.Context(), recess.Config{Backend: memstate.New(memstate.Config{}), Policy: panelPolicy(token)})
			if err != nil {
				t.Fatal(err)
			}
			defer engine.Close()
			panel, err := newPanel(engine)
			if err != nil {
				t.Fatal(err)
			}
			site, err := mount(engine, panel)
			if err != nil {
				t.Fatal(err)
			}
			ask := func(method, path, body, token string) int {
				r := httptest.NewRequest(method, path, strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				if token != "" {
					r.Header.Set("Authorization", "Bearer "+token)
				}
				w := httptest.NewRecorder()
				site.ServeHTTP(w, r)
				return w.Code
			}
			for _, step := range []struct {
				method, path, body, token string
				status                    int
			}{
				{"GET", "/none", "", "", 404},
				{"GET", "/maintenance/", "", "", 401},
				{"POST", "/maintenance/api/on", `{}`, "wrong", 401},
				{"POST", "/maintenance/api/on", `{"for":"30m"}`, token, 200},
				{"GET", "/none", "", "", 503},
				{"GET", "/maintenance/status", "", "", 200},
				{"POST", "/maintenance/api/off", `{}`, token, 200},
				{"GET", "/none", "", "", 404},
			} {
				if got := ask(step.method, step.path, step.body, step.token); got != step.status {
					t.Errorf("%s %s: %d, want %d", step.method, step.path, got, step.status)
				}
			}
		})
	}
}

// overFiber asks a fiber application as if it were a handler of net/http.
type overFiber struct {
	t   *testing.T
	app *fiber.App
}

func (o overFiber) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	response, err := o.app.Test(r, -1)
	if err != nil {
		o.t.Fatal(err)
	}
	response.Body.Close()
	w.WriteHeader(response.StatusCode)
}

func TestTheAuthorizeSnippet(t *testing.T) {
	for _, c := range []struct {
		user recess.User
		want admin.Right
	}{
		{recess.User{}, admin.None},
		{recess.User{Name: "x", Superuser: true, Staff: true}, admin.None},
		{recess.User{Name: "alice", Authenticated: true}, admin.None},
		{recess.User{Name: "staff", Authenticated: true, Staff: true}, admin.Read},
		{recess.User{Name: "root", Authenticated: true, Superuser: true}, admin.Write},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if got := authorize(r.WithContext(recess.WithUser(r.Context(), c.user))); got.Right != c.want || got.Name != c.user.Name {
			t.Errorf("%+v: %+v", c.user, got)
		}
	}
}
