// Package identitytest tells whether a recipe says who asks, by asking an application that uses it over real connections.
// All recipes run one contract.
package identitytest

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// A Server begins to serve an application behind a gate on the engine, and returns where. It ends with the test. In every
// application GET /me answers with the name of its user, as the application itself sees him, or with "anonymous". The
// library's middleware stands before /me. GET /open answers "open" and leaves the status to the framework; of the
// middlewares only one in front of the gate, or one that refuses nobody, stands before it.
type Server func(t testing.TB, engine *recess.Engine) (base string)

// HTTP serves an application on net/http.
func HTTP(t testing.TB, handler http.Handler) (base string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// Fiber serves an application on fiber.
func Fiber(t testing.TB, app *fiber.App) (base string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- app.Listener(listener) }()
	t.Cleanup(func() {
		if err := errors.Join(app.Shutdown(), <-ended); err != nil {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// Quiet is how the applications on fiber are made.
var Quiet = fiber.Config{DisableStartupMessage: true}

// Anonymous is what GET /me answers to who is nobody.
const Anonymous = "anonymous"

// site is an application that is asked.
type site struct {
	t       testing.TB
	base    string
	client  *http.Client
	control *recess.Controller
}

// open serves an application under a policy. Nothing runs yet.
func open(t testing.TB, serve Server, policy recess.Policy) *site {
	t.Helper()
	engine, err := recess.New(t.Context(), recess.Config{
		Backend: memstate.New(memstate.Config{}), Policy: policy, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	transport := &http.Transport{MaxIdleConnsPerHost: 32} // nobody of a crowd opens a connection for each request
	s := &site{t: t, client: &http.Client{Transport: transport}, control: engine.Control(state.Actor{Name: "identitytest"})}
	s.base = serve(t, engine)
	t.Cleanup(transport.CloseIdleConnections) // before the server ends, which waits for them
	return s
}

// close and reopen change the state; an engine has its own changes at once.
func (s *site) close() {
	s.t.Helper()
	if _, err := s.control.On(s.t.Context(), recess.Opening{}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) reopen() {
	s.t.Helper()
	if _, err := s.control.Off(s.t.Context(), recess.Ending{}); err != nil {
		s.t.Fatal(err)
	}
}

// Closed asks for /me on an application whose site is closed, and returns the status.
func Closed(t testing.TB, serve Server, policy recess.Policy, with With) int {
	t.Helper()
	s := open(t, serve, policy)
	s.close()
	return s.ask("/me", with).status
}

// A With is what a visitor sends along.
type With func(*http.Request)

// nothing is what an anonymous visitor sends along.
func nothing(*http.Request) {}

// Header sends a header along.
func Header(name, value string) With {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// Cookie sends a cookie along, between two others.
func Cookie(name, value string) With {
	return Header("Cookie", "first=1; "+name+"="+value+"; last=2")
}

// answer is what came back.
type answer struct {
	status  int
	body    string
	header  http.Header
	blocked bool
	cookies []*http.Cookie
}

// ask may be called by any goroutine. The zero answer is none.
func (s *site) ask(path string, with With) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.base+path, http.NoBody)
	if err != nil {
		s.t.Error(err)
		return answer{}
	}
	with(r)
	response, err := s.client.Do(r)
	if err != nil {
		s.t.Error(err)
		return answer{}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Error(err)
	}
	return answer{response.StatusCode, strings.TrimSpace(string(body)), response.Header, nethttp.Blocked(response.Header), response.Cookies()}
}

// same compares answers byte by byte, but for the date.
func (a answer) same(b answer) bool {
	a.header.Del("Date")
	b.header.Del("Date")
	return a.status == b.status && a.body == b.body && len(a.header) == len(b.header) &&
		!slices.ContainsFunc(keys(a.header), func(name string) bool { return !slices.Equal(a.header[name], b.header[name]) })
}

func keys(h http.Header) (names []string) {
	for name := range h {
		names = append(names, name)
	}
	return names
}
