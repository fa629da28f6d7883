package nethttp_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/recess-go/recess/core/nethttp"
	"github.com/recess-go/recess/core/page"
)

// nobody is a peer that has no address and is not on a Unix socket either.
var nobody = netip.AddrPortFrom(netip.Addr{}, 1)

func TestPeerIsReadFromRemoteAddr(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:1234":          "192.0.2.1:1234",
		"[2001:db8::1]:80":        "[2001:db8::1]:80",
		"[fe80::1%eth0]:80":       "[fe80::1%eth0]:80",
		"192.0.2.1":               "", // chi's RealIP and gorilla's ProxyHeaders write this
		"2001:db8::1":             "",
		"198.51.100.1, 192.0.2.1": "",
		"@":                       "", // a Unix socket
		"":                        "",
		"localhost:80":            "",
	} {
		x := nethttp.Exchange{Request: &http.Request{RemoteAddr: remote}}
		addr := nobody
		if want != "" {
			addr = netip.MustParseAddrPort(want)
		}
		if got := x.Peer(); got != addr {
			t.Errorf("RemoteAddr %q: peer %v, want %v", remote, got, addr)
		}
	}
}

// Only the connection itself says that it is a Unix socket: a trusted "unix" is not to be had by overwriting RemoteAddr.
func TestPeerIsNoneOnAUnixSocketAlone(t *testing.T) {
	unix, tcp := &net.UnixAddr{Name: "/s", Net: "unix"}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}
	for _, remote := range []string{"", "@", "203.0.113.7"} {
		for local, want := range map[net.Addr]netip.AddrPort{unix: {}, tcp: nobody, nil: nobody} {
			ctx := context.WithValue(t.Context(), http.LocalAddrContextKey, local)
			x := nethttp.Exchange{Request: (&http.Request{RemoteAddr: remote}).WithContext(ctx)}
			if got := x.Peer(); got != want {
				t.Errorf("RemoteAddr %q, local address %v: peer %#v, want %#v", remote, local, got, want)
			}
		}
	}
	strange := nethttp.ConnContext(t.Context(), conn{remote: addr("pipe")})
	x := nethttp.Exchange{Request: (&http.Request{RemoteAddr: "@"}).WithContext(strange)}
	if got := x.Peer(); got != nobody {
		t.Errorf("a connection of another kind: peer %#v, want %#v", got, nobody)
	}
}

// conn is a connection with a remote address.
type conn struct {
	net.Conn
	remote net.Addr
}

func (c conn) RemoteAddr() net.Addr { return c.remote }

func TestPeerIsKeptByConnContextWhateverIsWrittenLater(t *testing.T) {
	tcp := conn{remote: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1234}}
	unix := conn{remote: &net.UnixAddr{Name: "@", Net: "unix"}}
	for _, remote := range []string{"192.0.2.1:1234", "203.0.113.7:80", "203.0.113.7", ""} {
		r := (&http.Request{RemoteAddr: remote}).WithContext(nethttp.ConnContext(t.Context(), tcp))
		x := nethttp.Exchange{Request: r}
		if got := x.Peer().String(); got != "192.0.2.1:1234" {
			t.Errorf("RemoteAddr %q: peer %s, want the socket's", remote, got)
		}
		x.Request = r.WithContext(nethttp.ConnContext(context.Background(), unix))
		if got := x.Peer(); got != (netip.AddrPort{}) {
			t.Errorf("RemoteAddr %q on a Unix socket: peer %s, want none", remote, got)
		}
	}
}

func TestHeaderJoinsItsLines(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = http.Header{"X-One": {"a"}, "X-Two": {"a", "b, c"}, "X-Empty": {""}, "X-None": {}, "X-Blank": {"a", ""}}
	x := nethttp.Exchange{Request: r}
	for name, want := range map[string]string{
		"X-One": "a", "X-Two": "a, b, c", "X-Empty": "", "X-None": "", "X-Missing": "", "X-Blank": "a, ",
	} {
		if got := x.Header(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestPathIsAsSent(t *testing.T) {
	for target, want := range map[string]string{
		"/a%2Fb": "/a%2Fb", "/a/../b?c=d": "/a/../b", "//evil.example/": "//evil.example/", "/%68ealthz": "/%68ealthz", "/a;b=1": "/a;b=1",
		"http://shop.example/a%2fb?c": "/a%2fb",
		`/a%2Fb"c`:                    `/a%2Fb"c`, // not properly escaped: the encoded slash must still be seen
	} {
		x := nethttp.Exchange{Request: httptest.NewRequest(http.MethodGet, target, nil)}
		if got := x.Path(); got != want {
			t.Errorf("%s: path %q, want %q", target, got, want)
		}
	}
}

func TestPathFollowsARewrite(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/old%2Fa", nil)
	r.URL.Path = "/new a"
	x := nethttp.Exchange{Request: r}
	if got := x.Path(); got != "/new%20a" {
		t.Errorf("path %q", got)
	}
}

func TestAnswerLeavesTheBodyOutForHead(t *testing.T) {
	answer := page.Plain(503)
	for method, want := range map[string]int{http.MethodGet: len(answer.Body), http.MethodHead: 0, "head": len(answer.Body)} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Method = method
		x := nethttp.Exchange{Writer: w, Request: r}
		x.Answer(answer)
		if w.Code != 503 || w.Body.Len() != want {
			t.Errorf("%s: status %d and %d bytes, want 503 and %d", method, w.Code, w.Body.Len(), want)
		}
		for _, f := range answer.Header {
			if w.Header().Get(f.Name) != f.Value[0] {
				t.Errorf("%s: %s is %q, want %q", method, f.Name, w.Header().Get(f.Name), f.Value[0])
			}
		}
	}
}

func TestBlockedTellsRefusalsFromWhatPassed(t *testing.T) {
	for value, want := range map[string]bool{
		"full":                     true,
		"full;until=@1763733600":   true,
		`readonly;scope="api"`:     true,
		"hold":                     true,
		"full;allowed":             false,
		"full;allowed=?0":          true,
		"planned;start=@176373360": false,
		"announce":                 false,
		"":                         false,
		"not a field":              false,
	} {
		header := http.Header{}
		if value != "" {
			header.Set(page.HeaderName, value)
		}
		if got := nethttp.Blocked(header); got != want {
			t.Errorf("Maintenance-Mode: %q: blocked %t, want %t", value, got, want)
		}
	}
}
