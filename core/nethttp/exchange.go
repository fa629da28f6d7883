package nethttp

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
)

// Exchange is a request and its response as the engine sees them: [recess.Exchange] but for Marker and the
// application's hooks, which differ from framework to framework. Adapters embed it.
type Exchange struct {
	Writer  http.ResponseWriter
	Request *http.Request
}

// Method implements [recess.Request].
func (x *Exchange) Method() string { return x.Request.Method }

// Host implements [recess.Request].
func (x *Exchange) Host() string { return x.Request.Host }

// Path implements [recess.Request]. It is the raw path where there is one, even if it is not properly escaped, since
// that is what echo and chi route by: [url.URL.EscapedPath] would escape the decoded path anew, and an encoded slash in
// it would be gone. A raw path that no longer belongs to the decoded one, because a middleware rewrote that, is left out.
func (x *Exchange) Path() string {
	u := x.Request.URL
	if u.RawPath != "" {
		if decoded, err := url.PathUnescape(u.RawPath); err == nil && decoded == u.Path {
			return u.RawPath
		}
	}
	return u.EscapedPath()
}

// Header implements [recess.Request].
func (x *Exchange) Header(name string) string {
	switch lines := x.Request.Header[name]; len(lines) {
	case 0:
		return ""
	case 1:
		return lines[0]
	default:
		return strings.Join(lines, ", ")
	}
}

// Peer implements [recess.Request]. It is the socket's peer if [ConnContext] is installed; else it is read from
// RemoteAddr. It is the zero AddrPort on a Unix socket, and nobody's once a middleware has written something else there,
// which is not to be taken for a proxy on a Unix socket.
func (x *Exchange) Peer() netip.AddrPort {
	if peer, ok := x.Request.Context().Value(peerKey{}).(netip.AddrPort); ok {
		return peer
	}
	peer, err := netip.ParseAddrPort(x.Request.RemoteAddr)
	if err == nil {
		return peer
	}
	local, _ := x.Request.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return addressless(local)
}

// addressless is the peer of a connection whose remote address is none.
func addressless(end net.Addr) netip.AddrPort {
	if _, ok := end.(*net.UnixAddr); ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.Addr{}, 1) // no address, and yet not what stands for a Unix socket
}

// SetHeader implements [recess.Exchange].
func (x *Exchange) SetHeader(name string, value []string) { x.Writer.Header()[name] = value }

// Attach implements [recess.Exchange]: handlers find the value with [recess.FromContext]. The request itself is changed,
// not a copy of it: net/http removes the temporary files of an upload from the request that it made.
func (x *Exchange) Attach(m *recess.Maintenance) {
	*x.Request = *x.Request.WithContext(recess.NewContext(x.Request.Context(), m))
}

// Answer implements [recess.Exchange].
func (x *Exchange) Answer(a *page.Answer) {
	header := x.Writer.Header()
	for _, f := range a.Header {
		header[f.Name] = f.Value
	}
	if r := x.Request; r.ProtoMajor == 1 && r.ContentLength != 0 {
		// Else net/http reads up to 256 KiB of the body that nobody wants before it sends the answer, and a client that
		// stalls gets none. What follows the body on the connection is not served.
		header["Connection"] = closing
	}
	if body, ok := x.Request.Body.(*prefetched); ok {
		body.giveUp(x.Writer)
	}
	x.Writer.WriteHeader(a.Status)
	if x.Request.Method != http.MethodHead {
		_, _ = x.Writer.Write(a.Body) // a client that is gone needs no answer
	}
}

var closing = []string{"close"}

type peerKey struct{}

// ConnContext keeps the socket's peer where no middleware can change it. Install it as [http.Server].ConnContext when
// something before Recess rewrites RemoteAddr (chi's RealIP, gorilla's ProxyHeaders).
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	peer, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		peer = addressless(c.RemoteAddr())
	}
	return context.WithValue(ctx, peerKey{}, peer)
}

// Blocked reports whether a response is a refusal by Recess, from its header: for loggers that are to leave expected
// refusals out (django-maintenance-mode's RequireNotMaintenanceMode503).
func Blocked(header http.Header) bool {
	mode, ok := page.ParseModeField(header.Get(page.HeaderName))
	return ok && !mode.Allowed && mode.Name != "planned" && mode.Name != "announce"
}
