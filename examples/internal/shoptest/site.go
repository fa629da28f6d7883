// Package shoptest tells whether an application is the shop that design.md describes, by asking it over HTTP while
// somebody else switches its state. All four examples run it, and it compares them with each other.
package shoptest

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
	_ "github.com/recess-go/recess/core/state/filestate" // file:PATH
	"github.com/recess-go/recess/examples/internal/shop"
)

// A Launcher starts a shop with an environment. It returns where it listens, what it has logged so far, and what stops
// it as SIGTERM does.
type Launcher func(t testing.TB, environ []string) (base string, log func() string, stop func() error)

// InProcess launches a framework's application within the test.
func InProcess(build shop.Build) Launcher {
	return func(t testing.TB, environ []string) (string, func() string, func() error) {
		t.Helper()
		ctx, cancel := context.WithCancel(context.Background())
		reader, stdout := io.Pipe()
		log, ended := new(buffer), make(chan struct{})
		var err error
		go func() {
			defer close(ended)
			err = shop.Run(ctx, []string{"-addr", "127.0.0.1:0"}, environ, stdout, log, build)
			_ = stdout.CloseWithError(io.EOF)
		}()
		stop := func() error {
			cancel()
			<-ended
			return err
		}
		base := Listening(t, reader)
		if base == "" {
			t.Fatalf("it did not start: %v\n%s", stop(), log)
		}
		return base, log.String, stop
	}
}

// Listening reads the line that tells that a shop is ready, and returns where it listens; "" if it never is.
func Listening(t testing.TB, stdout io.Reader) string {
	t.Helper()
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		return ""
	}
	base, ok := strings.CutPrefix(lines.Text(), "listening on ")
	if !ok || !strings.HasPrefix(base, "http://127.0.0.1:") {
		t.Fatalf("the first line is %q, want \"listening on http://127.0.0.1:PORT\"", lines.Text())
	}
	return base
}

// buffer is a log that is read while it is written.
type buffer struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.String()
}

// A Site is a running shop, and somebody else's hand on its state.
type Site struct {
	Base       string
	Log        func() string
	Stop       func() error
	t          testing.TB
	controller *recess.Controller
	client     *http.Client
}

// patience is how long a change may take until a site shows it: a bound for a broken site, not an expectation.
const patience = 30 * time.Second

// Open launches a shop over a state file of its own.
func Open(t testing.TB, launch Launcher, variables map[string]string) *Site {
	t.Helper()
	stateURL := "file:" + filepath.Join(t.TempDir(), "recess.json")
	backend, err := state.Open(t.Context(), stateURL)
	if err != nil {
		t.Fatal(err)
	}
	environ := []string{"RECESS_STATE=" + stateURL, "RECESS_POLL=1s"}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		environ = append(environ, name+"="+variables[name])
	}
	transport := new(http.Transport)
	s := &Site{
		t: t, controller: recess.NewController(backend, state.Actor{Name: "shoptest"}, recess.NotForced),
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	var stop func() error
	s.Base, s.Log, stop = launch(t, environ)
	s.Stop = sync.OnceValue(stop)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("it did not end well: %v", err)
		}
		transport.CloseIdleConnections()
		if err := backend.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// On opens a window and waits until the site knows.
func (s *Site) On(o recess.Opening) {
	s.t.Helper()
	if _, err := s.controller.On(s.t.Context(), o); err != nil {
		s.t.Fatal(err)
	}
	planned := o.Start.After(time.Now())
	s.await(func(p recess.PublicStatus) bool {
		if planned {
			return len(p.Planned) > 0
		}
		return p.Mode != "" && p.Scope == o.Scope && p.Active == (o.Mode != state.Announce)
	})
}

// Off ends all windows of the scopes and waits until the site knows.
func (s *Site) Off(scopes ...string) {
	s.t.Helper()
	for _, scope := range append(scopes, "") {
		if _, err := s.controller.Off(s.t.Context(), recess.Ending{Scope: scope}); err != nil {
			s.t.Fatal(err)
		}
	}
	s.await(func(p recess.PublicStatus) bool { return p.Mode == "" && len(p.Planned) == 0 })
}

// await asks for the status until it is as wanted.
func (s *Site) await(wanted func(recess.PublicStatus) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for ctx.Err() == nil {
		if wanted(s.status()) {
			return
		}
	}
	s.t.Fatalf("the site did not follow; its status is %+v\n%s", s.status(), s.Log())
}

func (s *Site) status() (p recess.PublicStatus) {
	s.t.Helper()
	s.Ask("GET /maintenance/status").JSON(&p)
	return p
}

// Login returns the cookie of a user's session.
func (s *Site) Login(user string) *http.Cookie {
	s.t.Helper()
	got := s.Ask("GET /login?user=" + url.QueryEscape(user))
	for _, cookie := range got.cookies {
		if cookie.Name == shop.SessionCookie && cookie.Value != "" && got.Status == http.StatusOK {
			return cookie
		}
	}
	s.t.Fatalf("login of %s: %+v", user, got)
	return nil
}
