package recessfiber_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/pass"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/compress"
	"github.com/gofiber/fiber/v2/middleware/logger"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"
)

func TestInstallComesBeforeWhatAnswers(t *testing.T) {
	engine := newEngine(t, recess.Policy{})
	for want, prepare := range map[string]func(*fiber.App){
		"GET /x":         func(app *fiber.App) { app.Get("/x", says("x")) },
		"POST /g/x":      func(app *fiber.App) { app.Group("/g").Post("/x", says("x")) },
		"Static /files":  func(app *fiber.App) { app.Static("/files", ".") },
		"Mount /mounted": func(app *fiber.App) { app.Mount("/mounted", fiber.New()) },
	} {
		app := fiber.New()
		prepare(app)
		if _, err := recessfiber.Install(app, engine, recessfiber.Hooks{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s exists: %v, want an error that names it", want, err)
		}
	}
	app := fiber.New()
	app.Use(func(c *fiber.Ctx) error { return c.Next() })
	install(t, app, engine, recessfiber.Hooks{})
}

func TestAPolicyThatNeedsAMissingHookStartsNothing(t *testing.T) {
	engine := newEngine(t, recess.Policy{AllowStaff: true})
	if _, err := recessfiber.Install(fiber.New(), engine, recessfiber.Hooks{}); err == nil {
		t.Error("Install: no error, although AllowStaff needs Hooks.User")
	}
	if _, err := recessfiber.New(fiber.New(), engine, recessfiber.Hooks{}); err == nil {
		t.Error("New: no error, although AllowStaff needs Hooks.User")
	}
}

func TestARefusalPassesTheErrorHandlerBy(t *testing.T) {
	engine := newEngine(t, recess.Policy{})
	app := fiber.New(fiber.Config{ErrorHandler: func(c *fiber.Ctx, err error) error {
		t.Errorf("the error handler got %v", err)
		return c.SendStatus(500)
	}})
	gate := install(t, app, engine, recessfiber.Hooks{})
	app.Get("/closed", gate.ForceOn, says("closed"))
	expect(t, app, map[string]string{"/closed": refused})
	open(t, engine, recess.Opening{})
	expect(t, app, map[string]string{"/closed": refused, "/nowhere": refused, "DELETE /closed": refused})
}

// What works on the response after the gate must leave the answer, which all requests share, as it is.
func TestTheSharedAnswerIsNotWrittenTo(t *testing.T) {
	engine, app := newEngine(t, recess.Policy{}), fiber.New()
	app.Use(func(c *fiber.Ctx) error {
		err := c.Next()
		switch c.Query("then") {
		case "append":
			c.Response().AppendBodyString("appended")
		case "replace":
			return c.SendString("replaced")
		}
		return err
	}, compress.New())
	install(t, app, engine, recessfiber.Hooks{})
	open(t, engine, recess.Opening{})
	send := func(target, encoding string) (head, body string) {
		ctx := new(fasthttp.RequestCtx)
		ctx.Request.SetRequestURI(target)
		ctx.Request.Header.Set("Accept-Encoding", encoding)
		app.Handler()(ctx)
		raw, err := ctx.Response.BodyUncompressed()
		if err != nil {
			t.Fatal(err)
		}
		return string(ctx.Response.Header.Peek("Content-Encoding")), string(raw)
	}
	_, want := send("/", "")
	for _, encoding := range []string{"br", "gzip", "deflate"} {
		if got, body := send("/", encoding); got != encoding || body != want {
			t.Errorf("under %s: encoding %q and another body than without", encoding, got)
		}
	}
	send("/?then=append", "")
	if _, body := send("/?then=replace", ""); body != "replaced" {
		t.Errorf("the body that was put in place of the refusal's is %q", body)
	}
	if _, body := send("/", ""); body != want {
		t.Error("the shared answer has changed")
	}
}

// served serves an application in memory and returns what sends raw requests.
func served(t *testing.T, app *fiber.App) func(raw string) *http.Response {
	t.Helper()
	listener := fasthttputil.NewInmemoryListener()
	done := make(chan error, 1)
	handler := app.Handler()
	go func() { done <- fasthttp.Serve(listener, handler) }()
	t.Cleanup(func() {
		if err := errors.Join(listener.Close(), <-done); err != nil {
			t.Errorf("the server ended: %v", err)
		}
	})
	return sender(t, listener.Dial)
}

func sender(t *testing.T, dial func() (net.Conn, error)) func(raw string) *http.Response {
	return func(raw string) *http.Response {
		t.Helper()
		conn, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(raw)); err != nil {
			t.Fatal(err)
		}
		method, _, _ := strings.Cut(raw, " ")
		return response(t, conn, method)
	}
}

func TestHeadGetsTheHeadersOfGet(t *testing.T) {
	app, _, engine := gated(t)
	open(t, engine, recess.Opening{})
	send := served(t, app)
	get := send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	head := send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
	get.Header.Del("Date")
	head.Header.Del("Date")
	if g, h := fmt.Sprint(get.Status, get.Header), fmt.Sprint(head.Status, head.Header); g != h {
		t.Errorf("HEAD gets\n%s, GET\n%s", h, g)
	}
	if get.ContentLength <= 0 || head.ContentLength != get.ContentLength {
		t.Errorf("Content-Length is %d for HEAD, %d for GET", head.ContentLength, get.ContentLength)
	}
}

func TestHeadersAreReadAsTheyWereSent(t *testing.T) {
	const secret = "a secret of many bytes"
	for _, raw := range []bool{false, true} {
		var seen []string
		engine := newEngine(t, recess.Policy{
			AllowHeaders: map[string]string{"X-Secret": secret},
			Allow: []recess.Predicate{{Name: "see", Match: func(r recess.Request) bool {
				seen = append(seen, r.Header("X-Forwarded-For")+"|"+r.Header("X-None")+"|"+r.Host()+"|"+r.Path())
				return false
			}}},
		})
		app := fiber.New(fiber.Config{DisableHeaderNormalizing: raw})
		install(t, app, engine, recessfiber.Hooks{})
		app.Get("/x", says("x"))
		open(t, engine, recess.Opening{})
		handler := app.Server()
		listener := fasthttputil.NewInmemoryListener()
		app.Handler()
		go func() { _ = handler.Serve(listener) }()
		t.Cleanup(func() { _ = listener.Close() })
		send := sender(t, listener.Dial)
		if got := send("GET /x HTTP/1.1\r\nHost: x\r\nx-SECRET: " + secret + "\r\n\r\n"); got.StatusCode != 200 {
			t.Errorf("raw %v: a secret under another spelling of its header: status %d", raw, got.StatusCode)
		}
		send("GET http://A.example/%78?q=1 HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2, 3.3.3.3\r\n\r\n")
		if want := "1.1.1.1, 2.2.2.2, 3.3.3.3||a.example|/%78"; fmt.Sprint(seen) != "["+want+"]" {
			t.Errorf("raw %v: the predicate saw %q, want %q", raw, seen, want)
		}
	}
}

func TestThePeerIsTheConnections(t *testing.T) {
	var peer netip.AddrPort
	engine := newEngine(t, recess.Policy{Allow: []recess.Predicate{{Name: "see", Match: func(r recess.Request) bool {
		peer = r.Peer()
		return true
	}}}})
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(func(c *fiber.Ctx) error {
		c.Context().SetRemoteAddr(&net.TCPAddr{IP: net.IPv4(10, 9, 9, 9), Port: 9})
		return c.Next()
	})
	install(t, app, engine, recessfiber.Hooks{})
	app.Get("/", says("front"))
	open(t, engine, recess.Opening{})
	for _, network := range []string{"tcp", "unix"} {
		address := "127.0.0.1:0"
		if network == "unix" {
			address = filepath.Join(t.TempDir(), "s")
		}
		listener, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		handler := app.Handler()
		go func() { _ = fasthttp.Serve(listener, handler) }()
		sender(t, func() (net.Conn, error) { return net.Dial(network, listener.Addr().String()) })("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		if network == "tcp" && peer.Addr().Unmap() != netip.MustParseAddr("127.0.0.1") {
			t.Errorf("tcp: the peer is %v", peer)
		}
		if network == "unix" && peer.IsValid() {
			t.Errorf("unix: the peer is %v, want none", peer)
		}
	}
	for name, send := range map[string]func(){"none": func() { ask(app, "GET", "/") }, "app.Test's": func() { get(app, "/") }} {
		peer = netip.MustParseAddrPort("1.1.1.1:1")
		send()
		if peer.IsValid() {
			t.Errorf("%s connection: the peer is %v, want none", name, peer)
		}
	}
}

func TestHandlersFindTheMaintenanceValue(t *testing.T) {
	app, gate, engine := gated(t)
	app.Get("/", func(c *fiber.Ctx) error {
		m := gate.Maintenance(c)
		if m != recess.FromContext(c.UserContext()) || m != nil && m != c.Locals(recess.ContextKey) {
			t.Error("the accessor, the locals and the user context disagree")
		}
		if m == nil {
			return c.SendString("none")
		}
		return c.SendString(string(m.Mode))
	})
	expect(t, app, map[string]string{"/": "none"})
	open(t, engine, recess.Opening{Mode: state.ReadOnly})
	expect(t, app, map[string]string{"/": "readonly"})
}

func TestBlockedTellsWhoStandsBeforeTheGate(t *testing.T) {
	engine, app := newEngine(t, recess.Policy{}), fiber.New()
	var gate *recessfiber.Gate
	var blocked []bool
	app.Use(func(c *fiber.Ctx) error {
		err := c.Next()
		blocked = append(blocked, gate.Blocked(c))
		return err
	})
	gate = install(t, app, engine, recessfiber.Hooks{Respond: func(c *fiber.Ctx, _ recess.Decision) error {
		return c.Status(503).SendString("away")
	}})
	app.Get("/live", gate.ForceOff, says("live"))
	app.Get("/closed", gate.ForceOn, says("closed"))
	app.Get("/broken", func(c *fiber.Ctx) error { return c.SendStatus(503) })
	for _, target := range []string{"/broken", "/closed", "/live"} {
		ask(app, "GET", target)
	}
	open(t, engine, recess.Opening{})
	for _, target := range []string{"/broken", "/live", "/nowhere"} {
		ask(app, "GET", target)
	}
	if got, want := fmt.Sprint(blocked), "[false true false true false true]"; got != want {
		t.Errorf("blocked: %s, want %s", got, want)
	}
}

// fiber's logger behind the gate never hears of what the gate refuses.
func ExampleInstall() {
	engine := exampleEngine()
	defer engine.Close()
	log := new(bytes.Buffer)
	app := fiber.New()
	gate, err := recessfiber.Install(app, engine, recessfiber.Hooks{})
	if err != nil {
		fmt.Println(err)
		return
	}
	app.Use(logger.New(logger.Config{Output: log, Format: "${method} ${path} ${status}\n"}))
	app.Get("/healthz", gate.ForceOff, func(c *fiber.Ctx) error { return c.SendStatus(503) })
	app.Get("/", func(c *fiber.Ctx) error { return c.SendString("welcome") })

	get(app, "/")
	closeSite(engine)
	get(app, "/")
	get(app, "/healthz")
	fmt.Print(log)
	// Output:
	// GET / 200
	// GET /healthz 503
}

func Example() {
	engine := exampleEngine()
	defer engine.Close()
	app := fiber.New()
	gate, err := recessfiber.Install(app, engine, recessfiber.Hooks{})
	if err != nil {
		fmt.Println(err)
		return
	}
	app.Get("/", func(c *fiber.Ctx) error { return c.SendString("welcome") })
	app.Get("/healthz", gate.ForceOff, func(c *fiber.Ctx) error { return c.SendString("well") })

	fmt.Println(get(app, "/"), get(app, "/healthz"))
	closeSite(engine)
	fmt.Println(get(app, "/"), get(app, "/healthz"))
	// Output:
	// 200 welcome 200 well
	// 503 full 200 well
}

// A page tells its visitors what is to come. Under Config.PassLocalsToViews fiber's own templates find the value as
// .maintenance.
func ExampleGate_Maintenance() {
	engine := exampleEngine()
	defer engine.Close()
	app := fiber.New()
	gate, err := recessfiber.Install(app, engine, recessfiber.Hooks{})
	if err != nil {
		fmt.Println(err)
		return
	}
	front := template.Must(template.New("").Parse(`{{with .}}<p class="banner">{{.Message}}</p>{{end}}<h1>Shop</h1>`))
	app.Get("/", func(c *fiber.Ctx) error { return front.Execute(c.Type("html"), gate.Maintenance(c)) })

	fmt.Println(get(app, "/"))
	opening := recess.Opening{Mode: state.Announce, Messages: map[string]string{"": "Back <soon>"}}
	if _, err := engine.Control(state.Actor{Name: "ops"}).On(ctx, opening); err != nil {
		fmt.Println(err)
	}
	fmt.Println(get(app, "/"))
	// Output:
	// 200 <h1>Shop</h1>
	// 200 <p class="banner">Back &lt;soon&gt;</p><h1>Shop</h1>
}

// The value is among the locals that fiber passes to views.
func TestViewsFindTheMaintenanceValue(t *testing.T) {
	engine := newEngine(t, recess.Policy{})
	app := fiber.New(fiber.Config{Views: new(views), PassLocalsToViews: true})
	install(t, app, engine, recessfiber.Hooks{})
	app.Get("/", func(c *fiber.Ctx) error { return c.Render("front", fiber.Map{}) })
	open(t, engine, recess.Opening{Mode: state.Announce, Messages: map[string]string{"": "soon"}})
	expect(t, app, map[string]string{"/": "soon"})
}

// TestALinkIsReadAsItWasSent: whole, streamed, not decompressed, and not beyond its size.
func TestALinkIsReadAsItWasSent(t *testing.T) {
	policy := recess.Policy{PassKeys: []string{"k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}}
	engine := newEngine(t, policy)
	ring, err := pass.NewRing(policy.PassKeys, "")
	if err != nil {
		t.Fatal(err)
	}
	tokens, _, err := engine.Control(state.Actor{}).IssuePass(t.Context(), ring, recess.PassOrder{For: "alice", TTL: time.Hour, Uses: 9})
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte("link=" + tokens.Link))
	_ = z.Close()
	long := "link=" + tokens.Link + "&x=" + strings.Repeat("x", recess.MaxLinkForm)
	for _, streamed := range []bool{false, true} {
		app := fiber.New(fiber.Config{StreamRequestBody: streamed})
		gate := install(t, app, engine, recessfiber.Hooks{})
		app.Post("/pass", gate.PassLink)
		for _, c := range []struct {
			body, encoding string
			status         int
		}{{"link=" + tokens.Link, "", 303}, {zipped.String(), "gzip", 403}, {long, "", 403}} {
			r := httptest.NewRequest(http.MethodPost, "/pass", strings.NewReader(c.body))
			r.Header.Set("Content-Encoding", c.encoding)
			got, err := app.Test(r, -1)
			if err != nil {
				t.Fatal(err)
			}
			if got.StatusCode != c.status {
				t.Errorf("streamed %v, %q of %d bytes: answered %d, want %d", streamed, c.encoding, len(c.body), got.StatusCode, c.status)
			}
			_ = got.Body.Close()
		}
	}
}
