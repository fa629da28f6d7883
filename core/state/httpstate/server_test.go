package httpstate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/httpstate"
)

// A publisher is a server that keeps one document and tells who asks for it. The zero publisher has none.
type publisher struct {
	mu     sync.Mutex
	data   []byte // nil is 404
	tag    string // its ETag
	date   string // its Last-Modified
	status int    // instead of what it has
	header http.Header

	asked []*http.Request
	full  int // answers with the document in them
}

func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r.Clone(context.Background()))
	for name, values := range p.header {
		w.Header()[name] = values
	}
	set(w.Header(), "ETag", p.tag)
	set(w.Header(), "Last-Modified", p.date)
	switch {
	case p.status != 0:
		w.WriteHeader(p.status)
		fmt.Fprint(w, "words of the server")
	case p.data == nil:
		w.WriteHeader(http.StatusNotFound)
	case p.tag != "" && r.Header.Get("If-None-Match") == p.tag,
		p.tag == "" && p.date != "" && r.Header.Get("If-Modified-Since") == p.date:
		w.WriteHeader(http.StatusNotModified)
	default:
		p.full++
		_, _ = w.Write(p.data)
	}
}

func set(h http.Header, name, value string) {
	if value != "" {
		h.Set(name, value)
	}
}

// change does something to a publisher between two looks.
func (p *publisher) change(do func(p *publisher)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do(p)
}

func (p *publisher) publish(data, tag string) {
	p.change(func(p *publisher) { p.data, p.tag = []byte(data), tag })
}

// last returns the last question.
func (p *publisher) last() *http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[len(p.asked)-1]
}

func (p *publisher) times() (asked, full int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked), p.full
}

// RoundTrip makes a publisher the whole network of a client, for tests in which time is not real.
func (p *publisher) RoundTrip(r *http.Request) (*http.Response, error) {
	return roundTrip(p, r)
}

func roundTrip(h http.Handler, r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	h.ServeHTTP(w, r)
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

// A network is servers by their host names, as a client's Transport.
type network map[string]http.Handler

func (n network) RoundTrip(r *http.Request) (*http.Response, error) {
	h := n[r.URL.Scheme+"://"+r.URL.Host]
	if h == nil {
		return nil, errors.New("no such host")
	}
	return roundTrip(h, r)
}

// through is a Config whose client asks a network.
func through(n http.RoundTripper) httpstate.Config {
	return httpstate.Config{Transport: n}
}

func backend(t *testing.T, url string, config httpstate.Config) *httpstate.Backend {
	t.Helper()
	b, err := httpstate.New(url, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// serve starts a server that ends with the test.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server
}

func read(t *testing.T, b state.Backend) state.Doc {
	t.Helper()
	doc, err := state.Read(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// unchanged asserts that a look finds nothing new, and returns the time that the server asks for.
func unchanged(t *testing.T, b state.Backend, since state.Rev) time.Duration {
	t.Helper()
	doc, wait, err := b.Next(t.Context(), since)
	if !errors.Is(err, state.ErrUnchanged) {
		t.Fatalf("since %q: revision %q with %q, %v", since, doc.Rev, doc.Data, err)
	}
	return wait
}

// fails asserts that a look fails and says something, and returns the time that the server asks for.
func fails(t *testing.T, b state.Backend, says string) time.Duration {
	t.Helper()
	doc, wait, err := b.Next(t.Context(), state.Unseen)
	if err == nil || errors.Is(err, state.ErrUnchanged) || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "httpstate: next: ") {
		t.Fatalf("%d bytes, %v; want an error that says %q", len(doc.Data), err, says)
	}
	if doc.Rev != state.None || doc.Data != nil {
		t.Fatalf("with an error came revision %q", doc.Rev)
	}
	return wait
}
