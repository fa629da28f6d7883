package adaptertest

import (
	"cmp"
	"log/slog"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// world is one site, served by one framework behind one engine, with a switch of its own.
type world struct {
	t         testing.TB
	framework Framework
	policy    recess.Policy
	engine    *recess.Engine
	control   *recess.Controller
	site      *Site
	connect   func() (net.Conn, error)
	notice    page.Notice // of the window that the last call of on has opened
	expected  *page.Set   // the refusals of that window, made by package page alone
}

// open builds and serves the shop under a policy. Nothing runs yet.
func (f Framework) open(t testing.TB, p recess.Policy, adjust ...func(*Site)) *world {
	t.Helper()
	return f.openOver(t, memstate.New(memstate.Config{}), p, adjust...)
}

// openOver is open over a state that others may share.
func (f Framework) openOver(t testing.TB, backend state.Backend, p recess.Policy, adjust ...func(*Site)) *world {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connect := func() (net.Conn, error) { return net.Dial("tcp", listener.Addr().String()) }
	return f.openWith(t, backend, listener, connect, p, adjust...)
}

func (f Framework) openOn(t testing.TB, listener net.Listener, connect func() (net.Conn, error), p recess.Policy, adjust ...func(*Site)) *world {
	t.Helper()
	return f.openWith(t, memstate.New(memstate.Config{}), listener, connect, p, adjust...)
}

func (f Framework) openWith(t testing.TB, backend state.Backend, listener net.Listener, connect func() (net.Conn, error), p recess.Policy, adjust ...func(*Site)) *world {
	t.Helper()
	if p.Grace == 0 {
		p.Grace = recess.NoGrace // connections stay open from one request to the next
	}
	engine, err := recess.New(t.Context(), recess.Config{
		Backend: backend, Policy: p, Logger: cmp.Or(f.logger, slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Errorf("closing the engine: %v", err)
		}
	})
	w := &world{t: t, framework: f, policy: p, engine: engine, connect: connect}
	w.control = engine.Control(state.Actor{Name: "adaptertest"})
	w.site = &Site{Root: shop(), Gates: 1, held: make(chan struct{}), holding: make(chan struct{}, 16)}
	for _, change := range adjust {
		change(w.site)
	}
	if w.site.paneling != nil {
		if w.site.Panel, err = w.site.paneling(engine); err != nil {
			t.Fatal(err)
		}
	}
	w.notice = page.Notice{Mode: "full", RetryAfter: w.retryAfter()}
	f.Serve(t, engine, w.site, listener)
	return w
}

// closed is open with a window over the whole site.
func (f Framework) closed(t testing.TB, p recess.Policy, adjust ...func(*Site)) *world {
	t.Helper()
	w := f.open(t, p, adjust...)
	w.on(recess.Opening{})
	return w
}

// on opens a window, and notes how refusals look from now on.
func (w *world) on(o recess.Opening) {
	w.t.Helper()
	change, err := w.control.On(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	windows := append(change.Opened, change.Updated...)
	if len(windows) != 1 {
		w.t.Fatalf("on: %d windows opened or updated, want 1", len(windows))
	}
	opened := windows[0]
	w.notice = page.Notice{
		Mode: string(opened.Mode), Scope: opened.Scope, Starts: opened.Start, Ends: opened.End,
		Messages: opened.Messages, RetryAfter: w.retryAfter(),
	}
	w.expected = nil
}

// off ends all windows of the whole site.
func (w *world) off() {
	w.t.Helper()
	if _, err := w.control.Off(w.t.Context(), recess.Ending{}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) retryAfter() time.Duration { return max(cmp.Or(w.policy.RetryAfter, time.Hour), 0) }

// golden is the refusal that a request must get, made without the engine.
func (w *world) golden(a ask) *page.Answer {
	w.t.Helper()
	if w.expected == nil {
		renderer, err := page.New(page.Config{
			Status: w.policy.Status, Type: w.policy.ResponseType, Redirect: w.policy.Redirect,
			Template: w.policy.Template, CSP: w.policy.ContentSecurityPolicy,
		})
		if err != nil {
			w.t.Fatal(err)
		}
		if w.expected, err = renderer.Prepare(w.notice); err != nil {
			w.t.Fatal(err)
		}
	}
	return w.expected.Choose("", a.header("Accept"), a.header("Accept-Language"))
}

// patience bounds everything that waits, so that a hanging server fails a test instead of stopping it.
const patience = time.Minute

// idle waits until nothing is in flight. A response can reach the client a moment before its request has ended.
func (w *world) idle() {
	w.t.Helper()
	for deadline := time.Now().Add(patience / 4); ; runtime.Gosched() {
		count := w.engine.Counts().InFlight
		if count == 0 {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d requests are in flight for ever", count)
		}
	}
}
