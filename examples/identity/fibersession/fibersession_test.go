package fibersession_test

import (
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/gofiber/fiber/v2/middleware/session"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/identity/fibersession"
	"github.com/recess-go/recess/examples/identity/internal/identitytest"
)

const cookie = "session_id"

func serve(store func() *session.Store) identitytest.Server {
	return func(t testing.TB, engine *recess.Engine) string {
		app, store := fiber.New(identitytest.Quiet), store()
		app.Use(recover.New())
		if _, err := recessfiber.Install(app, engine, fibersession.Hooks(store, identitytest.Find)); err != nil {
			t.Fatal(err)
		}
		app.Get("/login", func(c *fiber.Ctx) error {
			s, err := store.Get(c)
			if err != nil {
				return err
			}
			if err := s.Regenerate(); err != nil {
				return err
			}
			s.Set(fibersession.Key, c.Query("user"))
			return s.Save()
		})
		app.Get("/open", func(c *fiber.Ctx) error { return c.SendString("open") })
		app.Get("/me", func(c *fiber.Ctx) error {
			s, err := store.Get(c)
			if err != nil {
				return err
			}
			name, ok := s.Get(fibersession.Key).(string)
			if !ok {
				name = identitytest.Anonymous
			}
			return c.SendString(name)
		})
		return identitytest.Fiber(t, app)
	}
}

func TestSessions(t *testing.T) {
	r := identitytest.SessionRecipe(cookie)
	r.Serve = serve(func() *session.Store { return session.New() })
	identitytest.Contract(t, r)
}

func TestSessionsWhoseStoreIsDown(t *testing.T) {
	storage := &storage{sessions: make(map[string][]byte)}
	r := identitytest.SessionRecipe(cookie)
	r.Serve = serve(func() *session.Store { return session.New(session.Config{Storage: storage}) })
	identitytest.Contract(t, r)
	identitytest.StoreDown(t, r, &storage.Outage)
}

// storage keeps sessions as a database would.
type storage struct {
	identitytest.Outage
	mu       sync.Mutex
	sessions map[string][]byte
}

func (s *storage) Get(id string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id], s.Read()
}

func (s *storage) Set(id string, data []byte, _ time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[id] = data
	return nil
}

func (s *storage) Delete(id string) error {
	if err := s.End(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, id)
	return nil
}

func (s *storage) Reset() error { return nil }

func (s *storage) Close() error { return nil }
