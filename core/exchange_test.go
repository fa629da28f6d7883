package recess

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// asked is a request written down: the fake beside the adapters' real ones, which adaptertest drives.
type asked struct {
	method, host, path string
	header             map[string]string
	peer               string
	marker             Marker
	route              string
	findMarker         func() Marker
	user               func() User
	logout             func() error
	respond            func(Decision) error
	bytes              int64
	gone               chan struct{}

	released  int
	loggedOut int
	sent      http.Header
	attached  *Maintenance
	answered  *page.Answer
}

func (a *asked) Method() string {
	if a.method == "" {
		return "GET"
	}
	return a.method
}

func (a *asked) Host() string               { return a.host }
func (a *asked) Header(name string) string  { return a.header[name] }
func (a *asked) Responds() bool             { return a.respond != nil }
func (a *asked) Respond(d Decision) error   { return a.respond(d) }
func (a *asked) Attach(m *Maintenance)      { a.attached = m }
func (a *asked) Answer(answer *page.Answer) { a.answered = answer }

func (a *asked) HoldBytes() int64                         { return a.bytes }
func (a *asked) Hold() (gone <-chan struct{}, end func()) { return a.gone, func() { a.released++ } }

func (a *asked) Marker() Marker {
	if a.findMarker != nil {
		return a.findMarker()
	}
	return a.marker
}

func (a *asked) Route() string { return a.route }

func (a *asked) Path() string {
	if a.path == "" {
		return "/"
	}
	return a.path
}

func (a *asked) Peer() netip.AddrPort {
	if a.peer == "" {
		return netip.AddrPort{}
	}
	return netip.MustParseAddrPort(a.peer)
}

func (a *asked) User() User {
	if a.user == nil {
		return User{}
	}
	return a.user()
}

func (a *asked) Logout() error {
	a.loggedOut++
	if a.logout == nil {
		return nil
	}
	return a.logout()
}

func (a *asked) SetHeader(name string, value []string) {
	if a.sent == nil {
		a.sent = make(http.Header)
	}
	a.sent[name] = value
}

// admit runs a request through an engine as an adapter does.
func admit(e *Engine, a *asked) bool {
	ticket := e.Begin()
	defer ticket.End()
	return ticket.Open() || ticket.Admit(a)
}

// decide evaluates a request without answering.
func decide(e *Engine, a *asked) Decision {
	ticket := e.Begin()
	defer ticket.End()
	return ticket.Evaluate(a)
}

// logs collects what an engine says.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// started returns an engine that ends with the test, on a memory backend unless the configuration brings one.
func started(t testing.TB, c Config) *Engine {
	t.Helper()
	if c.Backend == nil && c.Policy.Force == NotForced {
		c.Backend = memstate.New(memstate.Config{})
	}
	if c.Logger == nil {
		c.Logger = new(logs).logger()
	}
	e, err := New(context.Background(), c)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		e.Close()
		if c.Backend != nil {
			c.Backend.Close()
		}
	})
	return e
}

// on opens a window and fails the test if it cannot.
func on(t testing.TB, e *Engine, o Opening) state.Window {
	t.Helper()
	change, err := e.Control(state.Actor{Name: "test"}).On(context.Background(), o)
	if err != nil {
		t.Fatalf("On(%+v): %v", o, err)
	}
	return append(change.Opened, append(change.Updated, change.After.Windows...)...)[0]
}

// off ends the site's windows.
func off(t testing.TB, e *Engine) {
	t.Helper()
	if _, err := e.Control(state.Actor{Name: "test"}).Off(context.Background(), Ending{}); err != nil {
		t.Fatalf("Off: %v", err)
	}
}

// closedEngine is an engine with a window over the whole site.
func closedEngine(t testing.TB, p Policy) *Engine {
	t.Helper()
	e := started(t, Config{Policy: p})
	on(t, e, Opening{})
	return e
}

var hour = time.Hour
