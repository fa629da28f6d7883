// Package chijwt tells Recess who asks where go-chi/jwtauth lets users in.
//
//	gate, err := recesschi.Install(router, engine, chijwt.Hooks(auth, "shop", cookie))
//	router.With(jwtauth.Verifier(auth), jwtauth.Authenticator(auth)).Get("/me", me)
package chijwt

import (
	"net/http"

	"github.com/go-chi/jwtauth/v5"
	"github.com/recess-go/recess/adapters/chi"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/examples/identity"
)

// Hooks verifies tokens as jwtauth.Verifier does, from the Authorization header and from the cookie "jwt". cookie is
// that one, as the login sets it.
//
// jwtauth.FromContext returns the token of a request although it has expired, with the error beside it. Whoever reads the
// claims and not the error lets everybody in who was somebody once.
func Hooks(auth *jwtauth.JWTAuth, audience string, cookie http.Cookie) recesschi.Hooks {
	return recesschi.Hooks{
		User: func(c nethttp.Context) recess.User {
			token, err := jwtauth.VerifyRequest(auth, c.Request, jwtauth.TokenFromHeader, jwtauth.TokenFromCookie)
			if err != nil {
				return recess.User{}
			}
			claims, err := token.AsMap(c.Request.Context())
			if err != nil {
				return recess.User{}
			}
			return identity.FromClaims(claims, audience)
		},
		// The token itself stays good until it expires.
		Logout: func(c nethttp.Context) error {
			identity.Forget(c.Writer, c.Request, cookie)
			ctx := jwtauth.NewContext(c.Request.Context(), nil, jwtauth.ErrNoTokenFound)
			*c.Request = *c.Request.WithContext(ctx) // the request itself is changed: the handlers behind the gate are given it
			return nil
		},
	}
}
