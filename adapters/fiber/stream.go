package recessfiber

import (
	"bufio"

	"github.com/gofiber/fiber/v2"
	"github.com/recess-go/recess/core"
	"github.com/valyala/fasthttp"
)

// LongLived marks routes whose requests last: server-sent events, WebSockets, long polls. A window that covers them tells
// them by [recess.Closing] of c.UserContext, cancels that context after [recess.Policy].Grace, and closes their connections
// last. See [recess.Stream].
//
// The context lives until the response is written, or the hijack handler has returned, and so long the request is counted:
// fasthttp closes what stands in the locals then. A body's stream writer of which its client has left may run a little
// longer: see [Gate.Writer].
func (g *Gate) LongLived(c *fiber.Ctx) error {
	var stream *recess.Stream
	g.admit(func(x recess.Exchange) bool {
		stream = g.engine.Stream(c.UserContext(), x)
		return true
	}, true, c)
	if stream == nil {
		return c.Next()
	}
	defer stream.Done()
	rest := &afterwards{over: stream.Linger(), forget: func() {}}
	if conn := c.Context().Conn(); conn != nil {
		rest.forget = stream.CloseLast(conn)
	}
	c.Locals(afterwardsKey{}, rest)
	outer := c.UserContext()
	c.SetUserContext(stream.Context())
	defer c.SetUserContext(outer)
	return c.Next()
}

// Writer has the stream writer of a body counted until it has returned, which it may do well after its client has left:
//
//	c.Context().SetBodyStreamWriter(gate.Writer(c, func(w *bufio.Writer) { … }))
func (g *Gate) Writer(c *fiber.Ctx, write fasthttp.StreamWriter) fasthttp.StreamWriter {
	over := recess.Linger(c.UserContext())
	return func(w *bufio.Writer) {
		defer over()
		write(w)
	}
}

type afterwardsKey struct{}

// afterwards is what fasthttp closes when a response is written, or its connection no longer anybody's.
type afterwards struct{ over, forget func() }

// Close implements [io.Closer].
func (a *afterwards) Close() error {
	a.forget() // the connection goes on to its next request, or is used again for another
	a.over()
	return nil
}
