package recessecho_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/recess-go/recess/adapters/echo"
	"github.com/recess-go/recess/core"
)

// A marker is a method value: the compiler must give it one code pointer wherever and of whatever gate it is made.
func TestMarkersAreRecognisedHoweverTheyArePassed(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	other := open(t, recess.Policy{}, recessecho.Hooks{}).gate
	captured := s.gate
	later := func() echo.MiddlewareFunc { return captured.ForceOff }
	once := sync.OnceValue(func() echo.MiddlewareFunc { return s.gate.ForceOff })
	embedded := struct{ *recessecho.Gate }{s.gate}
	value := s.gate.ForceOff
	for name, marker := range map[string]echo.MiddlewareFunc{
		"direct":                  s.gate.ForceOff,
		"through a variable":      value,
		"by a closure":            later(),
		"through another package": once(),
		"promoted":                embedded.ForceOff,
		"out of a slice":          slices.Concat([]echo.MiddlewareFunc{s.gate.Middleware}, []echo.MiddlewareFunc{s.gate.ForceOff})[1],
		"of another gate":         other.ForceOff,
	} {
		s.GET("/"+strings.ReplaceAll(name, " ", "-"), ok, marker)
	}
	s.on(recess.Opening{})
	for _, route := range s.Routes() {
		s.wants(http.StatusOK, "GET "+route.Path)
	}
}

func TestTheInnermostForceCountsAndScopesAddUp(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	g := s.gate
	free := s.Group("/free", g.ForceOff)
	free.GET("/page", ok)
	free.GET("/shut", ok, g.ForceOn)
	free.Group("/deep").Group("/er").GET("/page", ok)
	shut := s.Group("/shut", g.ForceOn)
	shut.GET("/page", ok)
	shut.GET("/help", ok, g.ForceOff)
	shop := s.Group("/shop", g.Scope("shop"))
	shop.GET("/page", ok)
	shop.GET("/live", ok, g.ForceOff)
	shop.Group("/eu", g.Scope("eu")).GET("/page", ok)
	late := s.Group("/late")
	late.GET("/before", ok)
	late.Use(g.Scope("shop"))
	late.GET("/after", ok)
	s.Any("/any", ok, g.ForceOff)
	s.Match([]string{"GET", "POST"}, "/match", ok, g.ForceOff)
	s.Static("/static", t.TempDir())
	s.Group("/files", g.ForceOff).Static("/", t.TempDir())
	s.Any("/old/*", echo.WrapHandler(http.NotFoundHandler()), g.ForceOff)
	s.GET("/free-by-name", ok)

	always := func() {
		t.Helper()
		s.wants(503, "GET /free/shut", "GET /shut/page")
		s.wants(200, "GET /free/page", "GET /free/deep/er/page", "GET /shut/help", "GET /shop/live", "DELETE /any", "HEAD /any", "POST /match")
		s.wants(404, "GET /files/x", "GET /old/x/y")
	}
	always()
	s.wants(200, "GET /shop/page", "GET /shop/eu/page", "GET /late/after")

	s.on(recess.Opening{Scope: "eu"})
	always()
	s.wants(503, "GET /shop/eu/page")
	s.wants(200, "GET /shop/page", "GET /late/after")

	s.on(recess.Opening{Scope: "shop"})
	always()
	s.wants(503, "GET /shop/eu/page", "GET /shop/page", "GET /late/after")
	s.wants(503, "GET /shop/nowhere")
	s.wants(200, "GET /late/before")

	s.on(recess.Opening{})
	always()
	s.wants(503, "GET /late/before", "GET /static/x", "GET /free-by-name", "POST /free/page", "FOO /any", "DELETE /match")
}

func TestAMarkerIsTheRoutesAndNotThePatterns(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	s.GET("/a/:id", ok, s.gate.ForceOff)
	s.POST("/a/:id", ok)
	s.GET("/b/:one", ok, s.gate.ForceOff)
	s.POST("/b/:other", ok)
	s.PUT("/c", ok, s.gate.ForceOff)
	s.GET(`/v1/some\:action`, ok, s.gate.ForceOff)
	s.GET("no-slash", ok, s.gate.ForceOff)
	s.on(recess.Opening{})
	s.wants(200, "GET /a/1", "GET /a/2", "GET /b/1", "PUT /c", "GET /v1/some:action", "GET /no-slash")
	s.wants(503, "POST /a/1", "get /a/1", "POST /b/1", "DELETE /b/1", "GET /c", "HEAD /c")
}

// echo lets a route be added once more; the later one serves.
func TestALaterRouteSpeaksForItself(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	s.GET("/was-free", ok, s.gate.ForceOff)
	s.GET("/was-free", ok)
	s.GET("/was-shut", ok, s.gate.ForceOn)
	s.GET("/was-shut", ok)
	s.wants(200, "GET /was-shut")
	s.on(recess.Opening{})
	s.wants(503, "GET /was-free")
}

func TestForceOnRefusesByItself(t *testing.T) {
	e := echo.New()
	engine := start(t, recess.Policy{}, nil)
	gate, err := recessecho.New(e, engine, recessecho.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Echo: e, t: t, gate: gate, engine: engine}
	never := func(echo.Context) error { t.Error("the handler behind force on ran"); return nil }
	var behind interface {
		ForceOn(echo.HandlerFunc) echo.HandlerFunc
	} = gate
	s.GET("/direct", never, gate.ForceOn)
	s.GET("/interface", never, behind.ForceOn)
	s.GET("/wrapped", never, func(next echo.HandlerFunc) echo.HandlerFunc { return gate.ForceOn(next) })
	s.GET("/help", ok, gate.ForceOn, gate.ForceOff)
	s.RouteNotFound("/app/*", never, gate.ForceOn)
	s.wants(503, "GET /direct", "GET /interface", "GET /wrapped", "GET /app/x", "HEAD /app/x")
	s.wants(200, "GET /help")
	s.wants(404, "GET /nowhere")
}

// A middleware of the application's own that calls ForceOff marks nothing: what is not recognised stays closed.
func TestAWrappedForceOffStaysClosed(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	s.GET("/wrapped", ok, func(next echo.HandlerFunc) echo.HandlerFunc { return s.gate.ForceOff(next) })
	s.on(recess.Opening{})
	s.wants(503, "GET /wrapped")
}

// What the gate cannot recognise refuses where it is reached.
func TestAWrappedScopeRefusesByItself(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	s.GET("/wrapped", ok, wrapped(s.gate.Scope("shop")))
	s.Group("/group", wrapped(s.gate.Scope("shop"))).GET("/page", ok)
	s.GET("/around", s.gate.Scope("shop")(ok))
	s.GET("/help", ok, wrapped(s.gate.Scope("shop")), s.gate.ForceOff)
	s.GET("/other", ok, wrapped(s.gate.Scope("other")))
	s.wants(200, "GET /wrapped", "GET /group/page", "GET /around", "GET /help", "GET /other")
	s.on(recess.Opening{Scope: "shop"})
	s.wants(503, "GET /wrapped", "GET /group/page", "GET /around")
	s.wants(200, "GET /help", "GET /other")
}

// Echo gives every group with middlewares a 404 of its own below its prefix, with these middlewares.
func TestTheNotFoundOfAGroupIsClosedAndNeverOpened(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	free := s.Group("/free", s.gate.ForceOff)
	free.GET("/page", ok)
	s.Group("/shop", s.gate.Scope("shop")).GET("/page", ok)
	s.Group("/shut", s.gate.ForceOn).GET("/page", ok)
	app := s.Group("/app")
	app.RouteNotFound("/*", ok, s.gate.Scope("app"))
	s.wants(404, "GET /free/nowhere", "POST /free/page")
	s.wants(503, "GET /shut/nowhere")
	s.on(recess.Opening{Scope: "shop"})
	s.on(recess.Opening{Scope: "app"})
	s.wants(404, "GET /free/nowhere")
	s.wants(503, "GET /shop/nowhere", "GET /app/nowhere", "POST /app/")
	s.on(recess.Opening{})
	s.wants(200, "GET /free/page")
	s.wants(404, "HEAD /free/page") // not 503: see TestHeadHasTheMarkerOfGet
	s.wants(503, "GET /free/nowhere", "HEAD /free/nowhere", "GET /free", "GET /free/", "POST /free/page", "echo_route_not_found /free/x")
}

// The router says 405 or 404 to HEAD where only GET is routed. While the site is closed, who may GET may ask.
func TestHeadHasTheMarkerOfGet(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	s.GET("/live", ok, s.gate.ForceOff)
	s.GET("/files/:name/:part", ok, s.gate.ForceOff)
	s.GET("/own", ok, s.gate.ForceOff)
	s.HEAD("/own", ok)
	s.GET("/page", ok)
	s.HEAD("/head-only", ok, s.gate.ForceOff)
	s.POST("/live/post", ok, s.gate.ForceOff)
	group := s.Group("/group", func(next echo.HandlerFunc) echo.HandlerFunc { return next })
	group.GET("/live", ok, s.gate.ForceOff)
	s.Host("h.example").GET("/page", ok, s.gate.ForceOff)
	off := []string{"HEAD /live", "HEAD /files/a/b", "HEAD /group/live", "HEAD http://h.example/page"}
	before := make(map[string]int)
	for _, request := range off {
		before[request] = s.ask(request).Code
	}
	s.on(recess.Opening{})
	for _, request := range off {
		if got := s.ask(request).Code; got != before[request] || got == 503 {
			t.Errorf("%s: status %d while the site is closed and %d before, want what the router says", request, got, before[request])
		}
	}
	s.wants(200, "HEAD /head-only", "GET /live")
	s.wants(503, "HEAD /own", "HEAD /page", "HEAD /live/post", "GET /head-only", "HEAD /nowhere", "HEAD http://h.example/live", "HEAD /group/nowhere")
}

// The Host routers are told apart as echo does: by the Host header as it was sent.
func TestHostRoutersHaveMarkersOfTheirOwn(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	s.GET("/a", ok, s.gate.ForceOff)
	s.GET("/b", ok)
	s.GET("/c", ok, s.gate.ForceOff)
	h := s.Host("h.example")
	h.GET("/a", ok)
	h.GET("/b", ok, s.gate.ForceOff)
	h.Group("/sub", s.gate.ForceOff).GET("/page", ok)
	s.on(recess.Opening{})
	s.wants(200, "GET /a", "GET /c", "GET http://h.example/b", "GET http://h.example/sub/page", "GET http://H.example/a", "GET http://h.example:80/a")
	s.wants(503, "GET /b", "GET http://h.example/a", "GET http://h.example/c", "GET http://H.example/b", "GET http://h.example:80/b", "GET /sub/page")
}

func TestTheRawPathDecidesAsItDoesForTheRouter(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	s.GET("/healthz", ok, s.gate.ForceOff)
	s.GET("/users/:id", ok, s.gate.ForceOff)
	s.GET("/users/:id/private", ok)
	s.on(recess.Opening{})
	s.wants(200, "GET /healthz", "GET /users/1%2Fprivate")
	s.wants(503, "GET /%68ealthz", "GET /healthz/", "GET //healthz", "GET /HEALTHZ", "GET /healthz%2f", "GET /healthz;x=1", "GET /./healthz", "GET /users/1/private")
}

func TestMarkersAreReadByManyAtOnce(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	for i := range 50 {
		s.GET(fmt.Sprintf("/live/%d", i), ok, s.gate.ForceOff)
		s.GET(fmt.Sprintf("/page/%d", i), ok)
	}
	s.on(recess.Opening{})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 50 {
				s.wants(200, fmt.Sprintf("GET /live/%d", i))
				s.wants(405, fmt.Sprintf("HEAD /live/%d", i))
				s.wants(503, fmt.Sprintf("GET /page/%d", i))
			}
		})
	}
	group.Wait()
}

func TestScopesAreAsManyAsYouLike(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	const scopes = 200
	for i := range scopes {
		s.GET(fmt.Sprintf("/%d", i), ok, s.gate.Scope(fmt.Sprintf("scope-%d", i)))
	}
	s.on(recess.Opening{Scope: "scope-7"})
	s.wants(503, "GET /7")
	for i := range scopes {
		if i != 7 {
			s.wants(200, fmt.Sprintf("GET /%d", i))
		}
	}
}

func TestAScopeThatNoWindowCanHaveBelongsToAll(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	s.GET("/typo", ok, s.gate.Scope("Check out"))
	s.on(recess.Opening{Scope: "checkout"})
	s.wants(503, "GET /typo")
	if !strings.Contains(s.log.String(), "Check out") {
		t.Errorf("the log does not name the scope: %q", s.log)
	}
}
