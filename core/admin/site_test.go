package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// The tokens of the tests' sites.
const (
	readToken  = "reader-VbN5nKQ2"
	writeToken = "writer-8Zq0hT1x"
)

// site is a panel over an engine of its own.
type site struct {
	t       testing.TB
	backend state.Backend
	engine  *recess.Engine
	panel   *Panel
}

// open makes a site on a backend; nil is one in memory.
func open(t testing.TB, backend state.Backend, changes ...func(*recess.Policy, *Config)) *site {
	t.Helper()
	if backend == nil {
		backend = memstate.New(memstate.Config{})
	}
	policy := recess.Policy{ControlPath: "/maintenance", Grace: recess.NoGrace, AdminTokens: []recess.AdminToken{
		{Name: "monitor", Hash: sha256.Sum256([]byte(readToken))},
		{Name: "deploy", Write: true, Hash: sha256.Sum256([]byte(writeToken))},
	}}
	config := Config{Authorize: who, Logger: slog.New(slog.DiscardHandler)}
	for _, change := range changes {
		change(&policy, &config)
	}
	ctx, cancel := context.WithCancel(context.Background())
	engine, err := recess.New(ctx, recess.Config{Backend: backend, Policy: policy, Logger: slog.New(slog.DiscardHandler), Instance: "web-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = engine.Close() // a backend that fails says so
		cancel()
	})
	config.Engine = engine
	panel, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return &site{t, backend, engine, panel}
}

// who is an Authorize that believes a header.
func who(r *http.Request) Access {
	switch name := r.Header.Get("X-Who"); name {
	case "root":
		return Access{Name: "root", Right: Write, SignedIn: true}
	case "staff":
		return Access{Name: "staff", Right: Read, SignedIn: true}
	case "alice":
		return Access{Name: "alice", SignedIn: true}
	case "panics":
		panic("who is it?")
	}
	return Access{}
}

// ask is a request below the panel's path.
type ask struct {
	method, path string
	body         string
	header       [][2]string
	from         string // an address; "" is 192.0.2.1
	tls          bool
}

func get(path string, header ...string) ask { return ask{method: "GET", path: path}.with(header...) }

// order is a call of the API.
func order(path, body string, header ...string) ask {
	return ask{method: "POST", path: path, body: body}.with("Content-Type: application/json").with(header...)
}

func (a ask) with(lines ...string) ask {
	a.header = append([][2]string(nil), a.header...)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		a.header = append(a.header, [2]string{name, value})
	}
	return a
}

func (a ask) bearer(token string) ask { return a.with("Authorization: Bearer " + token) }

// as is somebody who is signed in, on a page of the site itself.
func (a ask) as(name string) ask { return a.with("X-Who: "+name, "Sec-Fetch-Site: same-origin") }

func (a ask) at(address string) ask { a.from = address; return a }

// answer is what came back.
type answer struct {
	*httptest.ResponseRecorder
	problem problem // of the API
}

func (s *site) do(a ask) answer {
	s.t.Helper()
	r := httptest.NewRequest(a.method, "http://shop.example/maintenance"+a.path, strings.NewReader(a.body))
	if a.tls {
		r.TLS = new(tls.ConnectionState)
	}
	if a.from != "" {
		r.RemoteAddr = a.from
	}
	for _, h := range a.header {
		r.Header.Add(h[0], h[1])
	}
	got := answer{ResponseRecorder: httptest.NewRecorder()}
	s.panel.ServeHTTP(got, r)
	for _, name := range []string{"Cache-Control", "X-Content-Type-Options"} {
		if got.Header().Get(name) == "" {
			s.t.Errorf("%s %s: the answer has no %s", a.method, a.path, name)
		}
	}
	path, _, _ := strings.Cut(a.path, "?")
	if strings.HasPrefix(path, "/api/") {
		described(s.t, a.method, path, got.ResponseRecorder)
		if got.Code/100 != 2 {
			if err := json.Unmarshal(got.Body.Bytes(), &got.problem); err != nil {
				s.t.Errorf("%s %s: %d with %q: %v", a.method, a.path, got.Code, got.Body, err)
			}
			if got.problem.Status != got.Code || got.Header().Get("Content-Type") != "application/problem+json" {
				s.t.Errorf("%s %s: %d (%s) says it is %d", a.method, a.path, got.Code, got.Header().Get("Content-Type"), got.problem.Status)
			}
		}
	}
	return got
}

// is wants a status, and of the API a code.
func (s *site) is(a ask, status int, code string) answer {
	s.t.Helper()
	got := s.do(a)
	if got.Code != status || code != "" && got.problem.Code != code {
		s.t.Errorf("%s %s %v: %d %q, want %d %q: %.400s", a.method, a.path, a.header, got.Code, got.problem.Code, status, code, got.Body)
	}
	return got
}

// unchanged wants a status and the document as it was.
func (s *site) unchanged(a ask, status int, code string) answer {
	s.t.Helper()
	before := s.document()
	got := s.is(a, status, code)
	if after := s.document(); after.Rev != before.Rev {
		s.t.Errorf("%s %s %v: the document was %q and is %q", a.method, a.path, a.header, before.Data, after.Data)
	}
	return got
}

func (s *site) document() state.Doc {
	s.t.Helper()
	doc, err := state.Read(s.t.Context(), s.backend)
	if err != nil {
		s.t.Fatal(err)
	}
	return doc
}

// state is the document, which must make sense.
func (s *site) state() state.State {
	s.t.Helper()
	now, err := s.engine.Control(state.Actor{}).State(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return now
}

func (s *site) running() []state.Window {
	now := s.state()
	return now.In(state.Running, time.Now())
}

// write puts a document into the backend, whatever it says.
func (s *site) write(text string) {
	s.t.Helper()
	if _, err := s.backend.Save(s.t.Context(), s.document().Rev, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

var formToken26 = regexp.MustCompile(`name="token" value="([A-Z2-7]{26})"`)

// visit loads the panel as a browser does and returns the headers and the token of its forms.
func (s *site) visit(name string) (cookie, token string) {
	s.t.Helper()
	got := s.is(get("/").as(name), 200, "")
	match := formToken26.FindStringSubmatch(got.Body.String())
	if match == nil || len(got.Result().Cookies()) != 1 {
		s.t.Fatalf("the panel has no token or no cookie: %q", got.Header())
	}
	c := got.Result().Cookies()[0]
	return "Cookie: " + c.Name + "=" + c.Value, match[1]
}

// form is a form of the panel as its own page sends it.
func (s *site) form(name, path string, values ...string) ask {
	s.t.Helper()
	cookie, token := s.visit(name)
	return posted(path, append(values, "token", token)...).as(name).with(cookie)
}

func posted(path string, values ...string) ask {
	fields := make(url.Values)
	for i := 0; i < len(values); i += 2 {
		fields.Add(values[i], values[i+1])
	}
	return ask{method: "POST", path: path, body: fields.Encode()}.with("Content-Type: application/x-www-form-urlencoded")
}

// backendOf is a backend of which a test says what its methods answer.
type backendOf struct {
	state.Backend
	next func(context.Context) (state.Doc, error)
	save func(context.Context, state.Rev, []byte) (state.Rev, error)
}

func (b *backendOf) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	if b.next != nil {
		doc, err := b.next(ctx)
		return doc, 0, err
	}
	return b.Backend.Next(ctx, since)
}

func (b *backendOf) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	if b.save != nil {
		return b.save(ctx, old, data)
	}
	return b.Backend.Save(ctx, old, data)
}

// buffer is a log that can be read.
type buffer struct{ bytes.Buffer }

func (b *buffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(io.Writer(b), nil)) }
