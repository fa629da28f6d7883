package adaptertest

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
)

var answerTests = []test{
	{"a refusal has these headers and no others", testLiteral},
	{"the type is negotiated", testNegotiation},
	{"the language is negotiated", testLanguages},
	{"HEAD has the same head and no body", testHead},
	{"the configured status, type and Retry-After are sent", testConfigured},
	{"nothing a client sends breaks the answer", testHostileHeaders},
	{"headers of the handler's responses do not leak into refusals", testNoLeak},
}

// testLiteral spells a refusal out, so that a change of what goes over the wire is seen here too.
func testLiteral(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{})
	got := w.refuses(get("/orders", "Accept: application/json"))
	const body = `{"type":"urn:recess:maintenance","title":"Under maintenance","status":503,` +
		`"detail":"This site is being worked on. Please come back a little later.","mode":"full","retry_after":3600}` + "\n"
	if got.body != body {
		t.Errorf("the body is %q, want %q", got.body, body)
	}
	want := []string{
		"Cache-Control: no-store",
		"Content-Language: en",
		"Content-Length: " + strconv.Itoa(len(body)),
		"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
		"Content-Type: application/json; charset=utf-8",
		"Maintenance-Mode: full",
		"Referrer-Policy: no-referrer",
		"Retry-After: 3600",
		"Vary: Accept, Accept-Language, Cookie",
		"X-Content-Type-Options: nosniff",
	}
	var sent []string
	for _, line := range strings.Split(strings.TrimSpace(got.head), "\r\n")[1:] {
		if name, _, _ := strings.Cut(line, ":"); !f.adds(name) {
			sent = append(sent, line)
		}
	}
	slices.Sort(sent)
	if !slices.Equal(sent, want) {
		t.Errorf("the headers are\n%s\nwant\n%s", strings.Join(sent, "\n"), strings.Join(want, "\n"))
	}
	if !strings.HasPrefix(got.head, "HTTP/1.1 503 Service Unavailable\r\n") {
		t.Errorf("the status line is %.60q", got.head)
	}
}

func testNegotiation(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{})
	for accept, want := range map[string]string{
		"":                                  "text/html",
		"*/*":                               "text/html",
		"text/html":                         "text/html",
		"application/json":                  "application/json",
		"application/problem+json":          "application/problem+json",
		"text/plain":                        "text/plain",
		"text/html, application/json":       "text/html",
		"text/html;q=0.1, application/json": "application/json",
		"image/gif":                         "text/html",
	} {
		a := get("/orders")
		if accept != "" {
			a = a.with("Accept: " + accept)
		}
		got := w.refuses(a)
		if got.header.Get("Content-Type") != want+"; charset=utf-8" {
			t.Errorf("%s: Content-Type %q, want %s", a, got.header.Get("Content-Type"), want)
		}
	}
	lines := get("/orders", "Accept: image/gif", "Accept: application/json")
	if got := w.refuses(lines); got.header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("two lines of Accept: Content-Type %q, want the second line's", got.header.Get("Content-Type"))
	}
}

func testLanguages(t *testing.T, f Framework) {
	w := f.open(t, recess.Policy{})
	w.on(recess.Opening{Messages: map[string]string{"": "Back <soon>", "de": "Gleich zurück", "pt-BR": "Já volto"}})
	for language, want := range map[string]string{
		"": "Back &lt;soon&gt;", "de": "Gleich zurück", "de-AT, en;q=0.5": "Gleich zurück", "pt-BR": "Já volto", "fr": "Back &lt;soon&gt;",
	} {
		a := get("/orders", "Accept: text/html")
		if language != "" {
			a = a.with("Accept-Language: " + language)
		}
		if got := w.refuses(a); !strings.Contains(got.body, want) {
			t.Errorf("%s: the page does not say %q", a, want)
		}
	}
}

func testHead(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{})
	for _, target := range []string{"/orders", "/closed", "/nowhere", "/checkout/cart"} {
		for _, accept := range []string{"text/html", "application/json", "text/plain"} {
			full, head := w.refuses(get(target, "Accept: "+accept)), w.refuses(request("HEAD", target, "Accept: "+accept))
			for _, name := range []string{"Content-Length", "Content-Type", page.HeaderName, "Retry-After"} {
				if full.header.Get(name) != head.header.Get(name) {
					t.Errorf("%s as %s: %s is %q for HEAD, %q for GET", target, accept, name, head.header.Get(name), full.header.Get(name))
				}
			}
		}
	}
	// The same for a visitor who is let in.
	w = f.closed(t, recess.Policy{AllowPaths: []string{"/any"}})
	w.passesByException(get("/any"), "any")
	w.passesByException(request("HEAD", "/any"), "any")
	// The connection must stay in step: a body after HEAD would be read as the next response.
	c := w.dial()
	defer c.Close()
	for range 3 {
		a := request("HEAD", "/orders")
		w.isRefusal(a, c.do(a), w.golden(a))
		a = get("/live")
		w.isFrom(a, c.do(a), "live")
	}
}

func testConfigured(t *testing.T, f Framework) {
	for name, policy := range map[string]recess.Policy{
		"status":         {Status: 500},
		"JSON":           {ResponseType: page.JSON},
		"text":           {ResponseType: page.Text},
		"retry":          {RetryAfter: 90 * time.Second},
		"no retry":       {RetryAfter: recess.NoRetryAfter},
		"problem, retry": {ResponseType: page.Problem, RetryAfter: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := f.closed(t, policy)
			w.refuses(get("/orders", "Accept: text/html"))
			w.refuses(request("HEAD", "/orders", "Accept: text/html"))
			w.off()
			w.refuses(get("/closed"))
		})
	}
}

func testHostileHeaders(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{})
	for _, line := range []string{
		"Accept: */*;q=0", "Accept: text/html;q=NaN", "Accept: application/json;q=-1", "Accept: ,,,;;;===", "Accept: " + strings.Repeat("a/b,", 900),
		"Accept-Language: " + strings.Repeat("xx,", 1000), "Accept-Language: *;q=7", "Cookie: " + strings.Repeat("a=b; ", 500),
		"Origin: null", "Range: bytes=0-1", "If-None-Match: *", "If-Modified-Since: Fri, 21 Nov 2125 10:00:00 GMT", "Accept-Encoding: gzip",
		"TE: trailers", "Maintenance-Mode: full;allowed", "X-Original-Url: /live", "X-Rewrite-Url: /live", "X-Forwarded-Prefix: /live",
		"X-Http-Method-Override: OPTIONS",
	} {
		w.refuses(get("/orders", line))
	}
}

func testNoLeak(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowPaths: []string{"/cached"}})
	c := w.dial()
	defer c.Close()
	for range 3 {
		a := get("/cached")
		got := c.do(a)
		w.isFrom(a, got, "cached")
		w.hasHeader(a, got, "Cache-Control", "public, max-age=60")
		a = get("/orders", "Accept: text/plain")
		w.isRefusal(a, c.do(a), w.golden(a))
		a = get("/live")
		got = c.do(a)
		w.isFrom(a, got, "live")
		if value, ok := got.header[page.HeaderName]; ok {
			t.Errorf("%s: the header of another request shows: %q", a, value)
		}
	}
}
