package recesschi_test

import (
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/recess-go/recess/adapters/chi"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
)

// router is a chi router behind a gate, with nothing running yet.
func router(t testing.TB, before ...func(http.Handler) http.Handler) (*chi.Mux, *recesschi.Gate, *recess.Engine) {
	t.Helper()
	engine, r := newEngine(t, recess.Policy{}), chi.NewRouter()
	r.Use(before...)
	return r, install(t, r, engine, recesschi.Hooks{}), engine
}

func TestARouteForcedOnIsClosedInBothSpellingsOfAMountPoint(t *testing.T) {
	r, gate, _ := router(t)
	r.Route("/rt", func(r chi.Router) { r.With(gate.ForceOn).Get("/", says("rt")) })
	r.Route("/wild", func(r chi.Router) { r.With(gate.ForceOn).Get("/*", says("wild")) })
	r.Route("/both", func(r chi.Router) {
		r.With(gate.ForceOn).Get("/", says("root"))
		r.Get("/*", says("rest"))
	})
	r.Get("/w", says("w"))
	r.With(gate.ForceOn).Get("/w/*", says("w/*"))
	expect(t, r, map[string]string{
		"/rt": refused, "/rt/": refused, "/rt/x": "Not Found",
		"/wild": refused, "/wild/": refused, "/wild/x": refused,
		"/both": refused, "/both/": refused, "/both/x": "rest",
		"/w": "w", "/w/": refused, "/w/x": refused,
	})
}

func TestARouteForcedOffIsOpenWhereverItIsMounted(t *testing.T) {
	r, gate, engine := router(t)
	old := http.NewServeMux()
	old.Handle("/old/", says("old"))
	old.Handle("/old", says("old"))
	r.With(gate.ForceOff).Mount("/old", old)
	r.Mount("/foreign", says("foreign"))
	r.Route("/rt", func(r chi.Router) {
		r.With(gate.ForceOff).Get("/", says("rt"))
		r.Get("/x", says("x"))
	})
	r.With(gate.ForceOff).Mount("/with", leaf("leaf"))
	r.Route("/users/{id}", func(r chi.Router) {
		r.Mount("/free", leaf("free", gate.ForceOff))
		r.Mount("/paid", leaf("paid"))
	})
	r.Mount("/trailing/", leaf("trailing", gate.ForceOff))
	open(t, engine, recess.Opening{})
	expect(t, r, map[string]string{
		"/old": "old", "/old/": "old", "/old/deep/er": "old",
		"/foreign": refused, "/foreign/": refused, "/foreign/x": refused,
		"/rt": "rt", "/rt/": "rt", "/rt/x": refused, "/rt/y": refused,
		"/with": "leaf", "/with/": "leaf", "/with/x": refused,
		"/users/7/free": "free", "/users/7/free/": "free", "/users/7/paid": refused, "/users/7%2Ffree": refused,
		"/trailing/": "trailing", "/trailing": refused,
		"/nowhere": refused, "//rt": refused, "/rt/../x": refused,
	})
}

// leaf is a router with nothing but a front page.
func leaf(word string, marks ...func(http.Handler) http.Handler) chi.Router {
	r := chi.NewRouter()
	r.Use(marks...)
	r.Get("/", says(word))
	return r
}

func TestRoutersMountedAtTheRootKeepTheirMarkers(t *testing.T) {
	r, gate, engine := router(t)
	inner := chi.NewRouter()
	inner.With(gate.ForceOff).Get("/live", says("live"))
	inner.With(gate.ForceOn).Get("/closed", says("closed"))
	inner.With(gate.Scope("cart")).Get("/cart", says("cart"))
	for range 5 {
		outer := chi.NewRouter()
		outer.Mount("/", inner)
		inner = outer
	}
	r.Mount("/", inner)
	open(t, engine, recess.Opening{Scope: "cart"})
	expect(t, r, map[string]string{"/live": "live", "/closed": refused, "/cart": refused})
	open(t, engine, recess.Opening{})
	expect(t, r, map[string]string{"/live": "live", "/closed": refused, "/cart": refused})
}

func TestTheInnermostForceCountsAndScopesAddUp(t *testing.T) {
	r, gate, engine := router(t)
	r.Route("/admin", func(r chi.Router) {
		r.Use(gate.ForceOn, gate.Scope("admin"))
		r.Get("/", says("admin"))
		r.Group(func(r chi.Router) {
			r.Use(gate.ForceOff)
			r.Get("/help", says("help"))
			r.With(gate.ForceOn).Get("/shut", says("shut"))
		})
	})
	r.Route("/eu", func(r chi.Router) {
		r.Use(gate.Scope("eu"))
		r.With(gate.Scope("cart")).Get("/cart", says("cart"))
		r.Get("/news", says("news"))
	})
	r.Get("/", says("front"))
	want := map[string]string{
		"/admin": refused, "/admin/": refused, "/admin/help": "help", "/admin/shut": refused,
		"/eu/cart": "cart", "/eu/news": "news", "/": "front",
	}
	expect(t, r, want)
	open(t, engine, recess.Opening{Scope: "cart"})
	want["/eu/cart"] = refused
	expect(t, r, want)
	open(t, engine, recess.Opening{Scope: "eu", Mode: state.ReadOnly})
	expect(t, r, want)
	open(t, engine, recess.Opening{Scope: "eu", Mode: state.Full})
	want["/eu/news"] = refused
	expect(t, r, want)
}

func TestAGateInsideOfTheRouterFindsTheSameMarkers(t *testing.T) {
	engine, r := newEngine(t, recess.Policy{}), chi.NewRouter()
	gate, err := recesschi.New(r, engine, recesschi.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	r.Use(middleware.CleanPath, middleware.StripSlashes)
	r.Get("/outside", says("outside"))
	r.With(gate.ForceOff).Get("/page", says("the root's page"))
	r.Group(func(r chi.Router) {
		r.Use(gate.Middleware)
		r.Get("/inline", says("inline"))
		r.With(gate.ForceOff).Get("/inline/live", says("live"))
	})
	r.Route("/shop/{id}", func(r chi.Router) {
		r.Use(gate.Middleware)
		r.Get("/page", says("page"))
		r.With(gate.ForceOff).Get("/live/*", says("live"))
		r.With(gate.Scope("cart")).Get("/cart", says("cart"))
		r.Mount("/deep", leaf("deep", gate.ForceOff))
	})
	with := leaf("with", gate.ForceOff)
	with.With(gate.ForceOff).Get("/live", says("live"))
	with.With(gate.ForceOn).Get("/page", says("page"))
	r.With(gate.Middleware).Mount("/with", with)
	r.With(gate.Middleware).Mount("/closed", leaf("closed"))
	r.With(gate.Middleware).Mount("/foreign", gate.ForceOff(says("foreign")))
	r.With(gate.Middleware, gate.ForceOff).Mount("/old", says("old"))

	want := map[string]string{
		"/outside": "outside", "/page": "the root's page", "/inline": "inline", "/inline/live/": "live",
		"/shop/7/page": "page", "/shop/7/page/": "page", "/shop/7/live/x": "live", "/shop/7/cart/": "cart",
		"/shop/7/deep": "deep", "/shop/7/deep/": "deep", "/with": "with", "/with/live/": "live", "/with/page": refused, "/closed": "closed", "/old": "old", "/old/x": "old",
	}
	expect(t, r, want)
	open(t, engine, recess.Opening{Scope: "cart"})
	want["/shop/7/cart/"] = refused
	expect(t, r, want)
	open(t, engine, recess.Opening{})
	for _, target := range []string{"/inline", "/shop/7/page", "/shop/7/page/", "/closed", "/closed/", "/shop/7/live/../page"} {
		want[target] = refused
	}
	want["/shop/7/nowhere"], want["/foreign"] = refused, refused
	expect(t, r, want)
}

func TestAGateAroundTheRouterFindsTheSameMarkers(t *testing.T) {
	engine, r := newEngine(t, recess.Policy{}), chi.NewRouter()
	gate, err := recesschi.New(r, engine, recesschi.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	r.With(gate.ForceOff).Get("/live", says("live"))
	r.Get("/page", says("page"))
	open(t, engine, recess.Opening{})
	expect(t, gate.Middleware(r), map[string]string{"/live": "live", "/page": refused})
}

func TestAGateOfARouterThatIsMountedElsewhereFindsItsMarkers(t *testing.T) {
	shop, gate, engine := router(t)
	shop.With(gate.ForceOff).Get("/live", says("live"))
	shop.With(gate.ForceOn).Get("/closed", says("closed"))
	shop.With(gate.Scope("cart")).Get("/cart", says("cart"))
	shop.Get("/page", says("page"))
	root := chi.NewRouter()
	root.Get("/live", says("the root's"))
	root.With(gate.Scope("all")).Mount("/shop", shop)
	expect(t, root, map[string]string{"/shop/closed": refused, "/shop/cart": "cart"})
	open(t, engine, recess.Opening{Scope: "cart"})
	expect(t, root, map[string]string{"/shop/live": "live", "/shop/closed": refused, "/shop/cart": refused, "/shop/page": "page"})
	open(t, engine, recess.Opening{Scope: "all"})
	expect(t, root, map[string]string{"/live": "the root's", "/shop/live": "live", "/shop/page": refused})
}

func TestOneGateMayServeTwoRouters(t *testing.T) {
	engine, public := newEngine(t, recess.Policy{}), chi.NewRouter()
	gate := install(t, public, engine, recesschi.Hooks{})
	public.Get("/x", says("public"))
	private := chi.NewRouter()
	private.Use(gate.Middleware)
	private.With(gate.ForceOff).Get("/x", says("private"))
	open(t, engine, recess.Opening{})
	expect(t, public, map[string]string{"/x": refused})
	expect(t, private, map[string]string{"/x": "private"})
}

func TestMarkersOfAnotherGateSayNothing(t *testing.T) {
	r, _, engine := router(t)
	other, err := recesschi.New(r, newEngine(t, recess.Policy{}), recesschi.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	r.With(other.ForceOff).Get("/off", says("off"))
	r.With(other.Scope("cart")).Get("/cart", says("cart"))
	open(t, engine, recess.Opening{Scope: "cart"})
	expect(t, r, map[string]string{"/cart": "cart"})
	open(t, engine, recess.Opening{})
	expect(t, r, map[string]string{"/off": refused})
}

func TestBehindMiddlewaresThatRewriteTheMarkersFollow(t *testing.T) {
	r, gate, engine := router(t, middleware.CleanPath, middleware.StripSlashes, middleware.GetHead)
	r.With(gate.ForceOff).Get("/live", says("live"))
	r.With(gate.ForceOff).Get("/open/*", says("open"))
	r.With(gate.ForceOn).Get("/closed", says("closed"))
	r.With(gate.Scope("cart")).Get("/cart", says("cart"))
	r.Route("/admin", func(r chi.Router) {
		r.Use(gate.ForceOn)
		r.With(gate.ForceOff).Get("/help/*", says("help"))
		r.Get("/page", says("page"))
	})
	expect(t, r, map[string]string{
		"/closed/": refused, "//closed": refused, "/open/../closed": refused,
		"/admin/help/x/": "help", "/admin/help/../page": refused, "/admin/page/": refused,
	})
	open(t, engine, recess.Opening{Scope: "cart"})
	expect(t, r, map[string]string{"/cart/": refused, "/open/../cart": refused, "/open/x": "open"})
	open(t, engine, recess.Opening{})
	expect(t, r, map[string]string{"/live/": "live", "//live": "live", "/x/../live": "live", "/open/x": "open", "/open/../cart": refused})
	for method, want := range map[string]string{"HEAD": "live", "POST": refused, "FOO": refused, "get": refused} {
		if got := ask(r, method, "/live"); got != want {
			t.Errorf("%s /live is answered by %q, want %q", method, got, want)
		}
	}
}

// A path rule sees the path that the router sees.
func TestPathRulesHoldForTheRewrittenPath(t *testing.T) {
	engine, r := newEngine(t, recess.Policy{AllowPaths: []string{"/free/**"}}), chi.NewRouter()
	r.Use(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/free/shortcut" {
				chi.RouteContext(r.Context()).RoutePath = "/secret"
			}
			next.ServeHTTP(w, r)
		})
	})
	install(t, r, engine, recesschi.Hooks{})
	r.Get("/free/page", says("free"))
	r.Get("/secret", says("secret"))
	open(t, engine, recess.Opening{})
	expect(t, r, map[string]string{"/free/page": "free", "/free/shortcut": refused, "/secret": refused})
}

// What a mounted router sees of a path is not what a path rule is about.
func TestPathRulesHoldForTheWholePathInsideOfAMount(t *testing.T) {
	engine, r := newEngine(t, recess.Policy{AllowPaths: []string{"/live", "/shop/free"}}), chi.NewRouter()
	gate, err := recesschi.New(r, engine, recesschi.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	r.Route("/shop", func(r chi.Router) {
		r.Use(gate.Middleware)
		r.Get("/live", says("live"))
		r.Get("/free", says("free"))
	})
	open(t, engine, recess.Opening{})
	expect(t, r, map[string]string{"/shop/live": refused, "/shop/free": "free"})
}

// A read-only window judges the method that is routed.
func TestAReadOnlyWindowHoldsForTheOverriddenMethod(t *testing.T) {
	r, _, engine := router(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			chi.RouteContext(r.Context()).RouteMethod = r.URL.Query().Get("_method")
			next.ServeHTTP(w, r)
		})
	})
	r.Get("/x", says("read"))
	r.Delete("/x", says("deleted"))
	open(t, engine, recess.Opening{Mode: state.ReadOnly})
	expect(t, r, map[string]string{"/x": "read", "/x?_method=DELETE": refused})
}

func TestHeadHasTheMarkerOfGet(t *testing.T) {
	r, gate, engine := router(t)
	r.With(gate.ForceOff).Get("/live", says("live"))
	r.Get("/page", says("page"))
	r.With(gate.ForceOff).Get("/own", says("own"))
	r.Head("/own", says("own"))
	r.With(gate.ForceOff).Mount("/mounted", leaf("mounted"))
	open(t, engine, recess.Opening{})
	for target, want := range map[string]string{
		"/live": "Method Not Allowed", "/page": refused, "/own": refused, "/nowhere": refused, "/mounted": "Method Not Allowed",
	} {
		if got := ask(r, "HEAD", target); got != want {
			t.Errorf("HEAD %s is answered by %q, want %q", target, got, want)
		}
	}
}

func TestAScopeThatTheLookUpDoesNotFindRefusesByItself(t *testing.T) {
	r, gate, engine := router(t)
	scope := gate.Scope("shop")
	wrapped := func(next http.Handler) http.Handler { return scope(next) }
	r.With(wrapped).Get("/wrapped", says("wrapped"))
	r.Handle("/around", scope(says("around")))
	r.With(wrapped, gate.ForceOff).Get("/help", says("help"))
	foreign := http.NewServeMux()
	foreign.Handle("/foreign/cart", scope(says("cart")))
	foreign.Handle("/foreign/page", says("page"))
	r.Mount("/foreign", foreign)
	r.Route("/group", func(r chi.Router) {
		r.Use(scope)
		r.NotFound(says("app"))
		r.Get("/page", says("page"))
	})
	want := map[string]string{
		"/wrapped": "wrapped", "/around": "around", "/help": "help", "/foreign/cart": "cart", "/foreign/page": "page", "/group/x": "app",
	}
	expect(t, r, want)
	open(t, engine, recess.Opening{Scope: "other"})
	expect(t, r, want)
	r.With(scope).Get("/late", says("late"))
	open(t, engine, recess.Opening{Scope: "shop"})
	expect(t, r, map[string]string{
		"/wrapped": refused, "/around": refused, "/help": "help", "/foreign/cart": refused, "/foreign/page": "page", "/group/x": refused, "/late": refused,
	})
}

func TestARouteThatIsAddedLateHasNoForceOff(t *testing.T) {
	r, gate, engine := router(t)
	r.With(gate.ForceOff).Get("/live", says("live"))
	open(t, engine, recess.Opening{})
	expect(t, r, map[string]string{"/live": "live"})
	r.With(gate.ForceOff).Get("/late", says("late"))
	r.With(gate.ForceOn).Get("/shut", says("shut"))
	expect(t, r, map[string]string{"/late": refused, "/shut": refused})
	if _, err := engine.Control(state.Actor{Name: "test"}).Off(t.Context(), recess.Ending{}); err != nil {
		t.Fatal(err)
	}
	expect(t, r, map[string]string{"/late": "late", "/shut": refused})
}

// What answers where no route matches is closed by the ForceOn around it, and opened by no ForceOff.
func TestNotFoundHandlersWithinAGroup(t *testing.T) {
	r, gate, engine := router(t)
	for prefix, mark := range map[string]func(http.Handler) http.Handler{"/on": gate.ForceOn, "/off": gate.ForceOff} {
		r.Route(prefix, func(r chi.Router) {
			r.Use(mark)
			r.NotFound(says("app"))
			r.Get("/page", says("page"))
		})
	}
	expect(t, r, map[string]string{"/on/x": refused, "/off/x": "app", "/off/page": "page"})
	open(t, engine, recess.Opening{})
	expect(t, r, map[string]string{"/on/x": refused, "/off/x": refused, "/off/page": "page"})
}
