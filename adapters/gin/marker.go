package recessgin

import (
	"bufio"
	"net"
	"net/http"
	"reflect"
	"runtime"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/nethttp"
)

// ForceOff marks a route, or a group's, as never in maintenance: a health check.
func (g *Gate) ForceOff(*gin.Context) {}

// ForceOn marks a route, or a group's, as always closed. It refuses by itself too, while nothing runs and where no
// middleware covers the route.
func (g *Gate) ForceOn(c *gin.Context) {
	if !g.port.AdmitMarked(recess.Marker{Force: recess.ForcedOn}, c, c.Writer, c.Request) {
		refused(c)
	}
}

// Scope returns a marker that puts routes into a named scope. A process can tell 64 scopes apart; routes of any
// further one belong to every scope, which is logged: in doubt they are closed.
func (g *Gate) Scope(name string) gin.HandlerFunc {
	if slot := words.give(g.port.Engine.ScopeMarker(name), slots[:]...); slot != nil {
		return slot
	}
	// No window can have such a name: the engine logs it as an error and returns the marker of every scope.
	return words.give(g.port.Engine.ScopeMarker("recessgin has no slot left for scope "+name), overflow)
}

// LongLived marks routes whose requests last: server-sent events, WebSockets, long polls. A window that covers them tells
// them by [recess.Closing], cancels their contexts after [recess.Policy].Grace, and closes connections that were hijacked
// last. See [recess.Stream].
func (g *Gate) LongLived(c *gin.Context) {
	request, writer := c.Request, c.Writer
	stream := g.port.Stream(c, writer, request)
	if stream == nil {
		return // gin goes on
	}
	defer stream.Done()
	inner := request.WithContext(stream.Context())
	c.Request, c.Writer = inner, &follower{writer, stream}
	defer func() {
		nethttp.Rejoin(request, inner)
		c.Request, c.Writer = request, writer
	}()
	c.Next()
}

// follower is gin's writer, whose Hijack tells a stream of the connection.
type follower struct {
	gin.ResponseWriter
	stream *recess.Stream
}

// Unwrap is what [http.ResponseController] asks for.
func (f *follower) Unwrap() http.ResponseWriter { return f.ResponseWriter }

func (f *follower) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := f.ResponseWriter.Hijack()
	if err != nil {
		return nil, nil, err
	}
	return nethttp.Follow(conn, f.stream), buffered, nil
}

// route is what gin knows a route by.
type route struct{ method, pattern string }

// marker is what the matched route's handlers say. What answers where no route matched has no pattern to remember it
// by; it says only what was put before it by name (NoRoute, NoMethod).
func (g *Gate) marker(c *gin.Context) recess.Marker {
	if c.FullPath() == "" {
		return words.read(c.HandlerNames())
	}
	key := route{c.Request.Method, c.FullPath()}
	if known, ok := g.routes.Load(key); ok {
		return known.(recess.Marker)
	}
	m := words.read(c.HandlerNames())
	g.routes.Store(key, m)
	return m
}

// vocabulary is what functions say by their names.
type vocabulary struct {
	sync.Mutex
	says map[string]recess.Marker
}

// words is one for the process, since a method has the same name whatever gate it is of.
var words = vocabulary{says: map[string]recess.Marker{
	nameOf((*Gate)(nil).ForceOff): {Force: recess.ForcedOff},
	nameOf((*Gate)(nil).ForceOn):  {Force: recess.ForcedOn},
}}

// read sums up a chain, outermost handler first.
func (v *vocabulary) read(chain []string) (sum recess.Marker) {
	v.Lock()
	defer v.Unlock()
	for _, name := range chain {
		sum = sum.Within(v.says[name])
	}
	return sum
}

// give returns the first handler that says this scope, or that says nothing yet and does from now on; nil if all of
// them say something else.
func (v *vocabulary) give(scope recess.Marker, handlers ...gin.HandlerFunc) gin.HandlerFunc {
	v.Lock()
	defer v.Unlock()
	for _, h := range handlers {
		said, ok := v.says[nameOf(h)]
		if !ok {
			v.says[nameOf(h)] = scope
		}
		if !ok || said.Scopes[0] == scope.Scopes[0] {
			return h
		}
	}
	return nil
}

func nameOf(h gin.HandlerFunc) string { return runtime.FuncForPC(reflect.ValueOf(h).Pointer()).Name() }

// overflow says that it belongs to every scope, once the slots are taken.
func overflow(*gin.Context) {}

type ctx = gin.Context

// slots do nothing but have a name each. gin tells a chain's functions by name only, and all closures that one
// function makes are called the same, so one cannot be made for each scope. For want of a gate they refuse nothing
// by themselves; where gin runs them, their names stand in the chain that the gate reads.
var slots = [...]gin.HandlerFunc{
	func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {},
	func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {},
	func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {},
	func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {},
	func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {},
	func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {},
	func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {},
	func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {}, func(*ctx) {},
}
