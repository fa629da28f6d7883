package recessgin_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
)

// A marker is a method value: the compiler must call it the same wherever and of whatever gate it is made.
func TestMarkersAreRecognisedHoweverTheyArePassed(t *testing.T) {
	s := open(t, recess.Policy{}, recessgin.Hooks{})
	other := open(t, recess.Policy{}, recessgin.Hooks{}).gate
	captured := s.gate
	later := func() gin.HandlerFunc { return captured.ForceOff }
	once := sync.OnceValue(func() gin.HandlerFunc { return s.gate.ForceOff })
	embedded := struct{ *recessgin.Gate }{s.gate}
	value := s.gate.ForceOff
	for name, marker := range map[string]gin.HandlerFunc{
		"direct":                  s.gate.ForceOff,
		"through a variable":      value,
		"by a closure":            later(),
		"through another package": once(),
		"promoted":                embedded.ForceOff,
		"out of a slice":          slices.Concat([]gin.HandlerFunc{ok}, []gin.HandlerFunc{s.gate.ForceOff})[1],
		"of another gate":         other.ForceOff,
	} {
		s.GET("/"+strings.ReplaceAll(name, " ", "-"), marker, ok)
	}
	s.on(recess.Opening{})
	for _, route := range s.Routes() {
		s.wants(http.StatusOK, "GET "+route.Path)
	}
}

func TestTheInnermostForceCountsAndScopesAddUp(t *testing.T) {
	s := open(t, recess.Policy{}, recessgin.Hooks{})
	g := s.gate
	free := s.Group("/free", g.ForceOff)
	free.GET("/page", ok)
	free.GET("/shut", g.ForceOn, ok)
	free.Group("/deep").Group("/er").GET("/page", ok)
	shut := s.Group("/shut", g.ForceOn)
	shut.GET("/page", ok)
	shut.GET("/help", g.ForceOff, ok)
	shop := s.Group("/shop", g.Scope("shop"))
	shop.GET("/page", ok)
	shop.GET("/live", g.ForceOff, ok)
	shop.Group("/eu", g.Scope("eu")).GET("/page", ok)
	late := s.Group("/late")
	late.GET("/before", ok)
	late.Use(g.Scope("shop"))
	late.GET("/after", ok)
	s.Any("/any", g.ForceOff, ok)
	s.StaticFS("/static", http.Dir(t.TempDir()))
	s.Group("/files", g.ForceOff).StaticFS("/", http.Dir(t.TempDir()))
	s.Group("/old", g.ForceOff).Any("/*rest", gin.WrapH(http.NotFoundHandler()))
	s.GET("/free-by-name", ok)

	always := func() {
		t.Helper()
		s.wants(503, "GET /free/shut", "GET /shut/page")
		s.wants(200, "GET /free/page", "GET /free/deep/er/page", "GET /shut/help", "GET /shop/live", "DELETE /any", "HEAD /any")
		s.wants(404, "GET /files/x", "HEAD /files/x", "GET /old/x/y")
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
	s.wants(200, "GET /late/before")

	s.on(recess.Opening{})
	always()
	s.wants(503, "GET /late/before", "GET /static/x", "GET /free-by-name", "GET /free/nowhere", "POST /free/page", "FOO /any")
}

// The same pattern under two methods is two routes; what is remembered of one must not be said of the other.
func TestAMarkerIsTheRoutesAndNotThePatterns(t *testing.T) {
	s := open(t, recess.Policy{}, recessgin.Hooks{})
	s.GET("/a/:id", s.gate.ForceOff, ok)
	s.POST("/a/:id", ok)
	s.on(recess.Opening{})
	for range 2 {
		s.wants(200, "GET /a/1", "GET /a/2")
		s.wants(503, "POST /a/1", "HEAD /a/1", "get /a/1")
	}
}

func TestForceOnRefusesByItself(t *testing.T) {
	r := gin.New()
	engine := start(t, recess.Policy{}, nil)
	gate, err := recessgin.New(r, engine, recessgin.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Engine: r, t: t, gate: gate, engine: engine}
	never := func(*gin.Context) { t.Error("the handler behind force on ran") }
	var wrapped interface{ ForceOn(*gin.Context) } = gate
	s.GET("/direct", gate.ForceOn, never)
	s.GET("/interface", wrapped.ForceOn, never)
	s.GET("/wrapped", func(c *gin.Context) { gate.ForceOn(c) }, never)
	s.GET("/help", gate.ForceOn, gate.ForceOff, ok)
	s.NoRoute(gate.ForceOn, never)
	s.wants(503, "GET /direct", "GET /interface", "GET /wrapped", "GET /nowhere", "HEAD /nowhere")
	s.wants(200, "GET /help")
}

// A middleware of the application's own that calls ForceOff marks nothing: what is not recognised stays closed.
func TestAWrappedForceOffStaysClosed(t *testing.T) {
	s := open(t, recess.Policy{}, recessgin.Hooks{})
	s.GET("/wrapped", func(c *gin.Context) { s.gate.ForceOff(c) }, ok)
	s.on(recess.Opening{})
	s.wants(503, "GET /wrapped")
}

func TestMarkersOnNoRouteAndNoMethodCount(t *testing.T) {
	s := open(t, recess.Policy{}, recessgin.Hooks{})
	s.HandleMethodNotAllowed = true
	s.NoRoute(s.gate.Scope("app"), ok)
	s.NoMethod(s.gate.ForceOff)
	s.GET("/page", ok)
	s.on(recess.Opening{Scope: "app"})
	s.wants(503, "GET /app/deep")
	s.wants(200, "GET /page")
	s.wants(405, "POST /page")
	s.on(recess.Opening{})
	s.wants(405, "POST /page")
	s.wants(503, "GET /page", "GET /app/deep")
}

// gin cannot be asked what GET would have matched: HEAD has to be marked beside it.
func TestHeadNeedsARouteOfItsOwn(t *testing.T) {
	s := open(t, recess.Policy{}, recessgin.Hooks{})
	s.GET("/get", s.gate.ForceOff, ok)
	s.Match([]string{"GET", "HEAD"}, "/both", s.gate.ForceOff, ok)
	s.on(recess.Opening{})
	s.wants(200, "GET /get", "GET /both", "HEAD /both")
	s.wants(503, "HEAD /get")
}

func TestTheDecodedPathDecidesAsItDoesForTheRouter(t *testing.T) {
	s := open(t, recess.Policy{}, recessgin.Hooks{})
	s.GET("/healthz", s.gate.ForceOff, ok)
	s.GET("/users/:id", ok)
	s.GET("/users/:id/public", s.gate.ForceOff, ok)
	s.on(recess.Opening{})
	s.wants(200, "GET /healthz", "GET /%68ealthz", "GET /users/1/public", "GET /users/1%2Fpublic")
	s.wants(503, "GET //healthz", "GET /HEALTHZ", "GET /healthz%00", "GET /healthz;x=1", "GET /./healthz", "GET /users/1")
	s.UseRawPath = true
	s.wants(200, "GET /healthz", "GET /users/1/public")
	s.wants(503, "GET /%68ealthz", "GET /users/1%2Fpublic")
}

func TestMarkersAreReadByManyAtOnce(t *testing.T) {
	s := open(t, recess.Policy{}, recessgin.Hooks{})
	for i := range 50 {
		s.GET(fmt.Sprintf("/live/%d", i), s.gate.ForceOff, ok)
		s.GET(fmt.Sprintf("/page/%d", i), ok)
	}
	s.on(recess.Opening{})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 50 {
				s.wants(200, fmt.Sprintf("GET /live/%d", i))
				s.wants(503, fmt.Sprintf("GET /page/%d", i))
			}
		})
	}
	group.Wait()
}

// The slots are the process's, so this runs in one of its own.
func TestARouteOfOneScopeTooManyBelongsToAll(t *testing.T) {
	if os.Getenv("RECESSGIN_TEST_SLOTS") == "" {
		child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), "RECESSGIN_TEST_SLOTS=1")
		if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	s := open(t, recess.Policy{}, recessgin.Hooks{})
	const slots = 64
	for range 2 { // the second time takes no slot
		for i := range slots {
			s.Handle(fmt.Sprintf("A%c", 'A'+len(s.Routes())/slots), fmt.Sprintf("/%d", i), s.gate.Scope(fmt.Sprintf("scope-%d", i)), ok)
		}
	}
	if s.log.Len() > 0 {
		t.Errorf("%d scopes: %s", slots, s.log)
	}
	s.GET("/more", s.gate.Scope("one-more"), ok)
	s.GET("/most", s.gate.Scope("and-another"), ok)
	if !strings.Contains(s.log.String(), "one-more") {
		t.Errorf("the log does not name the scope that got no slot: %q", s.log)
	}
	s.on(recess.Opening{Scope: "scope-7"})
	s.wants(503, "AA /7", "AB /7", "GET /more", "GET /most")
	for i := range slots {
		if i != 7 {
			s.wants(200, fmt.Sprintf("AA /%d", i), fmt.Sprintf("AB /%d", i))
		}
	}
}

func TestAScopeThatNoWindowCanHaveBelongsToAll(t *testing.T) {
	s := open(t, recess.Policy{}, recessgin.Hooks{})
	s.GET("/typo", s.gate.Scope("Check out"), ok)
	s.on(recess.Opening{Scope: "checkout"})
	s.wants(503, "GET /typo")
	if !strings.Contains(s.log.String(), "Check out") {
		t.Errorf("the log does not name the scope: %q", s.log)
	}
}
