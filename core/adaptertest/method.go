package adaptertest

import (
	"testing"

	"github.com/recess-go/recess/core"
)

var methodTests = []test{
	{"every method is refused", testEveryMethod},
	{"methods nobody knows are refused", testUnknownMethods},
	{"targets that are no path reach no handler", testTargetForms},
	{"old protocol versions are answered alike", testOldProtocol},
}

func testEveryMethod(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{})
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
		for _, target := range []string{"/orders", "/any", "/closed", "/nowhere", "/users/7"} {
			w.refuses(request(method, target))
		}
	}
	w.refuses(request("OPTIONS", "/orders", "Origin: https://other.example", "Access-Control-Request-Method: POST"))
	w.refuses(get("/orders?_method=OPTIONS", "X-HTTP-Method-Override: OPTIONS", "X-HTTP-Method: TRACE"))
}

func testUnknownMethods(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{})
	for _, method := range []string{"FOO", "get", "Get", "PROPFIND", "X"} {
		for _, target := range []string{"/orders", "/any", "/closed", "/live", "/nowhere"} {
			w.refusesMethod(request(method, target))
		}
	}
	w.off()
	for _, method := range []string{"FOO", "get", "POST", "PUT", "PROPFIND"} {
		if got := w.do(request(method, "/closed")); len(got.ran) > 0 {
			t.Errorf("%s /closed, nothing running: %q ran", method, got.ran)
		}
	}
}

func testTargetForms(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowPaths: []string{"/healthz"}, ControlPath: "/maintenance"})
	for _, a := range []ask{
		request("CONNECT", "shop.example:443"), request("CONNECT", "/orders"), request("CONNECT", "/healthz"),
		request("OPTIONS", "*"), get("*"), get("orders"), get(""), get("?"), get("#"), get("http:/orders"), get("///"),
	} {
		if got := w.do(a); len(got.ran) > 0 {
			t.Errorf("%s: %q ran", a, got.ran)
		}
	}
	w.passesByException(get("http://shop.example/healthz"), "healthz")
	w.passesByException(get("http://evil.example/healthz"), "healthz")
	w.passes(get("http://evil.example/live"), "live")
	w.refuses(get("http://healthz/orders"))
	w.refuses(get("http://shop.example/orders?/healthz"))
	w.refuses(get("http://shop.example//healthz"))
	w.passes(get("/live"), "live")
}

func testOldProtocol(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowPaths: []string{"/healthz"}})
	for _, host := range []string{"shop.example", noHost} {
		for _, a := range []ask{get("/orders"), request("HEAD", "/orders"), request("POST", "/orders")} {
			a.proto, a.host = "HTTP/1.0", host
			w.refuses(a)
		}
		a := get("/healthz").at(host)
		a.proto = "HTTP/1.0"
		w.passesByException(a, "healthz")
	}
}
