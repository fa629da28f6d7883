package adaptertest

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

const linkPath = "/maintenance/pass"

// pressed is what a browser sends when the button of a link's page is pressed.
func pressed(link, to string, lines ...string) ask {
	a := request("POST", linkPath, append([]string{"Content-Type: application/x-www-form-urlencoded"}, lines...)...)
	a.body = url.Values{"link": {link}, "to": {to}}.Encode()
	return a
}

const sameOrigin = "Sec-Fetch-Site: same-origin"

// passCookie is the cookie that a pass is given as, to the letter.
var passCookie = regexp.MustCompile(`^__Host-recess=(rp1_[A-Za-z0-9_-]{93}); Path=/; Max-Age=(\d+); Secure; HttpOnly; SameSite=Lax$`)

// isEntry reports whether a response gives a pass, and which.
func (w *world) isEntry(got answer, to string) (token string) {
	w.t.Helper()
	lines := got.header["Set-Cookie"]
	if got.status != 303 || got.header.Get("Location") != to || len(lines) != 1 {
		w.t.Fatalf("the answer is %d to %q with the cookies %q (%v), want 303 to %q with one", got.status, got.header.Get("Location"), lines, got.err, to)
	}
	found := passCookie.FindStringSubmatch(lines[0])
	if found == nil {
		w.t.Fatalf("the cookie is %q", lines[0])
	}
	w.isPrivate(got)
	return found[1]
}

// isPrivate wants what keeps a link out of caches, other pages and frames.
func (w *world) isPrivate(got answer) {
	w.t.Helper()
	for name, value := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"} {
		if lines := got.header[name]; len(lines) != 1 || lines[0] != value {
			w.t.Errorf("a link's response has %s: %q, want %q", name, lines, value)
		}
	}
}

// noEntry wants a response that gives nothing.
func (w *world) noEntry(a ask, status int, says string) {
	w.t.Helper()
	got := w.do(a)
	if got.status != status || len(got.header["Set-Cookie"]) > 0 || !strings.Contains(got.body, says) {
		w.t.Errorf("%s: %d, cookies %q, %q; want %d and no cookie, and words like %q", a, got.status, got.header["Set-Cookie"], got.body, status, says)
	}
	w.isPrivate(got)
}

func (w *world) usesLeft(id string) int {
	w.t.Helper()
	s, err := w.control.State(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range s.Passes {
		if p.ID == id {
			return p.Uses
		}
	}
	return -1
}

func testPassLink(t *testing.T, f Framework) {
	w := f.closed(t, passPolicy)
	issued, p := w.issue(recess.PassOrder{Uses: 1})
	page := w.do(get(linkPath + "?link=" + issued.Link))
	for _, says := range []string{`<form method="post" action="./pass">`, `name="link" value="` + issued.Link + `"`, "<button>"} {
		if page.status != 200 || !strings.Contains(page.body, says) {
			t.Fatalf("the page is %d and has no %s:\n%s", page.status, says, page.body)
		}
	}
	w.isPrivate(page)
	if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'; style-src 'sha256-") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("its Content-Security-Policy is %q", csp)
	}
	w.refuses(get("/orders"))
	token := w.isEntry(w.do(pressed(issued.Link, "/orders", sameOrigin)), "/orders")
	if token != issued.Pass || w.usesLeft(p.ID) != 0 {
		t.Errorf("the pass is another one (%v), or the link has %d uses left", token != issued.Pass, w.usesLeft(p.ID))
	}
	w.passesByException(get("/orders", cookie(token)), "orders")
	w.noEntry(pressed(issued.Link, "/orders", sameOrigin), 403, "This link was used")
	w.noEntry(get(linkPath+"?link="+issued.Link), 403, "This link was used")
	w.passesByException(get("/orders", cookie(token)), "orders")
	w.off()
	again, _ := w.issue(recess.PassOrder{Uses: 1})
	w.isEntry(w.do(pressed(again.Link, "", sameOrigin)), "/") // before maintenance begins
}

func testPassLinkLooks(t *testing.T, f Framework) {
	w := f.closed(t, passPolicy)
	issued, p := w.issue(recess.PassOrder{Uses: 1})
	target := linkPath + "?link=" + issued.Link
	for range 3 {
		if got := w.do(get(target)); got.status != 200 || len(got.header["Set-Cookie"]) > 0 {
			t.Errorf("a look is answered %d with %q", got.status, got.header)
		}
	}
	if f.Traits.RoutesHead {
		if got := w.do(request("HEAD", target)); got.status != 200 || got.body != "" || len(got.header["Set-Cookie"]) > 0 {
			t.Errorf("a look by HEAD is answered %d with %q", got.status, got.header)
		}
	}
	for _, lines := range [][]string{
		{"Sec-Fetch-Site: cross-site"},
		{"Sec-Fetch-Site: same-site"},
		{"Sec-Fetch-Site: cross-site", "Origin: http://shop.example"},
		{"Origin: https://evil.example"},
		{"Origin: null"},
		{"Origin: http://evil@shop.example"},
		{"Origin: https://shop.example:444"},
		{"Origin: https://shop.example/x"},
		{"Origin: shop.example"},
		{"Origin: https://shop.example", "Origin: https://evil.example"},
	} {
		w.noEntry(pressed(issued.Link, "/", lines...), 403, "This was not asked for here")
	}
	if left := w.usesLeft(p.ID); left != 1 {
		t.Fatalf("the link has %d uses left, want 1", left)
	}
	for _, lines := range [][]string{{"Sec-Fetch-Site: none"}, {"Origin: https://SHOP.example"}, nil} {
		issued, _ := w.issue(recess.PassOrder{Uses: 1})
		w.isEntry(w.do(pressed(issued.Link, "/", lines...)), "/")
	}
}

func testPassLinkTarget(t *testing.T, f Framework) {
	w := f.closed(t, passPolicy)
	issued, _ := w.issue(recess.PassOrder{Uses: state.MaxUses})
	for to, want := range map[string]string{
		"": "/", "/orders": "/orders", "/deep/a?b=c&d=%20": "/deep/a?b=c&d=%20", "orders": "/", "//evil.example": "/", `/\evil.example`: "/",
		"/\t/evil.example": "/", "/\n/evil.example": "/", "/a\r\nSet-Cookie: x=y": "/", "https://evil.example/": "/", "/%5cevil.example": "/", "/%2fevil.example": "/",
		"/ä": "/", "/a//b": "/", "/../x": "/", "javascript:alert(1)": "/", "/" + strings.Repeat("a", 3000): "/",
	} {
		w.isEntry(w.do(pressed(issued.Link, to, sameOrigin)), want)
		page := w.do(get(linkPath + "?link=" + issued.Link + "&to=" + url.QueryEscape(to)))
		if field := `name="to" value="` + strings.ReplaceAll(want, "&", "&amp;") + `"`; !strings.Contains(page.body, field) {
			t.Errorf("to %q: the page has no %s", to, field)
		}
	}
}

// testPassLinkRace has twelve visitors use a link for three, on two instances of one state.
func testPassLinkRace(t *testing.T, f Framework) {
	backend := memstate.New(memstate.Config{})
	worlds := []*world{f.openOver(t, backend, passPolicy), f.openOver(t, backend, passPolicy)}
	worlds[0].on(recess.Opening{})
	issued, p := worlds[0].issue(recess.PassOrder{Uses: 3})
	for deadline := time.Now().Add(patience / 4); worlds[1].do(get(linkPath+"?link="+issued.Link)).status != 200; {
		if time.Now().After(deadline) {
			t.Fatal("the other instance does not see the link")
		}
	}
	var visitors sync.WaitGroup
	var mu sync.Mutex
	answers := make(map[int]int)
	for n := range 12 {
		visitors.Go(func() {
			got := worlds[n%2].do(pressed(issued.Link, "/", sameOrigin))
			if entered := len(got.header["Set-Cookie"]) == 1; entered != (got.status == http.StatusSeeOther) {
				t.Errorf("%d with %q", got.status, got.header)
			}
			mu.Lock()
			defer mu.Unlock()
			answers[got.status]++
		})
	}
	visitors.Wait()
	if answers[303] != 3 || answers[403] != 9 || worlds[0].usesLeft(p.ID) != 0 {
		t.Errorf("answers %v and %d uses left, want 3 times 303, 9 times 403 and none left", answers, worlds[0].usesLeft(p.ID))
	}
}

func testPassLinkBad(t *testing.T, f Framework) {
	w := f.closed(t, passPolicy)
	issued, p := w.issue(recess.PassOrder{Uses: 5})
	direct, _ := w.issue(recess.PassOrder{})
	other := passPolicy
	other.PassAudience = "another shop"
	elsewhere := f.closed(t, other)
	foreign, _ := elsewhere.issue(recess.PassOrder{Uses: 5})
	const nobody = "This link lets nobody in"
	for link, says := range map[string]string{
		"": nobody, "x": nobody, issued.Link[:96]: nobody, issued.Link + "A": nobody, issued.Link[:96] + "!": nobody, issued.Pass: nobody, foreign.Link: nobody,
		strings.Repeat("A", 20_000): nobody, "<script>": nobody, direct.Link: "This link was used",
	} {
		w.noEntry(pressed(link, "/orders", sameOrigin), 403, says)
		if len(link) < 1000 {
			w.noEntry(get(linkPath+"?link="+url.QueryEscape(link)), 403, says)
		}
	}
	w.noEntry(get(linkPath), 403, nobody)
	w.noEntry(request("POST", linkPath, sameOrigin), 403, nobody)
	if left := w.usesLeft(p.ID); left != 5 {
		t.Errorf("the link has %d uses left, want 5", left)
	}
	if _, err := w.control.RevokePass(t.Context(), "", p.ID); err != nil {
		t.Fatal(err)
	}
	w.noEntry(pressed(issued.Link, "/orders", sameOrigin), 403, nobody)
	without := f.closed(t, recess.Policy{ControlPath: "/maintenance"})
	without.noEntry(get(linkPath+"?link="+issued.Link), 404, "no bypass passes")
	without.noEntry(pressed(issued.Link, "/", sameOrigin), 404, "no bypass passes")
}
