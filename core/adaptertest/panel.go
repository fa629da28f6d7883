package adaptertest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/admin"
	"github.com/recess-go/recess/core/state"
)

var panelTests = []test{
	{"the panel knows the user of the application", testPanelUsers},
	{"the panel closes and opens by its forms, and can be reached in between", testPanelForms},
	{"the API closes and opens by tokens and sessions, and tells who it was", testPanelAPI},
	{"the panel takes nothing from other sites", testPanelOrigins},
	{"anybody may ask for the status and the probes", testPanelPublic},
	{"the panel refuses a long body", testPanelBodies},
	{"the panel answers HEAD", testPanelHead},
	{"the panel finds the client behind proxies, over all header lines", testPanelProxies},
	{"a user's name outlives its request", testPanelNames},
}

const panelToken = "adaptertest-k2V0mB4s"

// paneled is the shop with a panel at /ops, mounted as its documentation says: one route for all below.
func (f Framework) paneled(t *testing.T, p recess.Policy, adjust ...func(*Site)) *world {
	t.Helper()
	p.ControlPath = "/ops"
	p.AdminTokens = []recess.AdminToken{{Name: "deploy", Write: true, Hash: sha256.Sum256([]byte(panelToken))}}
	return f.open(t, p, append(adjust, func(s *Site) {
		s.Root.Routes = append(s.Root.Routes, Route{Pattern: "/ops", Kind: Panel}, Route{Pattern: "/ops/{rest...}", Kind: Panel})
		s.paneling = func(engine *recess.Engine) (http.Handler, error) {
			return admin.New(admin.Config{Engine: engine, Authorize: admin.Superusers, Logger: slog.New(slog.DiscardHandler)})
		}
	})...)
}

// own is a request from the panel's own page.
func (a ask) own() ask { return a.with("Sec-Fetch-Site: same-origin") }

// order is a call of the panel's API.
func order(target, body string) ask {
	a := request("POST", target, "Content-Type: application/json")
	a.body = body
	return a
}

func (a ask) bearer() ask { return a.with("Authorization: Bearer " + panelToken) }

// is sends a request and wants a status; no handler of the site may run.
func (w *world) is(a ask, status int) answer {
	w.t.Helper()
	got := w.do(a)
	if got.err != nil || got.status != status || len(got.ran) > 0 {
		w.t.Errorf("%s: status %d (%v, %q ran), want %d: %.300s", a, got.status, got.err, got.ran, status, got.body)
	}
	for _, name := range []string{"Cache-Control", "X-Content-Type-Options", "Content-Type"} {
		if lines := got.header[name]; len(lines) != 1 {
			w.t.Errorf("%s: the answer has %s: %q, want one line", a, name, lines)
		}
	}
	return got
}

var tokenField = regexp.MustCompile(`name="token" value="([A-Z2-7]+)"`)

// form loads the panel, and is a form of it.
func (w *world) form(user, target, values string) ask {
	w.t.Helper()
	got := w.is(get("/ops/").as(user).own(), 200)
	token := tokenField.FindStringSubmatch(got.body)
	cookie, _, _ := strings.Cut(got.header.Get("Set-Cookie"), ";")
	if token == nil || cookie == "" {
		w.t.Fatalf("the panel has no token or no cookie: %s", got.head)
	}
	a := request("POST", target, "Content-Type: application/x-www-form-urlencoded", "Cookie: theme=dark; "+cookie).as(user).own()
	a.body = "token=" + token[1] + "&" + values
	return a
}

// lastChange is the newest entry of the history.
func (w *world) lastChange() state.Entry {
	w.t.Helper()
	now, err := w.control.State(w.t.Context())
	if err != nil || len(now.History) == 0 {
		w.t.Fatalf("there is no history (%v)", err)
	}
	return now.History[len(now.History)-1]
}

func testPanelUsers(t *testing.T, f Framework) {
	w := f.paneled(t, recess.Policy{})
	for _, closed := range []bool{false, true} {
		if closed {
			w.on(recess.Opening{})
		}
		for user, status := range map[string]int{"": 401, "alice": 403, "staff": 403, "root": 200, "both": 200} {
			for _, target := range []string{"/ops/", "/ops/api/status", "/ops/api/openapi.json"} {
				w.is(get(target).as(user), status)
			}
			refused := status
			if status == 200 {
				refused = 404
			}
			w.is(get("/ops/none").as(user), refused)
		}
		if got := w.is(get("/ops").as("root"), 303); got.header.Get("Location") != "/ops/" {
			t.Errorf("/ops leads to %q", got.header.Get("Location"))
		}
	}
	if n := w.site.hooks.logoutCalls.Load(); n != 0 {
		t.Errorf("%d sessions were ended", n)
	}

	panics := f.paneled(t, recess.Policy{}, func(s *Site) {
		s.hooks.user = func(Call) recess.User { panic("adaptertest: who is it?") }
	})
	panics.is(get("/ops/").as("root"), 401)
	panics.is(get("/ops/api/status").bearer(), 200)
}

func testPanelForms(t *testing.T, f Framework) {
	w := f.paneled(t, recess.Policy{})
	a := get("/orders")
	for range 2 {
		if got := w.is(w.form("root", "/ops/on", "message=We+move.&reason=OPS-1"), 303); got.header.Get("Location") != "/ops/?done=on" {
			t.Errorf("the form leads to %q", got.header.Get("Location"))
		}
		w.isMaintenance(a)
		if got := w.is(get("/ops/?done=on").as("root"), 200); !strings.Contains(got.body, "Maintenance is ON for the whole site") || !strings.Contains(got.body, "It runs now") {
			t.Error("the panel does not say that it is closed")
		}
		if got := w.is(w.form("root", "/ops/preview", "message=Wir+ziehen+um.&language=de"), 200); !strings.Contains(got.body, "Wir ziehen um.") || got.header.Get("X-Frame-Options") != "SAMEORIGIN" {
			t.Errorf("the preview is %s %s", got.head, got.body)
		}
		w.is(w.form("root", "/ops/explain", "path=/orders"), 200)
		w.is(w.form("root", "/ops/off", "reason=done"), 303)
		w.passesUntold(a, "orders")
	}
	if got := w.lastChange(); got.By != (state.Actor{Name: "root", Host: "127.0.0.1", Source: "panel"}) || got.Action != "off" || got.Reason != "done" {
		t.Errorf("the history has %+v", got)
	}
	without := w.form("root", "/ops/on", "")
	without.body = "reason=x"
	w.is(without, 403)
	w.passesUntold(a, "orders")
}

// isMaintenance wants a refusal, whatever its page says.
func (w *world) isMaintenance(a ask) {
	w.t.Helper()
	if got := w.do(a); got.status != 503 || len(got.ran) > 0 {
		w.t.Errorf("%s: status %d and %q ran, want a refusal", a, got.status, got.ran)
	}
}

func testPanelAPI(t *testing.T, f Framework) {
	w := f.paneled(t, recess.Policy{})
	for who, from := range map[string]func(ask) ask{
		"deploy": ask.bearer, "root": func(a ask) ask { return a.as("root").own() },
	} {
		source := map[string]string{"deploy": "api", "root": "panel"}[who]
		got := w.is(from(order("/ops/api/on", `{"for":"1h","messages":{"":"We move."}}`)), 200)
		var change struct {
			Action string
			Opened []struct{ Mode string }
		}
		if err := json.Unmarshal([]byte(got.body), &change); err != nil || change.Action != "on" || len(change.Opened) != 1 || change.Opened[0].Mode != "full" {
			t.Errorf("on: %v, %+v", err, change)
		}
		w.isMaintenance(get("/orders"))
		var status struct{ Active bool }
		got = w.is(from(get("/ops/api/status")), 200)
		if err := json.Unmarshal([]byte(got.body), &status); err != nil || !status.Active {
			t.Errorf("status: %v, %s", err, got.body)
		}
		if got := w.is(from(order("/ops/api/explain", `{"path":"/orders"}`)), 200); !strings.Contains(got.body, `"refused": true`) {
			t.Errorf("explain: %s", got.body)
		}
		w.is(from(get("/ops/api/fleet")), 200)
		w.is(from(order("/ops/api/off", `{}`)), 200)
		w.passesUntold(get("/orders"), "orders")
		if got := w.lastChange(); got.By != (state.Actor{Name: who, Host: "127.0.0.1", Source: source}) || got.Action != "off" {
			t.Errorf("the history has %+v", got)
		}
		if got := w.is(from(order("/ops/api/on", `{"Scope":"x"}`)), 422); got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("a problem is %q", got.header.Get("Content-Type"))
		}
	}
	if got := w.is(request("PUT", "/ops/api/on").bearer(), 405); got.header.Get("Allow") != "POST" {
		t.Errorf("Allow is %q", got.header.Get("Allow"))
	}
	if got := w.is(get("/ops/api/status"), 401); got.header.Get("WWW-Authenticate") == "" {
		t.Error("nobody is told how to sign in")
	}
	w.is(get("/ops/api/status", "Authorization: Bearer "+panelToken, "Authorization: Bearer "+panelToken), 401) // which one is meant?
}

func testPanelOrigins(t *testing.T, f Framework) {
	w := f.paneled(t, recess.Policy{})
	form := w.form("root", "/ops/on", "")
	form.lines = form.lines[:len(form.lines)-1] // without same-origin
	for _, lines := range [][]string{
		nil,
		{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"},
		{"Sec-Fetch-Site: same-site", "Origin: https://blog.shop.example"},
		{"Sec-Fetch-Site: none"},
		{"Origin: null"},
		{"Origin: http://evil@shop.example"},
		{"Origin: http://shop.example:8080"},
		{"Origin: http://shop.example", "Origin: http://evil.example"},
		{"Origin: http://evil.example", "Origin: http://shop.example"},
	} {
		w.is(form.with(lines...), 403)
		w.is(order("/ops/api/on", `{}`).as("root").with(lines...), 403)
		plain := request("POST", "/ops/api/on", "Content-Type: text/plain").as("root").own()
		plain.body = `{}`
		w.is(plain, 415)
		w.passesUntold(get("/orders"), "orders")
	}
	w.is(form.own(), 303)
	w.isMaintenance(get("/orders"))
}

func testPanelPublic(t *testing.T, f Framework) {
	w := f.paneled(t, recess.Policy{Readiness: recess.ReadyWhileOpen})
	for _, closed := range []bool{false, true} {
		ready := 200
		if closed {
			w.on(recess.Opening{})
			ready = 503
		}
		for target, status := range map[string]int{"/ops/status": 200, "/ops/live": 200, "/ops/ready": ready} {
			got, own := w.is(get(target), status), w.do(get(strings.Replace(target, "/ops", "/maintenance", 1)))
			if !closed && got.body != own.body { // /maintenance is no control path here
				t.Errorf("%s: %q, the gate's own is %q", target, got.body, own.body)
			}
			if got.header.Get("Set-Cookie") != "" || got.header.Get("Content-Security-Policy") != own.header.Get("Content-Security-Policy") && !closed {
				t.Errorf("%s has %s", target, got.head)
			}
		}
		if n := w.site.hooks.userCalls.Load(); !closed && n > 6 {
			t.Errorf("the application was asked %d times who it is", n)
		}
		w.is(get("/ops/panel.css"), 200)
	}
}

func testPanelBodies(t *testing.T, f Framework) {
	w := f.paneled(t, recess.Policy{})
	long := `{"reason":"` + strings.Repeat("a", 2<<20) + `"}`
	w.is(order("/ops/api/on", long).bearer(), 413)
	a := w.form("root", "/ops/on", "message="+strings.Repeat("a", 2<<20))
	w.is(a, 413)
	w.passesUntold(get("/orders"), "orders")
	w.is(order("/ops/api/on", `{"messages":{"":"`+strings.Repeat("a", state.MaxMessage)+`"}}`).bearer(), 200)
	w.isMaintenance(get("/orders"))
}

func testPanelHead(t *testing.T, f Framework) {
	w := f.paneled(t, recess.Policy{})
	for _, target := range []string{"/ops/", "/ops/api/status", "/ops/api/openapi.json", "/ops/panel.css", "/ops/status"} {
		c := w.dial()
		for range 2 { // a body would stand before the second answer
			if got := c.do(request("HEAD", target).as("root")); got.err != nil || got.status != 200 || got.body != "" || got.header.Get("Content-Type") == "" {
				t.Errorf("HEAD %s: %d %q (%v)", target, got.status, got.body, got.err)
			}
		}
		c.Close()
	}
	w.is(request("HEAD", "/ops/on").as("root"), 405)
}

func testPanelProxies(t *testing.T, f Framework) {
	w := f.paneled(t, recess.Policy{TrustedProxies: []string{"127.0.0.0/8", "10.0.0.0/8"}})
	for i, c := range []struct {
		lines []string
		want  string
	}{
		{nil, "an unknown address"}, // a proxy that names nobody
		{[]string{"X-Forwarded-For: 203.0.113.9"}, "203.0.113.9"},
		{[]string{"X-Forwarded-For: 198.51.100.1, 203.0.113.9, 10.0.0.1"}, "203.0.113.9"},
		{[]string{"X-Forwarded-For: 198.51.100.1, 203.0.113.9", "X-Forwarded-For: 10.0.0.1"}, "203.0.113.9"},
		{[]string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-For: 10.0.0.2"}, "203.0.113.9"},
	} {
		w.is(order("/ops/api/on", fmt.Sprintf(`{"reason":"%d"}`, i)).bearer().with(c.lines...), 200)
		if got := w.lastChange().By.Host; got != c.want {
			t.Errorf("%q: the history has %q, want %q", c.lines, got, c.want)
		}
	}
}

// testPanelNames: a framework may use the memory of a name again (fiber does), and the name stays what it was.
func testPanelNames(t *testing.T, f Framework) {
	w := f.paneled(t, recess.Policy{}, func(s *Site) {
		s.hooks.user = func(c Call) recess.User {
			return recess.User{Name: c.Header(headerUser), Authenticated: true, Superuser: true}
		}
	})
	c := w.dial()
	defer c.Close()
	if got := c.do(order("/ops/api/on", `{"reason":"first"}`).as("the-name-that-was-first").own()); got.status != 200 {
		t.Fatalf("on: %d %s", got.status, got.body)
	}
	for i := range 50 {
		c.do(get("/ops/api/status").as(fmt.Sprintf("%d-%s", i, strings.Repeat("x", 20))))
	}
	if got := w.lastChange().By.Name; got != "the-name-that-was-first" {
		t.Errorf("the history has %q", got)
	}
	if running := w.engine.Situation().Running; len(running) != 1 || running[0].OpenedBy.Name != "the-name-that-was-first" {
		t.Errorf("the engine has %+v", running)
	}
}
