package recess

import (
	"context"
	"errors"
	"strings"
	"testing"

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
