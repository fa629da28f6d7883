package admin

import (
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
)

// TestADayAtThePanel does with forms what people do.
func TestADayAtThePanel(t *testing.T) { synctest.Test(t, testPanel) }

func testPanel(t *testing.T) {
	s := open(t, nil, func(p *recess.Policy, _ *Config) { p.Scopes = map[string][]string{"checkout": {"/checkout/**"}} })
	do := func(done, path string, values ...string) {
		t.Helper()
		got := s.is(s.form("root", path, values...), 303, "")
		if want := "/maintenance/?done=" + done; got.Header().Get("Location") != want {
			t.Errorf("%s leads to %q, want %q", path, got.Header().Get("Location"), want)
		}
	}
	do("on", "/on", "for", "30m", "message", " We move.\r\nSoon. ", "tag", "de", "text", "Umzug.", "tag", "", "text", "", "reason", "OPS-1")
	w := s.running()[0]
	if w.Messages[""] != "We move.\nSoon." || w.Messages["de"] != "Umzug." || len(w.Messages) != 2 || w.Mode != state.Full || !w.End.Equal(time.Now().Add(30*time.Minute)) || w.Reason != "OPS-1" {
		t.Errorf("%+v", w)
	}
	do("nothing", "/on")
	do("on", "/on", "scope", "checkout", "mode", "hold", "hold", "20s", "name", "dba")
	do("schedule", "/schedule", "start", "2000-07-01T02:30", "zone", "Europe/Berlin", "for", "1h", "mode", "announce")
	planned := s.state().Windows[2]
	if !planned.Start.Equal(time.Date(2000, 7, 1, 0, 30, 0, 0, time.UTC)) || planned.End.Sub(planned.Start) != time.Hour {
		t.Errorf("planned: %+v", planned)
	}
	do("schedule", "/schedule", "start", "2000-07-02T02:30", "for", "1h")
	if w := s.state().Windows[3]; !w.Start.Equal(time.Date(2000, 7, 2, 2, 30, 0, 0, time.UTC)) {
		t.Errorf("without a zone: %+v", w)
	}
	page := s.is(get("/").as("root"), 200, "").Body.String()
	for _, want := range []string{"Maintenance is ON for the whole site", "We move.", "Umzug.", "scope checkout", "held as", "OPS-1", planned.ID, "by root", "2000-07-01 00:30 UTC"} {
		if !strings.Contains(html.UnescapeString(page), want) && !strings.Contains(page, want) {
			t.Errorf("the panel does not say %q", want)
		}
	}
	do("cancel", "/cancel", "id", planned.ID)
	do("off", "/off", "ramp", "10m")
	do("off", "/off", "scope", "checkout", "name", "dba")
	do("off", "/off")
	if now := s.state(); len(s.running()) != 0 || len(now.Windows) != 0 {
		t.Errorf("left are %+v", now.Windows)
	}
	for _, e := range s.state().History {
		if e.By != (state.Actor{Name: "root", Host: "192.0.2.1", Source: "panel"}) {
			t.Errorf("%s is by %+v", e.Action, e.By)
		}
	}
}

// TestAFormKeepsWhatWasTyped when it cannot be done.
func TestAFormKeepsWhatWasTyped(t *testing.T) {
	s := open(t, nil, func(p *recess.Policy, _ *Config) { p.Scopes = map[string][]string{"checkout": {"/checkout/**"}} })
	typed := []string{"scope", "checkout", "mode", "readonly", "name", "dba", "message", `typed "<b>`, "reason", "typed reason", "tag", "de", "text", "getippt", "zone", "Europe/Berlin"}
	for _, c := range []struct {
		path   string
		more   []string
		status int
		want   string
	}{
		{"/on", []string{"for", "soon", "start", "2099-01-31T22:00"}, 422, `"soon" is no length of time`},
		{"/on", []string{"for", "1h", "hold", "x", "start", ""}, 422, `"x" is no length of time`},
		{"/on", []string{"for", "1h", "hold", "20s", "start", ""}, 422, "hold"},
		{"/schedule", []string{"for", "", "start", "2099-01-31T22:00"}, 422, "needs an end"},
		{"/schedule", []string{"for", "1h", "start", ""}, 422, "needs a start"},
		{"/schedule", []string{"for", "1h", "start", "tomorrow"}, 422, "the start is no time"},
		{"/on", []string{"for", "1h", "tag", "de", "text", "zweimal"}, 422, "a language of its own"},
		{"/on", []string{"for", "1h", "tag", "", "text", "nobody's"}, 422, "a language of its own"},
		{"/on", []string{"for", "1h", "tag", "xx_yy", "text", "nobody's"}, 422, "language tag"},
	} {
		page := html.UnescapeString(s.unchanged(s.form("root", c.path, append(slices.Clone(typed), c.more...)...), c.status, "").Body.String())
		wants := []string{
			c.want, `<option value="checkout" selected>`, `<option value="readonly" selected>`, `name="name" value="dba"`, `typed "<b></textarea>`, `value="typed reason"`,
			`name="tag" value="de"`, "getippt</textarea>", `name="zone" value="Europe/Berlin"`, "<details open>",
		}
		for i := 0; i < len(c.more); i += 2 {
			wants = append(wants, c.more[i+1])
		}
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("%s %q: the page does not say %q", c.path, c.more, want)
			}
		}
	}
	for zone, want := range map[string]string{"Mars/Base": "the time zone is not known", "../../etc/passwd": "the time zone is not known", "/etc/passwd": "the time zone is not known"} {
		page := s.unchanged(s.form("root", "/schedule", "start", "2099-01-31T22:00", "for", "1h", "zone", zone), 422, "").Body.String()
		if !strings.Contains(page, want) {
			t.Errorf("%s: the page does not say %q", zone, want)
		}
	}
	page := s.unchanged(s.form("root", "/explain", "path", "x", "address", "192.0.2.9", "roles", "ops, night", "staff", "yes", "marker", "force_on", "method", "PUT"), 422, "").Body.String()
	for _, want := range []string{"begins with a slash", `value="192.0.2.9"`, `value="ops, night"`, `name="staff" value="yes" checked`, `value="force_on" selected`, `value="PUT"`} {
		if !strings.Contains(page, want) {
			t.Errorf("explain: the page does not say %q", want)
		}
	}
	// What is not a field of the panel's own form gets a page too.
	s.unchanged(s.form("root", "/off", "ramp", "soon"), 422, "")
	s.unchanged(s.form("root", "/cancel"), 422, "")
	s.unchanged(s.form("root", "/cancel", "id", "none"), 422, "")
	cookie, _ := s.visit("root")
	s.unchanged(ask{method: "POST", path: "/on", body: "token=%zz"}.with("Content-Type: application/x-www-form-urlencoded", cookie).as("root"), 400, "")
}

func TestAQuestionAtThePanel(t *testing.T) {
	s := open(t, nil, func(p *recess.Policy, _ *Config) {
		p.AllowRoles, p.TrustedProxies, p.AllowNetworks, p.ClientIPHeader = []string{"ops"}, []string{"10.0.0.0/8"}, []string{"198.51.100.0/24"}, "X-Real-Client"
	})
	s.is(order("/api/on", `{}`).bearer(writeToken), 200, "")
	for _, c := range []struct {
		values []string
		want   string
	}{
		{[]string{"path", "/x"}, "Refused: window"},
		{[]string{"user", "ann", "roles", "day, ops night"}, "Let in: user"},
		{[]string{"roles", "ops"}, "Refused: window"}, // of nobody
		{[]string{"address", "10.0.0.1", "forwarded", "198.51.100.7"}, "Let in: network"},
		{[]string{"marker", "force_off"}, "Let in: marker"},
	} {
		page := s.unchanged(s.form("staff", "/explain", c.values...), 200, "").Body.String()
		if !strings.Contains(page, c.want) {
			t.Errorf("%q: the page does not say %q", c.values, c.want)
		}
	}
}

// TestAReaderHasNoButtons but that of explain.
func TestAReaderHasNoButtons(t *testing.T) {
	s := open(t, nil)
	s.is(order("/api/on", `{}`).bearer(writeToken), 200, "")
	s.is(order("/api/schedule", `{"starts_at":"2099-01-01T00:00:00Z","for":"1h"}`).bearer(writeToken), 200, "")
	actions := func(name string) []string {
		t.Helper()
		var all []string
		for _, match := range regexp.MustCompile(`(?:form)?action="([^"]*)"`).FindAllStringSubmatch(s.is(get("/").as(name), 200, "").Body.String(), -1) {
			all = append(all, match[1])
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	if got := actions("staff"); !slices.Equal(got, []string{"/maintenance/explain#explain"}) {
		t.Errorf("a reader has %q", got)
	}
	want := []string{"/maintenance/cancel", "/maintenance/explain#explain", "/maintenance/off", "/maintenance/on", "/maintenance/preview", "/maintenance/schedule"}
	if got := actions("root"); !slices.Equal(got, want) {
		t.Errorf("who may change has %q", got)
	}
}

// TestHostileTextsAreHarmless: a document, a fleet and a user's name can say anything.
func TestHostileTextsAreHarmless(t *testing.T) {
	const evil = `<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{.}}\u202e\u2066\u0007\u009b31m\u2028`
	name := "<b>\u202eroot\u0007"
	s := open(t, nil, func(_ *recess.Policy, c *Config) {
		c.Authorize = func(*http.Request) Access { return Access{Name: name, Right: Write} }
		c.Title = "<b>"
	})
	clean := strings.NewReplacer(`\u0007`, "", `\u009b`, "").Replace(evil)
	s.write(`{"version":1,"epoch":1,"revision":1,
		"windows":[{"id":"w1","mode":"full","messages":{"":"` + clean + `","de":"` + clean + `"},"reason":"` + clean + `","opened_by":{"name":"` + evil + `","host":"` + evil + `","source":"` + evil + `"}},
			{"id":"w2","name":"x","scope":"y","mode":"announce","start":"2099-01-01T00:00:00Z","end":"2099-01-01T01:00:00Z","reason":"` + clean + `"}],
		"history":[{"revision":1,"action":"` + evil + `","by":{"name":"` + evil + `","host":"` + evil + `","source":"` + evil + `"},"windows":["` + evil + `"],"reason":"` + evil + `","replaced":"` + evil + `"}]}`)
	announce(t, s.backend, "evil", `{"id":"`+evil+`","name":"`+evil+`","host":"`+evil+`","follower":"`+evil+`","last_error":"`+evil+`"}`)
	cookie, token := s.visit("root")
	pages := map[string]string{
		"panel": s.is(get("/").as("x"), 200, "").Body.String(),
		"done":  s.is(get("/?done=<script>alert(1)</script>&done=on").as("x"), 200, "").Body.String(),
		"typed": s.is(posted("/on", "token", token, "message", "<script>\u202e", "for", "<script>\u202e", "mode", `"><script>`, "zone", "<script>", "tag", "<script>", "text", "<script>").as("x").with(cookie), 422, "").Body.String(),
		"asked": s.is(posted("/explain", "token", token, "path", "/<script>\u202e", "host", "<script>", "user", "<script>\u202e", "method", "<script>").as("x").with(cookie), 200, "").Body.String(),
		"none":  s.is(get("/%3Cscript%3E").as("x"), 404, "").Body.String(),
	}
	signIn := open(t, nil, func(_ *recess.Policy, c *Config) { c.SignIn = "/login?next=<script>" })
	pages["sign in"] = signIn.is(get("/"), 401, "").Body.String()
	for where, page := range pages {
		for _, bad := range []string{"<script>", "<img", "onerror=alert(1)>", "<b>", "\u0007", "\u009b"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: the page has %q", where, bad)
			}
		}
		if where != "typed" && where != "asked" && strings.ContainsAny(page, "\u202e\u2066\u2028") { // but for what the reader types
			t.Errorf("%s: the page turns what is read", where)
		}
	}
	if !strings.Contains(pages["panel"], "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("the texts are not shown at all")
	}
	if !strings.Contains(pages["sign in"], `<a href="/login?next=%3cscript%3e">`) {
		t.Errorf("the link is not there: %s", pages["sign in"])
	}
	// To programs they are JSON.
	s.is(get("/api/status").bearer(readToken), 200, "")
	s.is(get("/api/fleet").bearer(readToken), 200, "")
}

func announce(t *testing.T, b state.Backend, id, report string) {
	t.Helper()
	presence, ok := state.As[state.Presence](b)
	if !ok {
		t.Fatal("the backend keeps no presence")
	}
	if _, err := presence.Announce(t.Context(), id, []byte(report), time.Hour); err != nil {
		t.Fatal(err)
	}
}

// TestOnlyKnownWordsAreShownAfterwards: what a link says is not shown.
func TestOnlyKnownWordsAreShownAfterwards(t *testing.T) {
	s := open(t, nil)
	for query, want := range map[string]string{
		"?done=on": "It runs now", "?done=schedule": "Planned. Nothing changes before it begins", "?done=off": "It is ended", "?done=cancel": "The plan is cancelled.",
		"?done=revoke":  "The pass is revoked",
		"?done=nothing": "It was so already", "?done=": "", "?done=evil": "", "?done=ON": "", "": "", "?done=x&done=on": "", "?fault=evil": "", "?done=on%00": "",
	} {
		page := s.is(get("/"+query).as("root"), 200, "").Body.String()
		shown := strings.Contains(page, `class="done"`)
		if shown != (want != "") || !strings.Contains(page, want) || strings.Contains(page, "evil") {
			t.Errorf("%q: is something shown? %v, want %q", query, shown, want)
		}
	}
}

func TestPreview(t *testing.T) {
	s := open(t, nil, func(p *recess.Policy, _ *Config) { p.Redirect = "https://status.example/" })
	show := func(values ...string) answer {
		t.Helper()
		return s.unchanged(s.form("root", "/preview", values...), 200, "")
	}
	got := show("message", "We move <b>.", "tag", "de", "text", "Wir ziehen um.", "for", "1h", "language", "de-AT, en;q=0.5")
	if page := got.Body.String(); !strings.Contains(page, "Wir ziehen um.") || strings.Contains(page, "We move") {
		t.Errorf("in German: %s", page)
	}
	if page := show("message", "We move <b>.", "tag", "de", "text", "Wir ziehen um.").Body.String(); !strings.Contains(page, "We move &lt;b&gt;.") {
		t.Errorf("in no language: %s", page)
	}
	h := got.Header()
	policy := h.Get("Content-Security-Policy")
	if h.Get("X-Frame-Options") != "SAMEORIGIN" || strings.Count(policy, "frame-ancestors 'self'") != 1 || strings.Count(policy, "frame-ancestors") != 1 || !strings.HasSuffix(policy, "; sandbox") || h.Get("Content-Type") != "text/html; charset=utf-8" || h.Get("Cache-Control") != "no-store" || h.Get("Location") != "" {
		t.Errorf("the preview has %v", h)
	}
	// What makes no sense says so in the frame, where it may do no more than the page would.
	for _, values := range [][]string{{"for", "soon"}, {"start", "x"}, {"mode", "off"}, {"tag", "", "text", "x"}} {
		got := s.unchanged(s.form("root", "/preview", values...), 422, "")
		policy := got.Header().Get("Content-Security-Policy")
		if got.Header().Get("X-Frame-Options") != "SAMEORIGIN" || strings.Count(policy, "frame-ancestors") != 1 || !strings.Contains(policy, "frame-ancestors 'self'") ||
			!strings.HasSuffix(policy, "; sandbox") || !strings.Contains(got.Body.String(), "Nothing to show yet") {
			t.Errorf("%q: %v\n%s", values, got.Header(), got.Body)
		}
	}
}

func TestThePreviewIsOfThePolicysOwnPage(t *testing.T) {
	own := filepath.Join(t.TempDir(), "503.html")
	if err := os.WriteFile(own, []byte(`<p>{{.Message}}{{if eq .Message "fail"}}{{slice .Message 99}}{{end}}<script src=/evil.js></script>`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, nil, func(p *recess.Policy, _ *Config) {
		p.Template = own
		p.ContentSecurityPolicy = "script-src 'self'; Frame-Ancestors 'none'; SANDBOX allow-scripts"
	})
	got := s.unchanged(s.form("root", "/preview", "message", "hello"), 200, "")
	if want := "script-src 'self'; frame-ancestors 'self'; sandbox"; got.Header().Get("Content-Security-Policy") != want || !strings.Contains(got.Body.String(), "<p>hello") {
		t.Errorf("the policy is %q, want %q: %s", got.Header().Get("Content-Security-Policy"), want, got.Body)
	}
	if got := s.unchanged(s.form("root", "/preview", "message", "fail"), 422, ""); !strings.Contains(got.Body.String(), "cannot be shown") {
		t.Errorf("a template that fails: %s", got.Body)
	}
}
