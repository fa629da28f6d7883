package nethttp_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// passSite is a closed site, and a pass with a link to it.
func passSite(t *testing.T) (*nethttp.Gate, pass.Tokens) {
	t.Helper()
	policy := recess.Policy{PassKeys: []string{"k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}, ControlPath: "/maintenance"}
	engine, err := recess.New(t.Context(), recess.Config{Backend: memstate.New(memstate.Config{}), Policy: policy, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	ring, err := pass.NewRing(policy.PassKeys, policy.PassAudience)
	if err != nil {
		t.Fatal(err)
	}
	c := engine.Control(state.Actor{Name: "test"})
	if _, err := c.On(t.Context(), recess.Opening{}); err != nil {
		t.Fatal(err)
	}
	tokens, _, err := c.IssuePass(t.Context(), ring, recess.PassOrder{For: "alice", TTL: time.Hour, Uses: 1})
	if err != nil {
		t.Fatal(err)
	}
	gate, err := nethttp.New(engine, nethttp.Hooks{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return gate, tokens
}

// TestAPassOverHTTP2: a client sends each cookie as a field line of its own there (RFC 9113, section 8.2.3).
func TestAPassOverHTTP2(t *testing.T) {
	gate, tokens := passSite(t)
	server := httptest.NewUnstartedServer(gate.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	})))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	for _, c := range []struct {
		token  string
		status int
	}{{tokens.Pass, 200}, {tokens.Pass[:96] + "!", 503}, {tokens.Link, 503}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, cookie := range []*http.Cookie{{Name: "theme", Value: "dark"}, {Name: pass.CookieName, Value: c.token}, {Name: "session", Value: "x"}} {
			r.AddCookie(cookie)
		}
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != c.status || response.ProtoMajor != 2 || c.status == 200 && string(body) != "HTTP/2.0" {
			t.Errorf("%s is answered %d over %s: %q, %v", c.token[:4], response.StatusCode, response.Proto, body, err)
		}
	}
}

// The application's own middlewares may have read the form, and set cookies.
func TestALinkIsUsedBehindOtherMiddlewares(t *testing.T) {
	gate, tokens := passSite(t)
	form := url.Values{"link": {tokens.Link}, "to": {"/cart"}}.Encode()
	r := httptest.NewRequest(http.MethodPost, "/maintenance/pass", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := r.ParseForm(); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	http.SetCookie(w, &http.Cookie{Name: "session", Value: "x"})
	gate.PassLink(w, r)
	cookies := w.Result().Cookies()
	if w.Code != 303 || len(cookies) != 2 || cookies[0].Name != "session" || cookies[1].Name != pass.CookieName || cookies[1].Value != tokens.Pass {
		t.Errorf("it is answered %d with %v", w.Code, cookies)
	}
}

func TestALinkFormThatIsTooLongIsNone(t *testing.T) {
	gate, tokens := passSite(t)
	form := url.Values{"link": {tokens.Link}, "x": {strings.Repeat("x", recess.MaxLinkForm)}}.Encode()
	w := httptest.NewRecorder()
	gate.PassLink(w, httptest.NewRequest(http.MethodPost, "/maintenance/pass", strings.NewReader(form)))
	if w.Code != 403 {
		t.Errorf("it is answered %d", w.Code)
	}
}
