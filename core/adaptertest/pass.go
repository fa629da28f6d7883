package adaptertest

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

var passTests = []test{
	{"a pass lets in, whichever way it comes", testPass},
	{"a pass that is changed in any byte is none", testChangedPass},
	{"a pass lets in where it is good, and nowhere else", testPassScope},
	{"a pass ends by the clock", testPassExpiry},
	{"a pass that is revoked on one instance is none on the other", testPassRevoked},
	{"what is no pass is refused as if it were not there", testPassGarbage},
	{"a link is exchanged for a pass, once", testPassLink},
	{"a look at a link spends nothing, and no other site can use it", testPassLinkLooks},
	{"a link leads to where it says, on this site", testPassLinkTarget},
	{"of many who use a link at the same time so many are let in as it says", testPassLinkRace},
	{"a link that lets nobody in says so", testPassLinkBad},
}

// passPolicy lets passes in.
var passPolicy = recess.Policy{
	PassKeys: []string{"k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}, PassAudience: "shop", ControlPath: "/maintenance",
}

// issue makes a pass.
func (w *world) issue(o recess.PassOrder) (pass.Tokens, state.Pass) {
	w.t.Helper()
	if o.TTL == 0 {
		o.TTL = time.Hour
	}
	o.For = "alice"
	ring, err := pass.NewRing(w.policy.PassKeys, w.policy.PassAudience)
	if err != nil {
		w.t.Fatal(err)
	}
	tokens, change, err := w.control.IssuePass(w.t.Context(), ring, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return tokens, change.Passes[0]
}

func cookie(token string) string { return "Cookie: " + pass.CookieName + "=" + token }

func testPass(t *testing.T, f Framework) {
	w := f.closed(t, passPolicy)
	issued, _ := w.issue(recess.PassOrder{})
	token := issued.Pass
	for _, lines := range [][]string{
		{cookie(token)},
		{"Cookie: theme=dark; " + pass.CookieName + "=" + token + "; session=x"},
		{"Cookie: theme=dark", cookie(token), "Cookie: session=x"},
		{"cookie: " + pass.CookieName + "=x; " + pass.CookieName + "=" + token},
		{"Authorization: Recess " + token},
		{"authorization:   recess  " + token},
		{"Authorization: Bearer x", "Recess-Pass: " + token},
		{"Recess-Pass: x", cookie(token)},
	} {
		w.passesByException(get("/orders", lines...), "orders")
		w.passesByException(get("/mounted/cart", lines...), "mounted-cart")
		w.refuses(get("/closed", lines...))
	}
	post := request("POST", "/echo", cookie(token))
	post.body = "two, please"
	if got := w.do(post); got.status != 200 || got.body != post.body {
		t.Errorf("a form that is posted with a pass is answered %d %q", got.status, got.body)
	}
	for _, mode := range []state.Mode{state.ReadOnly, state.Hold} {
		w.on(recess.Opening{Mode: mode})
		if got := w.passes(request("POST", "/orders", cookie(token)), "orders"); !strings.Contains(got.header.Get("Maintenance-Mode"), string(mode)+";allowed") {
			t.Errorf("%s: the response says %q", mode, got.header)
		}
	}
	w.off()
	w.passesUntold(get("/orders", cookie(token)), "orders")
}

func testChangedPass(t *testing.T, f Framework) {
	w := f.closed(t, passPolicy)
	issued, _ := w.issue(recess.PassOrder{Uses: 1})
	token := issued.Pass
	c := w.dial()
	defer func() { c.Close() }()
	ask := func(sent string) {
		for _, line := range []string{cookie(sent), "Authorization: Recess " + sent, "Recess-Pass: " + sent} {
			a := get("/orders", line)
			got := c.do(a)
			w.isRefusal(a, got, w.golden(a))
			if got.err != nil || got.close {
				_ = c.Close()
				c = w.dial()
			}
		}
	}
	for i := range len(token) {
		other := "A"
		if token[i] == 'A' {
			other = "b"
		}
		ask(token[:i] + other + token[i+1:])
	}
	ask(token[:len(token)-1])
	ask(token + "A")
	ask(token + "=")
	ask(strings.ToLower(token))
	ask(issued.Link)
	w.passesByException(get("/orders", cookie(token)), "orders")
	ask(token[:len(token)-1] + "!") // it is remembered now
}

func testPassScope(t *testing.T, f Framework) {
	w := f.open(t, passPolicy)
	w.on(recess.Opening{Scope: "checkout"})
	ofCheckout, _ := w.issue(recess.PassOrder{Scope: "checkout"})
	ofEU, _ := w.issue(recess.PassOrder{Scope: "eu"})
	ofAll, _ := w.issue(recess.PassOrder{})
	cart := get("/checkout/cart")
	w.passes(cart.with(cookie(ofCheckout.Pass)), "cart")
	w.passes(cart.with(cookie(ofAll.Pass)), "cart")
	w.refuses(cart.with(cookie(ofEU.Pass)))
	w.on(recess.Opening{Scope: "eu"})
	both := get("/shop/eu/list")
	for _, a := range []ask{both.with(cookie(ofCheckout.Pass)), both.with(cookie(ofEU.Pass))} {
		if got := w.do(a); got.status != 503 || len(got.ran) > 0 {
			t.Errorf("%s: %d, %q ran: two windows refuse it, and the pass is good for one", a, got.status, got.ran)
		}
	}
	w.passes(both.with(cookie(ofAll.Pass)), "shop-eu")
	w.on(recess.Opening{})
	w.refuses(get("/orders", cookie(ofCheckout.Pass)))
	w.passesByException(get("/orders", cookie(ofAll.Pass)), "orders")
}

// testPassExpiry asks until the pass is over. Nothing waits by the clock but the pass itself.
func testPassExpiry(t *testing.T, f Framework) {
	w := f.closed(t, passPolicy)
	issued, p := w.issue(recess.PassOrder{TTL: time.Second})
	a := get("/orders", cookie(issued.Pass))
	const late = 10 * time.Second // of a machine that is busy
	for {
		asked := time.Now()
		got := w.do(a)
		if got.status != 200 {
			if time.Now().Before(p.Expires) {
				t.Error("it is over before its time")
			}
			w.isRefusal(a, got, w.golden(a))
			break
		}
		if asked.After(p.Expires.Add(late)) {
			t.Fatal("it does not end")
		}
		runtime.Gosched()
	}
	w.refuses(a)
}

func testPassRevoked(t *testing.T, f Framework) {
	backend := memstate.New(memstate.Config{})
	one, other := f.openOver(t, backend, passPolicy), f.openOver(t, backend, passPolicy)
	other.control = recess.NewController(backend, state.Actor{Name: "adaptertest"}, recess.NotForced)
	one.on(recess.Opening{})
	issued, p := one.issue(recess.PassOrder{})
	kept, _ := one.issue(recess.PassOrder{})
	a := get("/orders", cookie(issued.Pass))
	settle := func(what string, status int) {
		t.Helper()
		for deadline := time.Now().Add(patience / 4); other.do(a).status != status; runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatalf("the other instance does not see that the pass %s", what)
			}
		}
	}
	one.passesByException(a, "orders")
	settle("was made", 200)
	if _, err := one.control.RevokePass(t.Context(), "", p.ID); err != nil {
		t.Fatal(err)
	}
	one.refuses(a)
	settle("was revoked", 503)
	for _, w := range []*world{one, other} {
		w.passesByException(get("/orders", cookie(kept.Pass)), "orders")
	}
}

// testPassGarbage sends what nobody has signed, on one connection: the answer stays what it is without.
func testPassGarbage(t *testing.T, f Framework) {
	w := f.closed(t, passPolicy)
	issued, _ := w.issue(recess.PassOrder{})
	c := w.dial()
	defer func() { c.Close() }()
	for _, sent := range []string{
		"", "true", "1", "null", "[]", "mac[]=1", `{"expires_at":9999999999,"mac":["x"]}`, "rp1_", "rp1_" + strings.Repeat("A", 93), strings.Repeat("rp1_", 25),
		"%72p1_" + issued.Pass[4:], `"` + issued.Pass + `"`, issued.Pass + " x", "rp2_" + issued.Pass[4:], strings.Repeat("A", 2000), "é", "\x80\xff",
		strings.Repeat(pass.CookieName+"=x; ", 40), strings.Repeat(";,= ", 200), pass.CookieName,
	} {
		for _, name := range []string{
			"Cookie: " + pass.CookieName + "=", "Cookie: " + pass.CookieName + "[]=", "Cookie: recess=", "Cookie: ", "Authorization: Recess ", "Authorization: ",
			"Recess-Pass: ", "X-Maintenance-Bypass: ", "X-Middleware-Subrequest: ",
		} {
			a := get("/orders", name+sent)
			got := c.do(a)
			w.isRefusal(a, got, w.golden(a))
			if got.err != nil || got.close {
				_ = c.Close()
				c = w.dial()
			}
		}
	}
	for _, lines := range [][]string{
		{"Authorization: Recess " + issued.Pass, "Authorization: Basic x"},
		{"Recess-Pass: x", "Recess-Pass: " + issued.Pass},
		{"Cookie: x" + cookie(issued.Pass)[len("Cookie: "):]},
		{"X-Forwarded-Cookie: " + cookie(issued.Pass)},
	} {
		w.refuses(get("/orders", lines...))
	}
	w.refuses(get("/orders?" + pass.CookieName + "=" + issued.Pass))
	w.passesByException(get("/orders", cookie(issued.Pass)), "orders")
}
