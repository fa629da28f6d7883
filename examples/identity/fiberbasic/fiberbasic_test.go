package fiberbasic_test

import (
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/basicauth"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/identity/fiberbasic"
	"github.com/recess-go/recess/examples/identity/internal/identitytest"
)

func TestBasicAuth(t *testing.T) {
	identitytest.BasicAuth(t, func(authFirst bool) identitytest.Server {
		return func(t testing.TB, engine *recess.Engine) string {
			app := fiber.New(identitytest.Quiet)
			app.Use(recover.New())
			auth := basicauth.New(basicauth.Config{Authorizer: identitytest.Passwords.Check})
			if authFirst {
				app.Use(auth)
			}
			if _, err := recessfiber.Install(app, engine, fiberbasic.Hooks(identitytest.Passwords, identitytest.Find)); err != nil {
				t.Fatal(err)
			}
			app.Get("/open", func(c *fiber.Ctx) error { return c.SendString("open") })
			if !authFirst {
				app.Use(auth)
			}
			app.Get("/me", func(c *fiber.Ctx) error {
				name, ok := c.Locals("username").(string)
				if !ok {
					name = identitytest.Anonymous
				}
				return c.SendString(name)
			})
			return identitytest.Fiber(t, app)
		}
	})
}
