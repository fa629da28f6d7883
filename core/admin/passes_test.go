package admin

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/pass"
)

// withKeys has a site sign passes.
func withKeys(t *testing.T) func(*recess.Policy, *Config) {
	key, err := pass.NewKey("k1")
	if err != nil {
		t.Fatal(err)
	}
	return func(p *recess.Policy, _ *Config) { p.PassKeys = []string{key} }
}

func TestAPassIsMadeUsedAndRevoked(t *testing.T) {
	s := open(t, nil, withKeys(t))
	s.is(order("/api/on", `{}`).bearer(writeToken), 200, "")
	issued := read[schema.Issued](t, s.is(order("/api/passes/create", `{"for":"alice","ttl":"1h","to":"/checkout","reason":"OPS-1"}`).bearer(writeToken), 200, ""))
	link, ok := strings.CutPrefix(issued.Link, "https://shop.example/maintenance/pass?")
	if !ok || issued.Token != "" || issued.Pass.For != "alice" || issued.Pass.Uses != 1 || issued.Pass.IssuedBy.Name != "deploy" || issued.Pass.IssuedBy.Host != "192.0.2.1" {
		t.Errorf("%+v", issued)
	}
	if until := time.Until(issued.Pass.ExpiresAt); until > time.Hour || until < 59*time.Minute {
		t.Errorf("it lets in for %s", until)
	}
	// Whoever has the link may use it, signed in or not.
	got := s.do(posted("/pass").with("Sec-Fetch-Site: same-origin").saying(link))
	cookie := got.Header().Get("Set-Cookie")
	if got.Code != 303 || got.Header().Get("Location") != "/checkout" || !strings.HasPrefix(cookie, pass.CookieName+"=") {
		t.Fatalf("%d %v", got.Code, got.Header())
	}
	r := httptest.NewRequest("GET", "/checkout", nil)
	r.Header.Set("Cookie", strings.SplitN(cookie, ";", 2)[0])
	lets := func() bool {
		q := schema.Question{Path: "/checkout", Headers: map[string]string{"Cookie": r.Header.Get("Cookie")}}
		v, err := q.Ask(s.engine)
		if err != nil {
			t.Fatal(err)
		}
		return !v.Refused
	}
	if !lets() {
		t.Error("the cookie lets nobody in")
	}
	listed := read[schema.Passes](t, s.is(get("/api/passes").bearer(readToken), 200, ""))
	if len(listed.Passes) != 1 || listed.Passes[0].Uses != 0 {
		t.Errorf("%+v", listed)
	}
	revoked := read[schema.Revocation](t, s.is(order("/api/passes/revoke", `{"ids":["`+issued.Pass.ID+`"],"reason":"left"}`).bearer(writeToken), 200, ""))
	if len(revoked.Revoked) != 1 || len(revoked.Passes.Passes) != 0 || lets() {
		t.Errorf("%+v; it lets in: %v", revoked, lets())
	}
	if last := s.state().History; last[len(last)-1].Action != "revoke" || last[len(last)-1].By.Name != "deploy" || last[len(last)-1].Reason != "left" {
		t.Errorf("%+v", last)
	}
}

// saying replaces the body.
func (a ask) saying(text string) ask { a.body = text; return a }

func TestAPassForAProgram(t *testing.T) {
	s := open(t, nil, withKeys(t))
	issued := read[schema.Issued](t, s.is(order("/api/passes/create", `{"for":"smoke tests","uses":0}`).bearer(writeToken), 200, ""))
	if issued.Link != "" || issued.Token == "" || issued.Pass.Uses != 0 {
		t.Errorf("%+v", issued)
	}
	if until := time.Until(issued.Pass.ExpiresAt); until > passTTL || until < passTTL-time.Minute {
		t.Errorf("it lets in for %s", until)
	}
	if strings.Contains(string(s.document().Data), issued.Token[30:]) {
		t.Error("the pass stands in the document")
	}
}

func TestOrdersOfPassesThatMakeNoSense(t *testing.T) {
	s := open(t, nil, withKeys(t))
	for _, c := range []struct {
		path, body string
		status     int
		code, says string
	}{
		{"create", `{}`, 422, "usage", "say in one line whom the pass is for"},
		{"create", `{"for":"a","ttl":"91d"}`, 422, "usage", "no length of time"},
		{"create", `{"for":"a","ttl":"2400h"}`, 422, "usage", "at most"},
		{"create", `{"for":"a","uses":-1}`, 422, "usage", "uses"},
		{"create", `{"for":"a","to":"//evil.example"}`, 422, "usage", "write a path of this site"},
		{"create", `{"for":"a","to":"https://evil.example"}`, 422, "usage", "write a path of this site"},
		{"create", `{"for":"a","window":"nope"}`, 422, "usage", "no window"},
		{"create", `{"for":"a","key":"k2"}`, 422, "usage", "there is no member"},
		{"revoke", `{}`, 422, "usage", "name the pass"},
		{"revoke", `{"ids":["pNOPE"]}`, 422, "usage", "no pass has the id"},
	} {
		got := s.unchanged(order("/api/passes/"+c.path, c.body).bearer(writeToken), c.status, c.code)
		if !strings.Contains(got.problem.Detail, c.says) {
			t.Errorf("%s %s: %q", c.path, c.body, got.problem.Detail)
		}
		s.unchanged(order("/api/passes/"+c.path, c.body).bearer(readToken), 403, "forbidden")
	}
	without := open(t, nil)
	without.unchanged(order("/api/passes/create", `{"for":"a"}`).bearer(writeToken), 409, "no_keys")
	if page := without.do(get("/").as("root")).Body.String(); strings.Contains(page, "passes/create") {
		t.Error("a panel without keys offers passes")
	}
}

func TestPassesByForm(t *testing.T) {
	s := open(t, nil, withKeys(t))
	got := s.is(s.form("root", "/passes/create", "for", "<b>alice</b>", "ttl", "30m", "uses", "2").with("Origin: https://shop.example"), 200, "")
	page := got.Body.String()
	if !strings.Contains(page, "https://shop.example/maintenance/pass?link=rl1_") || strings.Contains(page, "<b>alice") || got.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v\n%s", got.Header(), page)
	}
	id := s.state().Passes[0].ID
	if again := s.do(get("/").as("root")).Body.String(); strings.Contains(again, "rl1_") || !strings.Contains(again, id) || !strings.Contains(again, "&lt;b&gt;alice") {
		t.Errorf("the panel afterwards:\n%s", again)
	}
	if reader := s.do(get("/").as("staff")).Body.String(); strings.Contains(reader, "passes/revoke") || strings.Contains(reader, "passes/create") {
		t.Error("who may only look is offered changes")
	}
	if kept := s.is(s.form("root", "/passes/create", "for", "bob", "ttl", "soon"), 422, "").Body.String(); !strings.Contains(kept, `value="bob"`) || !strings.Contains(kept, `value="soon"`) {
		t.Error("a form that could not be done is empty")
	}
	s.is(s.form("root", "/passes/create", "for", "bob", "uses", "many"), 422, "")
	s.unchanged(posted("/passes/revoke", "id", id).as("root"), 403, "") // without the form's token
	s.is(s.form("root", "/passes/revoke", "id", id), 303, "")
	if len(s.state().Passes) != 0 {
		t.Error("it is not revoked")
	}
	s.is(s.form("root", "/passes/revoke", "id", id), 422, "")
}

// TestTheLinkLeadsWhereItCameFrom: the scheme and the host of a link are those by which it was asked for.
func TestTheLinkLeadsWhereItCameFrom(t *testing.T) {
	for _, c := range []struct{ host, origin, want string }{
		{"shop.example", "", "https://shop.example"},
		{"shop.example:8443", "", "https://shop.example:8443"},
		{"127.0.0.1:8080", "", "http://127.0.0.1:8080"},
		{"localhost:8080", "", "http://localhost:8080"},
		{"localhost.evil.example", "", "https://localhost.evil.example"},
		{"shop.example", "http://shop.example", "http://shop.example"},
		{"shop.example", "http://x@shop.example", "https://shop.example"},
		{"shop.example", "null", "https://shop.example"},
	} {
		r := httptest.NewRequest("POST", "http://"+c.host+"/maintenance/passes/create", nil)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if got := originOf(r); got != c.want {
			t.Errorf("host %s, origin %q: %s, want %s", c.host, c.origin, got, c.want)
		}
	}
}
