package chijwt_test

import (
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/jwtauth/v5"
	"github.com/recess-go/recess/adapters/chi"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/identity/chijwt"
	"github.com/recess-go/recess/examples/identity/internal/identitytest"
)

func TestTokens(t *testing.T) {
	auth := jwtauth.New("RS256", nil, &identitytest.Key().PublicKey)
	identitytest.Tokens(t, func(authFirst bool) identitytest.Server {
		return func(t testing.TB, engine *recess.Engine) string {
			r := chi.NewRouter()
			if authFirst {
				r.Use(jwtauth.Verifier(auth), jwtauth.Authenticator(auth))
			}
			cookie := http.Cookie{Name: identitytest.TokenCookie, Path: "/", HttpOnly: true}
			if _, err := recesschi.Install(r, engine, chijwt.Hooks(auth, identitytest.Audience, cookie)); err != nil {
				t.Fatal(err)
			}
			r.Get("/open", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("open")) })
			behind := r.With()
			if !authFirst {
				behind = r.With(jwtauth.Verifier(auth), jwtauth.Authenticator(auth))
			}
			behind.Get("/me", func(w http.ResponseWriter, r *http.Request) {
				name := identitytest.Anonymous
				if token, _, err := jwtauth.FromContext(r.Context()); err == nil {
					name = token.Subject()
				}
				w.Write([]byte(name))
			})
			return identitytest.HTTP(t, r)
		}
	})
}
