package adaptertest

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"testing"

	"github.com/recess-go/recess/core"
)

// HTTPCall makes a Call of net/http's pair. m is what the adapter's own accessor found.
func HTTPCall(w http.ResponseWriter, r *http.Request, m *recess.Maintenance) Call {
	return httpCall{w, r, m}
}

type httpCall struct {
	w http.ResponseWriter
	r *http.Request
	m *recess.Maintenance
}

func (c httpCall) Header(name string) string { return c.r.Header.Get(name) }

func (c httpCall) Body() ([]byte, error) { return io.ReadAll(c.r.Body) }

func (c httpCall) SetHeader(name, value string) { c.w.Header().Set(name, value) }

func (c httpCall) Context() context.Context { return c.r.Context() }

func (c httpCall) Stream(write func(io.Writer, func() error)) error {
	c.w.Header().Set("Content-Type", "text/event-stream")
	c.w.WriteHeader(http.StatusOK)
	write(c.w, http.NewResponseController(c.w).Flush)
	return nil
}

func (c httpCall) Hijack(serve func(net.Conn)) error {
	conn, _, err := http.NewResponseController(c.w).Hijack()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n"); err != nil {
		return errors.Join(err, conn.Close())
	}
	go serve(conn)
	return nil
}

func (c httpCall) Maintenance() *recess.Maintenance { return c.m }

func (c httpCall) Reply(status int, body string) error {
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	c.w.WriteHeader(status)
	if c.r.Method == http.MethodHead {
		return nil
	}
	_, err := io.WriteString(c.w, body)
	return err
}

// ServeHTTP serves a handler on the listener until the test ends. Its server logs nothing: the suite makes handlers
// panic on purpose.
func ServeHTTP(t testing.TB, listener net.Listener, handler http.Handler) {
	t.Helper()
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	Serve(t, func() error { return server.Serve(listener) }, server.Close)
}

// Serve runs a server in a goroutine until the test ends, and waits for that goroutine then.
func Serve(t testing.TB, serve, stop func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- serve() }()
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("adaptertest: stopping the server: %v", err)
		}
		if err := <-done; err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("adaptertest: the server ended: %v", err)
		}
	})
}
