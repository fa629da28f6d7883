package identitytest

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/recess-go/recess/examples/identity"
)

// Passwords are the users'.
var Passwords = identity.Passwords{"alice": "kettle: blue", "staff": "a b", "root": "pässword", Gone: "gone", Broken: "broken"}

func basic(name, password string) With {
	return func(r *http.Request) { r.SetBasicAuth(name, password) }
}

// Password is what a user sends who knows his password.
func Password(user string) With { return basic(user, Passwords[user]) }

// BasicAuth tests a recipe for basic authentication, with the library's middleware behind the gate and in front of it.
func BasicAuth(t *testing.T, serve func(authFirst bool) Server) {
	raw := func(text string) With { return Header("Authorization", text) }
	encoded := base64.StdEncoding.EncodeToString([]byte("root:" + Passwords["root"]))
	r := Recipe{
		Challenges: true, Finds: true,
		As: func(_ testing.TB, _, user string) With { return Password(user) },
		Forged: map[string]With{
			"a wrong password":             basic("root", "password"),
			"the beginning of a password":  basic("root", Passwords["root"][:4]),
			"a password and more":          basic("root", Passwords["root"]+"x"),
			"no password":                  basic("root", ""),
			"another user's password":      basic("root", Passwords["alice"]),
			"a name that nobody has":       basic("eve", Passwords["root"]),
			"nobody's password":            basic("eve", ""),
			"no name":                      basic("", ""),
			"a name in other letters":      basic("Root", Passwords["root"]),
			"no colon":                     raw("Basic " + base64.StdEncoding.EncodeToString([]byte("root"))),
			"nothing that is encoded":      raw("Basic %%%"),
			"nothing after the scheme":     raw("Basic "),
			"no scheme":                    raw(encoded),
			"another scheme":               raw("Bearer " + encoded),
			"a name in a header":           Header("X-Remote-User", "root"),
			"the password in its own text": raw("Basic root:" + Passwords["root"]),
		},
	}
	r.bothOrders(t, serve)
}
