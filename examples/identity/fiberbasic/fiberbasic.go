// Package fiberbasic tells Recess who asks where fiber's basicauth middleware lets users in.
//
//	gate, err := recessfiber.Install(app, engine, fiberbasic.Hooks(passwords, find))
//	app.Get("/staff", basicauth.New(basicauth.Config{Authorizer: passwords.Check}), staff)
//
// With the gate in front a browser sends no password, for the 503 does not ask it for one: whoever is to be let in by the
// browser opens a route first that asks and is allowed ([recess.Policy].AllowPaths). With basicauth in front every visitor is
// asked for a password before the gate can say 503.
package fiberbasic

import (
	"net/http"

	"github.com/gofiber/fiber/v2"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/identity"
)

// Hooks compares passwords as the middleware does if passwords.Check is its Authorizer; the one that it makes of
// Config.Users tells by its time whether a name is known. find says who a name is; the zero User if nobody is called so any
// more.
func Hooks(passwords identity.Passwords, find func(name string) recess.User) recessfiber.Hooks {
	return recessfiber.Hooks{
		User: func(c *fiber.Ctx) recess.User {
			header := http.Header{fiber.HeaderAuthorization: {c.Get(fiber.HeaderAuthorization)}}
			name, password, ok := (&http.Request{Header: header}).BasicAuth() // decoded, so none of fiber's own strings
			if !ok || !passwords.Check(name, password) {
				return recess.User{}
			}
			return find(name)
		},
		// There is no session to end: the browser sends the password again with its next request, and is logged out again.
		Logout: func(c *fiber.Ctx) error {
			c.Request().Header.Del(fiber.HeaderAuthorization)
			c.Locals("username", nil)
			c.Locals("password", nil)
			return nil
		},
	}
}
