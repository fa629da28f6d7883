package shoptest

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/examples/internal/shop"
)

// Contract tests an application against section 7 of design.md.
func Contract(t *testing.T, launch Launcher) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Launcher)
	}{
		{"every route answers while the site is open", open},
		{"every route is closed but those that say otherwise", closed},
		{"a scope closes what belongs to it", scoped},
		{"RECESS_SCOPES replaces scopes of the same name", replacedScope},
		{"a visitor who is let in sees everything and a banner", letIn},
		{"a link lets one person in", passes},
		{"users are told apart", usersApart},
		{"operators can log in if the policy says so", loginLetIn},
		{"who is logged out is anonymous from then on", loggedOut},
		{"a read-only site can be looked at", readOnly},
		{"what is planned or announced shows in a banner", banners},
		{"the panel is for superusers and for tokens", panel},
		{"refusals stay out of the request log", requestLog},
		{"sessions cannot be forged", forgedSession},
		{"events tick until the site ends", events},
		{"a WebSocket echoes until the site ends", webSocket},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) { c.test(t, launch) })
	}
}

// A Route is what a request gets while the site is open.
type Route struct {
	Request   string
	Status    int
	MediaType string
	Says      string
}

// Routes is the table of routes, but for the streams.
var Routes = []Route{
	{"GET /", 200, "text/html", "Enamel kettle"},
	{"GET /ignored/", 200, "text/plain", "ignored\n"},
	{"GET /ignored/deep/er", 200, "text/plain", "ignored, deeper\n"},
	{"GET /healthz", 200, "text/plain", "ok\n"},
	{"GET /closed", 503, "text/html", ""},
	{"GET /checkout/cart", 200, "text/html", "There is nothing in it"},
	{"POST /checkout/cart item=lamp", 200, "text/html", "Reading lamp, € 64"},
	{"GET /api/orders", 200, "application/json", `{"orders":[]}`},
	{`POST /api/orders {"item":"kettle"}`, 201, "application/json", `{"id":1,"item":"kettle"}`},
	{"POST /api/orders", 201, "application/json", `{"id":2,"item":""}`},
	{"GET /api/orders", 200, "application/json", `{"orders":[{"id":1,"item":"kettle"},{"id":2,"item":""}]}`},
	{"POST /api/orders kettle", 400, "text/plain", "an order is written as in"},
	{`POST /api/orders {"item":"` + strings.Repeat("x", shop.MaxOrder) + `"}`, 413, "text/plain", "too long"},
	{"GET /admin", 200, "text/plain", "admin site"},
	{"GET /admin/", 200, "text/plain", "admin site"},
	{"GET /login?user=alice", 200, "application/json", `{"user":"alice","authenticated":true,"staff":false,"superuser":false,"roles":[]}`},
	{"GET /login?user=staff", 200, "application/json", `{"user":"staff","authenticated":true,"staff":true,"superuser":false,"roles":["ops"]}`},
	{"GET /login?user=root", 200, "application/json", `{"user":"root","authenticated":true,"staff":false,"superuser":true,"roles":["admin"]}`},
	{"GET /login?user=eve", 400, "text/plain", `nobody is called "eve"`},
	{"GET /login", 400, "text/plain", "log in as alice, staff or root"},
	{"GET /logout", 200, "application/json", `"user":"anonymous"`},
	{"GET /me", 200, "application/json", `"user":"anonymous"`},
	{"GET /slow?d=1ms", 200, "text/plain", "done after 1ms\n"},
	{"GET /slow?d=soon", 400, "text/plain", "write a duration"},
	{"GET /slow?d=-1s", 400, "text/plain", "write a duration"},
	{"GET /maintenance/status", 200, "application/json", `"active":false`},
	{"GET /maintenance/live", 200, "application/json", `"live":true`},
	{"GET /maintenance/ready", 200, "application/json", `"ready":true`},
	{"GET /maintenance/pass", 404, "text/html", "no bypass passes"},
	{"GET /ws", 426, "", ""},
	{"HEAD /", 200, "text/html", ""},
	{"HEAD /healthz", 200, "text/plain", ""},
	{"HEAD /checkout/cart", 200, "text/html", ""},
	{"HEAD /maintenance/status", 200, "application/json", ""},
	{"GET /nowhere", 404, "", ""},
	{"GET /ignored", 404, "", ""},
	{"GET /maintenance", 303, "", ""},
	{"GET /maintenance/", 401, "text/html", "sign in first"},
	{"POST /maintenance/on", 401, "text/html", "sign in first"},
	{"GET /maintenance/api/status", 401, "application/problem+json", `"code": "unauthorized"`},
}

func open(t *testing.T, launch Launcher) {
	s := Open(t, launch, nil)
	for _, r := range Routes {
		s.wantsRoute(r)
	}
}

func (s *Site) wantsRoute(r Route) {
	s.t.Helper()
	got := s.Ask(r.Request)
	if got.Status != r.Status || r.MediaType != "" && got.MediaType() != r.MediaType {
		s.t.Errorf("%.80s: %d %s, want %d %s", r.Request, got.Status, got.MediaType(), r.Status, r.MediaType)
	}
	got.Says(r.Says)
	if r.Status != http.StatusServiceUnavailable {
		got.Carries(page.HeaderName, "")
	}
}

// stay are the requests that the whole site's maintenance does not close.
var stay = map[string]bool{
	"GET /healthz": true, "HEAD /healthz": true, "GET /maintenance/status": true, "HEAD /maintenance/status": true,
	"GET /maintenance/live": true, "GET /maintenance/ready": true, "GET /maintenance/pass": true,
	"GET /maintenance": true, "GET /maintenance/": true, "POST /maintenance/on": true, "GET /maintenance/api/status": true,
}

func closed(t *testing.T, launch Launcher) {
	s := Open(t, launch, nil)
	alice := s.Login("alice")
	s.On(recess.Opening{Messages: map[string]string{"": "Back at noon"}})
	for _, r := range append(slices.Clone(Routes), Route{Request: "GET /events"}) {
		if stay[r.Request] {
			if got := s.Ask(r.Request); got.Status != r.Status {
				t.Errorf("%s: status %d, want %d as ever", r.Request, got.Status, r.Status)
			}
			continue
		}
		got := s.Ask(r.Request, As(alice))
		if got.Status != http.StatusServiceUnavailable {
			t.Errorf("%.80s: status %d, want 503", r.Request, got.Status)
		}
		got.Carries(page.HeaderName, "full")
		got.Carries("Retry-After", "3600")
		got.Carries("Cache-Control", "no-store")
		if method, _, _ := strings.Cut(r.Request, " "); (got.Body == "") != (method == "HEAD") {
			t.Errorf("%.80s: the body is %q", r.Request, got.Body)
		}
	}
	s.Ask("GET /").Says("Back at noon")
	s.Ask("GET /maintenance/status").Says(`"active":true`)
	if got := s.Ask("GET /api/orders", Header("Accept", "application/json")); got.MediaType() != "application/json" {
		t.Errorf("the refusal of a JSON client is %s", got.MediaType())
	}
	s.Off()
	s.Wants(http.StatusOK, "GET /", "GET /api/orders", "POST /checkout/cart")
	s.Wants(http.StatusServiceUnavailable, "GET /closed")
}

func scoped(t *testing.T, launch Launcher) {
	s := Open(t, launch, nil)
	s.On(recess.Opening{Scope: "checkout"})
	s.Wants(http.StatusServiceUnavailable, "GET /checkout/cart", "POST /checkout/cart", "HEAD /checkout/cart")
	s.Wants(http.StatusOK, "GET /", "GET /api/orders", "GET /admin/", "GET /healthz")
	s.Ask("GET /checkout/cart").Carries(page.HeaderName, `full;scope="checkout"`)
	s.Off("checkout")
	s.On(recess.Opening{Scope: "api"})
	s.Wants(http.StatusServiceUnavailable, "GET /api/orders", "POST /api/orders", "GET /api/", "GET /api", "GET /api/nowhere", "GET /%61pi/orders")
	s.Wants(http.StatusOK, "GET /", "GET /checkout/cart", "POST /checkout/cart")
	s.Wants(http.StatusNotFound, "GET /apiary")
	s.Off("api")
	s.Wants(http.StatusOK, "GET /api/orders")
}

func replacedScope(t *testing.T, launch Launcher) {
	s := Open(t, launch, map[string]string{"RECESS_SCOPES": "api=/me;/admin/**\nlogin=/login"})
	s.On(recess.Opening{Scope: "api"})
	s.Wants(http.StatusServiceUnavailable, "GET /me", "GET /admin", "GET /admin/")
	s.Wants(http.StatusOK, "GET /api/orders", "GET /login?user=root")
}

func letIn(t *testing.T, launch Launcher) {
	s := Open(t, launch, map[string]string{
		"RECESS_ALLOW_PATHS": "/ignored/**", "RECESS_ALLOW_ADMIN_SITE": "/admin/",
		"RECESS_ALLOW_HEADERS": "X-Preview=a secret of the testers",
	})
	s.On(recess.Opening{End: time.Now().Add(time.Hour).Truncate(time.Second)})
	s.Wants(http.StatusOK, "GET /ignored/", "GET /ignored/deep/er", "GET /admin", "GET /admin/")
	s.Wants(http.StatusServiceUnavailable, "GET /", "GET /%69gnored/", "GET /ignored/../me")
	got := s.Ask("GET /", Header("X-Preview", "a secret of the testers"))
	if got.Status != http.StatusOK {
		t.Errorf("with the secret: status %d", got.Status)
	}
	got.Says("you were let in")
	got.Carries("Cache-Control", "private, no-store")
	if mode, ok := page.ParseModeField(got.Header.Get(page.HeaderName)); !ok || !mode.Allowed || mode.Until.IsZero() {
		t.Errorf("%s is %q, want full, allowed and an end", page.HeaderName, got.Header.Get(page.HeaderName))
	}
	s.Ask("GET /checkout/cart", Header("X-Preview", "a secret of the testers")).Says("you were let in")
	if got := s.Ask("GET /", Header("X-Preview", "a secret of nobody")); got.Status != http.StatusServiceUnavailable {
		t.Errorf("with another secret: status %d", got.Status)
	}
}

func usersApart(t *testing.T, launch Launcher) {
	for _, c := range []struct{ variable, value, in string }{
		{"RECESS_ALLOW_ANONYMOUS", "true", "anonymous"},
		{"RECESS_ALLOW_AUTHENTICATED", "true", "alice staff root"},
		{"RECESS_ALLOW_STAFF", "true", "staff"},
		{"RECESS_ALLOW_SUPERUSER", "true", "root"},
		{"RECESS_ALLOW_ROLES", "ops", "staff"},
		{"RECESS_ALLOW_ROLES", "ops,admin", "staff root"},
	} {
		s := Open(t, launch, map[string]string{c.variable: c.value})
		cookies := map[string]*http.Cookie{"anonymous": {Name: "other", Value: "x"}}
		for _, user := range []string{"alice", "staff", "root"} {
			cookies[user] = s.Login(user)
		}
		s.On(recess.Opening{})
		for user, cookie := range cookies {
			want := http.StatusServiceUnavailable
			if slices.Contains(strings.Fields(c.in), user) {
				want = http.StatusOK
			}
			if got := s.Ask("GET /me", As(cookie)); got.Status != want {
				t.Errorf("%s=%s: %s: status %d, want %d", c.variable, c.value, user, got.Status, want)
			}
		}
	}
}

func loginLetIn(t *testing.T, launch Launcher) {
	s := Open(t, launch, map[string]string{"RECESS_ALLOW_STAFF": "true", "RECESS_ALLOW_PATHS": "/login,/logout"})
	s.On(recess.Opening{})
	staff := s.Login("staff")
	if got := s.Ask("GET /", As(staff)); got.Status != http.StatusOK {
		t.Errorf("staff: status %d", got.Status)
	}
	if got := s.Ask("GET /logout", As(staff)); got.Status != http.StatusOK {
		t.Errorf("logout: status %d", got.Status)
	}
	if got := s.Ask("GET /", As(staff)); got.Status != http.StatusServiceUnavailable {
		t.Errorf("staff after the logout: status %d", got.Status)
	}
}

func loggedOut(t *testing.T, launch Launcher) {
	s := Open(t, launch, map[string]string{"RECESS_LOGOUT_AUTHENTICATED": "true", "RECESS_LOGOUT_STAFF": "false", "RECESS_ALLOW_STAFF": "true"})
	alice, staff := s.Login("alice"), s.Login("staff")
	s.On(recess.Opening{})
	got := s.Ask("GET /", As(alice))
	if got.Status != http.StatusServiceUnavailable {
		t.Errorf("alice: status %d", got.Status)
	}
	if !slices.ContainsFunc(got.cookies, func(c *http.Cookie) bool {
		return c.Name == shop.SessionCookie && c.Value == "" && (c.MaxAge < 0 || c.Expires.Before(time.Now()))
	}) {
		t.Errorf("alice keeps her cookie: %v", got.Header["Set-Cookie"])
	}
	if got := s.Ask("GET /", As(staff)); got.Status != http.StatusOK {
		t.Errorf("staff: status %d", got.Status)
	}
	s.Off()
	s.Ask("GET /me", As(alice)).Says(`"user":"anonymous"`)
	s.Ask("GET /me", As(staff)).Says(`"user":"staff"`)
}

func readOnly(t *testing.T, launch Launcher) {
	s := Open(t, launch, nil)
	s.On(recess.Opening{Mode: state.ReadOnly})
	s.Wants(http.StatusOK, "GET /", "HEAD /", "GET /checkout/cart", "GET /api/orders")
	s.Wants(http.StatusServiceUnavailable, "POST /checkout/cart", "POST /api/orders")
	s.Ask("GET /").Says("Read-only for now: you can look around")
}

func banners(t *testing.T, launch Launcher) {
	s := Open(t, launch, nil)
	s.Ask("GET /").Hides(`class="recess-banner`)
	start := time.Now().Add(24 * time.Hour).Truncate(time.Minute)
	s.On(recess.Opening{
		Start: start, End: start.Add(time.Hour),
		Messages: map[string]string{"": "New shelves & <lamps>", "de": "Neue Regale"},
	})
	got := s.Ask("GET /", Header("Accept-Language", "de-AT"))
	got.Says(`lang="de" dir="auto">Neue Regale</p>`)
	got.Carries("Vary", "Accept-Language")
	got = s.Ask("GET /")
	got.Says("Maintenance is planned from")
	got.Says(start.UTC().Format(`<time datetime="2006-01-02T15:04Z">`))
	got.Says("New shelves &amp; &lt;lamps&gt;")
	got.Says(`role="status"`)
	s.Off()
	s.On(recess.Opening{Mode: state.Announce, Messages: map[string]string{"": "We are busy"}})
	got = s.Ask("GET /")
	if got.Status != http.StatusOK {
		t.Errorf("status %d while something is announced", got.Status)
	}
	got.Says("We are busy")
	s.Off()
	s.Ask("GET /").Hides(`class="recess-banner`)
}

func requestLog(t *testing.T, launch Launcher) {
	s := Open(t, launch, nil)
	s.Wants(http.StatusNotFound, "GET /before")
	s.On(recess.Opening{})
	s.Wants(http.StatusServiceUnavailable, "GET /during")
	s.Off()
	s.Wants(http.StatusNotFound, "GET /after")
	if err := s.Stop(); err != nil { // all is logged then
		t.Fatal(err)
	}
	log := s.Log()
	if !strings.Contains(log, "/before") || !strings.Contains(log, "/after") || strings.Contains(log, "/during") {
		t.Errorf("the log should name /before and /after, and not /during:\n%s", log)
	}
}

func forgedSession(t *testing.T, launch Launcher) {
	s := Open(t, launch, nil)
	alice := s.Login("alice")
	for name, value := range map[string]string{
		"another name":     strings.Replace(alice.Value, "alice", "root", 1),
		"no signature":     alice.Value[:strings.LastIndexByte(alice.Value, '.')+1],
		"nothing but dots": "....",
		"a bare name":      "root",
	} {
		if got := s.Ask("GET /me", As(&http.Cookie{Name: shop.SessionCookie, Value: value})); !strings.Contains(got.Body, "anonymous") {
			t.Errorf("%s: %s", name, got.Body)
		}
	}
	s.Ask("GET /me", As(alice)).Says(`"user":"alice"`)
}

// panel closes and opens the shop as section 7 says: superusers, 403 to others, 401 to anonymous; by session and by token.
func panel(t *testing.T, launch Launcher) {
	const token = "sXQnPp2h"
	s := Open(t, launch, map[string]string{"RECESS_ADMIN_TOKENS": "deploy:write:" + fmt.Sprintf("%x", sha256.Sum256([]byte(token)))})
	for user, status := range map[string]int{"alice": 403, "staff": 403, "root": 200} {
		as := As(s.Login(user))
		for _, request := range []string{"GET /maintenance/", "GET /maintenance/api/status"} {
			if got := s.Ask(request, as); got.Status != status {
				t.Errorf("%s as %s: status %d, want %d", request, user, got.Status, status)
			}
		}
	}
	root := As(s.Login("root"))
	json, own := Header("Content-Type", "application/json"), Header("Sec-Fetch-Site", "same-origin")
	bearer := Header("Authorization", "Bearer "+token)
	wants := func(status int, request string, with ...With) {
		t.Helper()
		if got := s.Ask(request, with...); got.Status != status {
			t.Errorf("%s: status %d, want %d: %s", request, got.Status, status, got.Body)
		}
	}
	wants(403, "POST /maintenance/api/on {}", root, json) // does it come from the panel?
	wants(200, "GET /")
	wants(200, `POST /maintenance/api/on {"for":"1h"}`, root, json, own)
	wants(503, "GET /")
	wants(200, "GET /maintenance/", root)
	wants(200, "POST /maintenance/api/off {}", bearer, json)
	wants(200, "GET /")
	s.Ask("GET /maintenance/", root).Says("deploy on ")
}
