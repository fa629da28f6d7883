package shop

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/recess-go/recess/core/nethttp"
)

// HTTP serves a handler of net/http: gin, echo and chi are such.
func (s *Shop) HTTP(handler http.Handler) Server {
	return &httpServer{http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ConnContext:       nethttp.ConnContext, // the peer's address, before anybody can overwrite it
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}}
}

type httpServer struct{ server http.Server }

func (h *httpServer) Serve(l net.Listener) error {
	if err := h.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (h *httpServer) Shutdown(ctx context.Context) error { return h.server.Shutdown(ctx) }

func (h *httpServer) Close() error { return h.server.Close() }
