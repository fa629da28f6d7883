package recess

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

func linkRequest(method, path, link string) LinkRequest {
	return LinkRequest{Method: method, Host: "shop.example", Path: path, Query: "link=" + link, Form: "link=" + link, Header: func(string) string { return "" }}
}

func TestLinkPagesByMethodAndPath(t *testing.T) {
	e := closedEngine(t, withPasses)
	tokens, _, err := e.Control(state.Actor{}).IssuePass(t.Context(), ringOf(t, withPasses), PassOrder{For: "alice", TTL: hour, Uses: 1})
	if err != nil {
		t.Fatal(err)
	}
	for path, action := range map[string]string{"/m/pass": "./pass", "/m/pass/": "./", "/m/a%2fb": "./a%2fb", "": "./", `/m/"><script>`: "./%22%3e%3cscript%3e"} {
		a := e.LinkAnswer(t.Context(), linkRequest("GET", path, tokens.Link))
		if a.Status != 200 || !strings.Contains(string(a.Body), `action="`+action+`"`) {
			t.Errorf("%s: %d, and the form does not go to %q:\n%s", path, a.Status, action, a.Body)
		}
	}
	for _, method := range []string{"PUT", "DELETE", "OPTIONS", "post", ""} {
		a := e.LinkAnswer(t.Context(), linkRequest(method, "/m/pass", tokens.Link))
		allow := ""
		for _, f := range a.Header {
			if f.Name == "Allow" {
				allow = f.Value[0]
			}
		}
		if a.Status != 405 || allow != "GET, HEAD, POST" {
			t.Errorf("%s: %d, Allow: %q", method, a.Status, allow)
		}
	}
	if s, err := e.Control(state.Actor{}).State(t.Context()); err != nil || s.Passes[0].Uses != 1 {
		t.Errorf("%+v, %v: some look has used the link", s.Passes, err)
	}
	used := e.LinkAnswer(t.Context(), linkRequest("POST", "/m/pass", tokens.Link))
	if s, err := e.Control(state.Actor{}).State(t.Context()); err != nil || used.Status != 303 || s.Passes[0].Uses != 0 {
		t.Errorf("%d, %+v, %v", used.Status, s.Passes, err)
	} else if last := s.History[len(s.History)-1]; last.Action != "link used" || last.By.Name != "alice" || last.By.Source != "link" {
		t.Errorf("the history says %+v", last)
	}
}

// failing is a backend that cannot be written while err is set.
type failing struct {
	state.Backend
	err error
}

func (f *failing) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	if f.err != nil {
		return state.None, f.err
	}
	return f.Backend.Save(ctx, old, data)
}

func TestALinkIsNotUsedWhereItCannotBeWrittenDown(t *testing.T) {
	said := new(logs)
	b := &failing{Backend: memstate.New(memstate.Config{})}
	e := started(t, Config{Backend: b, Policy: withPasses, Logger: said.logger()})
	on(t, e, Opening{})
	tokens, _, err := e.Control(state.Actor{}).IssuePass(t.Context(), ringOf(t, withPasses), PassOrder{For: "alice", TTL: hour, Uses: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{state.ErrReadOnly, errors.New("the disk is full"), state.ErrConflict} {
		b.err = err
		a := e.LinkAnswer(t.Context(), linkRequest("POST", "/m/pass", tokens.Link))
		for _, f := range a.Header {
			if f.Name == "Set-Cookie" {
				t.Errorf("%v: a cookie is set", err)
			}
		}
		if a.Status != 503 || strings.Contains(string(a.Body), err.Error()) {
			t.Errorf("%v: answered %d %s", err, a.Status, a.Body)
		}
	}
	if said.count("a link to a bypass pass could not be used") != 3 {
		t.Error("the log does not say what is wrong")
	}
	b.err = nil
	if a := e.LinkAnswer(t.Context(), linkRequest("POST", "/m/pass", tokens.Link)); a.Status != 303 {
		t.Errorf("once it can be written, it is answered %d", a.Status)
	}
}

// beaten is a backend on which somebody else is faster once.
type beaten struct {
	state.Backend
	rival func()
}

func (b *beaten) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	if rival := b.rival; rival != nil {
		b.rival = nil
		rival()
	}
	return b.Backend.Save(ctx, old, data)
}

// TestTheLastUseIsWonOnce has somebody else write between the look at the state and its change: a window, and then the same
// link on another instance.
func TestTheLastUseIsWonOnce(t *testing.T) {
	store := memstate.New(memstate.Config{})
	b := &beaten{Backend: store}
	one, other := started(t, Config{Backend: b, Policy: withPasses}), started(t, Config{Backend: store, Policy: withPasses})
	tokens, _, err := other.Control(state.Actor{}).IssuePass(t.Context(), ringOf(t, withPasses), PassOrder{For: "alice", TTL: hour, Uses: 2})
	if err != nil {
		t.Fatal(err)
	}
	on(t, one, Opening{}) // and has seen the pass by that
	press := func(e *Engine) int {
		return e.LinkAnswer(t.Context(), linkRequest("POST", "/m/pass", tokens.Link)).Status
	}
	b.rival = func() { on(t, other, Opening{Scope: "x"}) }
	if got := press(one); got != 303 {
		t.Errorf("somebody else has opened a window meanwhile: answered %d, want 303", got)
	}
	b.rival = func() {
		if got := press(other); got != 303 {
			t.Errorf("the rival is answered %d, want 303", got)
		}
	}
	if got := press(one); got != 403 {
		t.Errorf("somebody else has used the link meanwhile, for the last time: answered %d, want 403", got)
	}
	if s, err := other.Control(state.Actor{}).State(t.Context()); err != nil || s.Passes[0].Uses != 0 {
		t.Errorf("%+v, %v", s.Passes, err)
	}
}

func TestTheHistoryKeepsTheLastUseOfALink(t *testing.T) {
	e := closedEngine(t, withPasses)
	c, links := e.Control(state.Actor{}), []string{}
	for _, who := range []string{"alice", "bob"} {
		tokens, _, err := c.IssuePass(t.Context(), ringOf(t, withPasses), PassOrder{For: who, TTL: hour, Uses: 100})
		if err != nil {
			t.Fatal(err)
		}
		links = append(links, tokens.Link)
	}
	for i := range 2 * state.MaxHistory {
		if got := e.LinkAnswer(t.Context(), linkRequest("POST", "/m/pass", links[i%2])).Status; got != 303 {
			t.Fatalf("use %d is answered %d", i, got)
		}
	}
	s, err := c.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, entry := range s.History {
		actions = append(actions, entry.Action)
	}
	if got := strings.Join(actions, ", "); got != "on, pass, pass, link used, link used" || s.History[4].Revision != s.Revision {
		t.Errorf("the history is %s", got)
	}
}

// FuzzLinkAnswer: only a POST from our own pages that carries the link gives a pass, and whatever it carries leads to this
// site.
func FuzzLinkAnswer(f *testing.F) {
	for _, s := range []struct{ method, path, to, site, origin string }{
		{"POST", "/m/pass", "/orders", "same-origin", ""},
		{"POST", "/m/pass", "//evil.example", "none", ""},
		{"POST", "/", "/\\evil.example", "", "https://shop.example"},
		{"POST", "/", "/\t/evil.example", "", "http://evil@shop.example"},
		{"GET", "/m/\"><script>", "javascript:x", "cross-site", "null"},
		{"PUT", "", "/%2f", "", ""},
		{"POST", "/", "&link=x&to=/a%0d%0aSet-Cookie:x", "", "https://shop.example.evil.example"},
	} {
		f.Add(s.method, s.path, s.to, s.site, s.origin, true)
		f.Add(s.method, s.path, s.to, s.site, s.origin, false)
	}
	e := closedEngine(f, withPasses)
	ring, link, used := ringOf(f, withPasses), "", state.MaxUses
	f.Fuzz(func(t *testing.T, method, path, to, site, origin string, good bool) {
		if used == state.MaxUses {
			if _, err := e.Control(state.Actor{}).change(t.Context(), order{action: "revoke", do: func(s *state.State, _ time.Time) (Change, error) {
				old := s.Passes
				s.Passes = nil
				return Change{Passes: old}, nil
			}}); err != nil {
				t.Fatal(err)
			}
			tokens, _, err := e.Control(state.Actor{}).IssuePass(t.Context(), ring, PassOrder{For: "alice", TTL: hour, Uses: state.MaxUses})
			if err != nil {
				t.Fatal(err)
			}
			link, used = tokens.Link, 0
		}
		r := linkRequest(method, path, link)
		if !good {
			r.Query, r.Form = "link="+link[:96]+"!", "link="+link[:96]+"!"
		}
		r.Query, r.Form = r.Query+"&to="+to, r.Form+"&to="+to
		r.Header = func(name string) string { return map[string]string{"Sec-Fetch-Site": site, "Origin": origin}[name] }
		own := site == "same-origin" || site == "none" ||
			site == "" && (origin == "" || strings.EqualFold(origin, "https://shop.example") || strings.EqualFold(origin, "http://shop.example"))
		form, _ := url.ParseQuery(r.Form)
		enters := method == "POST" && own && form.Get("link") == link
		a := e.LinkAnswer(t.Context(), r)
		header := make(http.Header)
		for _, field := range a.Header {
			header[field.Name] = field.Value
			if strings.ContainsAny(field.Value[0], "\r\n\x00") {
				t.Errorf("%s: %q", field.Name, field.Value)
			}
		}
		if entered := header.Get("Set-Cookie") != ""; entered != enters || entered != (a.Status == 303) {
			t.Fatalf("%s %q from %q, %q: answered %d with %v, want a pass: %v", method, r.Form, site, origin, a.Status, header, enters)
		}
		if !enters {
			return
		}
		used++
		base := &url.URL{Scheme: "https", Host: "shop.example", Path: "/m/pass"}
		if target, err := base.Parse(header.Get("Location")); err != nil || target.Host != "shop.example" || target.Scheme != "https" {
			t.Fatalf("it leads to %q (%v)", header.Get("Location"), err)
		}
	})
}
