package scssession_test

import (
	"cmp"
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v4"
	"github.com/recess-go/recess/adapters/chi"
	"github.com/recess-go/recess/adapters/echo"
	"github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/identity/internal/identitytest"
	"github.com/recess-go/recess/examples/identity/scssession"
)

const cookie = "session"

// routes are the application's, as handlers of net/http.
type routes struct{ *scs.SessionManager }

func (s routes) login(w http.ResponseWriter, r *http.Request) {
	if err := s.RenewToken(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.Put(r.Context(), scssession.Key, r.URL.Query().Get("user"))
}

func (s routes) me(w http.ResponseWriter, r *http.Request) {
	w.Write([]byte(cmp.Or(s.GetString(r.Context(), scssession.Key), identitytest.Anonymous)))
}

func (s routes) open(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("open")) }

// server makes an application on its sessions.
type server func(sessions *scs.SessionManager) identitytest.Server

func onChi(authFirst bool) server {
	return func(sessions *scs.SessionManager) identitytest.Server {
		return func(t testing.TB, engine *recess.Engine) string {
			r := chi.NewRouter()
			if authFirst {
				r.Use(sessions.LoadAndSave)
			}
			if _, err := recesschi.Install(r, engine, scssession.Hooks(sessions, identitytest.Find)); err != nil {
				t.Fatal(err)
			}
			if !authFirst {
				r.Use(sessions.LoadAndSave)
			}
			r.Get("/login", routes{sessions}.login)
			r.Get("/me", routes{sessions}.me)
			r.Get("/open", routes{sessions}.open)
			return identitytest.HTTP(t, r)
		}
	}
}

func onEcho(authFirst bool) server {
	return func(sessions *scs.SessionManager) identitytest.Server {
		return func(t testing.TB, engine *recess.Engine) string {
			e := echo.New()
			if authFirst {
				e.Use(echo.WrapMiddleware(sessions.LoadAndSave))
			}
			if _, err := recessecho.Install(e, engine, scssession.EchoHooks(sessions, identitytest.Find)); err != nil {
				t.Fatal(err)
			}
			if !authFirst {
				e.Use(echo.WrapMiddleware(sessions.LoadAndSave))
			}
			e.GET("/login", echo.WrapHandler(http.HandlerFunc(routes{sessions}.login)))
			e.GET("/me", echo.WrapHandler(http.HandlerFunc(routes{sessions}.me)))
			e.GET("/open", echo.WrapHandler(http.HandlerFunc(routes{sessions}.open)))
			return identitytest.HTTP(t, e)
		}
	}
}

func init() { gin.SetMode(gin.ReleaseMode) }

func onGin(sessions *scs.SessionManager) identitytest.Server {
	return func(t testing.TB, engine *recess.Engine) string {
		r := gin.New()
		if _, err := recessgin.Install(r, engine, scssession.GinHooks(sessions, identitytest.Find)); err != nil {
			t.Fatal(err)
		}
		r.GET("/login", gin.WrapF(routes{sessions}.login))
		r.GET("/me", gin.WrapF(routes{sessions}.me))
		r.GET("/open", gin.WrapF(routes{sessions}.open))
		return identitytest.HTTP(t, sessions.LoadAndSave(r))
	}
}

// orders are where LoadAndSave can stand.
var orders = []struct {
	name      string
	authFirst bool
	serve     server
}{
	{"chi-gate-first", false, onChi(false)},
	{"chi-auth-first", true, onChi(true)},
	{"echo-gate-first", false, onEcho(false)},
	{"echo-auth-first", true, onEcho(true)},
	{"gin-auth-first", true, onGin},
}

func TestSessions(t *testing.T) {
	for _, c := range orders {
		t.Run(c.name, func(t *testing.T) {
			r := identitytest.SessionRecipe(cookie)
			r.AuthFirst, r.Serve = c.authFirst, c.serve(scs.New())
			identitytest.Contract(t, r)
		})
	}
}

func TestSessionsWhoseStoreIsDown(t *testing.T) {
	for _, c := range orders {
		t.Run(c.name, func(t *testing.T) {
			sessions, store := scs.New(), store{memstore.NewWithCleanupInterval(0), new(identitytest.Outage)}
			sessions.Store, sessions.ErrorFunc = store, quiet
			r := identitytest.SessionRecipe(cookie)
			r.AuthFirst, r.Serve = c.authFirst, c.serve(sessions)
			identitytest.StoreDown(t, r, store.Outage)
		})
	}
}

// store keeps sessions as a database would.
type store struct {
	*memstore.MemStore
	*identitytest.Outage
}

func (s store) Find(token string) ([]byte, bool, error) {
	if err := s.Read(); err != nil {
		return nil, false, err
	}
	return s.MemStore.Find(token)
}

func (s store) Delete(token string) error {
	if err := s.End(); err != nil {
		return err
	}
	return s.MemStore.Delete(token)
}

// quiet answers as scs does, without its log.
func quiet(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, err.Error(), http.StatusInternalServerError)
}
