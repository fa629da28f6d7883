package recessfiber_test

import (
	"bufio"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/adaptertest"
)

// streaming serves one long-lived route, and returns a connection that has asked for it and read up to "open".
func streaming(t *testing.T, engine *recess.Engine, handler func(*recessfiber.Gate) fiber.Handler) net.Conn {
	t.Helper()
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	gate := install(t, app, engine, recessfiber.Hooks{})
	app.Get("/", gate.LongLived, handler(gate))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	adaptertest.Serve(t, func() error { return app.Listener(listener) }, app.Shutdown)
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // a hanging server fails the test
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	for in := bufio.NewReader(conn); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(line) == "open" {
			return conn
		}
	}
}

func TestAWriterWhoseClientHasLeftIsCountedUntilItReturns(t *testing.T) {
	engine := newEngine(t, recess.Policy{})
	failed, release := make(chan struct{}), make(chan struct{})
	conn := streaming(t, engine, func(gate *recessfiber.Gate) fiber.Handler {
		return func(c *fiber.Ctx) error {
			c.Context().SetBodyStreamWriter(gate.Writer(c, func(w *bufio.Writer) {
				for text := "open\n"; ; text = "more\n" {
					if _, err := w.WriteString(text); err != nil || w.Flush() != nil {
						close(failed)
						<-release // there is still something to do
						return
					}
				}
			}))
			return nil
		}
	})
	_ = conn.Close()
	<-failed
	for range 10_000 {
		if n := engine.Counts(); n.Streams != 1 || n.InFlight != 1 {
			t.Fatalf("the writer runs, and %+v are counted", n)
		}
		runtime.Gosched()
	}
	close(release)
	for engine.Counts().InFlight > 0 {
		runtime.Gosched()
	}
}
