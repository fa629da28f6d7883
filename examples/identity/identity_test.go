package identity_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/identity"
)

func TestClaimsBecomeAUser(t *testing.T) {
	root := recess.User{Name: "root", Authenticated: true, Staff: true, Superuser: true, Roles: []string{"ops", "admin"}}
	plain := recess.User{Name: "root", Authenticated: true}
	for _, c := range []struct {
		name, claims string
		want         recess.User
	}{
		{"all of them", `{"sub":"root","aud":"shop","exp":1,"staff":true,"superuser":true,"roles":["ops","admin"]}`, root},
		{"an audience among others", `{"sub":"root","aud":["bank","shop"],"exp":1}`, plain},
		{"what is no flag is not set", `{"sub":"root","aud":"shop","exp":1,"staff":"true","superuser":1,"roles":{"ops":true}}`, plain},
		{
			"what is no role is left out", `{"sub":"root","aud":"shop","exp":1,"roles":["ops",1,null]}`,
			recess.User{Name: "root", Authenticated: true, Roles: []string{"ops"}},
		},
		{"no name", `{"aud":"shop","exp":1,"staff":true}`, recess.User{}},
		{"an empty name", `{"sub":"","aud":"shop","exp":1}`, recess.User{}},
		{"a name that is a list", `{"sub":["root"],"aud":"shop","exp":1}`, recess.User{}},
		{"no audience", `{"sub":"root","exp":1}`, recess.User{}},
		{"another audience", `{"sub":"root","aud":["bank"],"exp":1}`, recess.User{}},
		{"an audience in other letters", `{"sub":"root","aud":"Shop","exp":1}`, recess.User{}},
		{"no end", `{"sub":"root","aud":"shop"}`, recess.User{}},
		{"an end of zero", `{"sub":"root","aud":"shop","exp":0}`, recess.User{}},
		{"an end that is text", `{"sub":"root","aud":"shop","exp":"1"}`, recess.User{}},
		{"nothing", `null`, recess.User{}},
	} {
		var claims map[string]any
		if err := json.Unmarshal([]byte(c.claims), &claims); err != nil {
			t.Fatal(err)
		}
		if got := identity.FromClaims(claims, "shop"); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	for end, want := range map[time.Time]recess.User{{}: {}, time.Unix(0, 0): {}, time.Unix(1, 0): plain} {
		claims := map[string]any{"sub": "root", "aud": []string{"shop"}, "exp": end} // as jwx reads them
		if got := identity.FromClaims(claims, "shop"); !reflect.DeepEqual(got, want) {
			t.Errorf("an end of %s: %+v, want %+v", end, got, want)
		}
	}
}

func TestAnEmptyPasswordIsNone(t *testing.T) {
	passwords := identity.Passwords{"alice": "kettle", "eve": ""}
	for name, password := range map[string]string{"eve": "", "nobody": "", "": "", "alice": "", "Alice": "kettle"} {
		if passwords.Check(name, password) {
			t.Errorf("%q came in with the password %q", name, password)
		}
	}
	if !passwords.Check("alice", "kettle") {
		t.Error("alice did not come in")
	}
}

func TestForgetTakesOneCookieAndLeavesTheOthers(t *testing.T) {
	for _, c := range []struct {
		name        string
		lines, want []string
		deletes     bool
	}{
		{"alone", []string{"jwt=x"}, nil, true},
		{"between others", []string{`a=1; jwt=x; b="2 3"; c`}, []string{`a=1; b="2 3"; c`}, true},
		{"twice, on two lines", []string{"jwt=x;a=1", "b=2; jwt=y"}, []string{"a=1", "b=2"}, true},
		{"not there", []string{"jwt2=x; a=jwt"}, []string{"jwt2=x; a=jwt"}, false},
		{"none at all", nil, nil, false},
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = c.lines
		r.Header.Set("Authorization", "Bearer x")
		identity.Forget(w, r, http.Cookie{Name: "jwt", Path: "/shop", Domain: "shop.example", Secure: true})
		if got := r.Header["Cookie"]; len(got)+len(c.want) > 0 && !reflect.DeepEqual(got, c.want) || r.Header.Get("Authorization") != "" {
			t.Errorf("%s: what is left is %q and %q, want %q", c.name, got, r.Header.Get("Authorization"), c.want)
		}
		const deletion = "jwt=; Path=/shop; Domain=shop.example; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0; Secure"
		if got := w.Header().Get("Set-Cookie"); c.deletes && got != deletion || !c.deletes && got != "" {
			t.Errorf("%s: Set-Cookie is %q", c.name, got)
		}
	}
}
