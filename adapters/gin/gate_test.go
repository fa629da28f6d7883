package recessgin_test

import (
	"bytes"
	"errors"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

func init() { gin.SetMode(gin.TestMode) }

// site is a gin engine behind a gate, with a switch.
type site struct {
	*gin.Engine
	t      testing.TB
	gate   *recessgin.Gate
	engine *recess.Engine
	log    *bytes.Buffer
}

// open makes a site under a policy and installs its gate. Nothing runs yet.
func open(t testing.TB, p recess.Policy, hooks recessgin.Hooks) *site {
	t.Helper()
	s := &site{Engine: gin.New(), t: t, log: new(bytes.Buffer)}
	s.engine = start(t, p, slog.New(slog.NewTextHandler(s.log, nil)))
	var err error
	if s.gate, err = recessgin.Install(s.Engine, s.engine, hooks); err != nil {
		t.Fatal(err)
	}
	return s
}

func start(t testing.TB, p recess.Policy, log *slog.Logger) *recess.Engine {
	t.Helper()
	engine, err := recess.New(t.Context(), recess.Config{Backend: memstate.New(memstate.Config{}), Policy: p, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return engine
}

// on opens a window.
func (s *site) on(o recess.Opening) {
	s.t.Helper()
	on(s.t, s.engine, o)
}

func on(t testing.TB, engine *recess.Engine, o recess.Opening) {
	t.Helper()
	if _, err := engine.Control(state.Actor{Name: "test"}).On(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// ask sends a request in process, "GET /path", and returns the response.
func (s *site) ask(request string) *httptest.ResponseRecorder {
	s.t.Helper()
	method, target, _ := strings.Cut(request, " ")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

// wants sends requests and compares their status.
func (s *site) wants(status int, requests ...string) {
	s.t.Helper()
	for _, request := range requests {
		if got := s.ask(request); got.Code != status {
			s.t.Errorf("%s: status %d, want %d", request, got.Code, status)
		}
	}
}

func ok(c *gin.Context) { c.String(http.StatusOK, "ok") }

func TestInstallRefusesRoutesThatItWouldNotCover(t *testing.T) {
	r := gin.New()
	r.GET("/early", ok)
	_, err := recessgin.Install(r, start(t, recess.Policy{}, nil), recessgin.Hooks{})
	if err == nil || !strings.Contains(err.Error(), "GET /early") {
		t.Errorf("install after a route: %v, want an error that names the route", err)
	}
}

func TestBothConstructorsWantTheHooksThatThePolicyNeeds(t *testing.T) {
	engine := start(t, recess.Policy{AllowStaff: true}, nil)
	if _, err := recessgin.New(gin.New(), engine, recessgin.Hooks{}); err == nil {
		t.Error("new without Hooks.User under AllowStaff: no error")
	}
	r := gin.New()
	if _, err := recessgin.Install(r, engine, recessgin.Hooks{}); err == nil || len(r.Handlers) > 0 {
		t.Errorf("install without Hooks.User under AllowStaff: %v and %d handlers, want an error and none", err, len(r.Handlers))
	}
}

func TestAGateOnAGroupSeesTheUserOfTheMiddlewareBefore(t *testing.T) {
	engine := start(t, recess.Policy{AllowStaff: true}, nil)
	s := &site{Engine: gin.New(), t: t, engine: engine}
	var err error
	s.gate, err = recessgin.New(s.Engine, engine, recessgin.Hooks{User: func(c *gin.Context) recess.User {
		return recess.User{Authenticated: true, Staff: c.GetString(gin.AuthUserKey) == "staff"}
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.GET("/outside", ok)
	inside := s.Group("/inside", gin.BasicAuth(gin.Accounts{"staff": "s", "alice": "a"}), s.gate.Middleware)
	inside.GET("/page", ok)
	s.on(recess.Opening{})

	s.wants(http.StatusOK, "GET /outside")
	s.wants(http.StatusUnauthorized, "GET /inside/page")
	for user, want := range map[string]int{"staff": http.StatusOK, "alice": http.StatusServiceUnavailable} {
		r := httptest.NewRequest("GET", "/inside/page", nil)
		r.SetBasicAuth(user, user[:1])
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: status %d, want %d", user, w.Code, want)
		}
	}
}

// A refusal without a body must not be taken for no answer, above all where gin answers missing routes itself.
func TestAPanicEndsTheCount(t *testing.T) {
	s := &site{Engine: gin.New(), t: t, engine: start(t, recess.Policy{}, nil)}
	s.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, _ any) { c.AbortWithStatus(http.StatusInternalServerError) }))
	if _, err := recessgin.Install(s.Engine, s.engine, recessgin.Hooks{}); err != nil {
		t.Fatal(err)
	}
	s.GET("/panic", func(*gin.Context) {
		if n := s.engine.Counts().InFlight; n != 1 {
			t.Errorf("%d in flight in a handler, want 1", n)
		}
		panic(errors.New("boom"))
	})
	s.wants(http.StatusInternalServerError, "GET /panic")
	if n := s.engine.Counts().InFlight; n != 0 {
		t.Errorf("%d in flight after a panic, want 0", n)
	}
}

func TestTheValueIsFoundInAllThreePlaces(t *testing.T) {
	s := open(t, recess.Policy{AllowPaths: []string{"/in"}}, recessgin.Hooks{})
	found := func(c *gin.Context) {
		key, _ := c.Get(recess.ContextKey)
		m, _ := key.(*recess.Maintenance)
		if m != s.gate.Maintenance(c) || m != recess.FromContext(c.Request.Context()) {
			t.Errorf("%v by key, %v by the gate, %v by the request, want one value", m, s.gate.Maintenance(c), recess.FromContext(c.Request.Context()))
		}
		c.String(http.StatusOK, "%t", m != nil && m.Allowed)
	}
	s.GET("/in", found)
	if got := s.ask("GET /in").Body.String(); got != "false" {
		t.Errorf("nothing runs: a value is attached (%s)", got)
	}
	s.on(recess.Opening{})
	if got := s.ask("GET /in").Body.String(); got != "true" {
		t.Errorf("let in by exception: allowed is %s, want true", got)
	}
}

func TestBlockedIsTrueOfRefusalsOnly(t *testing.T) {
	s := &site{Engine: gin.New(), t: t, engine: start(t, recess.Policy{AllowPaths: []string{"/in"}}, nil)}
	var blocked bool
	s.Use(func(c *gin.Context) { c.Next(); blocked = s.gate.Blocked(c) })
	var err error
	if s.gate, err = recessgin.Install(s.Engine, s.engine, recessgin.Hooks{}); err != nil {
		t.Fatal(err)
	}
	s.GET("/in", ok)
	s.GET("/page", ok)
	s.GET("/broken", func(c *gin.Context) { c.Status(http.StatusServiceUnavailable) })
	s.GET("/closed", s.gate.ForceOn, ok)
	want := func(want bool, requests ...string) {
		t.Helper()
		for _, request := range requests {
			if s.ask(request); blocked != want {
				t.Errorf("%s: blocked is %t, want %t", request, blocked, want)
			}
		}
	}
	want(false, "GET /page", "GET /broken", "GET /nowhere")
	want(true, "GET /closed")
	s.on(recess.Opening{})
	want(false, "GET /in")
	want(true, "GET /page", "GET /nowhere", "HEAD /page", "GET /closed")
}

func TestStatusIsAnsweredWhileTheSiteIsClosed(t *testing.T) {
	s := open(t, recess.Policy{ControlPath: "/maintenance"}, recessgin.Hooks{})
	s.GET("/maintenance/status", s.gate.Status)
	s.on(recess.Opening{})
	got := s.ask("GET /maintenance/status")
	if got.Code != 200 || !strings.Contains(got.Body.String(), `"active":true`) {
		t.Errorf("status %d, %s", got.Code, got.Body)
	}
}

func TestTheApplicationMayAnswerItself(t *testing.T) {
	s := open(t, recess.Policy{}, recessgin.Hooks{Respond: func(c *gin.Context, d recess.Decision) error {
		if c.Query("fail") != "" {
			return errors.New("no template")
		}
		c.JSON(d.Answer().Status, gin.H{"reason": d.Reason})
		return nil
	}})
	s.GET("/page", func(*gin.Context) { t.Error("the handler of a refused request ran") })
	s.on(recess.Opening{})
	got := s.ask("GET /page")
	if got.Code != 503 || got.Body.String() != `{"reason":"window"}` || got.Header().Get(page.HeaderName) != "full" {
		t.Errorf("status %d, %s, %v", got.Code, got.Body, got.Header())
	}
	if got := s.ask("GET /page?fail=1"); got.Code != 503 || !strings.HasPrefix(got.Header().Get("Content-Type"), "text/html") {
		t.Errorf("after an error of the hook: status %d, %v, want the built-in page", got.Code, got.Header())
	}
}

// net/http removes them when a request has ended, if it finds its own request's form.
func TestTheFilesOfAnUploadAreRemoved(t *testing.T) {
	files := t.TempDir()
	t.Setenv("TMPDIR", files)
	s := open(t, recess.Policy{AllowPaths: []string{"/upload"}}, recessgin.Hooks{})
	s.MaxMultipartMemory = 1
	s.POST("/upload", func(c *gin.Context) {
		if _, err := c.FormFile("file"); err != nil {
			t.Error(err)
		}
		ok(c)
	})
	server := httptest.NewServer(s)
	defer server.Close()
	s.on(recess.Opening{})

	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "name")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.Write(make([]byte, 11<<20)) // 10 MiB of any form are kept in memory
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(server.URL+"/upload", form.FormDataContentType(), &body)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	server.Close() // waits until the request has ended
	if left, _ := os.ReadDir(files); response.StatusCode != 200 || len(left) > 0 {
		t.Errorf("status %d, and the files %v are left behind", response.StatusCode, left)
	}
}
