package recessgin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
)

func TestARefusalOfAMissingRouteIsComplete(t *testing.T) {
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusNotFound} {
		s := open(t, recess.Policy{Status: status}, recessgin.Hooks{})
		s.on(recess.Opening{})
		for _, request := range []string{"GET /nowhere", "HEAD /nowhere", "POST /nowhere", "FOO /nowhere"} {
			got := s.ask(request)
			if got.Code != status || got.Header().Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("%s: %d %q, want %d and the page's type", request, got.Code, got.Header().Get("Content-Type"), status)
			}
			if isHead := strings.HasPrefix(request, "HEAD"); (got.Body.Len() == 0) != isHead || strings.Contains(got.Body.String(), "404 page not found") {
				t.Errorf("%s: body %q", request, got.Body)
			}
		}
	}
}

func TestGinRedirectsSlashesBeforeTheGateUnlessToldNotTo(t *testing.T) {
	s := open(t, recess.Policy{}, recessgin.Hooks{})
	s.GET("/cart", ok)
	s.on(recess.Opening{})
	s.wants(http.StatusMovedPermanently, "GET /cart/")
	s.RedirectTrailingSlash = false
	s.wants(http.StatusServiceUnavailable, "GET /cart/", "GET /cart")
}

func TestHandleContextIsDecidedOnceMoreForTheRouteItLeadsTo(t *testing.T) {
	s := open(t, recess.Policy{AllowPaths: []string{"/old/**"}}, recessgin.Hooks{})
	var ran []string
	forward := func(path string) gin.HandlerFunc {
		return func(c *gin.Context) {
			ran = append(ran, "forward")
			c.Request.URL.Path = path
			s.HandleContext(c)
		}
	}
	target := func(c *gin.Context) {
		if n := s.engine.Counts().InFlight; n != 2 {
			t.Errorf("%d in flight in a re-dispatched handler, want 2", n)
		}
		ran = append(ran, "target")
		c.String(http.StatusOK, "%t", s.gate.Maintenance(c) != nil)
	}
	s.GET("/old/to-closed", forward("/new"))
	s.GET("/old/to-live", forward("/live"))
	s.GET("/old/to-allowed", forward("/old/target"))
	s.GET("/new", target)
	s.GET("/live", s.gate.ForceOff, target)
	s.GET("/old/target", target)
	s.on(recess.Opening{})

	for _, test := range []struct {
		request string
		status  int
		ran     string
	}{
		{"GET /old/to-closed", 503, "forward"},
		{"GET /old/to-live", 200, "forward target"},
		{"GET /old/to-allowed", 200, "forward target"},
		{"GET /new", 503, ""},
	} {
		ran = nil
		got := s.ask(test.request)
		if got.Code != test.status || strings.Join(ran, " ") != test.ran {
			t.Errorf("%s: %d after %q, want %d after %q", test.request, got.Code, ran, test.status, test.ran)
		}
	}
	if n := s.engine.Counts().InFlight; n != 0 {
		t.Errorf("%d in flight in the end, want 0", n)
	}
}
