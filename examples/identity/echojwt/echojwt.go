// Package echojwt tells Recess who asks where labstack/echo-jwt lets users in.
//
//	hooks, err := echojwt.Hooks(config, "shop", cookie)
//	gate, err := recessecho.Install(e, engine, hooks)
//	e.GET("/me", me, jwt.WithConfig(config))
package echojwt

import (
	"cmp"
	"net/http"

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo-jwt/v4"
	"github.com/labstack/echo/v4"
	"github.com/recess-go/recess/adapters/echo"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/identity"
)

// Hooks verifies tokens with a middleware of the application's own configuration that lets nobody through and answers
// nobody. cookie is the one that the login sets, if config.TokenLookup names one. It returns an error for a configuration
// that echo-jwt refuses too.
func Hooks(config echojwt.Config, audience string, cookie http.Cookie) (recessecho.Hooks, error) {
	left := cmp.Or(config.ContextKey, "user")
	// What makes a middleware skip, answer, or go on with a token of its own making has no say in who asks.
	config.Skipper, config.BeforeFunc, config.SuccessHandler, config.ErrorHandler = nil, nil, nil, nil
	config.ContextKey = "recess: token"
	middleware, err := config.ToMiddleware()
	if err != nil {
		return recessecho.Hooks{}, err
	}
	verify := middleware(func(echo.Context) error { return nil })
	return recessecho.Hooks{
		User: func(c echo.Context) recess.User {
			if verify(c) != nil {
				return recess.User{}
			}
			token, ok := c.Get(config.ContextKey).(*jwt.Token)
			if !ok || !token.Valid {
				return recess.User{}
			}
			claims, _ := token.Claims.(jwt.MapClaims) // what config.NewClaimsFunc makes is the application's to read
			return identity.FromClaims(claims, audience)
		},
		// The token itself stays good until it expires.
		Logout: func(c echo.Context) error {
			identity.Forget(c.Response(), c.Request(), cookie)
			c.Set(left, nil)
			return nil
		},
	}, nil
}
