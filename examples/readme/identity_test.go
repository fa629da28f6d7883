package readme

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-chi/jwtauth/v5"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
	"github.com/recess-go/recess/examples/identity"
)

// TestTheStaffComesIn drives what docs/identity.md shows, while the site is closed.
func TestTheStaffComesIn(t *testing.T) {
	engine, err := recess.New(t.Context(), recess.Config{
		Backend: memstate.New(memstate.Config{}), Policy: recess.Policy{AllowStaff: true, AllowPaths: []string{"/staff/login"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	if _, err := engine.Control(state.Actor{Name: "test"}).On(t.Context(), recess.Opening{}); err != nil {
		t.Fatal(err)
	}
	find := func(name string) recess.User {
		return recess.User{Name: name, Authenticated: true, Staff: name == "staff"}
	}
	onGin, err := passwordsOnGin(engine, identity.Passwords{"alice": "kettle", "staff": "lamp"}, find)
	if err != nil {
		t.Fatal(err)
	}
	auth := jwtauth.New("HS256", []byte("a secret of the application's own"), nil)
	onChi, err := tokensOnChi(engine, auth)
	if err != nil {
		t.Fatal(err)
	}
	token := func(staff bool) string {
		_, text, err := auth.Encode(map[string]any{"sub": "staff", "aud": "shop", "exp": time.Now().Add(time.Hour), "staff": staff})
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + text
	}
	for _, c := range []struct {
		handler       http.Handler
		path          string
		authorization string
		status        int
	}{
		{onGin, "/staff/login", "", 401}, // here a browser learns that it may send a password
		{onGin, "/staff/login", basic("staff", "lamp"), 200},
		{onGin, "/staff/orders", "", 503},
		{onGin, "/staff/orders", basic("staff", "lamp"), 200},
		{onGin, "/staff/orders", basic("staff", "lamb"), 503},
		{onGin, "/staff/orders", basic("alice", "kettle"), 503},
		{onChi, "/me", "", 503},
		{onChi, "/me", token(true), 200},
		{onChi, "/me", token(false), 503},
		{onChi, "/me", token(true) + "x", 503},
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, c.path, http.NoBody)
		r.Header.Set("Authorization", c.authorization)
		c.handler.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s with %q: status %d, want %d", c.path, c.authorization, w.Code, c.status)
		}
	}
}

func basic(name, password string) string {
	r := http.Request{Header: make(http.Header)}
	r.SetBasicAuth(name, password)
	return r.Header.Get("Authorization")
}
