package gorillasession_test

import (
	"log/slog"
	"net/http"
	"testing"

	ginsessions "github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/cookie"
	"github.com/gin-gonic/gin"
	"github.com/gorilla/sessions"
	"github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/examples/identity/gorillasession"
	"github.com/recess-go/recess/examples/identity/internal/identitytest"
)

const name = "shop_session"

var key = []byte("a secret of the application's own, 32 bytes and more")

// onHTTP serves an application on net/http.
func onHTTP(store sessions.Store) identitytest.Server {
	return func(t testing.TB, engine *recess.Engine) string {
		mux := http.NewServeMux()
		gate, err := nethttp.New(engine, gorillasession.Hooks(store, name, identitytest.Find), nil)
		if err != nil {
			t.Fatal(err)
		}
		mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
			s, _ := store.New(r, name) // whatever came with the request
			s.Values[gorillasession.Key] = r.URL.Query().Get("user")
			if err := s.Save(r, w); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
		mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
			who := identitytest.Anonymous
			if s, err := store.Get(r, name); err == nil && s.Values[gorillasession.Key] != nil {
				who = s.Values[gorillasession.Key].(string)
			}
			w.Write([]byte(who))
		})
		mux.HandleFunc("GET /open", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("open")) })
		return identitytest.HTTP(t, gate.Middleware(mux))
	}
}

// onGin serves an application on gin and gin-contrib/sessions.
func onGin(store ginsessions.Store, authFirst bool) identitytest.Server {
	return func(t testing.TB, engine *recess.Engine) string {
		r := gin.New()
		if authFirst {
			r.Use(ginsessions.Sessions(name, store))
		}
		if _, err := recessgin.Install(r, engine, gorillasession.GinHooks(store, name, identitytest.Find)); err != nil {
			t.Fatal(err)
		}
		if !authFirst {
			r.Use(ginsessions.Sessions(name, store))
		}
		r.GET("/login", func(c *gin.Context) {
			s := ginsessions.Default(c)
			s.Set(gorillasession.Key, c.Query("user"))
			if err := s.Save(); err != nil {
				c.String(http.StatusInternalServerError, err.Error())
			}
		})
		r.GET("/me", func(c *gin.Context) {
			who, ok := ginsessions.Default(c).Get(gorillasession.Key).(string)
			if !ok {
				who = identitytest.Anonymous
			}
			c.String(http.StatusOK, who)
		})
		r.GET("/open", func(c *gin.Context) { c.Writer.WriteString("open") })
		return identitytest.HTTP(t, r)
	}
}

// files keep sessions on the server, and are down when they are told to be.
type files struct {
	*sessions.FilesystemStore
	*identitytest.Outage
}

func newFiles(t testing.TB) files {
	return files{sessions.NewFilesystemStore(t.TempDir(), key), new(identitytest.Outage)}
}

func (f files) Options(o ginsessions.Options) { f.FilesystemStore.Options = o.ToGorillaOptions() }

func (f files) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(f, name)
}

func (f files) New(r *http.Request, name string) (*sessions.Session, error) {
	if err := f.Read(); err != nil {
		return sessions.NewSession(f, name), err
	}
	return f.FilesystemStore.New(r, name)
}

func (f files) Save(r *http.Request, w http.ResponseWriter, s *sessions.Session) error {
	if err := f.End(); err != nil {
		return err
	}
	return f.FilesystemStore.Save(r, w, s)
}

// TestMain: gin-contrib/sessions logs every cookie that somebody else has signed.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	gin.SetMode(gin.ReleaseMode)
	m.Run()
}

func TestSessions(t *testing.T) {
	onServer := newFiles(t)
	inCookie := cookie.NewStore(key)
	inCookie.Options(ginsessions.Options{Path: "/", MaxAge: 3600, HttpOnly: true})
	for _, c := range []struct {
		name  string
		serve identitytest.Server
		ends  bool
	}{
		{"net-http", onHTTP(onServer), true},
		{"gin-gate-first", onGin(onServer, false), true},
		{"gin-auth-first", onGin(onServer, true), true},
		{"gin-gate-first-in-the-cookie", onGin(inCookie, false), false},
		{"gin-auth-first-in-the-cookie", onGin(inCookie, true), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := identitytest.SessionRecipe(name)
			r.Serve, r.Ends = c.serve, c.ends
			identitytest.Contract(t, r)
		})
	}
}

func TestSessionsWhoseStoreIsDown(t *testing.T) {
	store := newFiles(t)
	r := identitytest.SessionRecipe(name)
	r.Serve = onHTTP(store)
	identitytest.StoreDown(t, r, store.Outage)
}
