package adaptertest

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
)

var userTests = []test{
	{"each user rule lets in whom it names", testUserRules},
	{"sessions are ended as the settings inherit from one another", testLogoutRules},
	{"a session is ended although a later rule lets the request in", testLogoutBeforeOthers},
	{"whoever was logged out counts as anonymous in the same request", testLogoutThenAnonymous},
	{"a session that cannot be ended lets nobody in", testLogoutFails},
	{"the user is asked for once, and once by each marker that decides again", testAskedOnce},
	{"a session is ended once, however many markers the request meets", testLogoutOnce},
	{"a session outlives windows that do not refuse the request, and a policy that only reports", testSessionOutlives},
	{"who is not logged in is neither staff nor anything else", testFlagsWithoutLogin},
	{"who says to be somebody in a header of his own is nobody", testForgedUser},
}

var visitors = []string{"", "alice", "staff", "root", "both"}

func testUserRules(t *testing.T, f Framework) {
	for _, c := range []struct {
		name   string
		policy recess.Policy
		in     []string // the visitors who are let in
	}{
		{"AllowAnonymous", recess.Policy{AllowAnonymous: true}, []string{""}},
		{"AllowAuthenticated", recess.Policy{AllowAuthenticated: true}, []string{"alice", "staff", "root", "both"}},
		{"AllowStaff", recess.Policy{AllowStaff: true}, []string{"staff", "both"}},
		{"AllowSuperuser", recess.Policy{AllowSuperuser: true}, []string{"root", "both"}},
		{"AllowRoles", recess.Policy{AllowRoles: []string{"ops", "night"}}, []string{"staff"}},
		{"AllowRoles by case", recess.Policy{AllowRoles: []string{"OPS", "Admin"}}, nil},
		{"AllowStaff and AllowRoles", recess.Policy{AllowStaff: true, AllowRoles: []string{"admin"}}, []string{"staff", "root", "both"}},
		{"no rule", recess.Policy{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := f.closed(t, c.policy)
			w.visited(c.in)
		})
	}
}

// visited sends every visitor and wants exactly these let in.
func (w *world) visited(in []string) {
	w.t.Helper()
	welcome := make(map[string]bool)
	for _, user := range in {
		welcome[user] = true
	}
	for _, user := range visitors {
		if welcome[user] {
			w.passesByException(get("/orders").as(user), "orders")
			w.passesByException(request("POST", "/orders").as(user), "orders")
		} else {
			w.refuses(get("/orders").as(user))
		}
	}
}

func testLogoutRules(t *testing.T, f Framework) {
	for _, c := range []struct {
		name   string
		logout recess.Logout
		out    []string
	}{
		{"nobody", recess.Logout{}, nil},
		{"everybody", recess.Logout{Authenticated: true}, []string{"alice", "staff", "root", "both"}},
		{"all but staff", recess.Logout{Authenticated: true, Staff: recess.No}, []string{"alice", "root", "both"}},
		{"all but superusers", recess.Logout{Authenticated: true, Superuser: recess.No}, []string{"alice", "staff"}},
		{"staff alone", recess.Logout{Staff: recess.Yes}, []string{"staff"}},
		{"superusers alone", recess.Logout{Superuser: recess.Yes}, []string{"root", "both"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := f.closed(t, recess.Policy{Logout: c.logout})
			for _, user := range visitors {
				w.refuses(get("/orders").as(user))
				want := int64(0)
				for _, out := range c.out {
					if out == user {
						want = 1
					}
				}
				if n := w.site.hooks.logoutCalls.Swap(0); n != want {
					t.Errorf("the session of %q was ended %d times, want %d", user, n, want)
				}
			}
		})
	}
}

func testLogoutBeforeOthers(t *testing.T, f Framework) {
	policy := recess.Policy{
		Logout: recess.Logout{Authenticated: true}, ControlPath: "/maintenance", AllowAdminSite: "/admin/",
		AllowPaths: []string{"/healthz"}, AllowHosts: []string{"open.example"},
	}
	w := f.closed(t, policy)
	for _, c := range []struct {
		a       ask
		handler string
		ends    int64
	}{
		{get("/maintenance"), "panel", 0}, // asked before the user: nobody who switches off is logged out
		{get("/live"), "live", 0},
		{get("/admin/users"), "admin-users", 1},
		{get("/healthz"), "healthz", 1},
		{get("/orders").at("open.example"), "orders", 1},
	} {
		w.passes(c.a.as("alice"), c.handler)
		if n := w.site.hooks.logoutCalls.Swap(0); n != c.ends {
			t.Errorf("%s: the session was ended %d times, want %d", c.a, n, c.ends)
		}
	}

	policy.AllowNetworks = []string{"127.0.0.0/8"}
	w = f.closed(t, policy)
	w.passesByException(get("/orders").as("alice"), "orders")
	if n := w.site.hooks.logoutCalls.Load(); n != 1 {
		t.Errorf("the session was ended %d times, want once although the network is let in", n)
	}
}

func testLogoutThenAnonymous(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{Logout: recess.Logout{Authenticated: true, Staff: recess.No}, AllowAnonymous: true})
	w.passesByException(get("/orders").as("alice"), "orders")
	w.passesByException(get("/orders").as("root"), "orders")
	w.refuses(get("/orders").as("staff"))

	w = f.closed(t, recess.Policy{Logout: recess.Logout{Authenticated: true}, AllowStaff: true, AllowSuperuser: true})
	w.refuses(get("/orders").as("staff"))
	w.refuses(get("/orders").as("root"))
}

func testLogoutFails(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{Logout: recess.Logout{Authenticated: true}, AllowAnonymous: true}, func(s *Site) {
		s.hooks.logout = func(Call) error { return errors.New("the session store is down") }
	})
	a := get("/orders").as("alice")
	w.isRefusal(a, w.do(a), page.Plain(503))
	w.passesByException(get("/orders"), "orders")
}

func testSessionOutlives(t *testing.T, f Framework) {
	policy := recess.Policy{Logout: recess.Logout{Authenticated: true}}
	w := f.open(t, policy)
	ends := func(n int64) {
		t.Helper()
		if got := w.site.hooks.logoutCalls.Swap(0); got != n {
			t.Errorf("the session was ended %d times, want %d", got, n)
		}
	}
	w.on(recess.Opening{Mode: state.Announce})
	w.passes(get("/orders").as("alice"), "orders")
	ends(0)
	w.on(recess.Opening{Mode: state.ReadOnly})
	w.passes(get("/orders").as("alice"), "orders")
	ends(0)
	w.refuses(request("POST", "/orders").as("alice"))
	ends(1)
	policy.ReportOnly = true
	w = f.closed(t, policy)
	w.passesUntold(get("/orders").as("alice"), "orders")
	ends(0)
}

func testFlagsWithoutLogin(t *testing.T, f Framework) {
	claims := func(s *Site) {
		s.hooks.user = func(Call) recess.User {
			return recess.User{Name: "eve", Staff: true, Superuser: true, Roles: []string{"ops"}}
		}
	}
	everybody := recess.Policy{
		AllowAuthenticated: true, AllowStaff: true, AllowSuperuser: true, AllowRoles: []string{"ops"},
		Logout: recess.Logout{Authenticated: true, Staff: recess.Yes, Superuser: recess.Yes},
	}
	w := f.closed(t, everybody, claims)
	w.refuses(get("/orders"))
	if n := w.site.hooks.logoutCalls.Load(); n != 0 {
		t.Errorf("the session of nobody was ended %d times", n)
	}
	w = f.closed(t, recess.Policy{AllowAnonymous: true}, claims)
	w.passesByException(get("/orders"), "orders")
}

func testForgedUser(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowSuperuser: true})
	w.refuses(get("/orders", "X-User: root", "Remote-User: root", "X-Remote-User: root", "X-Forwarded-User: root",
		"Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290IiwiaXNfc3VwZXJ1c2VyIjp0cnVlfQ.",
		"Cookie: user=root; is_superuser=1", "X-Middleware-Subrequest: 1", "X-Maintenance-Bypass: true"))
	w.refuses(get("/orders?user=root&bypass=1&preview=true&mode=login"))
}

// testAskedOnce: the gate asks once. A scope's marker that the request reaches afterwards may decide once more, for it
// cannot know that the gate has found it, and asks again.
func testAskedOnce(t *testing.T, f Framework) {
	w := f.closed(t, recess.Policy{AllowStaff: true, AllowSuperuser: true, AllowRoles: []string{"ops"}, AllowAdminSite: "/admin/"})
	for _, c := range []struct {
		target, handler string
		markers         int64
	}{
		{"/orders", "orders", 0},
		{"/checkout/cart", "cart", 1},
		{"/shop/list", "shop-list", 1},
		{"/shop/eu/list", "shop-eu", 2},
		{"/mounted/cart", "mounted-cart", 1},
	} {
		w.passesByException(get(c.target).as("staff"), c.handler)
		if n := w.site.hooks.userCalls.Swap(0); n < 1 || n > 1+c.markers {
			t.Errorf("%s: the user was asked for %d times, want once, and once more by each of %d markers at most", c.target, n, c.markers)
		}
		w.refuses(get(c.target).as("alice"))
		if n := w.site.hooks.userCalls.Swap(0); n != 1 {
			t.Errorf("%s: a refusal asked for the user %d times, want once", c.target, n)
		}
	}
}

func testLogoutOnce(t *testing.T, f Framework) {
	var ended atomic.Bool
	w := f.closed(t, recess.Policy{Logout: recess.Logout{Authenticated: true}, AllowAnonymous: true}, func(s *Site) {
		s.hooks.user = func(c Call) recess.User {
			if ended.Load() {
				return recess.User{}
			}
			return users[c.Header(headerUser)]
		}
		s.hooks.logout = func(Call) error { ended.Store(true); return nil }
	})
	for target, handler := range map[string]string{"/orders": "orders", "/checkout/cart": "cart", "/shop/eu/list": "shop-eu"} {
		ended.Store(false)
		w.passesByException(get(target).as("alice"), handler)
		if n := w.site.hooks.logoutCalls.Swap(0); n != 1 {
			t.Errorf("%s: the session was ended %d times, want once", target, n)
		}
	}
}
