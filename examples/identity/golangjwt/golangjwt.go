// Package golangjwt tells Recess who asks where an application verifies its tokens with golang-jwt itself. It is on net/http
// (and chi); on another framework its Verifier is asked with that one's *http.Request.
//
//	verifier := golangjwt.Verifier{Method: jwt.SigningMethodRS256, Key: publicKey, Audience: "shop"}
//	gate, err := nethttp.New(engine, verifier.Hooks(), nethttp.MuxMarkers(mux))
package golangjwt

import (
	"net/http"
	"strings"

	"github.com/golang-jwt/jwt/v5"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/examples/identity"
)

// A Verifier says who has signed a request's token.
type Verifier struct {
	// Method is the only algorithm that counts. What a token says of its own algorithm is the client's word: "none", or
	// HS256 with the public key for a secret.
	Method jwt.SigningMethod
	// Key is the public key, or the secret of an HMAC.
	Key any
	// Audience is whose tokens count.
	Audience string
	// Cookie is the one that the login sets; without a name tokens come in the Authorization header alone.
	Cookie http.Cookie
}

// User is who has sent a request. Parse must not be taken for ParseUnverified, and it fills in the claims also of a token
// that it refuses: nothing may be read from them before its error is.
func (v *Verifier) User(r *http.Request) recess.User {
	// snippet: verified
	claims := make(jwt.MapClaims)
	token, err := jwt.ParseWithClaims(v.token(r), claims, func(*jwt.Token) (any, error) { return v.Key, nil },
		jwt.WithValidMethods([]string{v.Method.Alg()}), jwt.WithAudience(v.Audience), jwt.WithExpirationRequired())
	if err != nil || !token.Valid {
		return recess.User{}
	}
	return identity.FromClaims(claims, v.Audience)
	// end
}

func (v *Verifier) token(r *http.Request) string {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return token
	}
	if cookie, err := r.Cookie(v.Cookie.Name); err == nil {
		return cookie.Value
	}
	return ""
}

// Hooks are for a gate on net/http or chi.
func (v *Verifier) Hooks() nethttp.Hooks {
	return nethttp.Hooks{
		User: func(c nethttp.Context) recess.User { return v.User(c.Request) },
		// The token itself stays good until it expires.
		Logout: func(c nethttp.Context) error {
			identity.Forget(c.Writer, c.Request, v.Cookie)
			return nil
		},
	}
}
