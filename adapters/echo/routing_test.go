package recessecho_test

import (
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/recess-go/recess/adapters/echo"
	"github.com/recess-go/recess/core"
)

func TestRoutesFromBeforeAreCovered(t *testing.T) {
	s := &site{Echo: echo.New(), t: t, engine: start(t, recess.Policy{}, nil)}
	s.GET("/early", ok)
	s.HEAD("/early-head", ok)
	host := s.Host("early.example")
	host.HEAD("/early-head", ok)
	gate, err := recessecho.Install(s.Echo, s.engine, recessecho.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	s.GET("/early-head", ok, gate.ForceOff)
	host.GET("/early-head", ok, gate.ForceOff)
	s.on(recess.Opening{})
	s.wants(200, "GET /early-head", "GET http://early.example/early-head")
	s.wants(503, "GET /early", "HEAD /early-head", "HEAD http://early.example/early-head", "GET /nowhere")
}

func TestTheHandlerThatWasSetIsStillTold(t *testing.T) {
	e := echo.New()
	var told []string
	e.OnAddRouteHandler = func(_ string, r echo.Route, _ echo.HandlerFunc, _ []echo.MiddlewareFunc) {
		told = append(told, r.Method+" "+r.Path)
	}
	if _, err := recessecho.New(e, start(t, recess.Policy{}, nil), recessecho.Hooks{}); err != nil {
		t.Fatal(err)
	}
	e.GET("/page", ok)
	if len(told) != 1 || told[0] != "GET /page" {
		t.Errorf("the previous OnAddRouteHandler was told %q", told)
	}
}

func TestPreMiddlewaresComeFirst(t *testing.T) {
	s := open(t, recess.Policy{}, recessecho.Hooks{})
	s.Pre(middleware.MethodOverride(), middleware.Rewrite(map[string]string{"/old/*": "/live/$1"}))
	s.GET("/live/page", ok, s.gate.ForceOff)
	s.POST("/orders", ok, s.gate.ForceOff)
	s.DELETE("/orders", ok)
	s.PATCH("/orders", ok, s.gate.ForceOff)
	s.on(recess.Opening{})
	s.wants(200, "GET /old/page", "POST /orders")
	for method, want := range map[string]int{"DELETE": 503, "PATCH": 200, "GET": 200} {
		r := httptest.NewRequest("POST", "/orders", nil)
		r.Header.Set(echo.HeaderXHTTPMethodOverride, method)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("POST overridden to %s: status %d, want %d", method, w.Code, want)
		}
	}
}

func TestAGateInPreIsClosed(t *testing.T) {
	s := &site{Echo: echo.New(), t: t, engine: start(t, recess.Policy{}, nil)}
	gate, err := recessecho.New(s.Echo, s.engine, recessecho.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	s.Pre(gate.Middleware)
	s.GET("/live", ok, gate.ForceOff)
	s.wants(200, "GET /live")
	s.on(recess.Opening{})
	s.wants(503, "GET /live")
}
