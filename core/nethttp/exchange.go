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
// RemoteAddr, and is the zero AddrPort once a middleware has written something else there.
func (x *Exchange) Peer() netip.AddrPort {
	if peer, ok := x.Request.Context().Value(peerKey{}).(netip.AddrPort); ok {
		return peer
	}
	peer, err := netip.ParseAddrPort(x.Request.RemoteAddr)
	if err != nil {
		return netip.AddrPort{}
	}
	return peer
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
	x.Writer.WriteHeader(a.Status)
	if x.Request.Method != http.MethodHead {
		_, _ = x.Writer.Write(a.Body) // a client that is gone needs no answer
	}
}

type peerKey struct{}

// ConnContext keeps the socket's peer where no middleware can change it. Install it as [http.Server].ConnContext when
// something before Recess rewrites RemoteAddr (chi's RealIP, gorilla's ProxyHeaders).
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	peer, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		peer = netip.AddrPort{} // a Unix socket has no address to allow
	}
	return context.WithValue(ctx, peerKey{}, peer)
}

// Blocked reports whether a response is a refusal by Recess, from its header: for loggers that are to leave expected
// refusals out (django-maintenance-mode's RequireNotMaintenanceMode503).
func Blocked(header http.Header) bool {
	mode, ok := page.ParseModeField(header.Get(page.HeaderName))
	return ok && !mode.Allowed && mode.Name != "planned" && mode.Name != "announce"
}
