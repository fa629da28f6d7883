package adaptertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
)

var streamTests = []test{
	{"an event stream that a window covers says goodbye, ends, and is drained", testGoodbye},
	{"a stream that listens to its context only is cancelled, and learns why", testCause},
	{"a stream that listens to nothing is counted until it ends", testStubborn},
	{"a hijacked connection is told, counted, and closed last", testSocket},
	{"a connection that nobody hijacks for long is not counted for ever", testSocketThatEnds},
	{"a window over a part leaves the streams of others alone", testStreamScopes},
	{"a stream of somebody who is let in goes on", testStreamExceptions},
	{"a stream within a stream is one", testStreamTwice},
	{"answers close their connections while the site closes, and not for ever", testMovingOn},
}

// long is what marks routes as long-lived.
var long = Mark{LongLived: true}

// streams are long-lived routes of the site.
func streams() []Group {
	of := func(kind Kind, pattern string, marks ...Mark) Route {
		return Route{Methods: []string{"GET"}, Pattern: pattern, Name: pattern, Kind: kind, Marks: marks}
	}
	return []Group{
		{Routes: []Route{
			of(Events, "/events", long),
			of(Deaf, "/deaf", long),
			of(Stubborn, "/stubborn", long),
			of(Socket, "/socket", long),
			of(Events, "/twice", long, long),
			of(Events, "/checkout/events", checkout, long),
			of(Events, "/api/events", long),
			of(Events, "/health/events", long, forceOff),
		}},
		{Prefix: "/streams", Marks: []Mark{long}, Routes: []Route{{Methods: []string{"GET"}, Pattern: "/events", Name: "/streams/events", Kind: Events}}},
	}
}

// stream is what the handlers of long-lived routes do.
func (s *Site) stream(c Call, r *Route) error {
	ctx := c.Context()
	s.mu.Lock()
	if s.contexts == nil {
		s.contexts = make(map[string]context.Context)
	}
	s.contexts[r.Name] = ctx
	s.mu.Unlock()
	if r.Kind == Socket {
		return c.Hijack(func(conn net.Conn) { s.socket(ctx, conn) })
	}
	return c.Stream(func(w io.Writer, flush func() error) {
		say := func(word string) {
			_, _ = fmt.Fprintln(w, word) // a client that is gone needs no word
			_ = flush()
		}
		say("open")
		switch r.Kind {
		case Events:
			select {
			case <-recess.Closing(ctx):
				say("bye")
			case <-ctx.Done():
				say("cut: " + fmt.Sprint(context.Cause(ctx)))
			case <-s.held:
			}
		case Deaf:
			<-ctx.Done()
			say("cut: " + fmt.Sprint(context.Cause(ctx)))
		case Stubborn:
			<-ctx.Done()
			s.holding <- struct{}{}
			<-s.held
		}
	})
}

// socket says what happens to it, and waits until it is closed, by whomever.
func (s *Site) socket(ctx context.Context, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, conn)
	}()
	_, _ = io.WriteString(conn, "open\n")
	select {
	case <-recess.Closing(ctx):
		_, _ = io.WriteString(conn, "bye\n")
	case <-gone:
	}
	<-gone
}

// context is what the handler of a stream was given last.
func (s *Site) context(name string) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.contexts[name]
}

// told reports whether a stream that is open was told to end. A change is in force, and told, when it is made.
func (w *world) told(name string) bool {
	select {
	case <-recess.Closing(w.site.context(name)):
		return true
	default:
		return false
	}
}

// listener is the client of a stream.
type listener struct {
	t    *testing.T
	wire *wire
	in   *bufio.Reader
}

// listen opens a stream and waits for its first word.
func (w *world) listen(t *testing.T, a ask) *listener {
	t.Helper()
	c := w.dial()
	t.Cleanup(func() { _ = c.Close() })
	if _, err := c.Write(a.raw(newID())); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(c.in, &http.Request{Method: a.method})
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{t, c, c.in}
	switch response.StatusCode {
	case http.StatusOK:
		l.in = bufio.NewReader(response.Body)
	case http.StatusSwitchingProtocols:
	default:
		t.Fatalf("%s: status %d, want a stream", a, response.StatusCode)
	}
	l.hears("open")
	return l
}

func (l *listener) hears(want string) {
	l.t.Helper()
	got, err := l.in.ReadString('\n')
	if strings.TrimSpace(got) != want {
		l.t.Fatalf("the stream says %q, %v, want %q", got, err, want)
	}
}

// ends wants nothing more to come, and the end in good order.
func (l *listener) ends() {
	l.t.Helper()
	if rest, err := io.ReadAll(l.in); err != nil || len(rest) > 0 {
		l.t.Errorf("the stream goes on with %q, %v, want its end", rest, err)
	}
}

// streaming is what is counted while n streams are open and nothing else is.
func (w *world) streaming(n int64) {
	w.t.Helper()
	if c := w.engine.Counts(); c.InFlight != n || c.Streams != n {
		w.t.Errorf("%d streams are open, and %+v are counted", n, c)
	}
}

// drains wants the site drained.
func (w *world) drains() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := w.control.Drain(ctx, nil); err != nil {
		w.t.Error(err)
	}
}

func (f Framework) streaming(t *testing.T, p recess.Policy) *world {
	return f.open(t, p, func(s *Site) { s.Root.Groups = append(s.Root.Groups, streams()...) })
}

func testGoodbye(t *testing.T, f Framework) {
	w := f.streaming(t, recess.Policy{Grace: time.Hour})
	one, two := w.listen(t, get("/events")), w.listen(t, get("/streams/events"))
	w.streaming(2)
	w.on(recess.Opening{})
	one.hears("bye")
	one.ends()
	two.hears("bye")
	two.ends()
	w.drains()
	w.idle()
	w.refuses(get("/events"))
}

func testCause(t *testing.T, f Framework) {
	w := f.streaming(t, recess.Policy{Grace: time.Millisecond})
	l := w.listen(t, get("/deaf"))
	w.on(recess.Opening{})
	l.hears("cut: " + recess.ErrClosing.Error())
	l.ends()
	w.drains()
	w.idle()
}

func testStubborn(t *testing.T, f Framework) {
	w := f.streaming(t, recess.Policy{})
	w.listen(t, get("/stubborn"))
	w.on(recess.Opening{})
	<-w.site.holding // its context is over
	w.streaming(1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		w.drains()
		if n := w.engine.Counts().Streams; n != 0 {
			t.Errorf("the site is drained, and %d streams are open", n)
		}
	}()
	close(w.site.held)
	<-drained
	w.idle()
}

func testSocket(t *testing.T, f Framework) {
	w := f.streaming(t, recess.Policy{Grace: time.Millisecond})
	l := w.listen(t, get("/socket", "Connection: Upgrade", "Upgrade: test"))
	w.streaming(1)
	w.on(recess.Opening{})
	l.hears("bye")
	if n := w.engine.Counts().Streams; n != 1 {
		t.Errorf("the connection is open, and %d streams are counted", n)
	}
	l.ends()
	w.drains()
	w.idle()
}

func testSocketThatEnds(t *testing.T, f Framework) {
	w := f.streaming(t, recess.Policy{})
	for range 3 {
		l := w.listen(t, get("/socket", "Connection: Upgrade", "Upgrade: test"))
		_ = l.wire.Close()
	}
	w.idle()
	w.on(recess.Opening{})
	w.drains()
}

func testStreamScopes(t *testing.T, f Framework) {
	w := f.streaming(t, recess.Policy{Grace: time.Hour, Scopes: map[string][]string{"api": {"/api/**"}}})
	names := []string{"/events", "/checkout/events", "/api/events", "/health/events"}
	listeners := make(map[string]*listener)
	for _, name := range names {
		listeners[name] = w.listen(t, get(name))
	}
	for _, step := range []struct {
		o    recess.Opening
		told string
	}{{recess.Opening{Scope: "elsewhere"}, ""}, {recess.Opening{Scope: "api"}, "/api/events"}, {recess.Opening{Scope: "checkout"}, "/checkout/events"}, {recess.Opening{}, "/events"}} {
		w.on(step.o)
		for _, name := range names {
			if _, open := listeners[name]; open && w.told(name) != (name == step.told) {
				t.Errorf("a window over %q: the stream %s was told: %v", step.o.Scope, name, w.told(name))
			}
		}
		if step.told != "" {
			listeners[step.told].hears("bye")
			delete(listeners, step.told)
		}
	}
	close(w.site.held) // what goes on ends by itself
	w.idle()
}

func testStreamExceptions(t *testing.T, f Framework) {
	w := f.streaming(t, recess.Policy{Grace: time.Hour, AllowStaff: true, AllowPaths: []string{"/api/events"}})
	w.listen(t, get("/events").as("staff"))
	w.listen(t, get("/api/events"))
	other := w.listen(t, get("/checkout/events").as("alice"))
	w.on(recess.Opening{})
	if w.told("/events") || w.told("/api/events") {
		t.Error("who is let in was told to end")
	}
	other.hears("bye")
	later := w.listen(t, get("/streams/events").as("staff"))
	w.on(recess.Opening{Scope: "checkout"})
	if w.told("/events") || w.told("/streams/events") {
		t.Error("who is let in was told to end by a further window")
	}
	close(w.site.held)
	later.ends()
	w.idle()
}

func testStreamTwice(t *testing.T, f Framework) {
	w := f.streaming(t, recess.Policy{Grace: time.Hour})
	l := w.listen(t, get("/twice"))
	w.streaming(1)
	w.on(recess.Opening{})
	l.hears("bye")
	l.ends()
	w.idle()
}

func testMovingOn(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{Grace: time.Hour, AllowPaths: []string{"/healthz"}})
	closes := func(a ask) bool { return w.do(a).close }
	if closes(get("/orders")) {
		t.Error("a connection is closed while nothing runs")
	}
	w.on(recess.Opening{Scope: "checkout"})
	if !closes(get("/checkout/cart")) || closes(get("/orders")) {
		t.Error("a part is closed: not its connections are, or others")
	}
	w.on(recess.Opening{})
	if !closes(get("/orders")) || !closes(request("HEAD", "/orders")) || !closes(get("/healthz")) || closes(get("/live")) {
		t.Error("all is closed, but not the connections of requests that are refused or let in by exception, or that of a route that is forced off")
	}
	w.off()
	if closes(get("/orders")) {
		t.Error("a connection is closed after the window")
	}
	w = f.closed(t, recess.Policy{}) // without a grace period: the suite's default
	if closes(get("/orders")) {
		t.Error("a connection is closed for ever")
	}
}
