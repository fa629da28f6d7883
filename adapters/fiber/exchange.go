package recessfiber

import (
	"bytes"
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
)

// exchange is one request on its way through a gate. What it tells the engine lives in fiber's buffers.
type exchange struct {
	recess.Caller[*fiber.Ctx]
	gate    *Gate
	reached bool    // the request has come to a marker, not to the middleware
	known   *shadow // of this application, once it was asked for
}

func (x *exchange) shadow() *shadow {
	if x.known == nil {
		x.known = x.gate.shadow(x.Context.App())
	}
	return x.known
}

// Method implements [recess.Request].
func (x *exchange) Method() string { return x.Context.Method() }

// Host implements [recess.Request].
func (x *exchange) Host() string {
	if host := x.Context.Context().Host(); len(host) > 0 {
		return utils.UnsafeString(host)
	}
	host, _ := x.unparsed()
	return host
}

// Path implements [recess.Request]. c.Path would be the decoded one under Config.UnescapePath.
func (x *exchange) Path() string {
	if path := x.Context.Context().URI().PathOriginal(); len(path) > 0 {
		return utils.UnsafeString(path)
	}
	_, path := x.unparsed()
	return path
}

// unparsed is the host and the path as they were sent. fasthttp takes a target or a Host with a control byte for no URI
// and leaves both empty; fiber routes the request all the same, and handlers find the target in c.OriginalURL.
func (x *exchange) unparsed() (host, path string) {
	header := &x.Context.Request().Header
	host, path = utils.UnsafeString(header.Host()), utils.UnsafeString(header.RequestURI())
	if end := strings.IndexAny(path, "?#"); end >= 0 {
		path = path[:end]
	}
	if scheme, rest, ok := strings.Cut(path, "://"); ok && !strings.Contains(scheme, "/") {
		end := strings.IndexByte(rest+"/", '/')
		host, path = rest[:end], rest[end:]
	}
	if _, rest, ok := strings.Cut(host, "@"); ok {
		host = rest
	}
	return host, path
}

// Header implements [recess.Request]. Under Config.DisableHeaderNormalizing fasthttp keeps names as they were sent.
func (x *exchange) Header(name string) string {
	header := &x.Context.Request().Header
	lines := header.PeekAll(name)
	if x.shadow().config.DisableHeaderNormalizing {
		lines = nil
		header.VisitAll(func(key, value []byte) {
			if strings.EqualFold(utils.UnsafeString(key), name) {
				lines = append(lines, value)
			}
		})
	}
	switch len(lines) {
	case 0:
		return ""
	case 1:
		return utils.UnsafeString(lines[0])
	default:
		return utils.UnsafeString(bytes.Join(lines, []byte(", ")))
	}
}

// Peer implements [recess.Request]. It is the connection's, whatever a middleware set by SetRemoteAddr.
func (x *exchange) Peer() netip.AddrPort {
	conn := x.Context.Context().Conn()
	if conn == nil {
		return netip.AddrPort{}
	}
	addr, ok := conn.RemoteAddr().(interface{ AddrPort() netip.AddrPort })
	switch {
	case !ok: // a Unix socket
		return netip.AddrPort{}
	case addr.AddrPort().Addr().Unmap().IsUnspecified(): // a request that came over none, and who calls himself nobody
		return netip.AddrPortFrom(netip.Addr{}, 1)
	}
	return addr.AddrPort()
}

// Marker implements [recess.Request]. A route that was reached has matched, so its own word is the last.
func (x *exchange) Marker() recess.Marker {
	s := x.shadow()
	m := s.marker(x.Context)
	if route := x.Context.Route(); x.reached && !s.groups[route] {
		m = m.Within(x.gate.said(route.Handlers))
	}
	return m
}

// Route implements [recess.Request]. What was reached by a prefix is looked up as if it were not.
func (x *exchange) Route() string {
	s := x.shadow()
	if route := x.Context.Route(); x.reached && !s.groups[route] {
		return route.Path
	}
	_, route := s.find(x.Context)
	return route
}

// SetHeader implements [recess.Exchange].
func (x *exchange) SetHeader(name string, value []string) { set(x.Context, name, value[0]) }

// Attach implements [recess.Exchange].
func (x *exchange) Attach(m *recess.Maintenance) {
	x.Context.Locals(recess.ContextKey, m)
	x.Context.SetUserContext(recess.NewContext(x.Context.UserContext(), m))
}

// Answer implements [recess.Exchange].
func (x *exchange) Answer(a *page.Answer) { send(x.Context, a) }

// send sends an answer. fasthttp leaves the body of a response to HEAD out and takes its length all the same. It does
// not write to a raw body: compression and whatever replaces the body work on buffers of their own.
func send(c *fiber.Ctx, a *page.Answer) {
	response := c.Response()
	response.SetStatusCode(a.Status)
	for _, f := range a.Header {
		set(c, f.Name, f.Value[0])
	}
	response.SetBodyRaw(a.Body)
}

// set sets a header of Recess's. Its name is canonical and its value one line, which fasthttp need not see to; it
// copies both.
func set(c *fiber.Ctx, name, value string) {
	c.Response().Header.SetCanonical(utils.UnsafeBytes(name), utils.UnsafeBytes(value))
}
