// Package ginjwt tells Recess who asks where appleboy/gin-jwt lets users in.
//
//	router := gin.New()
//	gate, err := recessgin.Install(router, engine, ginjwt.Hooks(auth, "shop"))
//	router.GET("/me", auth.MiddlewareFunc(), me)
package ginjwt

import (
	"net/http"

	jwt "github.com/appleboy/gin-jwt/v2"
	"github.com/gin-gonic/gin"
	"github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/identity"
)

// Hooks verifies tokens with the key, the algorithm and the look-up of the application's own middleware, which jwt.New has
// made. What its Authorizator refuses is not refused here: it is about what a user may do, and not about who he is.
//
// jwt.GetToken(c) is no substitute: gin-jwt keeps the token there before it looks at the signature, and does not take it back.
func Hooks(auth *jwt.GinJWTMiddleware, audience string) recessgin.Hooks {
	return recessgin.Hooks{
		User: func(c *gin.Context) recess.User {
			token, err := auth.ParseToken(c)
			if err != nil || !token.Valid {
				c.Delete("JWT_TOKEN")
				return recess.User{}
			}
			return identity.FromClaims(jwt.ExtractClaimsFromToken(token), audience)
		},
		// The token itself stays good until it expires.
		Logout: func(c *gin.Context) error {
			identity.Forget(c.Writer, c.Request, http.Cookie{
				Name: auth.CookieName, Path: "/", Domain: auth.CookieDomain,
				Secure: auth.SecureCookie, HttpOnly: auth.CookieHTTPOnly, SameSite: auth.CookieSameSite,
			})
			for _, key := range []string{"JWT_PAYLOAD", "JWT_TOKEN", auth.IdentityKey} {
				c.Delete(key)
			}
			return nil
		},
	}
}
