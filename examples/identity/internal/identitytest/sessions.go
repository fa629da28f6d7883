package identitytest

import (
	"net/http"
	"net/url"
	"testing"
)

// SessionRecipe is a recipe for sessions whose cookie has this name. In the application GET /login?user=NAME begins a
// session for anybody.
func SessionRecipe(cookie string) Recipe {
	return Recipe{
		Cookie: cookie, Ends: true, Finds: true,
		As: func(t testing.TB, base, user string) With { return Login(t, base, cookie, user) },
		Forged: map[string]With{
			"an empty cookie":          Cookie(cookie, ""),
			"a name for a session":     Cookie(cookie, "root"),
			"a session of nobody's":    Cookie(cookie, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
			"a way out of a directory": Cookie(cookie, "../../etc/passwd"),
			"a name in a header":       Header("X-Remote-User", "root"),
		},
	}
}

// Login begins a session, and returns what its cookie makes of requests.
func Login(t testing.TB, base, cookie, user string) With {
	t.Helper()
	response, err := http.Get(base + "/login?user=" + url.QueryEscape(user))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for _, c := range response.Cookies() {
		if c.Name == cookie && c.Value != "" {
			return Cookie(cookie, c.Value)
		}
	}
	t.Fatalf("login: status %d, cookies %v", response.StatusCode, response.Cookies())
	return nil
}
