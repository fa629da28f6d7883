// Package fibersession tells Recess who asks where users are kept in fiber's own sessions.
//
//	store := session.New(session.Config{Storage: storage})
//	gate, err := recessfiber.Install(app, engine, fibersession.Hooks(store, find))
//
// The store is asked by who needs it, not by a middleware, so there is no order to get wrong.
package fibersession

import (
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/session"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/core"
)

// Key is where the login keeps the user's name in the session.
const Key = "user"

// Hooks finds the user of a session. find says who a name is; the zero User if nobody is called so any more. A store that
// cannot be reached knows nobody, and a session that cannot be ended lets nobody in.
func Hooks(store *session.Store, find func(name string) recess.User) recessfiber.Hooks {
	// snippet: hooks
	return recessfiber.Hooks{
		User: func(c *fiber.Ctx) recess.User {
			s, err := store.Get(c)
			if err != nil {
				return recess.User{}
			}
			name, ok := s.Get(Key).(string)
			if !ok {
				return recess.User{}
			}
			return find(name)
		},
		// Destroy takes the session from the store, and its cookie from the request and the browser.
		Logout: func(c *fiber.Ctx) error {
			s, err := store.Get(c)
			if err != nil {
				return err
			}
			return s.Destroy()
		},
	}
	// end
}
