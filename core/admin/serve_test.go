package admin

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state/memstate"
)

func TestNewNamesWhatIsWrong(t *testing.T) {
	engine := func(control string) *recess.Engine {
		e, err := recess.New(t.Context(), recess.Config{Backend: memstate.New(memstate.Config{}), Policy: recess.Policy{ControlPath: control}, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		return e
	}
	usual := engine("/maintenance")
	for _, c := range []struct {
		name   string
		config Config
		want   []string // "" is none
	}{
		{"nothing", Config{}, []string{"Config.Engine is missing"}},
		{"nobody decides", Config{Engine: usual}, []string{"Config.Authorize is missing", "admin.Superusers"}},
		{"no control path", Config{Engine: engine(""), Authorize: who}, []string{"Policy.ControlPath is not set"}},
		{"a path beside", Config{Engine: usual, Authorize: who, Path: "/admin"}, []string{`"/admin" is not below Policy.ControlPath "/maintenance"`}},
		{"a path beside that looks alike", Config{Engine: usual, Authorize: who, Path: "/maintenancex"}, []string{"is not below"}},
		{"a path above", Config{Engine: usual, Authorize: who, Path: "/"}, nil}, // the default, as is ""
		{"a path that leads out", Config{Engine: usual, Authorize: who, Path: "/maintenance/../x"}, []string{"is no plain path"}},
		{"two slashes", Config{Engine: usual, Authorize: who, Path: "/maintenance//x"}, []string{"is no plain path"}},
		{"two final slashes", Config{Engine: usual, Authorize: who, Path: "/maintenance//"}, []string{"is no plain path"}},
		{"a path that is escaped", Config{Engine: usual, Authorize: who, Path: "/maintenance/%2e"}, []string{"is no plain path"}},
		{"a path with a blank", Config{Engine: usual, Authorize: who, Path: "/maintenance/a b"}, []string{"is no plain path"}},
		{"a control path that is none in a cookie", Config{Engine: engine("/a;b"), Authorize: who}, []string{"is no plain path"}},
		{"a script to sign in", Config{Engine: usual, Authorize: who, SignIn: "javascript:alert(1)"}, []string{`Config.SignIn "javascript:alert(1)"`}},
		{"a relative path to sign in", Config{Engine: usual, Authorize: who, SignIn: "login"}, []string{"Config.SignIn"}},
		{"another site to sign in, half", Config{Engine: usual, Authorize: who, SignIn: "//evil.example"}, []string{"Config.SignIn"}},
		{"another site to sign in, with a backslash", Config{Engine: usual, Authorize: who, SignIn: `/\evil.example`}, []string{"Config.SignIn"}},
		{"another site to sign in, with a tab", Config{Engine: usual, Authorize: who, SignIn: "/\t/evil.example"}, []string{"Config.SignIn"}},
		{"no host to sign in", Config{Engine: usual, Authorize: who, SignIn: "https:///login"}, []string{"Config.SignIn"}},
		{"several", Config{Engine: engine(""), SignIn: "x"}, []string{"Authorize", "ControlPath", "SignIn"}},
		{"the least", Config{Engine: usual, Authorize: who}, nil},
		{"a path below", Config{Engine: usual, Authorize: who, Path: "/maintenance/panel/", SignIn: "/login?next=/maintenance/"}, nil},
		{"somebody else's sign-in", Config{Engine: usual, Authorize: who, SignIn: "https://sso.example/login"}, nil},
		{"a control path with a final slash", Config{Engine: engine("/ops/maintenance/"), Authorize: who}, nil},
	} {
		panel, err := New(c.config)
		switch {
		case c.want == nil && (err != nil || panel == nil):
			t.Errorf("%s: %v", c.name, err)
		case c.want != nil && (err == nil || panel != nil):
			t.Errorf("%s: no error", c.name)
		}
		for _, want := range c.want {
			if err != nil && (!strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "admin: ")) {
				t.Errorf("%s: %v, want %q", c.name, err, want)
			}
		}
	}
}

// TestMethods asks for every path with every method.
func TestMethods(t *testing.T) {
	s := open(t, nil)
	for path, routes := range s.panel.routes {
		var allowed []string
		for method := range routes {
			allowed = append(allowed, method)
		}
		if slices.Contains(allowed, "GET") {
			allowed = append(allowed, "HEAD")
		}
		slices.Sort(allowed)
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO", "get", "post"} {
			a := ask{method: method, path: path, body: `{}`}.with("Content-Type: application/json").bearer(writeToken)
			if slices.Contains(allowed, method) {
				if got := s.do(a); got.Code == 405 || method == "HEAD" && got.Body.Len() > 0 && !strings.HasPrefix(path, "/api/") {
					t.Errorf("%s %s: %d with %d bytes", method, path, got.Code, got.Body.Len())
				}
				continue
			}
			code := ""
			if strings.HasPrefix(path, "/api/") {
				code = "method"
			}
			// That a method is overridden in a header is nobody's business here.
			got := s.unchanged(a.with("X-HTTP-Method-Override: POST"), 405, code)
			if got.Header().Get("Allow") != strings.Join(allowed, ", ") {
				t.Errorf("%s %s: Allow is %q, want %q", method, path, got.Header().Get("Allow"), allowed)
			}
			if routes["GET"].handle == nil || routes["GET"].right > None {
				s.unchanged(ask{method: method, path: path, body: `{}`}, 401, "")
			}
		}
	}
}

// TestLookingChangesNothing: no GET does, whoever asks and whatever the address says.
func TestLookingChangesNothing(t *testing.T) {
	s := open(t, nil)
	s.is(order("/api/on", `{}`).bearer(writeToken), 200, "")
	_, token := s.visit("root")
	for path := range s.panel.routes {
		for _, method := range []string{"GET", "HEAD"} {
			for _, query := range []string{"", "?scope=&for=1h&reason=x&all=true&id=x&done=off&_method=POST&token=" + token} {
				a := ask{method: method, path: path + query, body: "reason=x&token=" + token}.with("Content-Type: application/x-www-form-urlencoded", "Cookie: "+secureCookie+"="+token)
				before := s.document().Rev
				s.do(a.as("root"))
				s.do(a.bearer(writeToken))
				if s.document().Rev != before {
					t.Errorf("%s %s has changed the state", method, path+query)
				}
			}
		}
	}
}

// TestHeaders are on every answer, whatever it is.
func TestHeaders(t *testing.T) {
	s := open(t, nil)
	want := map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Vary": "Authorization, Cookie",
	}
	for _, c := range []struct {
		a      ask
		status int
	}{
		{get("/").as("root"), 200},
		{get("/"), 401},
		{get("/").as("alice"), 403},
		{get(""), 303},
		{get("/none").as("root"), 404},
		{ask{method: "PUT", path: "/"}.as("root"), 405},
		{get("/panel.css"), 200},
		{get("/panel.js"), 200},
		{get("/api/status").as("root"), 200},
		{get("/api/status"), 401},
		{get("/api/openapi.json").as("root"), 200},
		{posted("/on").as("root"), 403},
		{s.form("root", "/on"), 303},
		{s.form("root", "/on", "for", "x"), 422},
		{s.form("root", "/explain"), 200},
		{order("/api/on", `{"x":1}`).bearer(writeToken), 422},
		{ask{method: "POST", path: "/status"}, 405},
	} {
		got := s.is(c.a, c.status, "")
		for name, value := range want {
			if strings.HasPrefix(c.a.path, "/panel.") && name == "Cross-Origin-Resource-Policy" {
				value = "cross-origin" // a preview of nothing is of no origin
			}
			if lines := got.Header().Values(name); len(lines) != 1 || lines[0] != value {
				t.Errorf("%s %s: %s is %q, want %q", c.a.method, c.a.path, name, lines, value)
			}
		}
		policy := got.Header().Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s %s: the policy has no %q", c.a.method, c.a.path, part)
			}
		}
		if strings.Contains(policy, "unsafe") || got.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s %s: the headers are %q", c.a.method, c.a.path, got.Header())
		}
	}
	// What anybody may have, other sites may ask for.
	for _, path := range []string{"/status", "/live", "/ready"} {
		got := s.is(get(path), 200, "")
		for _, name := range []string{"Set-Cookie", "X-Frame-Options", "Cross-Origin-Resource-Policy"} {
			if got.Header().Get(name) != "" {
				t.Errorf("%s has %s", path, name)
			}
		}
	}
}

// TestThePanelLeadsNowhereElse: Location is always one of the panel's own paths.
func TestThePanelLeadsNowhereElse(t *testing.T) {
	s := open(t, nil)
	for target, want := range map[string]string{
		"/maintenance": "/maintenance/", "/maintenance?next=//evil.example": "/maintenance/", "//evil.example/maintenance": "", "/maintenance//evil.example": "",
		`/maintenance/\evil.example`: "", "/maintenance/../../evil": "", "/maintenance/%2f%2fevil.example": "", "/maintenancex": "", "/": "", "/elsewhere/": "",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		path, query, _ := strings.Cut(target, "?")
		r.URL.Path, r.URL.RawQuery, r.Host = path, query, "evil.example"
		r.Header.Set("X-Who", "root")
		r.Header.Set("X-Forwarded-Host", "evil.example")
		w := httptest.NewRecorder()
		s.panel.ServeHTTP(w, r)
		if w.Header().Get("Location") != want || want == "" && w.Code != 404 {
			t.Errorf("%s: %d to %q, want %q", target, w.Code, w.Header().Get("Location"), want)
		}
	}
	a := s.form("root", "/on", "next", "https://evil.example", "return", "//evil.example").with("Referer: https://evil.example/", "X-Forwarded-Host: evil.example")
	a.path += "?next=https://evil.example"
	if got := s.is(a, 303, "").Header().Get("Location"); got != "/maintenance/?done=on" {
		t.Errorf("the form leads to %q", got)
	}
}

func TestAnotherPlace(t *testing.T) {
	s := open(t, nil, func(p *recess.Policy, c *Config) {
		p.ControlPath, c.Path, c.Title, c.SignIn = "/ops/maintenance/", "/ops/maintenance/panel", "the shop", "/login"
	})
	serve := func(path string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		s.panel.ServeHTTP(w, r)
		return w
	}
	page := serve("/ops/maintenance/panel/", "X-Who", "root").Body.String()
	for _, want := range []string{`href="/ops/maintenance/panel/panel.css"`, `action="/ops/maintenance/panel/on"`, "the shop"} {
		if !strings.Contains(page, want) {
			t.Errorf("the panel has no %s", want)
		}
	}
	if got := serve("/ops/maintenance/panel/api/openapi.json", "X-Who", "root").Body.String(); !strings.Contains(got, `"url": "/ops/maintenance/panel"`) {
		t.Error("the description says another address")
	}
	if got := serve("/ops/maintenance/panel/").Body.String(); !strings.Contains(got, `<a href="/login">`) {
		t.Errorf("nobody is told where to sign in: %s", got)
	}
	for path, status := range map[string]int{"/ops/maintenance/": 404, "/maintenance/": 404, "/ops/maintenance/panel": http.StatusSeeOther, "/ops/maintenance/panel/live": 200} {
		if got := serve(path, "X-Who", "root").Code; got != status {
			t.Errorf("%s: %d, want %d", path, got, status)
		}
	}
}
