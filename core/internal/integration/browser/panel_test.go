package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/pass"
)

// TestThePanel has people use the panel of each framework's shop.
func TestThePanel(t *testing.T) {
	b := chromium(t)
	binaries := build(t)
	key, err := pass.NewKey("k1")
	must.Do(t, err)
	for _, framework := range frameworks {
		t.Run(framework, func(t *testing.T) {
			s := start(t, binaries, framework, "RECESS_PASS_KEYS="+key)
			t.Run("who may not look", func(t *testing.T) { strangers(t, b, s) })
			t.Run("a day of an operator", func(t *testing.T) { operator(t, b, s) })
			t.Run("passes", func(t *testing.T) { passes(t, b, s) })
			t.Run("other sites", func(t *testing.T) { otherSites(t, b, s) })
			t.Run("without scripts", func(t *testing.T) { withoutScripts(t, b, s) })
			if framework == frameworks[0] { // the pages are the same
				t.Run("for everybody", func(t *testing.T) { accessible(t, b, s) })
				t.Run("the preview", func(t *testing.T) { preview(t, b, s) })
			}
		})
	}
}

const panel = "/maintenance/"

// root is a superuser on the panel.
func root(t *testing.T, b context.Context, s *site) *tab {
	t.Helper()
	v := visitor(t, b, s.base)
	v.open("/login?user=root")
	if status := v.open(panel); status != http.StatusOK {
		t.Fatalf("the panel answers a superuser %d", status)
	}
	return v
}

// is compares what a page was answered with.
func is(t *testing.T, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%s: status %d, want %d", what, got, want)
	}
}

func strangers(t *testing.T, b context.Context, s *site) {
	v := visitor(t, b, s.base)
	is(t, "the panel, to nobody", v.open(panel), http.StatusUnauthorized)
	v.says("main", "sign in first")
	v.until("a link leads to the login", `document.querySelector('main a[href^="/login"]')`)
	v.content(http.StatusUnauthorized)
	v.open("/login?user=staff")
	is(t, "the panel, to staff", v.open(panel), http.StatusForbidden)
	v.content(http.StatusForbidden, http.StatusNotFound) // the shop has no favicon
}

func operator(t *testing.T, b context.Context, s *site) {
	v := root(t, b, s)
	v.says(".headline", "Maintenance is OFF")

	// What makes no sense is said, and what was typed is still there.
	v.fill("#message", "We move.")
	v.fill("#tag0", "de")
	v.fill("#text0", "Wir ziehen um.")
	v.fill("#for", "two hours")
	is(t, "a length that is none", v.submit("button.danger"), http.StatusUnprocessableEntity)
	v.says(".alert", "no length of time")
	v.until("the message is still there", `document.querySelector("#message").value === "We move." && document.querySelector("#text0").value === "Wir ziehen um."`)

	v.fill("#for", "2h")
	is(t, "closing", v.submit("button.danger"), http.StatusOK)
	v.says(".headline", "Maintenance is ON for the whole site")
	document := s.document(t)
	if len(document.Windows) != 1 || document.Windows[0].Messages["de"] != "Wir ziehen um." {
		t.Fatalf("the document: %+v", document.Windows)
	}
	if last := document.History[len(document.History)-1]; last.By.Name != "root" || last.By.Host != "127.0.0.1" || last.By.Source != "panel" {
		t.Errorf("the history says that it was %+v", last.By)
	}
	somebody := visitor(t, b, s.base)
	is(t, "the shop, to a visitor", somebody.open("/"), http.StatusServiceUnavailable)
	somebody.says("main", "We move.")
	v.says("[data-drained]", "1 of 1 drained") // by itself: the script looks again

	v.fill("#q-path", "/checkout/cart")
	is(t, "explain", v.submit("form[action*='/explain'] button"), http.StatusOK)
	v.says(".verdict", "Refused")

	// Somebody else changes something: the page says so, and keeps what is typed.
	v.fill("#message", "half a sent")
	must.Do(t, elsewhere(t, s))
	v.says("[data-news]", "The state has changed")
	v.until("what was typed is still there", `document.querySelector("#message").value === "half a sent"`)

	is(t, "the panel again", v.open(panel), http.StatusOK)
	is(t, "opening", v.submit(".now form button"), http.StatusOK)
	v.says(".headline", "Maintenance is OFF")
	is(t, "the shop, open again", somebody.open("/"), http.StatusOK)

	// A plan begins by the clocks of the browser.
	v.fill("#start", "2031-01-31T22:00")
	v.fill("#for", "2h")
	is(t, "planning", v.submit("[formaction$=schedule]"), http.StatusOK)
	if windows := s.document(t).Windows; len(windows) != 1 || !windows[0].Start.Equal(time.Date(2031, 2, 1, 3, 0, 0, 0, time.UTC)) {
		t.Errorf("planned is %+v, want 22:00 in New York", windows)
	}
	v.says("main", "Jan 31, 2031")
	is(t, "cancelling", v.submit("form[action$='/cancel'] button"), http.StatusOK)
	if windows := s.document(t).Windows; len(windows) != 0 {
		t.Errorf("after it was cancelled there is %+v", windows)
	}
	v.content(http.StatusUnprocessableEntity, http.StatusNotFound)
}

// elsewhere plans something and cancels it, as by the command line.
func elsewhere(t *testing.T, s *site) error {
	t.Helper()
	_, err := s.state.On(t.Context(), opening("api"))
	if err != nil {
		return err
	}
	_, err = s.state.Off(t.Context(), ending("api"))
	return err
}

func passes(t *testing.T, b context.Context, s *site) {
	v := root(t, b, s)
	is(t, "closing", v.submit("button.danger"), http.StatusOK)
	v.fill("#p-for", "alice")
	is(t, "a pass", v.submit("form[action*='/passes/create'] button"), http.StatusOK)
	link := value[string](v, `document.querySelector("#issued").value`)
	path, ok := strings.CutPrefix(link, s.base)
	if !ok || !strings.HasPrefix(path, "/maintenance/pass?link=rl1_") {
		t.Fatalf("the link is %s", link)
	}

	alice := visitor(t, b, s.base)
	is(t, "the shop, to alice", alice.open("/me"), http.StatusServiceUnavailable)
	is(t, "her link", alice.open(path), http.StatusOK)
	is(t, "its button", alice.submit("main button"), http.StatusOK)
	is(t, "the shop, to alice with her pass", alice.open("/me"), http.StatusOK)
	is(t, "her link again", alice.open(path), http.StatusForbidden)

	is(t, "the panel", v.open(panel), http.StatusOK)
	is(t, "revoking", v.submit("form[action$='/passes/revoke'] button"), http.StatusOK)
	must.Become(t, "alice is refused", func() bool { return alice.open("/me") == http.StatusServiceUnavailable })
	is(t, "opening", v.submit(".now form button"), http.StatusOK)
	v.content(http.StatusNotFound)
}

// otherSites has the operator open pages of others in the browser that is signed in to the shop. One on another port is the
// same site to a browser, and gets the session's cookie; one on another host is not.
func otherSites(t *testing.T, b context.Context, s *site) {
	v := root(t, b, s)
	attacks := map[string]string{
		"form":  `<form method="post" action="%s/maintenance/on"><input name="reason" value="evil"></form><script>document.forms[0].submit()</script>`,
		"off":   `<form method="post" action="%s/maintenance/off"></form><script>document.forms[0].submit()</script>`,
		"text":  `<form method="post" enctype="text/plain" action="%s/maintenance/api/on"><input name='{"reason":"evil","x":"' value='"}'></form><script>document.forms[0].submit()</script>`,
		"frame": `<iframe src="%s/maintenance/" onload="document.body.dataset.loaded = 1"></iframe>`,
	}
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!doctype html><body>"+attacks[strings.TrimPrefix(r.URL.Path, "/")], s.base)
	}))
	defer evil.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(evil.URL, "http://"), ":")
	before := s.document(t)
	for _, origin := range []string{evil.URL, "http://localhost:" + port} {
		for name := range attacks {
			w := v.beside(origin)
			w.open("/" + name)
			if name == "frame" {
				w.until("the frame is there", "document.body.dataset.loaded")
				must.Become(t, "the browser does not show the panel in a frame", func() bool {
					return strings.Contains(strings.Join(w.complaints(), " "), "frame")
				})
				continue
			}
			w.until(name+" is sent", fmt.Sprintf("location.origin === %q && document.readyState === 'complete'", s.base))
			w.until(name+" is refused", `/cross_origin|another site|sign in first|unauthorized/.test(document.body.innerText)`)
		}
	}
	if after := s.document(t); after.Revision != before.Revision {
		t.Errorf("another site has changed the state: %+v", after.History)
	}
}

func withoutScripts(t *testing.T, b context.Context, s *site) {
	v := visitor(t, b, s.base)
	v.scriptless()
	v.open("/login?user=root")
	is(t, "the panel", v.open(panel), http.StatusOK)
	v.fill("#message", "Without a script.")
	v.fill("#start", "2031-01-31T22:00")
	v.fill("#for", "1h")
	is(t, "planning", v.submit("[formaction$=schedule]"), http.StatusOK)
	if windows := s.document(t).Windows; len(windows) != 1 || !windows[0].Start.Equal(time.Date(2031, 1, 31, 22, 0, 0, 0, time.UTC)) {
		t.Errorf("planned is %+v, want 22:00 UTC", windows)
	}
	v.says("main", "2031-01-31 22:00 UTC")
	is(t, "cancelling", v.submit("form[action$='/cancel'] button"), http.StatusOK)
	v.content(http.StatusNotFound)
}

// preview follows what is typed, also what makes no sense; without scripts it comes when it is asked for.
func preview(t *testing.T, b context.Context, s *site) {
	v := root(t, b, s)
	shows := func(v *tab, text string) {
		t.Helper()
		must.Become(t, "the preview shows "+text, func() bool { return strings.Contains(v.framed(), text) })
	}
	v.fill("#message", "We move.")
	v.fill("#tag0", "de")
	v.fill("#text0", "Wir ziehen um.")
	shows(v, "We move.")
	v.fill("#language", "de-AT")
	shows(v, "Wir ziehen um.")
	v.fill("#for", "soon")
	shows(v, "Nothing to show yet")

	still := visitor(t, b, s.base)
	still.scriptless()
	still.open("/login?user=root")
	is(t, "the panel", still.open(panel), http.StatusOK)
	still.fill("#message", "Without a script.")
	still.press("[data-preview]")
	shows(still, "Without a script.")
}

// accessible asks what somebody needs who does not see the page, sees little, or uses the keyboard alone. It is no axe-core:
// that is a package for Node, which nothing else here needs.
func accessible(t *testing.T, b context.Context, s *site) {
	v := root(t, b, s)
	v.fill("#message", "We move.")
	v.fill("#tag0", "de")
	v.fill("#text0", "Wir ziehen um.")
	is(t, "closing", v.submit("button.danger"), http.StatusOK)
	for _, scheme := range []string{"light", "dark"} {
		call(v, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		value[bool](v, `(() => { for (const d of document.querySelectorAll("details")) d.open = true; return true; })()`)
		for _, fault := range value[[]string](v, faults) {
			t.Errorf("%s: %s", scheme, fault)
		}
		v.picture("panel-" + scheme)
	}
	call(v, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 320, Height: 800, DeviceScaleFactor: 1})
	if wide := value[int](v, "document.documentElement.scrollWidth"); wide > 320 {
		t.Errorf("on 320 pixels it is %d wide (WCAG 1.4.10)", wide)
	}
	v.picture("panel-narrow")
	call(v, emulation.ClearDeviceMetricsOverride, cdp.Empty{})
	is(t, "the panel", v.open(panel), http.StatusOK)
	is(t, "opening", v.submit(".now form button"), http.StatusOK)
}

// faults lists what is wrong with a page: names, ids, headings, landmarks, contrast (WCAG 1.4.3).
const faults = `(() => {
	const faults = [];
	const say = (what, e) => faults.push(what + ": " + e.outerHTML.slice(0, 120));
	if (!document.documentElement.lang) faults.push("the page has no language");
	if (document.querySelectorAll("main").length !== 1) faults.push("there is not one main");
	if (document.querySelectorAll("h1").length !== 1) faults.push("there is not one h1");
	let level = 1;
	for (const h of document.querySelectorAll("h1, h2, h3, h4")) {
		const own = Number(h.localName[1]);
		if (own > level + 1) say("a heading is skipped", h);
		level = own;
	}
	const ids = new Set();
	for (const e of document.querySelectorAll("[id]")) {
		if (ids.has(e.id)) say("an id stands twice", e);
		ids.add(e.id);
	}
	for (const e of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
		for (const id of (e.getAttribute("aria-labelledby") || e.getAttribute("aria-describedby")).split(" "))
			if (!ids.has(id)) say("it is explained by what is not there", e);
	for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
		if (![...(e.labels || [])].some((l) => l.innerText.trim() || l.textContent.trim())) say("a field has no label", e);
	for (const e of document.querySelectorAll("button, a, summary")) if (!e.textContent.trim()) say("a control has no name", e);
	for (const e of document.querySelectorAll("iframe")) if (!e.title) say("a frame has no title", e);
	for (const e of document.querySelectorAll("table")) {
		if (!e.caption) say("a table has no caption", e);
		for (const th of e.querySelectorAll("th")) if (!th.scope) say("a table's head heads nothing", th);
	}
	const rgb = (text) => { const m = text.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
	const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const ground = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] > 0.99) return c; } return [255, 255, 255, 1]; };
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) {
		const e = walker.currentNode.parentElement;
		if (!walker.currentNode.textContent.trim() || !e.checkVisibility() || e.closest(".hidden, .skip")) continue;
		const a = light(rgb(getComputedStyle(e).color).slice(0, 3)), b = light(ground(e).slice(0, 3));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) say("its contrast is " + ratio.toFixed(2), e);
	}
	return faults;
})()`
