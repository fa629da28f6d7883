// Package gorillasession tells Recess who asks where users are kept in the sessions of gorilla/sessions, which are also those of
// gin-contrib/sessions.
//
//	gate, err := recessgin.Install(router, engine, gorillasession.GinHooks(store, "shop", find))
//	router.Use(sessions.Sessions("shop", store))
//
// The store is asked itself, so the middleware of gin-contrib/sessions may stand on either side of the gate. Take a store that
// keeps sessions on the server. Those of sessions.NewCookieStore and of gin-contrib's package cookie are in the cookie, whole: to
// end one is to ask the browser to forget it, and whoever kept the cookie is logged in until its end.
package gorillasession

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/gorilla/sessions"
	"github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/examples/identity"
)

// Key is where the login keeps the user's name in the session.
const Key = "user"

// Hooks are for net/http and chi. name is the session's. find says who a name is; the zero User if nobody is called so any
// more.
func Hooks(store sessions.Store, name string, find func(name string) recess.User) nethttp.Hooks {
	return nethttp.Hooks{
		User:   func(c nethttp.Context) recess.User { return user(store, name, find, c.Request) },
		Logout: func(c nethttp.Context) error { return logout(store, name, c.Writer, c.Request) },
	}
}

// GinHooks are for gin.
func GinHooks(store sessions.Store, name string, find func(name string) recess.User) recessgin.Hooks {
	return recessgin.Hooks{
		User:   func(c *gin.Context) recess.User { return user(store, name, find, c.Request) },
		Logout: func(c *gin.Context) error { return logout(store, name, c.Writer, c.Request) },
	}
}

// user finds the user of a session. A store that cannot be reached knows nobody, nor is there anybody in a cookie that somebody
// else has signed.
func user(store sessions.Store, name string, find func(name string) recess.User, r *http.Request) recess.User {
	s, err := store.Get(r, name)
	if err != nil {
		return recess.User{}
	}
	who, ok := s.Values[Key].(string)
	if !ok {
		return recess.User{}
	}
	return find(who)
}

// logout takes the session from the store, and its cookie from the request and the browser. A session that cannot be ended lets
// nobody in. What the handlers are given is the same session, empty and without its old id, and they may begin a new one with it.
func logout(store sessions.Store, name string, w http.ResponseWriter, r *http.Request) error {
	s, err := store.Get(r, name)
	if err != nil {
		return err
	}
	begins := *s.Options
	clear(s.Values) // else a session that is in the cookie is signed anew, and sent with the order to forget it
	s.Options.MaxAge = -1
	if err := s.Save(r, w); err != nil {
		return err
	}
	identity.DropCookie(r, name)
	s.ID, s.IsNew, s.Options = "", true, &begins
	return nil
}
