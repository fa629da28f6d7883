package shop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"
	"github.com/recess-go/recess/core"
)

// Events writes server-sent events: one now and one each second, until the client leaves (the context ends, or a write
// fails), maintenance begins, or the process is told to end. flush sends what was written.
func (s *Shop) Events(ctx context.Context, w io.Writer, flush func() error) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for n := 1; ; n++ {
		if _, err := fmt.Fprintf(w, "event: tick\ndata: %d\n\n", n); err != nil || flush() != nil {
			return
		}
		// snippet: goodbye
		select {
		case <-recess.Closing(ctx): // maintenance begins: there is a grace period for a last word
			goodbye(w, flush, Maintenance)
			return
		case <-ctx.Done():
			return
		case <-s.Closing.Done():
			goodbye(w, flush, Restarting)
			return
		case <-ticker.C:
		}
		// end
	}
}

// goodbye is an event stream's last event. Who is gone needs none.
func goodbye(w io.Writer, flush func() error, why string) {
	_, _ = fmt.Fprintf(w, "event: bye\ndata: %s\n\n", why)
	_ = flush()
}

// EventHeader are the headers of an event stream, beside its type.
var EventHeader = map[string]string{
	"Content-Type":      "text/event-stream",
	"Cache-Control":     "no-store",
	"X-Accel-Buffering": "no", // nginx would keep events until it has a page of them
}

// MaxMessage is the longest message that GET /ws sends back, in bytes.
const MaxMessage = 32 << 10

// Restarting is why streams end when the process is told to end, Maintenance when maintenance begins. WebSockets are closed
// with code 1012 then.
const (
	Restarting  = "the shop restarts"
	Maintenance = "the shop closes for maintenance"
)

// WebSocket sends every message back until the client leaves, maintenance begins, or the process is told to end. It serves
// net/http; a page of another site is refused.
func (s *Shop) WebSocket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it is answered
	}
	defer func() { _ = conn.CloseNow() }() // a goodbye was said, or nobody is there to hear one
	conn.SetReadLimit(MaxMessage)
	forget := s.OnClosing(func() { _ = conn.Close(websocket.StatusServiceRestart, Restarting) })
	defer forget()
	left := make(chan struct{})
	defer close(left)
	go func() {
		select {
		case <-recess.Closing(r.Context()):
			_ = conn.Close(websocket.StatusServiceRestart, Maintenance)
		case <-left:
		}
	}()
	for {
		// Not the request's context: net/http ends that of a hijacked connection when this handler returns, no sooner.
		kind, message, err := conn.Read(s.Ending)
		if err != nil || conn.Write(s.Ending, kind, message) != nil {
			return
		}
	}
}

// SameSite reports whether a WebSocket is opened by a page of this host, or by no page at all.
func SameSite(origin, host string) bool {
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == host && u.User == nil
}

// maxSlow is the longest that GET /slow takes.
const maxSlow = time.Minute

// errSlow is what GET /slow says to a duration that is none.
var errSlow = errors.New("write a duration, as in /slow?d=2s")

// SlowFor reads the duration of GET /slow: 2 seconds if it says none, a minute at most.
func SlowFor(text string) (time.Duration, error) {
	if text == "" {
		return 2 * time.Second, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, errSlow
	}
	return min(d, maxSlow), nil
}

// Wait takes its time, unless the context ends or the process has to. It reports whether it waited to the end.
func (s *Shop) Wait(ctx context.Context, d time.Duration) bool {
	defer s.ledger.Begin()()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.Ending.Done():
	case <-timer.C:
		return true
	}
	return false
}
