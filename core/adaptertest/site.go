package adaptertest

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/recess-go/recess/core"
)

// A Framework is one framework under test.
type Framework struct {
	// Name is what the subtests are told apart by.
	Name string
	// Serve builds the site in the framework's idiom behind a gate on engine and serves it on the listener until the
	// test ends (t.Cleanup). It returns once requests can come in, and calls t.Fatal if the site cannot be built. The
	// framework's panic recovery is installed before the gate, where it has one; its logger is not. Frameworks on
	// net/http end with [ServeHTTP].
	Serve func(t testing.TB, engine *recess.Engine, site *Site, listener net.Listener)
	// Traits are what the framework does of its own. The zero Traits describe a router that knows nothing but
	// exact matches and passes everything it parses to its middleware.
	Traits Traits

	logger *slog.Logger // the engines'; nil discards
}

// Traits are differences between frameworks that are theirs and not Recess's. None of them excuses a handler that ran
// although it should not have.
type Traits struct {
	// RoutesHead is true if a GET route serves HEAD too.
	RoutesHead bool
	// UnknownMethod is the status with which methods that the framework does not know (FOO, "get") are answered
	// before any middleware runs; 0 if they reach the middleware.
	UnknownMethod int
	// ReadsBodies is true if the server reads a request's body before any middleware runs, so that a client that
	// stalls is the server's to give up on (fiber's ReadTimeout, answered with 408).
	ReadsBodies bool
	// BareScopes is true if a scope's marker must stand in the chain as it is: wrapped it marks nothing.
	BareScopes bool
	// SlashRedirect is true if the router answers a path with one slash too many or too few by a redirect of its
	// own, before any middleware runs.
	SlashRedirect bool
	// LooseSlash is true if a route serves its path with a final slash too; LooseCase if in any case.
	LooseSlash, LooseCase bool
	// ExtraHeaders are response headers that the framework or its server adds to every response, beside Date and
	// Connection.
	ExtraHeaders []string
}

// A Site is the application that the suite drives. Every framework builds the same routes from it. Its methods may be
// called by any number of goroutines.
type Site struct {
	// Root holds all routes. It has no prefix and no marks.
	Root Group
	// Gates is how many times the gate's middleware is installed, one right after the other: 1 but for the tests of
	// a route without it (0) and of one that is run twice (2).
	Gates int
	// Answers is true if Hooks.Respond is to be set; see [Hooks].
	Answers bool
	// Panel is what routes of the kind Panel serve; nil where there are none.
	Panel http.Handler

	hooks    hookBehaviour
	paneling func(*recess.Engine) (http.Handler, error) // makes Panel

	mu       sync.Mutex
	runs     map[string][]string        // handlers that ran, by the request's id
	contexts map[string]context.Context // of streams, by their handlers' names
	held     chan struct{}              // closed to let the held handlers go on
	holding  chan struct{}              // one value for each handler that has begun to hold
}

// A Group is a prefix with marks of its own and what stands below it.
type Group struct {
	// Prefix is put before the patterns within: "/shop", or "" for a group that only shares marks.
	Prefix string
	// Mount asks for a sub-application mounted at the prefix, in frameworks that know such a thing; a group else.
	Mount bool
	// Marks are put on the group, in this order.
	Marks  []Mark
	Routes []Route
	Groups []Group
}

// A Route is one route and its handler.
type Route struct {
	// Methods are registered one by one; empty stands for whatever the framework calls all or any.
	Methods []string
	// Pattern is written as "/users/{id}", or "/deep/{rest...}" for the rest of the path, the empty one included. See
	// [ColonPattern], [StarPattern], [BracePattern] and [MuxPattern].
	Pattern string
	// Marks are put on the route itself, in this order, the last one nearest to the handler.
	Marks []Mark
	// Name is the handler's name, "" for kinds that have no handler of the suite's.
	Name string
	Kind Kind
	// Sets are response headers that the handler sets.
	Sets map[string]string
	// Dir is the directory that a route of kind Files serves.
	Dir string
}

// A Kind says what is registered at a route's pattern.
type Kind uint8

// The kinds of routes.
const (
	Plain    Kind = iota // the handler calls Site.Handle
	Panics               // as Plain; Site.Handle panics
	Holds                // as Plain; Site.Handle returns when the test says so
	Echoes               // as Plain; Site.Handle answers with the request's body
	Status               // the gate's own public status endpoint
	Live                 // the gate's answer to liveness probes
	Ready                // and to readiness probes
	PassLink             // the gate's page behind links to passes
	Panel                // what the gate's Panel makes of Site.Panel
	Events               // a long-lived one: the handler calls Site.Handle, which says goodbye when it is told to end
	Deaf                 // as Events; it listens to its context only
	Stubborn             // as Events; it listens to nothing
	Socket               // as Events, over a connection that it hijacks
	Files                // the framework's own static files: Pattern is a plain prefix, "/static", and Dir the directory
)

// A Mark is one marker of the gate: force off or force on, long-lived, or else a scope.
type Mark struct {
	Force     recess.Force
	LongLived bool
	Scope     string
	// Wrapped asks for a middleware of the application's own that does nothing but call the marker.
	Wrapped bool
}

// A Call is one request as its handler or hook sees it, in the framework's terms. Frameworks on net/http use [HTTPCall].
type Call interface {
	// Header is a request header, "" if there is none. The string need not outlive the request.
	Header(name string) string
	// SetHeader sets a response header.
	SetHeader(name, value string)
	// Body reads the request's body to its end.
	Body() ([]byte, error)
	// Reply sends the response as text/plain, without a body for HEAD where the framework does not see to that.
	Reply(status int, body string) error
	// Maintenance is what the adapter's own accessor finds; nil if nothing is attached.
	Maintenance() *recess.Maintenance

	// Context is the request's, which is the stream's behind a marker for long-lived routes.
	Context() context.Context
	// Stream answers 200 and has the body written bit by bit, in the framework's own way.
	Stream(write func(w io.Writer, flush func() error)) error
	// Hijack answers 101 and gives the connection away to a goroutine of its own, in the framework's own way. serve closes
	// it.
	Hijack(serve func(net.Conn)) error
}

// Headers of the suite's requests.
const (
	headerID   = "X-Test-Id"   // names the request
	headerUser = "X-Test-User" // alice, staff or root
)

// Handle is what the handler of a route does: it takes down that it ran, and answers 200 with its name.
func (s *Site) Handle(c Call, r *Route) error {
	id := strings.Clone(c.Header(headerID))
	s.mu.Lock()
	if s.runs == nil {
		s.runs = make(map[string][]string)
	}
	s.runs[id] = append(s.runs[id], r.Name)
	s.mu.Unlock()
	switch r.Kind {
	case Events, Deaf, Stubborn, Socket:
		return s.stream(c, r)
	case Panics:
		panic("adaptertest: this handler panics")
	case Holds:
		s.holding <- struct{}{}
		<-s.held
	case Echoes:
		body, err := c.Body()
		if err != nil {
			return c.Reply(400, err.Error())
		}
		return c.Reply(200, string(body))
	}
	for name, value := range r.Sets {
		c.SetHeader(name, value)
	}
	return c.Reply(200, r.Name+"\n"+describe(c.Maintenance())+"\n")
}

// ran returns the handlers that ran for a request, and forgets them.
func (s *Site) ran(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := s.runs[id]
	delete(s.runs, id)
	return names
}

// describe puts a maintenance value into one line.
func describe(m *recess.Maintenance) string {
	if m == nil {
		return "none"
	}
	words := []string{string(m.Mode)}
	for _, flag := range []struct {
		word string
		set  bool
	}{{"active", m.Active}, {"allowed", m.Allowed}, {"announced", m.Announced}, {"planned", m.Planned}} {
		if flag.set {
			words = append(words, flag.word)
		}
	}
	if m.Scope != "" {
		words = append(words, "scope="+m.Scope)
	}
	if m.Message != "" {
		words = append(words, "message="+m.Message)
	}
	return strings.Join(words, " ")
}
