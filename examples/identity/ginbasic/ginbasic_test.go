package ginbasic_test

import (
	"cmp"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/identity/ginbasic"
	"github.com/recess-go/recess/examples/identity/internal/identitytest"
)

func TestBasicAuth(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	identitytest.BasicAuth(t, func(authFirst bool) identitytest.Server {
		return func(t testing.TB, engine *recess.Engine) string {
			r, auth := gin.New(), gin.BasicAuth(gin.Accounts(identitytest.Passwords))
			if authFirst {
				r.Use(auth)
			}
			if _, err := recessgin.Install(r, engine, ginbasic.Hooks(identitytest.Passwords, identitytest.Find)); err != nil {
				t.Fatal(err)
			}
			r.GET("/open", func(c *gin.Context) { c.Writer.WriteString("open") })
			if !authFirst {
				r.Use(auth)
			}
			r.GET("/me", func(c *gin.Context) { c.String(200, cmp.Or(c.GetString(gin.AuthUserKey), identitytest.Anonymous)) })
			return identitytest.HTTP(t, r)
		}
	})
}
