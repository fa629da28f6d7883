// Package fiberjwt tells Recess who asks where gofiber/contrib/jwt lets users in.
//
//	gate, err := recessfiber.Install(app, engine, fiberjwt.Hooks(config, "shop", cookie))
//	app.Get("/me", jwtware.New(config), me)
package fiberjwt

import (
	"cmp"
	"time"

	"github.com/gofiber/contrib/jwt"
	"github.com/gofiber/fiber/v2"
	"github.com/golang-jwt/jwt/v5"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/identity"
)

// Hooks verifies tokens with a middleware of the application's own configuration that lets nobody through and answers
// nobody. cookie is the one that the login sets, if config.TokenLookup names one. It panics for a configuration for which
// jwtware.New panics too.
//
// config.SigningKey.JWTAlg should be set: without it the key's type alone keeps a token from choosing its algorithm. With
// TokenLookup set, AuthScheme must be set too ("Bearer"), or no token in a header is ever found.
func Hooks(config jwtware.Config, audience string, cookie fiber.Cookie) recessfiber.Hooks {
	left := cmp.Or(config.ContextKey, "user")
	config.ContextKey = "recess: token"
	config.Filter = nil
	config.SuccessHandler = func(*fiber.Ctx) error { return nil }
	config.ErrorHandler = func(_ *fiber.Ctx, err error) error { return err }
	verify := jwtware.New(config)
	return recessfiber.Hooks{
		User: func(c *fiber.Ctx) recess.User {
			if verify(c) != nil {
				return recess.User{}
			}
			token, ok := c.Locals(config.ContextKey).(*jwt.Token)
			if !ok || !token.Valid {
				return recess.User{}
			}
			claims, _ := token.Claims.(jwt.MapClaims) // those of a type of config.Claims are the application's to read
			return identity.FromClaims(claims, audience)
		},
		// The token itself stays good until it expires.
		Logout: func(c *fiber.Ctx) error {
			c.Locals(left, nil)
			c.Request().Header.Del(fiber.HeaderAuthorization)
			if c.Cookies(cookie.Name) != "" {
				c.Request().Header.DelCookie(cookie.Name)
				expired := cookie
				expired.Value, expired.Expires = "", time.Unix(1, 0)
				c.Cookie(&expired)
			}
			return nil
		},
	}
}
