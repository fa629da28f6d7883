package ginjwt_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
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
				IdentityKey: "sub",
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
			r.GET("/open", func(c *gin.Context) { c.Writer.WriteString("open") })
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

// TestTheTokenIsNotSentBack: gin-jwt can send the token with its answers, and keeps one in the context before it looks at its
// signature. When the gate asks, neither is left behind. The tokens are gin-jwt's own, signed with a secret.
func TestTheTokenIsNotSentBack(t *testing.T) {
	auth, err := jwt.New(&jwt.GinJWTMiddleware{
		Key: []byte("a secret of the application's own"), SendAuthorization: true,
		PayloadFunc: func(data any) jwt.MapClaims {
			return jwt.MapClaims{"sub": data, "aud": identitytest.Audience, "staff": true}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	staff, _, err := auth.TokenGenerator("staff")
	if err != nil {
		t.Fatal(err)
	}
	hooks := ginjwt.Hooks(auth, identitytest.Audience)
	for token, want := range map[string]recess.User{
		staff:                      {Name: "staff", Authenticated: true, Staff: true},
		staff[:len(staff)-2]:       {},
		identitytest.Token("root"): {}, // of another algorithm
	} {
		w := httptest.NewRecorder()
		c, _ := gin.CreateTestContext(w)
		c.Request = httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		c.Request.Header.Set("Authorization", "Bearer "+token)
		if got := hooks.User(c); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", token, got, want)
		}
		if len(w.Header()) > 0 {
			t.Errorf("%s: the answer carries %v", token, w.Header())
		}
		if got := jwt.GetToken(c); got != "" && !want.Authenticated {
			t.Errorf("%s: the context holds a token that counts for nothing", token)
		}
	}
}
