package adaptertest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state/memstate"
)

// attackTests send the attacks that no other topic has. docs/security-tests.md says which test sends which.
var attackTests = []test{
	{"a client is who the peer and trusted proxies say, whatever the peer's address is like", testForwardedByPeers},
	{"a prefix of IPv6 holds no address of IPv4, however it is written", testPrefixFamilies},
	{"a rule for a group holds for nothing beside it", testSiblings},
	{"a word in the URL lets nobody in", testWords},
	{"no header says that a request may pass", testSkipHeaders},
	{"a path of 64 KiB leads to no handler", testLongPath},
	{"a redirect leads where it was told, whoever asks and however", testRedirectStays},
	{"a host is the same in any spelling, however many there are", testManyHosts},
	{"a pass is given to secure connections alone, whatever a header says of this one", testPassScheme},
}

// peers are ways to be connected, and which of their proxies are believed. address is what lets such a peer in by itself.
var peers = []struct {
	name, network, listen, address string
	trusted                        []string
	believed                       bool
}{
	{"IPv4", "tcp4", "127.0.0.1:0", "127.0.0.1", []string{"127.0.0.1", "10.0.0.0/8"}, true},
	{"IPv4, not trusted", "tcp4", "127.0.0.1:0", "127.0.0.1", []string{"127.0.0.2", "::/8", "10.0.0.0/8", "unix"}, false},
	{"IPv6", "tcp6", "[::1]:0", "::1", []string{"::1", "10.0.0.0/8"}, true},
	{"IPv6, not trusted", "tcp6", "[::1]:0", "::1", []string{"::2", "127.0.0.0/8", "10.0.0.0/8", "unix"}, false},
	{"IPv4 on a socket of IPv6", "tcp", "[::]:0", "127.0.0.1", []string{"127.0.0.1", "10.0.0.0/8"}, true},
	{"IPv4 on a socket of IPv6, not trusted", "tcp", "[::]:0", "127.0.0.1", []string{"127.0.0.2", "::/8", "10.0.0.0/8", "unix"}, false},
	{"a Unix socket", "unix", "", "", []string{"unix", "10.0.0.0/8"}, true},
	{"a Unix socket, not trusted", "unix", "", "", []string{"127.0.0.0/8", "::/8", "10.0.0.0/8"}, false},
}

// reach returns a listener, and how to connect to it.
func reach(t *testing.T, network, address string) (net.Listener, func() (net.Conn, error)) {
	t.Helper()
	if network == "unix" {
		dir, err := os.MkdirTemp("", "recess") // a socket's name is limited to about 100 bytes, t.TempDir's is long
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		address = filepath.Join(dir, "s")
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("there is no %s here: %v", network, err)
	}
	to := listener.Addr().String()
	if address == "[::]:0" {
		_, port, _ := net.SplitHostPort(to)
		network, to = "tcp4", net.JoinHostPort("127.0.0.1", port)
	}
	return listener, func() (net.Conn, error) { return net.Dial(network, to) }
}

func testForwardedByPeers(t *testing.T, f Framework) {
	for _, peer := range peers {
		t.Run(peer.name, func(t *testing.T) {
			listener, connect := reach(t, peer.network, peer.listen)
			w := f.openOn(t, listener, connect, recess.Policy{AllowNetworks: []string{"203.0.113.0/24", "2001:db8::/32"}, TrustedProxies: peer.trusted})
			w.on(recess.Opening{})
			c := w.dial()
			defer func() { c.Close() }()
			for _, said := range forwarded {
				a := said.ask()
				got := c.do(a)
				if said.in && peer.believed {
					w.isFrom(a, got, "orders")
				} else {
					w.isRefusal(a, got, w.golden(a))
				}
				if got.err != nil || got.close {
					c.Close()
					c = w.dial()
				}
			}
		})
	}
}

func testPrefixFamilies(t *testing.T, f Framework) {
	for _, peer := range peers {
		if peer.address == "" || peer.believed {
			continue // one of each way is enough
		}
		t.Run(peer.name, func(t *testing.T) {
			others := []string{"::/8", "2000::/3"}
			if peer.address == "::1" {
				others = []string{"0.0.0.0/8", "127.0.0.0/8", "1.0.0.0/8", "2000::/3"}
			}
			listener, connect := reach(t, peer.network, peer.listen)
			w := f.openOn(t, listener, connect, recess.Policy{AllowNetworks: others, Unsafe: others})
			w.on(recess.Opening{})
			w.refuses(get("/orders"))
			listener, connect = reach(t, peer.network, peer.listen)
			w = f.openOn(t, listener, connect, recess.Policy{AllowNetworks: append(others, peer.address), Unsafe: others})
			w.on(recess.Opening{})
			w.passesByException(get("/orders"), "orders")
		})
	}
	// What would hold them all the same is not taken.
	for _, entry := range []string{"::ffff:10.0.0.0/8", "::ffff:0:0/96", "10.0.0.1/8", "::ffff:127.0.0.1/128"} {
		for setting, policy := range map[string]recess.Policy{"AllowNetworks": {AllowNetworks: []string{entry}}, "TrustedProxies": {TrustedProxies: []string{entry}}} {
			engine, err := recess.New(t.Context(), recess.Config{Backend: memstate.New(memstate.Config{}), Policy: policy})
			if err == nil {
				t.Errorf("%s takes %s", setting, entry)
				_ = engine.Close()
			}
		}
	}
}

func testSiblings(t *testing.T, f Framework) {
	groups := func(marks ...Mark) func(*Site) {
		inner := []Route{route("GET", "/page", "page"), route("GET", "/users/{id}", "user")}
		return func(s *Site) {
			s.Root = Group{Groups: []Group{
				{Prefix: "/api", Marks: marks, Routes: inner},
				{Prefix: "/sub", Mount: true, Marks: marks, Routes: inner},
				{Routes: []Route{ // after the groups: fiber's come by in this order, and take their prefixes for mere strings
					route("GET", "/apix/secret", "secret"), route("GET", "/api-old", "old"), route("GET", "/subx/page", "subx"), route("GET", "/ap", "ap"),
				}},
			}}
		}
	}
	beside := map[string]string{"/apix/secret": "secret", "/api-old": "old", "/subx/page": "subx", "/ap": "ap"}
	within := map[string]string{"/api/page": "page", "/api/users/7": "user", "/sub/page": "page"}

	w := f.closed(t, recess.Policy{}, groups(forceOff))
	for target, handler := range within {
		w.passesUntold(get(target), handler)
	}
	for target := range beside {
		w.refuses(get(target))
	}
	for name, mark := range map[string]Mark{"forced on": forceOn, "in scope": checkout} {
		t.Run(name, func(t *testing.T) {
			w := f.open(t, recess.Policy{}, groups(mark))
			if mark.Scope != "" {
				w.on(recess.Opening{Scope: mark.Scope})
			}
			for target := range within {
				w.refuses(get(target))
			}
			for target, handler := range beside {
				w.passesUntold(get(target), handler)
			}
		})
	}
}

func testWords(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{
		AllowPaths: []string{"/healthz", "/users/login", "~/feed$"}, AllowAdminSite: "/admin/", ControlPath: "/maintenance",
		AllowHosts: []string{"open.example"}, AllowRoles: []string{"ops"},
	})
	for _, word := range []string{
		"mode=login", "feed", "feed=rss", "/feed", "preview=true", "/healthz", "path=/healthz", "/admin/", "next=/maintenance", "login", "/users/login", "wp-login.php", "bypass",
		"secret=1", "skip", "host=open.example", "http://open.example/", "//open.example/", "user=root", "role=ops", "staff=1",
	} {
		for _, target := range []string{"/orders?" + word, "/orders?x=y&" + word, "/orders?" + word + "#/healthz", "/users/7?" + word, "/deep/" + word, "/deep/a;" + word} {
			w.refuses(get(target))
		}
	}
	w.passesByException(get("/users/login?mode=login"), "user")
}

func testSkipHeaders(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{
		AllowPaths: []string{"/healthz"}, AllowHosts: []string{"open.example"}, AllowHeaders: map[string]string{"X-Maintenance-Key": "correct-horse-battery"},
		PassKeys: passPolicy.PassKeys, AllowRoles: []string{"ops"},
	})
	lines := []string{
		"X-Middleware-Subrequest: middleware:middleware:middleware:middleware:middleware", "X-Middleware-Subrequest: src/middleware", "X-Middleware-Rewrite: /healthz",
		"X-Middleware-Next: 1", "X-Isr: 1", "X-Prerender-Revalidate: 1", "X-Nextjs-Data: 1", "Maintenance-Mode: full;allowed", "Maintenance-Mode: off", "X-Maintenance: off",
		"X-Maintenance-Mode: off", "X-Recess: off", "X-Recess-Allow: 1", "X-Recess-Force: off", "Recess-Force: off", "Recess-Pass: 1", "X-Original-Url: /healthz",
		"X-Rewrite-Url: /healthz", "X-Forwarded-Uri: /healthz", "X-Forwarded-Path: /healthz", "X-Forwarded-Host: open.example", "X-Forwarded-Server: open.example",
		"X-Forwarded-Method: OPTIONS", "X-Http-Method-Override: OPTIONS", "X-Internal: true", "X-Skip-Middleware: true", "X-Bypass: true", "X-Maintenance-Key: true",
		"X-Maintenance-Key: ", "X-Roles: ops", "X-Forwarded-Groups: ops", "X-Forwarded-User: staff", "Upgrade-Insecure-Requests: 1", "Purpose: prefetch",
		"User-Agent: Googlebot/2.1", "User-Agent: ELB-HealthChecker/2.0", "User-Agent: kube-probe/1.30", "X-Amz-Cf-Id: x", "Cache-Control: no-cache", "Connection: X-Maintenance-Key",
	}
	c := w.dial()
	defer func() { c.Close() }()
	for _, line := range lines {
		for _, a := range []ask{get("/orders", line), request("POST", "/orders", line)} {
			got := c.do(a)
			w.isRefusal(a, got, w.golden(a))
			if got.err != nil || got.close {
				c.Close()
				c = w.dial()
			}
		}
	}
	w.refuses(get("/orders", lines...))
	w.passesByException(get("/orders", "X-Maintenance-Key: correct-horse-battery"), "orders")
}

// testLongPath does not say who answers: servers bound what they read.
func testLongPath(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowPaths: []string{"/healthz", "/open/**"}}, maze())
	for _, target := range []string{
		"/secret" + strings.Repeat("/", 64<<10), "/healthz" + strings.Repeat("a", 64<<10), "/open/" + strings.Repeat("../", 21<<10) + "secret",
		"/open" + strings.Repeat("/%2e%2e", 9<<10) + "/secret", "/secret?" + strings.Repeat("/healthz&", 7<<10), "/" + strings.Repeat("%68", 21<<10),
	} {
		if got := w.do(get(target)); trespass(target, got.ran, []claim{below("open", "/open")}) != "" || got.status == 200 && len(got.ran) == 0 {
			t.Errorf("%.40q…: status %d and %q ran", target, got.status, got.ran)
		}
	}
	w.passesByException(get("/healthz"), "healthz")
	w.idle()
}

func testRedirectStays(t *testing.T, f Framework) {
	for _, to := range []string{"/users/sorry", "https://status.example/"} {
		w := f.closed(t, recess.Policy{Redirect: to})
		for _, a := range []ask{
			get("/orders?next=https://evil.example/"), get("//evil.example/"), get("///evil.example/"), get(`/\evil.example/`), get("/%5cevil.example/"),
			get("/%09/evil.example/"), get("/%2f%2fevil.example"), get("/%2fevil.example"), get("http://evil.example/orders"), get("/orders").at("evil.example"),
			get("/orders", "X-Forwarded-Host: evil.example"), get("/orders", "X-Forwarded-Prefix: //evil.example"), get("/orders", "X-Forwarded-Prefix: /evil"),
			get("/orders", "X-Forwarded-Proto: javascript"), get("/orders", "X-Original-Url: //evil.example/"), get("/orders", "Forwarded: host=evil.example;proto=http"),
			get("/orders", "Referer: https://evil.example/"), get("/orders", "Origin: https://evil.example"),
		} {
			got := w.refuses(a)
			w.hasHeader(a, got, "Location", to)
			if strings.Contains(got.body, "evil") {
				t.Errorf("%s: the answer names it: %q", a, got.body)
			}
		}
	}
	// What leads elsewhere than it seems to is not taken.
	for _, to := range []string{"//evil.example/", `/\evil.example`, "/\t/evil.example", "/%09/evil.example", "/%5cevil.example", "/%2fevil.example", "javascript:alert(1)", "https://shop@evil.example/"} {
		engine, err := recess.New(t.Context(), recess.Config{Backend: memstate.New(memstate.Config{}), Policy: recess.Policy{Redirect: to}})
		if err == nil {
			t.Errorf("Redirect takes %q", to)
			_ = engine.Close()
		}
	}
}

// testManyHosts: a matcher may change its ways where there are many (Caddy's compared by case beyond 100 hosts).
func testManyHosts(t *testing.T, f Framework) {
	for _, n := range []int{1, 99, 101, 300} {
		names := make([]string, n)
		rules := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("h%d.example", i)
			rules[i] = "host:" + names[i]
		}
		allowed := f.closed(t, recess.Policy{AllowHosts: names})
		scoped := f.open(t, recess.Policy{Scopes: map[string][]string{"eu": rules}})
		scoped.on(recess.Opening{Scope: "eu"})
		for _, name := range []string{names[0], names[n-1]} {
			for _, host := range []string{name, strings.ToUpper(name), name + ":8080", name + ".", strings.ToUpper(name) + ".:80"} {
				allowed.passesByException(get("/orders").at(host), "orders")
				scoped.refuses(get("/orders").at(host))
				scoped.refuses(get("http://" + host + "/orders").at("shop.example"))
			}
		}
		for _, host := range []string{"", "example", "h.example", "hh0.example", "h0.example.org", "h0xexample"} {
			allowed.refuses(get("/orders").at(host))
			scoped.passesUntold(get("/orders").at(host), "orders")
		}
	}
}

func testPassScheme(t *testing.T, f Framework) {
	policy := passPolicy
	policy.TrustedProxies = []string{"127.0.0.1"}
	w := f.closed(t, policy)
	for _, line := range []string{
		"X-Forwarded-Proto: http", "X-Forwarded-Proto: https", "X-Forwarded-Scheme: http", "X-Scheme: http", "X-Forwarded-Ssl: off", "Front-End-Https: off",
		"Forwarded: proto=http", "X-Url-Scheme: http", "X-Forwarded-Host: evil.example",
	} {
		issued, _ := w.issue(recess.PassOrder{Uses: 1})
		w.noEntry(pressed(issued.Link, "/", line, "Origin: https://evil.example"), 403, "This was not asked for here")
		w.isEntry(w.do(pressed(issued.Link, "/orders", line, sameOrigin)), "/orders") // which reads the cookie to the letter
	}
}
