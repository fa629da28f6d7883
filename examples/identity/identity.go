// Package identity holds what the recipes below it share: how the claims of a token become a user, how a password is
// compared, and how a request is made anonymous. Each recipe is a package of its own, to be copied; docs/identity.md has
// the table of them.
//
// All of them verify by themselves and ask nobody what a middleware in front has found. So the same hooks are right with
// the gate in front of the framework's authentication, where visitors get 503 and nobody is asked to log in, and
// behind it, where they get that middleware's 401 first.
package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/recess-go/recess/core"
)

// FromClaims makes a user of the claims of a token whose signature and times somebody has verified. The libraries do not
// ask for an audience, and most of them take a token for good that never expires: both count as anonymous here.
//
// The claims are sub (the user's name), aud (which must be or hold the audience), exp, and, of the application's own,
// staff and superuser (true or absent) and roles (a list). A claim of another type is as good as absent.
func FromClaims(claims map[string]any, audience string) recess.User {
	name, _ := claims["sub"].(string)
	if name == "" || !expires(claims["exp"]) || !slices.Contains(texts(claims["aud"]), audience) {
		return recess.User{}
	}
	staff, _ := claims["staff"].(bool)
	superuser, _ := claims["superuser"].(bool)
	return recess.User{Name: name, Authenticated: true, Staff: staff, Superuser: superuser, Roles: texts(claims["roles"])}
}

// expires reports whether a token ends at all; 0 is no end to golang-jwt and to jwx.
func expires(claim any) bool {
	switch end := claim.(type) {
	case float64:
		return end > 0
	case time.Time: // as jwx reads it
		return end.Unix() > 0
	}
	return false
}

// texts reads a claim that is a string or a list of strings.
func texts(claim any) (list []string) {
	switch claim := claim.(type) {
	case string:
		return []string{claim}
	case []string:
		return claim
	case []any:
		for _, entry := range claim {
			if text, ok := entry.(string); ok {
				list = append(list, text)
			}
		}
	}
	return list
}

// Passwords are what the users' passwords are, by name, as gin and fiber want them for their basic authentication. An
// application that keeps hashes puts its own comparison into the place of Check, and takes care that it is not asked for a
// slow one a thousand times a second.
type Passwords map[string]string

// Check reports whether it is this user's password. A name that nobody has takes as long as a password that is wrong, and
// no comparison tells how much of a password was right.
func (p Passwords) Check(name, password string) bool {
	want, got := sha256.Sum256([]byte(p[name])), sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && p[name] != ""
}

// Forget makes a request anonymous for whatever stands behind the gate: its Authorization header goes, and so does the
// cookie that carries a token, from the request and from the browser. cookie is as the login sets it, for a browser
// deletes only what has the same name, path and domain; one without a name stands for none.
//
// That is all that can be done about a token. Whoever kept a copy of it is let in with it until it expires: a site that
// must end sessions keeps them on the server, or keeps a list of the tokens that count no longer.
func Forget(w http.ResponseWriter, r *http.Request, cookie http.Cookie) {
	r.Header.Del("Authorization")
	if !DropCookie(r, cookie.Name) {
		return
	}
	cookie.Value, cookie.MaxAge, cookie.Expires = "", -1, time.Unix(1, 0)
	http.SetCookie(w, &cookie)
}

// DropCookie takes a cookie out of a request, and leaves the others as they are. It reports whether it was there.
func DropCookie(r *http.Request, name string) bool {
	if _, err := r.Cookie(name); err != nil {
		return false
	}
	var rest []string
	for _, line := range r.Header["Cookie"] {
		pairs := slices.DeleteFunc(strings.Split(line, ";"), func(pair string) bool {
			key, _, _ := strings.Cut(pair, "=")
			return strings.TrimSpace(key) == name
		})
		if len(pairs) > 0 {
			rest = append(rest, strings.TrimSpace(strings.Join(pairs, ";")))
		}
	}
	r.Header["Cookie"] = rest
	return true
}
