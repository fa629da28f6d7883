package ginjwt_test

import (
	"testing"

	jwt "github.com/appleboy/gin-jwt/v2"
	"github.com/gin-gonic/gin"
	"github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/identity/ginjwt"
	"github.com/recess-go/recess/examples/identity/internal/identitytest"
)

func TestTokens(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	identitytest.Tokens(t, func(authFirst bool) identitytest.Server {
		return func(t testing.TB, engine *recess.Engine) string {
			auth, err := jwt.New(&jwt.GinJWTMiddleware{
				SigningAlgorithm: "RS256", PubKeyBytes: identitytest.Public(), PrivKeyBytes: identitytest.Private(),
				TokenLookup: "header: Authorization, cookie: " + identitytest.TokenCookie, CookieName: identitytest.TokenCookie,
				IdentityKey: "sub", SendAuthorization: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			r := gin.New()
			if authFirst {
				r.Use(auth.MiddlewareFunc())
			}
			if _, err := recessgin.Install(r, engine, ginjwt.Hooks(auth, identitytest.Audience)); err != nil {
				t.Fatal(err)
			}
			if !authFirst {
				r.Use(auth.MiddlewareFunc())
			}
			r.GET("/me", func(c *gin.Context) {
				name, ok := jwt.ExtractClaims(c)["sub"].(string)
				if identity, _ := c.Get("sub"); ok && identity != name {
					t.Errorf("the identity is %v, the claims are %s's", identity, name)
				}
				if !ok {
					name = identitytest.Anonymous
				}
				c.String(200, name)
			})
			return identitytest.HTTP(t, r)
		}
	})
}
