package shoptest

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/pass"
)

// passes makes a pass as the command line does, and follows its link as a browser does.
func passes(t *testing.T, launch Launcher) {
	const key = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	s := Open(t, launch, map[string]string{"RECESS_PASS_KEYS": key})
	ring, err := pass.NewRing([]string{key}, "")
	if err != nil {
		t.Fatal(err)
	}
	s.On(recess.Opening{})
	tokens, change, err := s.controller.IssuePass(t.Context(), ring, recess.PassOrder{For: "alice", TTL: time.Hour, Uses: 1})
	if err != nil {
		t.Fatal(err)
	}
	look := "GET /maintenance/pass?link=" + tokens.Link + "&to=/me"
	s.until("the link is good", func() bool { return s.Ask(look).Status == http.StatusOK })
	s.Ask(look).Says("Let me in")
	s.Wants(http.StatusServiceUnavailable, "GET /me", "GET /")

	form := func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }
	press := "POST /maintenance/pass " + url.Values{"link": {tokens.Link}, "to": {"/me"}}.Encode()
	entered := s.Ask(press, form, Header("Sec-Fetch-Site", "same-origin"))
	if entered.Status != http.StatusSeeOther || len(entered.cookies) != 1 {
		t.Fatalf("the button is answered %d with the cookies %v", entered.Status, entered.cookies)
	}
	entered.Carries("Location", "/me")
	if c := entered.cookies[0]; c.Name != pass.CookieName || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("the cookie is %+v", c)
	}
	alices := As(entered.cookies[0])
	for _, page := range []string{"GET /me", "GET /api/orders", "GET /checkout/cart"} {
		if got := s.Ask(page, alices); got.Status != http.StatusOK {
			t.Errorf("%s with the pass: status %d", page, got.Status)
		}
	}
	s.Ask("GET /", alices).Says("you were let in")
	if got := s.Ask(press, form); got.Status != http.StatusForbidden || len(got.cookies) > 0 {
		t.Errorf("the link is used once more: status %d", got.Status)
	}
	if strings.Contains(s.Log(), tokens.Pass) {
		t.Error("the pass stands in the log")
	}
	if _, err := s.controller.RevokePass(t.Context(), "", change.Passes[0].ID); err != nil {
		t.Fatal(err)
	}
	s.until("the pass is revoked", func() bool { return s.Ask("GET /me", alices).Status == http.StatusServiceUnavailable })
}

// until asks until something is as wanted.
func (s *Site) until(what string, wanted func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for !wanted() {
		if ctx.Err() != nil {
			s.t.Fatalf("in vain: %s\n%s", what, s.Log())
		}
	}
}
