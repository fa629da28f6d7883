package overlap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"

	"github.com/recess-go/recess/adapters/chi"
	"github.com/recess-go/recess/adapters/echo"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/adapters/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/config"
)

const (
	// adapterVariable makes this program an instance on a framework, set by RECESS_ variables like any service, which
	// keeps its journal in the file that journalVariable names.
	adapterVariable = "OVERLAP_ADAPTER"
	journalVariable = "OVERLAP_JOURNAL"
	// greeting is what an instance prints before its address when it is ready.
	greeting = "listening on "
	// grace is how long requests that run may still take when an instance is told to end.
	grace = 20 * time.Second
)

// instance serves until it is told to end, and returns the exit code.
func instance(adapter string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, adapter); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, adapter string) (err error) {
	c, err := config.FromEnv(ctx, recess.Config{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Backend.Close()) }()
	engine, err := recess.New(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	journal, err := os.OpenFile(os.Getenv(journalVariable), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	server, err := builders[adapter](engine, &worker{name: engine.Instance(), journal: journal})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.serve(listener) }()
	fmt.Printf("%s%s\n", greeting, listener.Addr())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := errors.Join(server.shutdown(ending), <-served); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// A worker serves the one route there is, and takes down when it did.
type worker struct {
	name    string
	journal *os.File
}

// work takes as long as it is asked to, whether or not its client waits.
func (w *worker) work(id, length string) (status int, text string) {
	d, err := time.ParseDuration(length)
	if err == nil {
		err = w.note("start", id)
	}
	if err == nil {
		<-time.After(d)
		err = w.note("end", id)
	}
	if err != nil {
		return http.StatusInternalServerError, err.Error()
	}
	return http.StatusOK, "done"
}

// note writes a line of the journal with one write(2), so that a process that is killed leaves whole lines.
func (w *worker) note(what, id string) error {
	_, err := fmt.Fprintf(w.journal, "%s %s %s %d\n", what, w.name, id, time.Now().UnixNano())
	return err
}

// A server is how a framework begins and ends.
type server struct {
	serve    func(net.Listener) error
	shutdown func(context.Context) error
}

func overHTTP(h http.Handler) server {
	s := &http.Server{Handler: h}
	return server{s.Serve, s.Shutdown}
}

// route is the route's path.
const route = "/work"

var builders = map[string]func(*recess.Engine, *worker) (server, error){
	"gin": func(engine *recess.Engine, w *worker) (server, error) {
		gin.SetMode(gin.ReleaseMode)
		r := gin.New()
		_, err := recessgin.Install(r, engine, recessgin.Hooks{})
		r.GET(route, func(c *gin.Context) { c.String(w.work(c.Query("id"), c.Query("for"))) })
		return overHTTP(r), err
	},
	"echo": func(engine *recess.Engine, w *worker) (server, error) {
		e := echo.New()
		_, err := recessecho.Install(e, engine, recessecho.Hooks{})
		e.GET(route, func(c echo.Context) error { return c.String(w.work(c.QueryParam("id"), c.QueryParam("for"))) })
		return overHTTP(e), err
	},
	"chi": func(engine *recess.Engine, w *worker) (server, error) {
		r := chi.NewRouter()
		_, err := recesschi.Install(r, engine, recesschi.Hooks{})
		r.Get(route, func(rw http.ResponseWriter, r *http.Request) {
			status, text := w.work(r.URL.Query().Get("id"), r.URL.Query().Get("for"))
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(text)) // a client that is gone needs no answer
		})
		return overHTTP(r), err
	},
	"fiber": func(engine *recess.Engine, w *worker) (server, error) {
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		_, err := recessfiber.Install(app, engine, recessfiber.Hooks{})
		app.Get(route, func(c *fiber.Ctx) error {
			status, text := w.work(c.Query("id"), c.Query("for"))
			return c.Status(status).SendString(text)
		})
		return server{app.Listener, app.ShutdownWithContext}, err
	},
}
