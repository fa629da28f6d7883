package admin

import (
	"net/http"
	"strings"
	"testing"
)

// origins are what a browser may say of where a request comes from, and whether that is the panel's own page.
var origins = []struct {
	name   string
	header []string
	tls    bool
	own    bool
}{
	{"nothing is said", nil, false, false},
	{"nothing is said, encrypted", nil, true, false},
	{"same-origin", []string{"Sec-Fetch-Site: same-origin"}, false, true},
	{"same-origin with the origin", []string{"Sec-Fetch-Site: same-origin", "Origin: http://shop.example"}, false, true},
	{"same-origin behind a proxy that changes the host", []string{"Sec-Fetch-Site: same-origin", "Origin: https://public.example"}, false, true},
	{"same-origin with an origin that is none", []string{"Sec-Fetch-Site: same-origin", "Origin: null"}, false, false},
	{"same-origin with an origin of somebody", []string{"Sec-Fetch-Site: same-origin", "Origin: http://evil@shop.example"}, false, false},
	{"same-site", []string{"Sec-Fetch-Site: same-site"}, false, false},
	{"same-site with the origin", []string{"Sec-Fetch-Site: same-site", "Origin: http://shop.example"}, false, false},
	{"cross-site", []string{"Sec-Fetch-Site: cross-site"}, false, false},
	{"cross-site with the origin", []string{"Sec-Fetch-Site: cross-site", "Origin: http://shop.example"}, false, false},
	{"none", []string{"Sec-Fetch-Site: none"}, false, false},
	{"none with the origin", []string{"Sec-Fetch-Site: none", "Origin: http://shop.example"}, false, false},
	{"another word", []string{"Sec-Fetch-Site: Same-Origin"}, false, false},
	{"the origin of an older browser", []string{"Origin: http://shop.example"}, false, true},
	{"the same, encrypted", []string{"Origin: https://shop.example"}, true, true},
	{"the same, encrypted as far as a proxy", []string{"Origin: https://shop.example"}, false, true},
	{"null", []string{"Origin: null"}, false, false},
	{"empty", []string{"Origin: "}, false, false},
	{"foreign", []string{"Origin: http://evil.example"}, false, false},
	{"a sibling", []string{"Origin: http://blog.shop.example"}, false, false},
	{"a longer name", []string{"Origin: http://shop.example.evil.example"}, false, false},
	{"with a user", []string{"Origin: http://evil@shop.example"}, false, false},
	{"with a user and a password", []string{"Origin: http://evil:x@shop.example"}, false, false},
	{"with a path", []string{"Origin: http://shop.example/"}, false, false},
	{"with a query", []string{"Origin: http://shop.example?x"}, false, false},
	{"two", []string{"Origin: http://shop.example", "Origin: http://shop.example"}, false, false},
	{"two, one foreign", []string{"Origin: http://shop.example", "Origin: http://evil.example"}, false, false},
	{"a list", []string{"Origin: http://shop.example http://evil.example"}, false, false},
	{"another port", []string{"Origin: http://shop.example:8080"}, false, false},
	{"the port that is meant anyway", []string{"Origin: http://shop.example:80"}, false, false}, // no browser says it
	{"another scheme", []string{"Origin: ftp://shop.example"}, false, false},
	{"an extension", []string{"Origin: chrome-extension://shop.example"}, false, false},
	{"not encrypted, where this is", []string{"Origin: http://shop.example"}, true, false},
	{"not encrypted and same-origin, where this is", []string{"Sec-Fetch-Site: same-origin", "Origin: http://shop.example"}, true, false},
	{"a referer alone", []string{"Referer: http://shop.example/maintenance/"}, false, false},
}

// TestNoOtherSiteChangesAnything sends everything that changes something, from everywhere, with the session of somebody who may.
func TestNoOtherSiteChangesAnything(t *testing.T) {
	for _, o := range origins {
		t.Run(o.name, func(t *testing.T) {
			s := open(t, nil)
			s.is(order("/api/on", `{"scope":"checkout"}`).bearer(writeToken), 200, "")
			s.is(order("/api/on", `{}`).bearer(writeToken), 200, "")
			s.is(order("/api/schedule", `{"starts_at":"2098-01-01T00:00:00Z","for":"1h"}`).bearer(writeToken), 200, "")
			for _, c := range []struct {
				name   string
				cookie bool
				token  func(right string) string
				form   bool
				own    int // the status, if it comes from the panel's own page
			}{
				{"a form with its token", true, func(right string) string { return right }, true, 303},
				{"without", true, func(string) string { return "" }, true, 403},
				{"with a wrong one", true, func(right string) string { return strings.Map(other, right) }, true, 403},
				{"without its cookie", false, func(right string) string { return right }, true, 403},
				{"JSON", true, nil, false, 200},
			} {
				t.Run(c.name, func(t *testing.T) {
					for _, target := range []string{"/on", "/schedule", "/cancel", "/off"} {
						a := ask{method: "POST", path: target, tls: o.tls}.with(o.header...).with("X-Who: root")
						cookie, right := s.token(o.tls, strings.Contains(strings.Join(o.header, " "), "Sec-Fetch"))
						if c.cookie {
							a = a.with(cookie)
						}
						if c.form {
							a = a.with("Content-Type: application/x-www-form-urlencoded")
							a.body = "token=" + c.token(right) + "&reason=" + c.name + "&start=2099-01-01T00:00&for=1h&id=" + s.planned()
						} else {
							a.path = "/api" + target
							a = a.with("Content-Type: application/json")
							a.body = map[string]string{
								"/on": `{"reason":"json"}`, "/schedule": `{"starts_at":"2099-01-02T00:00:00Z","for":"1h"}`, "/off": `{}`, "/cancel": `{"all":true}`,
							}[target]
						}
						switch {
						case !o.own:
							s.unchanged(a, 403, map[bool]string{false: "cross_origin"}[c.form])
						case c.own == 403:
							s.unchanged(a, 403, "")
						case target == "/on" || target == "/schedule" && !c.form:
							// Where it may, it does: else this test could not fail.
							before := s.document().Rev
							s.is(a, c.own, "")
							if s.document().Rev == before {
								t.Errorf("%s changed nothing", a.path)
							}
						}
					}
				})
			}
			// A program that has a token is asked for nothing more.
			a := order("/api/on", `{"reason":"token"}`, o.header...).bearer(writeToken)
			a.tls = o.tls
			s.is(a, 200, "")
			a = posted("/on", "reason", "token").with(o.header...).bearer(writeToken)
			s.unchanged(a, 403, "") // forms are for people
			// What only reads asks for proof as well: it may call the application's callbacks.
			if !o.own {
				a := order("/api/explain", `{}`, o.header...).with("X-Who: root")
				a.tls = o.tls
				s.is(a, 403, "cross_origin")
			}
		})
	}
}

// other is a character that is another one, and as good.
func other(r rune) rune {
	if r == 'A' {
		return 'B'
	}
	return 'A'
}

// token is a cookie of the panel and the token in its forms, as they are where a browser has them.
func (s *site) token(encrypted, metadata bool) (cookie, token string) {
	s.t.Helper()
	a := get("/").with("X-Who: root")
	a.tls = encrypted
	if metadata {
		a = a.with("Sec-Fetch-Site: none") // typed into the address bar
	}
	got := s.is(a, 200, "")
	c := got.Result().Cookies()[0]
	return "Cookie: " + c.Name + "=" + c.Value, c.Value
}

// planned is the id of the first window that is planned.
func (s *site) planned() string {
	s.t.Helper()
	for _, w := range s.state().Windows {
		if !w.Start.IsZero() {
			return w.ID
		}
	}
	return ""
}

// TestCookies are as strong as where they are used permits.
func TestCookies(t *testing.T) {
	s := open(t, nil)
	for _, c := range []struct {
		name   string
		tls    bool
		header []string
		secure bool
	}{
		{"encrypted", true, nil, true},
		{"encrypted as far as a proxy, a browser of today", false, []string{"Sec-Fetch-Site: none"}, true},
		{"plain HTTP", false, nil, false},
	} {
		a := get("/").with(c.header...).with("X-Who: root")
		a.tls = c.tls
		got := s.is(a, 200, "").Result().Cookies()
		if len(got) != 1 {
			t.Fatalf("%s: %d cookies", c.name, len(got))
		}
		want := http.Cookie{Name: plainCookie, Path: "/maintenance"}
		if c.secure {
			want = http.Cookie{Name: secureCookie, Path: "/", Secure: true}
		}
		k := got[0]
		if k.Name != want.Name || k.Path != want.Path || k.Secure != want.Secure || !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Domain != "" || len(k.Value) != tokenLength {
			t.Errorf("%s: %s", c.name, k)
		}
		// It stays, and is not sent again.
		a = a.with("Cookie: " + k.Name + "=" + k.Value)
		again := s.is(a, 200, "")
		if len(again.Result().Cookies()) != 0 || !strings.Contains(again.Body.String(), k.Value) {
			t.Errorf("%s: the cookie is not used again", c.name)
		}
	}
	// What nobody here has set is no token.
	for _, value := range []string{"", "x", strings.Repeat("A", tokenLength-1), strings.Repeat("a", tokenLength), strings.Repeat("A", tokenLength) + "; " + secureCookie + "=" + strings.Repeat("A", tokenLength)} {
		for _, token := range []string{strings.Repeat("A", tokenLength), value} {
			a := posted("/on", "token", token).as("root").with("Cookie: " + secureCookie + "=" + value)
			s.unchanged(a, 403, "")
		}
	}
	// A cookie that another page on plain HTTP could have set is none where a better one is used.
	value := strings.Repeat("A", tokenLength)
	s.unchanged(posted("/on", "token", value).as("root").with("Cookie: "+plainCookie+"="+value), 403, "")
	// Two that say different things (a sibling's, with another path) are none.
	s.unchanged(posted("/on", "token", value).with("X-Who: root", "Origin: http://shop.example", "Cookie: "+plainCookie+"="+value+"; "+plainCookie+"="+strings.Repeat("B", tokenLength)), 403, "")
	// The token in the address is none: it would stand in logs.
	cookie, token := s.visit("root")
	s.unchanged(posted("/on?token="+token, "reason", "x").as("root").with(cookie), 403, "")
}

// TestOnlyJSONIsAnOrder: what another site can send without asking first is no order.
func TestOnlyJSONIsAnOrder(t *testing.T) {
	s := open(t, nil)
	for _, media := range []string{"", "text/plain", "text/plain; charset=application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", "application/json-seq", "application/problem+json", "application/json, text/plain", ";"} {
		for _, path := range []string{"/api/on", "/api/schedule", "/api/off", "/api/cancel", "/api/explain"} {
			a := ask{method: "POST", path: path, body: `{}`}
			if media != "" {
				a = a.with("Content-Type: " + media)
			}
			s.unchanged(a.as("root"), 415, "usage")
			s.unchanged(a.bearer(writeToken), 415, "usage")
		}
	}
	for _, media := range []string{"application/json", "Application/JSON", "application/json; charset=utf-8"} {
		s.is(ask{method: "POST", path: "/api/on", body: `{}`}.with("Content-Type: "+media).bearer(writeToken), 200, "")
	}
}
