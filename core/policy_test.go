package recess

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state/memstate"
)

func TestAPolicyThatCannotBeUsedNamesEverySetting(t *testing.T) {
	_, err := New(context.Background(), Config{
		Backend: memstate.New(memstate.Config{}), Poll: time.Millisecond, StartWait: -1,
		Policy: Policy{
			ControlPath: "maintenance", AllowAdminSite: "admin*", AllowNetworks: []string{"10.0.0.1/8", "::ffff:10.0.0.0/104"},
			AllowPaths: []string{"relative", "~("}, AllowHosts: []string{"https://x"}, AllowHeaders: map[string]string{"X-Key": "short", "a b": "0123456789abcdef"},
			Allow: []Predicate{{Name: "nothing"}}, TrustedProxies: []string{"everybody"}, Scopes: map[string][]string{"Big": {"/x"}, "none": {}},
			Status: 200, Redirect: "//evil.example", ResponseType: "xml", Template: "/nowhere/503.html",
		},
	})
	if err == nil {
		t.Fatal("it starts")
	}
	for _, name := range []string{
		"Poll", "StartWait", "ControlPath", "AllowAdminSite", "AllowNetworks", "10.0.0.0/8", "AllowPaths", "relative", "AllowHosts",
		"AllowHeaders", "X-Key", "TrustedProxies", "everybody", "Scopes", "Big", "none", "200", "evil.example", "xml", "nowhere",
	} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %s:\n%v", name, err)
		}
	}
	if strings.Contains(err.Error(), "0123456789abcdef") || strings.Contains(err.Error(), "short") {
		t.Errorf("the error tells a secret:\n%v", err)
	}
}

func TestAPolicyThatDisarmsItselfIsRefusedUnlessMeant(t *testing.T) {
	for name, p := range map[string]Policy{
		"/**":            {AllowPaths: []string{"/**"}},
		"~.*":            {AllowPaths: []string{"/ok", "~.*"}},
		"~/":             {AllowPaths: []string{"~/"}},
		"0.0.0.0/0":      {AllowNetworks: []string{"0.0.0.0/0"}},
		"::/0":           {AllowNetworks: []string{"::/0"}},
		"*":              {AllowHosts: []string{"*"}},
		"AllowAdminSite": {AllowAdminSite: "/"},
		"ControlPath":    {ControlPath: "/"},
		"AllowAnonymous": {AllowAnonymous: true, AllowAuthenticated: true},
	} {
		if _, err := compile(p); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "Unsafe") {
			t.Errorf("%s: %v", name, err)
		}
		p.Unsafe = []string{name}
		if _, err := compile(p); err != nil {
			t.Errorf("%s, meant: %v", name, err)
		}
	}
	if _, err := compile(Policy{TrustedProxies: []string{"0.0.0.0/0"}}); err == nil {
		t.Error("everybody is a trusted proxy")
	}
	if _, err := compile(Policy{AllowPaths: []string{"/"}}); err != nil {
		t.Errorf("the front page alone is no wide allowance: %v", err)
	}
}

func TestHooksThatThePolicyNeedsAreMissed(t *testing.T) {
	e := started(t, Config{Policy: Policy{AllowStaff: true, Logout: Logout{Authenticated: true}}})
	none := Hooks[int]{}
	if err := none.Check(e); err == nil || !strings.Contains(err.Error(), "Hooks.User") || !strings.Contains(err.Error(), "Hooks.Logout") {
		t.Errorf("%v", err)
	}
	both := Hooks[int]{User: func(int) User { return User{} }, Logout: func(int) error { return nil }}
	if err := both.Check(e); err != nil {
		t.Errorf("%v", err)
	}
	if err := none.Check(started(t, Config{})); err != nil {
		t.Errorf("%v", err)
	}
}

func TestRedirectsLeadToAPageThatIsOpen(t *testing.T) {
	for _, c := range []struct {
		redirect string
		asked    asked
		refuse   bool
	}{
		{"/down", asked{path: "/down"}, false},
		{"/down?why=1", asked{path: "/down"}, false},
		{"/down", asked{path: "/down/"}, true},
		{"/down", asked{path: "/d%6fwn"}, true},
		{"/down", asked{path: "/downtown"}, true},
		{"https://status.example/now", asked{host: "status.example", path: "/now"}, true}, // anybody can say so
		{"https://status.example/now", asked{host: "www.example", path: "/now"}, true},
	} {
		e := closedEngine(t, Policy{Redirect: c.redirect})
		if d := decide(e, &c.asked); d.Refuse != c.refuse {
			t.Errorf("%s, asked for %s at %s: refuse is %v", c.redirect, c.asked.path, c.asked.host, d.Refuse)
		}
	}
	e := closedEngine(t, Policy{Redirect: "/down"})
	html, api := decide(e, &asked{}), decide(e, &asked{header: map[string]string{"Accept": "application/json"}})
	if html.answer.Status != 302 || header(html.answer, "Location") != "/down" || header(html.answer, "Cache-Control") != "no-store" {
		t.Errorf("%d %v", html.answer.Status, html.answer.Header)
	}
	if api.answer.Status != 503 {
		t.Errorf("a client that asks for JSON gets %d", api.answer.Status)
	}
}

func TestARedirectNeverLeadsToItself(t *testing.T) {
	for redirect, a := range map[string]*asked{
		"/down":                   {path: "/down", marker: Marker{Force: ForcedOn}},
		"https://www.example/":    {host: "www.example"},
		"https://www.example/now": {host: "WWW.example:443", path: "/now"},
	} {
		e := closedEngine(t, Policy{Redirect: redirect})
		if admit(e, a) || a.answered.Status != 503 || header(a.answered, "Location") != "" {
			t.Errorf("%s: %+v", redirect, a.answered)
		}
		if other := (&asked{path: "/shop"}); admit(e, other) || other.answered.Status != 302 {
			t.Errorf("%s: another page: %+v", redirect, other.answered)
		}
	}
}

// TestThePageInPlaceOfARedirectIsTheUsualOne: type and context are the application's there too.
func TestThePageInPlaceOfARedirectIsTheUsualOne(t *testing.T) {
	e := closedEngine(t, Policy{
		Redirect: "/down", ResponseTypeFunc: func(Request) page.Type { return page.JSON },
		Context: func(Request) map[string]any { return map[string]any{"team": "ops"} },
	})
	a := &asked{path: "/down", marker: Marker{Force: ForcedOn}}
	if admit(e, a) || a.answered.MediaType != "application/json" || !strings.Contains(string(a.answered.Body), `"team":"ops"`) {
		t.Errorf("%s: %s", a.answered.MediaType, a.answered.Body)
	}
}

func TestContextGoesIntoTheJSONBody(t *testing.T) {
	e := closedEngine(t, Policy{Context: func(r Request) map[string]any { return map[string]any{"asked": r.Path()} }, ResponseType: page.JSON})
	a := &asked{path: "/shop"}
	if admit(e, a) || !strings.Contains(string(a.answered.Body), `"asked":"/shop"`) {
		t.Errorf("%s", a.answered.Body)
	}
}

func TestResponseTypeFuncDecidesPerRequest(t *testing.T) {
	e := closedEngine(t, Policy{ResponseTypeFunc: func(r Request) page.Type {
		if strings.HasPrefix(r.Path(), "/api/") {
			return page.JSON
		}
		return ""
	}})
	api, site := decide(e, &asked{path: "/api/x", header: map[string]string{"Accept": "text/html"}}), decide(e, &asked{})
	if api.answer.MediaType != "application/json" || site.answer.MediaType != "text/html" {
		t.Errorf("%s and %s", api.answer.MediaType, site.answer.MediaType)
	}
}

func TestTheLogFilterLeavesExpectedRefusalsOut(t *testing.T) {
	var l logs
	e := started(t, Config{})
	log := slog.New(e.LogFilter(slog.NewTextHandler(&l, nil)))
	line := func(ctx context.Context, attrs ...any) int {
		before := l.count("\n")
		log.InfoContext(ctx, "request", attrs...)
		return l.count("\n") - before
	}
	if line(t.Context(), "status", 503) != 1 {
		t.Error("a real 503 is lost while the site is open")
	}
	on(t, e, Opening{Scope: "api"})
	on(t, e, Opening{Mode: "readonly", Name: "writes"})
	if line(t.Context(), "status", 503) != 1 {
		t.Error("a 503 that may be real is lost")
	}
	on(t, e, Opening{Name: "all"})
	for name, attrs := range map[string][]any{
		"a plain attribute": {"status", 503},
		"one in a group":    {slog.Group("response", "status_code", 503)},
		"an unsigned one":   {"http.response.status_code", uint(503)},
	} {
		if line(t.Context(), attrs...) != 0 {
			t.Errorf("%s: the refusal is logged", name)
		}
	}
	if line(t.Context(), "status", 200) != 1 || line(t.Context(), "items", 503) != 1 {
		t.Error("something else is lost")
	}
	if line(NewContext(t.Context(), &Maintenance{Allowed: true}), "status", 503) != 1 {
		t.Error("the 503 of somebody who was let in is lost")
	}
	with := slog.New(e.LogFilter(slog.NewTextHandler(&l, nil)).WithGroup("http").WithAttrs([]slog.Attr{slog.Int("status", 503)}))
	before := l.count("\n")
	if with.Info("request"); l.count("\n") != before {
		t.Error("a status given beforehand is not seen")
	}
}
