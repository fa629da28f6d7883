package readme

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/jwtauth/v5"
	recesschi "github.com/recess-go/recess/adapters/chi"
	recessgin "github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/identity"
	"github.com/recess-go/recess/examples/identity/chijwt"
	"github.com/recess-go/recess/examples/identity/ginbasic"
)

// passwordsOnGin has a route to log in by, and the pages of the staff.
func passwordsOnGin(engine *recess.Engine, passwords identity.Passwords, find func(name string) recess.User) (http.Handler, error) {
	// snippet: passwords
	router := gin.New()
	if _, err := recessgin.Install(router, engine, ginbasic.Hooks(passwords, find)); err != nil {
		return nil, err
	}
	staff := router.Group("/staff", gin.BasicAuth(gin.Accounts(passwords)))
	staff.GET("/login", func(c *gin.Context) { c.String(200, "hello, "+c.GetString(gin.AuthUserKey)) })
	staff.GET("/orders", func(c *gin.Context) { c.String(200, "all orders") })
	// end
	return router, nil
}

func tokensOnChi(engine *recess.Engine, auth *jwtauth.JWTAuth) (http.Handler, error) {
	me := func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("it is you")) }
	// snippet: tokens
	router := chi.NewRouter()
	cookie := http.Cookie{Name: "jwt", Path: "/", HttpOnly: true, Secure: true} // as the login sets it
	if _, err := recesschi.Install(router, engine, chijwt.Hooks(auth, "shop", cookie)); err != nil {
		return nil, err
	}
	router.With(jwtauth.Verifier(auth), jwtauth.Authenticator(auth)).Get("/me", me)
	// end
	return router, nil
}
