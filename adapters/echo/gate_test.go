package recessecho_test

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

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/recess-go/recess/adapters/echo"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// site is an Echo behind a gate, with a switch.
type site struct {
	*echo.Echo
	t      testing.TB
	gate   *recessecho.Gate
	engine *recess.Engine
	log    *bytes.Buffer
}

// open makes a site under a policy and installs its gate. Nothing runs yet.
func open(t testing.TB, p recess.Policy, hooks recessecho.Hooks) *site {
	t.Helper()
	s := &site{Echo: echo.New(), t: t, log: new(bytes.Buffer)}
	s.Logger.SetOutput(s.log)
	s.engine = start(t, p, slog.New(slog.NewTextHandler(s.log, nil)))
	var err error
	if s.gate, err = recessecho.Install(s.Echo, s.engine, hooks); err != nil {
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

// ask sends a request in process, "GET /path" or "GET http://host/path", and returns the response.
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

func ok(c echo.Context) error { return c.String(http.StatusOK, "ok") }

func TestBothConstructorsWantTheHooksThatThePolicyNeeds(t *testing.T) {
	engine := start(t, recess.Policy{AllowStaff: true}, nil)
	e := echo.New()
	if _, err := recessecho.New(e, engine, recessecho.Hooks{}); err == nil {
		t.Error("new without Hooks.User under AllowStaff: no error")
	}
	if _, err := recessecho.Install(e, engine, recessecho.Hooks{}); err == nil {
		t.Error("install without Hooks.User under AllowStaff: no error")
	}
	if e.OnAddRouteHandler != nil {
		t.Error("a gate that was not made has set OnAddRouteHandler")
	}
}

func TestAGateOnAGroupSeesTheUserOfTheMiddlewareBefore(t *testing.T) {
	engine := start(t, recess.Policy{AllowStaff: true}, nil)
	s := &site{Echo: echo.New(), t: t, engine: engine}
	gate, err := recessecho.New(s.Echo, engine, recessecho.Hooks{User: func(c echo.Context) recess.User {
		return recess.User{Authenticated: true, Staff: c.Get("user") == "staff"}
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.GET("/outside", ok)
	inside := s.Group("/inside", middleware.BasicAuth(func(user, password string, c echo.Context) (bool, error) {
		c.Set("user", user)
		return password == user[:1], nil
	}), gate.Middleware)
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

func TestARefusalIsNoErrorOfTheApplications(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	s.HTTPErrorHandler = func(err error, _ echo.Context) { t.Errorf("the error handler is asked about %v", err) }
	s.GET("/page", func(echo.Context) error { t.Error("the handler of a refused request ran"); return nil })
	s.on(recess.Opening{})
	for _, request := range []string{"GET /page", "HEAD /page", "GET /nowhere", "POST /page", "FOO /page"} {
		got := s.ask(request)
		if got.Code != 503 || got.Header().Get(page.HeaderName) != "full" {
			t.Errorf("%s: status %d, %v", request, got.Code, got.Header())
		}
		if isHead := strings.HasPrefix(request, "HEAD"); (got.Body.Len() == 0) != isHead {
			t.Errorf("%s: body %q", request, got.Body)
		}
	}
	if s.log.Len() > 0 {
		t.Errorf("echo has logged %s", s.log)
	}
}

func TestAPanicEndsTheCount(t *testing.T) {
	s := &site{Echo: echo.New(), t: t, engine: start(t, recess.Policy{}, nil)}
	s.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{LogErrorFunc: func(_ echo.Context, err error, _ []byte) error { return err }}))
	if _, err := recessecho.Install(s.Echo, s.engine, recessecho.Hooks{}); err != nil {
		t.Fatal(err)
	}
	s.GET("/panic", func(echo.Context) error {
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
	s := open(t, recess.Policy{AllowPaths: []string{"/in"}}, recessecho.Hooks{})
	s.GET("/in", func(c echo.Context) error {
		m, _ := c.Get(recess.ContextKey).(*recess.Maintenance)
		if m != s.gate.Maintenance(c) || m != recess.FromContext(c.Request().Context()) {
			t.Errorf("%v by key, %v by the gate, %v by the request, want one value", m, s.gate.Maintenance(c), recess.FromContext(c.Request().Context()))
		}
		if m != nil && m.Allowed {
			return c.String(http.StatusOK, "allowed")
		}
		return c.String(http.StatusOK, "nothing")
	})
	if got := s.ask("GET /in").Body.String(); got != "nothing" {
		t.Errorf("nothing runs: the handler finds %s", got)
	}
	s.on(recess.Opening{})
	if got := s.ask("GET /in").Body.String(); got != "allowed" {
		t.Errorf("let in by exception: the handler finds %s", got)
	}
}

func TestBlockedIsTrueOfRefusalsOnly(t *testing.T) {
	s := &site{Echo: echo.New(), t: t, engine: start(t, recess.Policy{AllowPaths: []string{"/in"}}, nil)}
	var blocked bool
	s.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			err := next(c)
			blocked = s.gate.Blocked(c)
			return err
		}
	})
	var err error
	if s.gate, err = recessecho.Install(s.Echo, s.engine, recessecho.Hooks{}); err != nil {
		t.Fatal(err)
	}
	s.GET("/in", ok)
	s.GET("/page", ok)
	s.GET("/broken", func(echo.Context) error { return echo.ErrServiceUnavailable })
	s.GET("/closed", ok, s.gate.ForceOn)
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
	s := open(t, recess.Policy{ControlPath: "/maintenance"}, recessecho.Hooks{})
	s.GET("/maintenance/status", s.gate.Status)
	s.on(recess.Opening{})
	got := s.ask("GET /maintenance/status")
	if got.Code != 200 || !strings.Contains(got.Body.String(), `"active":true`) {
		t.Errorf("status %d, %s", got.Code, got.Body)
	}
}

func TestTheApplicationMayAnswerItself(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{Respond: func(c echo.Context, d recess.Decision) error {
		if c.QueryParam("fail") != "" {
			return errors.New("no template")
		}
		return c.JSON(d.Answer().Status, map[string]any{"reason": d.Reason})
	}})
	s.on(recess.Opening{})
	got := s.ask("GET /page")
	if got.Code != 503 || got.Body.String() != `{"reason":"window"}`+"\n" || got.Header().Get(page.HeaderName) != "full" {
		t.Errorf("status %d, %s, %v", got.Code, got.Body, got.Header())
	}
	if got := s.ask("GET /page?fail=1"); got.Code != 503 || !strings.HasPrefix(got.Header().Get("Content-Type"), "text/html") {
		t.Errorf("after an error of the hook: status %d, %v, want the built-in page", got.Code, got.Header())
	}
}

// What Pre changes is what is routed, and so what is decided on.
// Before the routing the gate knows no markers, and lets nothing through for one.
// net/http removes them when a request has ended, if it finds its own request's form.
func TestTheFilesOfAnUploadAreRemoved(t *testing.T) {
	files := t.TempDir()
	t.Setenv("TMPDIR", files)
	s := open(t, recess.Policy{AllowPaths: []string{"/upload"}}, recessecho.Hooks{})
	s.POST("/upload", func(c echo.Context) error {
		if err := c.Request().ParseMultipartForm(1); err != nil {
			t.Error(err)
		}
		return ok(c)
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
