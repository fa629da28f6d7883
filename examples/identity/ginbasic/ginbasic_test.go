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

// serve serves an application. What its gate asks is given, for a test has hooks of its own.
func serve(hooks recessgin.Hooks, authFirst bool) identitytest.Server {
	return func(t testing.TB, engine *recess.Engine) string {
		r, auth := gin.New(), gin.BasicAuth(gin.Accounts(identitytest.Passwords))
		if authFirst {
			r.Use(auth)
		}
		if _, err := recessgin.Install(r, engine, hooks); err != nil {
			t.Fatal(err)
		}
		r.GET("/open", func(c *gin.Context) { c.Writer.WriteString("open") })
		if !authFirst {
			r.Use(auth)
		}
		r.GET("/me", func(c *gin.Context) { c.String(200, cmp.Or(c.GetString(gin.AuthUserKey), identitytest.Anonymous)) })
		return identitytest.HTTP(t, r)
	}
}

func TestBasicAuth(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	hooks := ginbasic.Hooks(identitytest.Passwords, identitytest.Find)
	identitytest.BasicAuth(t, func(authFirst bool) identitytest.Server { return serve(hooks, authFirst) })
}

// TestAHookThatReadsTheContextNeedsTheMiddlewareInFront is why the recipes verify by themselves: it keeps out the staff, and
// takes everybody for anonymous, where the gate comes first.
func TestAHookThatReadsTheContextNeedsTheMiddlewareInFront(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	hooks := recessgin.Hooks{User: func(c *gin.Context) recess.User { return identitytest.Find(c.GetString(gin.AuthUserKey)) }}
	for _, c := range []struct {
		policy    recess.Policy
		authFirst bool
		status    int
	}{
		{recess.Policy{AllowStaff: true}, true, 200},
		{recess.Policy{AllowStaff: true}, false, 503},
		{recess.Policy{AllowAnonymous: true}, true, 503},
		{recess.Policy{AllowAnonymous: true}, false, 200},
	} {
		if got := identitytest.Closed(t, serve(hooks, c.authFirst), c.policy, identitytest.Password("staff")); got != c.status {
			t.Errorf("authentication first %t, %+v: status %d, want %d", c.authFirst, c.policy, got, c.status)
		}
	}
}
