// Package ginbasic tells Recess who asks where gin.BasicAuth lets users in.
//
//	router := gin.New()
//	gate, err := recessgin.Install(router, engine, ginbasic.Hooks(passwords, find))
//	staff := router.Group("/staff", gin.BasicAuth(gin.Accounts(passwords)))
//
// With the gate in front a browser sends no password, for the 503 does not ask it for one: whoever is to be let in by the
// browser opens a route first that asks and is allowed ([recess.Policy].AllowPaths). With gin.BasicAuth in front every
// visitor is asked for a password before the gate can say 503.
package ginbasic

import (
	"github.com/gin-gonic/gin"
	"github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/identity"
)

// Hooks compares passwords as gin.BasicAuth does. find says who a name is; the zero User if nobody is called so any more.
func Hooks(passwords identity.Passwords, find func(name string) recess.User) recessgin.Hooks {
	return recessgin.Hooks{
		User: func(c *gin.Context) recess.User {
			name, password, ok := c.Request.BasicAuth()
			if !ok || !passwords.Check(name, password) {
				return recess.User{}
			}
			return find(name)
		},
		// There is no session to end: the browser sends the password again with its next request, and is logged out again.
		Logout: func(c *gin.Context) error {
			c.Request.Header.Del("Authorization")
			c.Delete(gin.AuthUserKey)
			return nil
		},
	}
}
