package recessfiber_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/recess-go/recess/adapters/fiber"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
)

// gated is an application behind a gate, with nothing running yet.
func gated(t testing.TB, config ...fiber.Config) (*fiber.App, *recessfiber.Gate, *recess.Engine) {
	t.Helper()
	engine, app := newEngine(t, recess.Policy{}), fiber.New(config...)
	return app, install(t, app, engine, recessfiber.Hooks{}), engine
}

func TestMarkersFollowTheSpellingsThatTheRouterTakes(t *testing.T) {
	for _, test := range []struct {
		name   string
		config fiber.Config
		want   map[string]string
	}{
		{"by default neither case nor the final slash count", fiber.Config{}, map[string]string{
			"/live": "live", "/LIVE": "live", "/live/": "live", "/live//": "live", "/%6Cive": refused, "//live": refused, "/live%2f": refused,
			"/closed/": refused, "/Closed": refused, "/closed//": refused,
		}},
		{"under StrictRouting the final slash counts", fiber.Config{StrictRouting: true}, map[string]string{
			"/live": "live", "/LIVE": "live", "/live/": refused, "/closed": refused, "/slash": refused, "/slash/": "slash",
		}},
		{"under CaseSensitive the case counts", fiber.Config{CaseSensitive: true}, map[string]string{
			"/live": "live", "/LIVE": refused, "/live/": "live", "/closed": refused,
		}},
		{"under UnescapePath the path is decoded", fiber.Config{UnescapePath: true}, map[string]string{
			"/live": "live", "/%6Cive": "live", "/live%2f": "live", "/%63losed": refused, "/live%252f": refused,
		}},
		{"under all three", fiber.Config{StrictRouting: true, CaseSensitive: true, UnescapePath: true}, map[string]string{
			"/live": "live", "/%6Cive": "live", "/%4Cive": refused, "/live%2f": refused, "/slash%2f": "slash",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			app, gate, engine := gated(t, test.config)
			app.Get("/live", gate.ForceOff, says("live"))
			app.Get("/closed", gate.ForceOn, says("closed"))
			app.Get("/slash/", gate.ForceOff, says("slash"))
			for line, word := range test.want {
				if got := ask(app, "GET", line); strings.Contains(strings.ToLower(line), "losed") && got == "closed" {
					t.Errorf("nothing running: GET %s is answered by %q, want %q", line, got, word)
				}
			}
			open(t, engine, recess.Opening{})
			expect(t, app, test.want)
		})
	}
}

func TestMarkersFollowTheRouteThatMatchesFirst(t *testing.T) {
	app, gate, engine := gated(t)
	app.Get("/users/:id<int>", gate.ForceOff, says("number"))
	app.Get("/users/:name", says("name"))
	app.Get("/free/*", gate.ForceOff, says("free"))
	app.Get("/free/paid", says("paid"))
	app.Get("/first/me", says("me"))
	app.Get("/first/:id", gate.ForceOff, says("first"))
	app.Get("/maybe/:a?", gate.ForceOff, says("maybe"))
	app.Get("/plus/+", gate.ForceOff, says("plus"))
	app.Get(`/v1/name\:verb`, gate.ForceOff, says("verb"))
	app.Get("/files/:name.:ext", gate.ForceOff, says("file"))
	app.All("/all", gate.ForceOff, says("all"))
	app.Add("GET", "/alone", gate.ForceOff, says("alone"))
	app.Get("/own", gate.ForceOff, says("own"))
	app.Post("/own", says("posted"))
	open(t, engine, recess.Opening{})
	expect(t, app, map[string]string{
		"/users/7": "number", "/users/7/": "number", "/users/joe": refused, "/users/7x": refused,
		"/free": "free", "/free/": "free", "/free/paid": "free", "/free/../x": "free", "/freedom": refused,
		"/first/me": refused, "/first/you": "first",
		"/maybe": "maybe", "/maybe/x": "maybe", "/maybe/x/y": refused, "/plus": refused, "/plus/x/y": "plus",
		"/v1/name:verb": "verb", "/files/a.txt": "file", "/files/a": refused,
		"DELETE /all": "all", "OPTIONS /all": "all", "HEAD /all": "all", "POST /own": refused, "PUT /own": refused,
		"HEAD /own": "own", "HEAD /alone": "Method Not Allowed", "HEAD /nowhere": refused, "/nowhere": refused, "*": refused, "OPTIONS *": refused,
		"http://evil.example/users/7": "number", "http://evil.example/users/joe": refused, "/users/joe?/users/7": refused,
	})
}

func TestAGroupsMarkersHoldForItsSegments(t *testing.T) {
	for _, strict := range []bool{false, true} {
		app, gate, engine := gated(t, fiber.Config{StrictRouting: strict})
		on := app.Group("/api", gate.ForceOn)
		on.Get("/", says("api"))
		on.Get("/page", says("page"))
		on.Get("/help", gate.ForceOff, says("help"))
		off := app.Group("/off", gate.ForceOff)
		off.Get("/page", says("off"))
		tenant := app.Group("/t/:tenant/admin", gate.ForceOn)
		tenant.Get("/page", says("tenant"))
		scope := app.Group("/shop", gate.Scope("shop")).Group("/eu", gate.Scope("eu"))
		scope.Get("/cart", says("cart"))
		app.Get("/apix/secret", says("sibling"))
		app.Get("/offer", says("offer"))
		app.Get("/t/:tenant/administrator", says("administrator"))
		app.Get("/shops", says("shops"))
		app.Get("/api/later", says("later"))
		want := map[string]string{
			"/api/": refused, "/api/page": refused, "/api/help": "help", "/api/later": refused, "/apix/secret": "sibling", "/api/nowhere": refused,
			"/off/page": "off", "/offer": "offer", "/t/x/admin/page": refused, "/t/x/administrator": "administrator",
			"/shop/eu/cart": "cart", "/shops": "shops",
		}
		expect(t, app, want)
		open(t, engine, recess.Opening{Scope: "eu"})
		want["/shop/eu/cart"], want["/shop/eu/nowhere"] = refused, refused
		expect(t, app, want)
		open(t, engine, recess.Opening{Scope: "shop"})
		want["/shop/nowhere"] = refused
		expect(t, app, want)
		open(t, engine, recess.Opening{})
		for line, word := range want {
			if word != "help" && word != "off" {
				want[line] = refused
			}
		}
		want["/off/nowhere"], want["/off"] = refused, refused
		expect(t, app, want)
	}
}

// Under StrictRouting a prefix with a final slash does not hold for the path without it.
func TestAGroupWithAFinalSlash(t *testing.T) {
	app, gate, engine := gated(t, fiber.Config{StrictRouting: true})
	app.Use("/free/", gate.ForceOff)
	app.Get("/free", says("front"))
	app.Get("/free/", says("slash"))
	app.Get("/free/page", says("page"))
	open(t, engine, recess.Opening{})
	expect(t, app, map[string]string{"/free": refused, "/free/": "slash", "/free/page": "page"})
}

func TestMarkersOfTheWholeApplication(t *testing.T) {
	app, gate, engine := gated(t)
	app.Use(gate.ForceOff)
	app.Get("/page", says("page"))
	app.Get("/closed", gate.ForceOn, says("closed"))
	open(t, engine, recess.Opening{})
	expect(t, app, map[string]string{"/page": "page", "/closed": refused, "/nowhere": refused})
}

func TestMountedApplicationsKeepTheirMarkers(t *testing.T) {
	app, gate, engine := gated(t)
	deep := fiber.New()
	deep.Get("/live", gate.ForceOff, says("deep"))
	deep.Get("/closed", gate.ForceOn, says("closed"))
	sub := fiber.New(fiber.Config{CaseSensitive: true, StrictRouting: true}) // the root's count
	sub.Use(gate.Scope("sub"))
	sub.Get("/", gate.ForceOff, says("sub"))
	sub.Get("/page", says("page"))
	sub.Mount("/deep", deep)
	app.Mount("/sub", sub)
	app.Group("/v1", gate.ForceOn).Mount("/in", fiber.New().Get("/page", says("in")).(*fiber.App))
	app.Get("/subway", says("subway"))
	want := map[string]string{
		"/sub": "sub", "/SUB/": "sub", "/sub/page": "page", "/sub/deep/live/": "deep", "/sub/deep/closed": refused, "/v1/in/page": refused, "/subway": "subway",
	}
	expect(t, app, want)
	open(t, engine, recess.Opening{Scope: "sub"})
	want["/sub/page"] = refused
	expect(t, app, want)
	open(t, engine, recess.Opening{})
	want["/subway"] = refused
	expect(t, app, want)
}

func TestAGateOfAMountedApplicationFindsItsMarkers(t *testing.T) {
	sub, gate, engine := gated(t)
	sub.Get("/live", gate.ForceOff, says("live"))
	sub.Get("/cart", gate.Scope("cart"), says("cart"))
	sub.Get("/page", says("page"))
	app := fiber.New()
	app.Get("/live", says("the root's"))
	app.Mount("/shop", sub)
	open(t, engine, recess.Opening{Scope: "cart"})
	expect(t, app, map[string]string{"/shop/cart": refused, "/shop/page": "page"})
	open(t, engine, recess.Opening{})
	expect(t, app, map[string]string{"/live": "the root's", "/shop/live": "live", "/shop/page": refused})
}

func TestStaticFilesAreClosedByTheirGroupAndNeverOpened(t *testing.T) {
	app, gate, engine := gated(t)
	app.Group("/on", gate.ForceOn).Static("/", ".")
	app.Group("/off", gate.ForceOff).Static("/", ".")
	app.Group("/part", gate.Scope("part"), gate.ForceOff).Static("/", ".")
	served := func(target string) bool { return strings.HasPrefix(ask(app, "GET", target), "module ") }
	if served("/on/go.mod") || !served("/off/go.mod") || !served("/part/go.mod") {
		t.Error("nothing running: /on must be closed, /off and /part open")
	}
	open(t, engine, recess.Opening{Scope: "part"})
	if !served("/off/go.mod") || served("/part/go.mod") {
		t.Error("scope part closed: /off must be open, /part closed")
	}
	open(t, engine, recess.Opening{})
	if served("/on/go.mod") || served("/off/go.mod") || served("/part/go.mod") {
		t.Error("everything closed: a file was served")
	}
}

// A route whose handler goes on to the next one hides what comes after it; ForceOn holds all the same.
func TestForceOnHoldsBehindARouteThatGoesOn(t *testing.T) {
	app, gate, _ := gated(t)
	app.All("/*", func(c *fiber.Ctx) error { return c.Next() })
	app.Get("/closed", gate.ForceOn, says("closed"))
	app.Get("/open", gate.ForceOn, gate.ForceOff, says("open"))
	group := app.Group("/group", gate.ForceOn)
	group.Get("/page", says("page"))
	app.Get("/groups", says("groups"))
	expect(t, app, map[string]string{"/closed": refused, "/open": "open", "/group/page": refused, "/group/page/": refused, "/groups": "groups"})
}

func TestAScopeThatTheLookUpDoesNotFindRefusesByItself(t *testing.T) {
	app, gate, engine := gated(t)
	scope := gate.Scope("shop")
	wrapped := func(c *fiber.Ctx) error { return scope(c) }
	app.All("/*", func(c *fiber.Ctx) error { return c.Next() })
	app.Get("/wrapped", wrapped, says("wrapped"))
	app.Get("/hidden", scope, says("hidden"))
	app.Get("/help", wrapped, gate.ForceOff, says("help"))
	app.Group("/api", wrapped).Get("/page", says("page"))
	app.Group("/eu", scope).Get("/page", says("page"))
	app.Group("/t/:tenant/admin", wrapped).Get("/page", says("page"))
	app.Get("/apix", says("apix"))
	app.Get("/euro", says("euro"))
	app.Get("/t/x/administrator", says("administrator"))
	want := map[string]string{
		"/wrapped": "wrapped", "/hidden": "hidden", "/help": "help", "/api/page": "page", "/eu/page/": "page", "/t/x/admin/page": "page",
		"/apix": "apix", "/euro": "euro", "/t/x/administrator": "administrator",
	}
	expect(t, app, want)
	open(t, engine, recess.Opening{Scope: "other"})
	expect(t, app, want)
	app.Get("/late", scope, says("late"))
	open(t, engine, recess.Opening{Scope: "shop"})
	for _, target := range []string{"/wrapped", "/hidden", "/api/page", "/API/page", "/eu/page/", "/t/x/admin/page", "/late"} {
		want[target] = refused
	}
	expect(t, app, want)
}

func TestARouteThatIsAddedLateHasNoForceOff(t *testing.T) {
	app, gate, engine := gated(t)
	app.Get("/live", gate.ForceOff, says("live"))
	open(t, engine, recess.Opening{})
	expect(t, app, map[string]string{"/live": "live"})
	app.Get("/late", gate.ForceOff, says("late"))
	app.Get("/shut", gate.ForceOn, says("shut"))
	expect(t, app, map[string]string{"/late": refused, "/shut": refused})
	if _, err := engine.Control(state.Actor{Name: "test"}).Off(t.Context(), recess.Ending{}); err != nil {
		t.Fatal(err)
	}
	expect(t, app, map[string]string{"/late": "late", "/shut": refused})
}

func TestMarkersOfAnotherGateSayNothing(t *testing.T) {
	app, _, engine := gated(t)
	other, err := recessfiber.New(app, newEngine(t, recess.Policy{}), recessfiber.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	app.Get("/off", other.ForceOff, says("off"))
	app.Get("/cart", other.Scope("cart"), says("cart"))
	open(t, engine, recess.Opening{Scope: "cart"})
	expect(t, app, map[string]string{"/cart": "cart"})
	open(t, engine, recess.Opening{})
	expect(t, app, map[string]string{"/off": refused})
}

// A rewritten path and an overridden method are what fiber routes by from then on.
func TestMarkersFollowARewrittenRequest(t *testing.T) {
	engine, app := newEngine(t, recess.Policy{AllowPaths: []string{"/shortcut"}}), fiber.New()
	app.Use(func(c *fiber.Ctx) error {
		if c.Path() == "/shortcut" {
			c.Path("/live")
		}
		if method := c.Query("_method"); method != "" {
			c.Method(method)
		}
		return c.Next()
	})
	gate := install(t, app, engine, recessfiber.Hooks{})
	app.Get("/live", gate.ForceOff, says("live"))
	app.Get("/x", says("read"))
	app.Delete("/x", says("deleted"))
	open(t, engine, recess.Opening{Mode: state.ReadOnly})
	expect(t, app, map[string]string{"/x": "read", "/x?_method=DELETE": refused})
	open(t, engine, recess.Opening{Mode: state.Full})
	expect(t, app, map[string]string{"/shortcut": "live", "POST /live?_method=GET": "live", "/live?_method=POST": refused, "/x": refused})
}

func TestRestartedRoutingIsDecidedAndCountedAgain(t *testing.T) {
	app, gate, engine := gated(t)
	app.Get("/old", gate.ForceOff, func(c *fiber.Ctx) error {
		if n := engine.Counts().InFlight; n != 1 {
			t.Errorf("%d requests in flight, want 1", n)
		}
		c.Path("/new")
		return c.RestartRouting()
	})
	app.Get("/new", says("new"))
	expect(t, app, map[string]string{"/old": "new"})
	open(t, engine, recess.Opening{})
	expect(t, app, map[string]string{"/old": refused})
	if n := engine.Counts().InFlight; n != 0 {
		t.Errorf("%d requests in flight, want none", n)
	}
}

func TestRequestsThatComeAtOnceFindTheirOwnMarkers(t *testing.T) {
	app, gate, engine := gated(t)
	want := make(map[string]string)
	for i := range 40 {
		target := fmt.Sprintf("/route%02d", i)
		if i%2 == 0 {
			app.Get(target, gate.ForceOff, says(target))
			want[target] = target
		} else {
			app.Get(target, says(target))
			want[target] = refused
		}
	}
	open(t, engine, recess.Opening{})
	app.Handler()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			handler := asker(app)
			for target, word := range want {
				if got := handler("GET", target); got != word {
					t.Errorf("GET %s is answered by %q, want %q", target, got, word)
				}
			}
		})
	}
	group.Wait()
}
