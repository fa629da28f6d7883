package golangjwt_test

import (
	"cmp"
	"net/http"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/examples/identity/golangjwt"
	"github.com/recess-go/recess/examples/identity/internal/identitytest"
)

func TestTokens(t *testing.T) {
	verifier := golangjwt.Verifier{
		Method: jwt.SigningMethodRS256, Key: &identitytest.Key().PublicKey, Audience: identitytest.Audience,
		Cookie: http.Cookie{Name: identitytest.TokenCookie, Path: "/", HttpOnly: true},
	}
	require := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !verifier.User(r).Authenticated {
				http.Error(w, "who are you?", http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	identitytest.Tokens(t, func(authFirst bool) identitytest.Server {
		return func(t testing.TB, engine *recess.Engine) string {
			gate, err := nethttp.New(engine, verifier.Hooks(), nil)
			if err != nil {
				t.Fatal(err)
			}
			var me http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Write([]byte(cmp.Or(verifier.User(r).Name, identitytest.Anonymous)))
			})
			if authFirst {
				me = require(gate.Middleware(me))
			} else {
				me = gate.Middleware(require(me))
			}
			mux := http.NewServeMux()
			mux.Handle("GET /me", me)
			mux.Handle("GET /open", gate.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("open")) })))
			return identitytest.HTTP(t, mux)
		}
	})
}
