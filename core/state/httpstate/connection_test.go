package httpstate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/httpstate"
)

var quiet = log.New(io.Discard, "", 0)

// A freezer is a listener whose connections can become black holes: what is sent there is taken, and nothing comes back.
type freezer struct {
	net.Listener
	mu    sync.Mutex
	conns []*frozen
}

func (f *freezer) Accept() (net.Conn, error) {
	conn, err := f.Listener.Accept()
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &frozen{Conn: conn, ice: make(chan struct{}), closed: make(chan struct{})}
	f.conns = append(f.conns, c)
	return c, nil
}

// freeze makes black holes of the connections that there are, and returns how many there were.
func (f *freezer) freeze() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.once.Do(func() { close(c.ice) })
	}
	return len(f.conns)
}

type frozen struct {
	net.Conn
	once, twice sync.Once
	ice, closed chan struct{}
}

func (c *frozen) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		select {
		case <-c.ice:
			if err == nil {
				continue
			}
			<-c.closed
			return 0, net.ErrClosed
		default:
			return n, err
		}
	}
}

func (c *frozen) Write(p []byte) (int, error) {
	select {
	case <-c.ice:
		return len(p), nil
	default:
		return c.Conn.Write(p)
	}
}

func (c *frozen) Close() error {
	c.twice.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// freezable starts a server whose connections can be frozen.
func freezable(t *testing.T, h http.Handler, http2 bool) (*httptest.Server, *freezer) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	f := &freezer{Listener: server.Listener}
	server.Listener = f
	server.Config.ErrorLog = quiet
	if http2 {
		server.EnableHTTP2 = true
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(func() {
		server.CloseClientConnections()
		f.mu.Lock()
		for _, c := range f.conns {
			_ = c.Close()
		}
		f.mu.Unlock()
		server.Close()
	})
	return server, f
}

// TestAFrozenConnectionIsReplacedAtTheNextLook is fault F3: a half-open link. The look that meets it fails at its
// deadline, and the one after it has a connection of its own.
func TestAFrozenConnectionIsReplacedAtTheNextLook(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		for whose, given := range map[string]bool{"the backend's client": false, "a client given": true} {
			t.Run(name+", "+whose, func(t *testing.T) {
				t.Parallel()
				p := &publisher{data: []byte(document), tag: `"1"`}
				server, f := freezable(t, p, http2)
				transport := server.Client().Transport.(*http.Transport)
				config := httpstate.Config{Timeout: time.Second}
				if given {
					config.Transport = transport
				} else {
					config.TLS = transport.TLSClientConfig
				}
				b := backend(t, server.URL, config)
				doc := read(t, b)
				unchanged(t, b, doc.Rev)
				if r := p.last(); (r.ProtoMajor == 2) != (http2 && given) {
					t.Fatalf("it speaks %s", r.Proto)
				}
				for n := range 2 {
					p.publish(fmt.Sprint(n), "")
					if n := f.freeze(); n == 0 {
						t.Fatal("there is no connection to freeze")
					}
					fails(t, b, "no answer within 1s")
					if given { // which may not have done with the failed look yet: an engine comes later
						time.Sleep(50 * time.Millisecond)
					}
					if again := read(t, b); again.Rev == doc.Rev {
						t.Error("the next look saw nothing new")
					}
				}
				if n := f.freeze(); n != 3 {
					t.Errorf("there were %d connections, want 3: each but the first in the place of a frozen one", n)
				}
			})
		}
	}
}

// TestALookThatIsGivenUpLeavesTheConnection: who stops asking says nothing about the server, on whose one HTTP/2
// connection others may wait.
func TestALookThatIsGivenUpLeavesTheConnection(t *testing.T) {
	asked, answer := make(chan struct{}, 1), make(chan struct{}, 1)
	server, f := freezable(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-answer:
		case <-r.Context().Done():
		}
	}), true)
	b := backend(t, server.URL, httpstate.Config{Transport: server.Client().Transport})
	look := func() {
		t.Helper()
		answer <- struct{}{}
		read(t, b)
		<-asked
	}
	look()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := state.Read(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	time.Sleep(50 * time.Millisecond) // in which a connection that is suspected would become idle
	look()
	if n := f.freeze(); n != 1 {
		t.Errorf("there were %d connections", n)
	}
}

// A struck network answers with errors first.
type struck struct {
	network
	errs  []error
	tries int
}

func (s *struck) RoundTrip(r *http.Request) (*http.Response, error) {
	s.tries++
	if s.tries <= len(s.errs) {
		return nil, s.errs[s.tries-1]
	}
	return s.network.RoundTrip(r)
}

// ownLimit is a time limit that is no context's, as those of package net.
type ownLimit struct{}

func (ownLimit) Error() string        { return "it took too long to dial" }
func (ownLimit) Is(target error) bool { return target == context.DeadlineExceeded }

// TestTheEndOfAnotherLookIsNotThisOnes: net/http hands out the error of a request that was given up to the one that
// uses its connection next.
func TestTheEndOfAnotherLookIsNotThisOnes(t *testing.T) {
	here := network{"https://here": &publisher{data: []byte("on")}}
	for _, c := range []struct {
		name  string
		errs  []error
		tries int
		says  string
	}{
		{"once", []error{context.DeadlineExceeded}, 2, ""},
		{"twice, in other words", []error{fmt.Errorf("x: %w", context.Canceled), context.DeadlineExceeded}, 3, ""},
		{"again and again", []error{context.Canceled, context.Canceled, context.Canceled, context.Canceled}, 3, "context canceled"},
		{"another error", []error{errors.New("no route")}, 1, "no route"},
		{"a time limit of the network's own", []error{ownLimit{}}, 1, "it took too long to dial"},
	} {
		s := &struck{network: here, errs: c.errs}
		b := backend(t, "https://here/", through(s))
		if c.says == "" {
			read(t, b)
		} else {
			fails(t, b, c.says)
		}
		if s.tries != c.tries {
			t.Errorf("%s: it was asked %d times, want %d", c.name, s.tries, c.tries)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &struck{network: here}
	if _, err := state.Read(ctx, backend(t, "https://here/", through(s))); !errors.Is(err, context.Canceled) || s.tries != 1 {
		t.Errorf("a caller who has gone: %d tries, %v", s.tries, err)
	}
}

func TestAConnectionIsUsedAgain(t *testing.T) {
	p := &publisher{data: []byte(document), tag: `"1"`}
	server, f := freezable(t, p, false)
	b := backend(t, server.URL, noConfig)
	doc := read(t, b)
	for range 10 {
		unchanged(t, b, doc.Rev)
	}
	for _, status := range []int{404, 500, 302} {
		p.change(func(p *publisher) { p.status = status })
		_, _ = state.Read(t.Context(), b)
	}
	if n := f.freeze(); n != 1 {
		t.Errorf("there were %d connections", n)
	}
}

func TestASessionIsResumedOverAnotherConnection(t *testing.T) {
	p := &publisher{data: []byte("on")}
	server := serveTLS(t, p)
	server.Config.SetKeepAlivesEnabled(false) // as a server does whose patience is shorter than the time between two looks
	b := backend(t, server.URL, httpstate.Config{TLS: server.Client().Transport.(*http.Transport).TLSClientConfig})
	read(t, b)
	if p.last().TLS.DidResume {
		t.Error("the first session was resumed")
	}
	read(t, b)
	if !p.last().TLS.DidResume {
		t.Error("the second look has a whole handshake")
	}
}

func TestCloseEndsTheBackendsOwnConnectionsAlone(t *testing.T) {
	p := &publisher{data: []byte(document)}
	for name, given := range map[string]bool{"own": false, "given": true} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{}, 1)
			server := httptest.NewUnstartedServer(p)
			server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateClosed {
					ended <- struct{}{}
				}
			}
			server.Start()
			defer server.Close()
			var config httpstate.Config
			if given {
				config.Transport = server.Client().Transport
			}
			b := backend(t, server.URL, config)
			read(t, b)
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if given {
				asked, _ := p.times()
				answer, err := server.Client().Get(server.URL)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				if now, _ := p.times(); now != asked+1 || len(ended) > 0 {
					t.Errorf("the transport's connection was closed")
				}
				return
			}
			select {
			case <-ended:
			case <-time.After(20 * time.Second):
				t.Error("the connection stays open")
			}
		})
	}
}

func TestATransportGivenIsUsed(t *testing.T) {
	p := &publisher{data: []byte("on")}
	read(t, backend(t, "https://only.here/", through(network{"https://only.here": p})))
	fails(t, backend(t, "https://elsewhere/", through(network{"https://only.here": p})), "https://elsewhere/: no such host")
}
