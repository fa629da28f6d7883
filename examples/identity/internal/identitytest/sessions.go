package identitytest

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/recess-go/recess/core"
)

// SessionRecipe is a recipe for sessions whose cookie has this name. In the application GET /login?user=NAME begins a
// session for anybody.
func SessionRecipe(cookie string) Recipe {
	return Recipe{
		Cookie: cookie, Logins: true, Ends: true, Finds: true,
		As: func(t testing.TB, base, user string) With { return login(t, base, cookie, user, nothing) },
		Forged: map[string]With{
			"an empty cookie":          Cookie(cookie, ""),
			"a name for a session":     Cookie(cookie, "root"),
			"a session of nobody's":    Cookie(cookie, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
			"a way out of a directory": Cookie(cookie, "../../etc/passwd"),
			"a name in a header":       Header("X-Remote-User", "root"),
		},
	}
}

// login begins a session in a request that is sent with something, and returns what its cookie makes of requests.
func login(t testing.TB, base, cookie, user string, with With) With {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/login?user="+url.QueryEscape(user), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	with(r)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	held := "" // what a browser holds in the end: the last word counts
	for _, c := range response.Cookies() {
		if c.Name == cookie {
			held = c.Value
		}
	}
	if held == "" || response.StatusCode != http.StatusOK {
		t.Fatalf("login: status %d, cookies %v", response.StatusCode, response.Cookies())
	}
	return Cookie(cookie, held)
}

// again has somebody log in as somebody else while his own session ends in the same request. It is a new session: who knows
// the old one is not logged in by that.
func again(t *testing.T, r Recipe) {
	if !r.Logins {
		t.Skip("there is no login")
	}
	s := open(t, r.Serve, recess.Policy{
		Logout: recess.Logout{Authenticated: true, Staff: recess.No}, AllowStaff: true, AllowPaths: []string{"/login"},
	})
	alice := r.as(s, "alice")
	s.close()
	staff := login(t, s.base, r.Cookie, "staff", alice)
	s.wants("staff", staff, "staff")
	s.wants("staff again", staff, "staff")
	if r.Ends {
		s.wants("alice with what she had", alice, "refused")
	}
}
