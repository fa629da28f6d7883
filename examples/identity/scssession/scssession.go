// Package scssession tells Recess who asks where users are kept in the sessions of alexedwards/scs.
//
//	gate, err := recesschi.Install(router, engine, scssession.Hooks(sessions, find))
//	router.Use(sessions.LoadAndSave)
//
// The gate belongs in front: LoadAndSave answers 500 to whoever has a session while its store cannot be reached, and a store
// that is being maintained cannot. On echo it stands behind the gate as echo.WrapMiddleware(sessions.LoadAndSave). On gin it
// can stand nowhere but around the whole router, so there a store that is down is answered with that 500.
package scssession

import (
	"context"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"
	"github.com/recess-go/recess/adapters/echo"
	"github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
)

// Key is where the login keeps the user's name in the session.
const Key = "user"

// Hooks are for net/http and chi. find says who a name is; the zero User if nobody is called so any more.
func Hooks(sessions *scs.SessionManager, find func(name string) recess.User) nethttp.Hooks {
	return nethttp.Hooks{
		User:   func(c nethttp.Context) recess.User { return user(sessions, find, c.Request) },
		Logout: func(c nethttp.Context) error { return logout(sessions, c.Writer, c.Request) },
	}
}

// GinHooks are for gin.
func GinHooks(sessions *scs.SessionManager, find func(name string) recess.User) recessgin.Hooks {
	return recessgin.Hooks{
		User:   func(c *gin.Context) recess.User { return user(sessions, find, c.Request) },
		Logout: func(c *gin.Context) error { return logout(sessions, c.Writer, c.Request) },
	}
}

// EchoHooks are for echo.
func EchoHooks(sessions *scs.SessionManager, find func(name string) recess.User) recessecho.Hooks {
	return recessecho.Hooks{
		User:   func(c echo.Context) recess.User { return user(sessions, find, c.Request()) },
		Logout: func(c echo.Context) error { return logout(sessions, c.Response(), c.Request()) },
	}
}

// user finds the user of a session. A store that cannot be reached knows nobody.
func user(sessions *scs.SessionManager, find func(name string) recess.User, r *http.Request) recess.User {
	ctx, err := load(sessions, r)
	if err != nil {
		return recess.User{}
	}
	name := sessions.GetString(ctx, Key)
	if name == "" {
		return recess.User{}
	}
	return find(name)
}

// logout takes the session from the store and its cookie from the browser. A session that cannot be ended lets nobody in.
func logout(sessions *scs.SessionManager, w http.ResponseWriter, r *http.Request) error {
	ctx, err := load(sessions, r)
	if err != nil {
		return err
	}
	if err := sessions.Destroy(ctx); err != nil {
		return err
	}
	if ctx != r.Context() { // else LoadAndSave stands in front, and deletes the cookie of what was destroyed
		sessions.WriteSessionCookie(ctx, w, "", time.Time{})
	}
	return nil
}

// load returns the context that holds the session: the request's own behind LoadAndSave, for Load leaves it as it is then.
func load(sessions *scs.SessionManager, r *http.Request) (context.Context, error) {
	var token string
	if cookie, err := r.Cookie(sessions.Cookie.Name); err == nil {
		token = cookie.Value
	}
	return sessions.Load(r.Context(), token)
}
