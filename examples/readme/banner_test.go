package readme

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"
	recesschi "github.com/recess-go/recess/adapters/chi"
	recessecho "github.com/recess-go/recess/adapters/echo"
	recessfiber "github.com/recess-go/recess/adapters/fiber"
	recessgin "github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// views are echo's and fiber's way to a template.
type views struct{}

func (views) Load() error { return nil }

func (views) Render(w io.Writer, _ string, data any, _ ...string) error {
	return front.Execute(w, data)
}

type renderer struct{}

func (renderer) Render(w io.Writer, _ string, data any, _ echo.Context) error {
	return front.Execute(w, data)
}

func TestTheBannerIsShownInEveryFramework(t *testing.T) {
	engine, err := recess.New(t.Context(), recess.Config{Backend: memstate.New(memstate.Config{})})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	for name, build := range map[string]func() (func(*http.Request) (*http.Response, error), error){
		"gin": func() (func(*http.Request) (*http.Response, error), error) {
			router := gin.New()
			router.SetHTMLTemplate(front)
			gate, err := recessgin.Install(router, engine, recessgin.Hooks{})
			bannerOnGin(router, gate)
			return recorded(router), err
		},
		"echo": func() (func(*http.Request) (*http.Response, error), error) {
			e := echo.New()
			e.Renderer = renderer{}
			gate, err := recessecho.Install(e, engine, recessecho.Hooks{})
			bannerOnEcho(e, gate)
			return recorded(e), err
		},
		"chi": func() (func(*http.Request) (*http.Response, error), error) {
			router := chi.NewRouter()
			gate, err := recesschi.Install(router, engine, recesschi.Hooks{})
			bannerOnChi(router, gate)
			return recorded(router), err
		},
		"fiber": func() (func(*http.Request) (*http.Response, error), error) {
			app := fiber.New(fiber.Config{Views: views{}})
			gate, err := recessfiber.Install(app, engine, recessfiber.Hooks{})
			bannerOnFiber(app, gate)
			return func(r *http.Request) (*http.Response, error) { return app.Test(r, -1) }, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			get, err := build()
			if err != nil {
				t.Fatal(err)
			}
			if body := ask(t, get); !strings.HasSuffix(body, "<body><h1>Shop</h1>") {
				t.Errorf("while nothing is planned: %s", body)
			}
			start := time.Now().Add(time.Hour)
			if _, err := engine.Control(state.Actor{Name: "test"}).On(t.Context(), recess.Opening{
				Start: start, End: start.Add(time.Hour), Messages: map[string]string{"": "Soon", "de": "Bald"},
			}); err != nil {
				t.Fatal(err)
			}
			if body := ask(t, get); !strings.Contains(body, "Maintenance is planned from <time") || !strings.Contains(body, `<p lang="de" dir="auto">Bald</p>`) {
				t.Errorf("the page has no banner: %s", body)
			}
			if _, err := engine.Control(state.Actor{Name: "test"}).Off(t.Context(), recess.Ending{}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func recorded(h http.Handler) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	}
}

func ask(t *testing.T, get func(*http.Request) (*http.Response, error)) string {
	t.Helper()
	request := httptest.NewRequest("GET", "/", nil)
	request.Header.Set("Accept-Language", "de-AT")
	response, err := get(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if vary := response.Header.Get("Vary"); vary != "Accept-Language" {
		t.Errorf("Vary is %q", vary)
	}
	return string(body)
}
