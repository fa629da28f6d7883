package fiberjwt_test

import (
	"testing"

	"github.com/gofiber/contrib/jwt"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/golang-jwt/jwt/v5"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/identity/fiberjwt"
	"github.com/recess-go/recess/examples/identity/internal/identitytest"
)

func config() jwtware.Config {
	return jwtware.Config{
		SigningKey:  jwtware.SigningKey{JWTAlg: "RS256", Key: &identitytest.Key().PublicKey},
		TokenLookup: "header:Authorization,cookie:" + identitytest.TokenCookie,
		AuthScheme:  "Bearer",
	}
}

// serve serves an application whose gate uses one configuration and whose routes another.
func serve(gates, routes jwtware.Config, authFirst bool) identitytest.Server {
	return func(t testing.TB, engine *recess.Engine) string {
		app := fiber.New(identitytest.Quiet)
		app.Use(recover.New())
		if authFirst {
			app.Use(jwtware.New(routes))
		}
		cookie := fiber.Cookie{Name: identitytest.TokenCookie, Path: "/", HTTPOnly: true}
		if _, err := recessfiber.Install(app, engine, fiberjwt.Hooks(gates, identitytest.Audience, cookie)); err != nil {
			t.Fatal(err)
		}
		app.Get("/open", func(c *fiber.Ctx) error { return c.SendString("open") })
		if !authFirst {
			app.Use(jwtware.New(routes))
		}
		app.Get("/me", func(c *fiber.Ctx) error {
			token, ok := c.Locals("user").(*jwt.Token)
			if !ok {
				return c.SendString(identitytest.Anonymous)
			}
			name, err := token.Claims.GetSubject()
			if err != nil {
				return err
			}
			return c.SendString(name)
		})
		return identitytest.Fiber(t, app)
	}
}

func TestTokens(t *testing.T) {
	identitytest.Tokens(t, func(authFirst bool) identitytest.Server { return serve(config(), config(), authFirst) })
}

// TestWhatTheMiddlewareForgivesTheGateDoesNot: a configuration may have the middleware skip, or forgive a token that is
// none. Nobody becomes somebody by that, and no handler runs before the gate has decided.
func TestWhatTheMiddlewareForgivesTheGateDoesNot(t *testing.T) {
	lenient := config()
	lenient.Filter = func(*fiber.Ctx) bool { return true }
	lenient.SuccessHandler = func(c *fiber.Ctx) error { return c.SendString("root") }
	lenient.ErrorHandler = func(c *fiber.Ctx, _ error) error { return c.SendString("root") }
	identitytest.Tokens(t, func(authFirst bool) identitytest.Server { return serve(lenient, config(), authFirst) })
}
