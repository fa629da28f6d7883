package echojwt_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	middleware "github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"
	"github.com/recess-go/recess/adapters/echo"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/identity/echojwt"
	"github.com/recess-go/recess/examples/identity/internal/identitytest"
)

func config() middleware.Config {
	return middleware.Config{
		SigningMethod: "RS256", SigningKey: &identitytest.Key().PublicKey,
		TokenLookup: "header:Authorization:Bearer ,cookie:" + identitytest.TokenCookie,
	}
}

var cookie = http.Cookie{Name: identitytest.TokenCookie, Path: "/", HttpOnly: true}

// serve serves an application whose gate uses one configuration and whose routes another.
func serve(gates, routes middleware.Config, authFirst bool) identitytest.Server {
	return func(t testing.TB, engine *recess.Engine) string {
		e := echo.New()
		hooks, err := echojwt.Hooks(gates, identitytest.Audience, cookie)
		if err != nil {
			t.Fatal(err)
		}
		if authFirst {
			e.Use(middleware.WithConfig(routes))
		}
		if _, err := recessecho.Install(e, engine, hooks); err != nil {
			t.Fatal(err)
		}
		e.GET("/open", func(c echo.Context) error {
			_, err := c.Response().Write([]byte("open"))
			return err
		})
		var behind []echo.MiddlewareFunc
		if !authFirst {
			behind = append(behind, middleware.WithConfig(routes))
		}
		e.GET("/me", func(c echo.Context) error {
			token, ok := c.Get("user").(*jwt.Token)
			if !ok {
				return c.String(200, identitytest.Anonymous)
			}
			name, err := token.Claims.GetSubject()
			if err != nil {
				return err
			}
			return c.String(200, name)
		}, behind...)
		return identitytest.HTTP(t, e)
	}
}

func TestTokens(t *testing.T) {
	identitytest.Tokens(t, func(authFirst bool) identitytest.Server { return serve(config(), config(), authFirst) })
}

// TestWhatTheMiddlewareForgivesTheGateDoesNot: a configuration may have the middleware skip, answer by itself, or go on with
// a token that nobody has signed. Nobody becomes somebody by that.
func TestWhatTheMiddlewareForgivesTheGateDoesNot(t *testing.T) {
	lenient := config()
	lenient.Skipper = func(echo.Context) bool { return true }
	lenient.BeforeFunc = func(echo.Context) { t.Error("the gate has told the application of a request before its middleware") }
	lenient.SuccessHandler = lenient.BeforeFunc
	lenient.ContinueOnIgnoredError = true
	lenient.ErrorHandler = func(c echo.Context, _ error) error {
		c.Set("user", &jwt.Token{Valid: true, Claims: jwt.MapClaims{"sub": "root"}})
		return errors.Join(c.String(200, "root"), nil)
	}
	identitytest.Tokens(t, func(authFirst bool) identitytest.Server { return serve(lenient, config(), authFirst) })
}

func TestAConfigurationWithoutAKeyIsAnError(t *testing.T) {
	if _, err := echojwt.Hooks(middleware.Config{}, identitytest.Audience, cookie); err == nil {
		t.Error("there is no error")
	}
}
