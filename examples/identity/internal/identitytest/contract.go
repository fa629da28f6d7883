package identitytest

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
)

// A Recipe is one library's way of telling who asks, in one application that uses it.
type Recipe struct {
	// Serve is the application.
	Serve Server
	// AuthFirst says that the library's middleware stands in front of the gate, not behind.
	AuthFirst bool
	// Challenges says that the middleware refuses who is anonymous; else it lets him through as such.
	Challenges bool
	// As makes requests come from somebody whom the application let in. It may log him in for that.
	As func(t testing.TB, base, user string) With
	// Forged is what nobody may be taken for anybody by. Lax is what the gate does not take either, although the library's
	// middleware might: what becomes of it behind the gate is the application's own.
	Forged, Lax map[string]With
	// Cookie is the name of the cookie that is deleted when a session ends; "" if there is none.
	Cookie string
	// Ends says that what a visitor was known by is worthless once he was logged out. Passwords and tokens are not.
	Ends bool
	// Logins says that GET /login?user=NAME begins a session.
	Logins bool
	// Finds says that the application looks names up by [Find].
	Finds bool
}

// People are those whom the applications know, and Find looks them up. They differ in the ways that a policy can tell
// apart.
var People = map[string]recess.User{
	"alice": {Name: "alice", Authenticated: true},
	"staff": {Name: "staff", Authenticated: true, Staff: true, Roles: []string{"ops"}},
	"root":  {Name: "root", Authenticated: true, Superuser: true, Roles: []string{"admin"}},
}

// Gone has a password and a session but is no longer known. Broken is somebody whom looking up panics.
const (
	Gone   = "gone"
	Broken = "broken"
)

// Find looks a name up.
func Find(name string) recess.User {
	if name == Broken {
		panic("the directory is down")
	}
	return People[name]
}

var visitors = []string{"", "alice", "staff", "root"}

// as is a visitor's way of asking.
func (r *Recipe) as(s *site, user string) With {
	s.t.Helper()
	if user == "" {
		return nothing
	}
	return r.As(s.t, s.base, user)
}

// Contract tests a recipe.
func Contract(t *testing.T, r Recipe) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Recipe)
	}{
		{"the application and the gate know the same users", sameUsers},
		{"users are told apart", usersApart},
		{"whoever proves nothing is let in by no user rule", forged},
		{"whoever proves nothing is anonymous", forgedAnonymous},
		{"being asked for leaves no trace in the answer", noTrace},
		{"who is no longer known is anonymous", gone},
		{"a look-up that panics lets nobody in", broken},
		{"who is logged out is refused, and what he was known by ends as far as it can", loggedOut},
		{"who is logged out counts as anonymous in the same request", anonymousThen},
		{"whoever a path would let in is logged out first", pathThen},
		{"who is logged out can log in in the same request", again},
		{"a session that is spared lasts", spared},
		{"visitors who come at once are told apart", crowd},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) { c.test(t, r) })
	}
}

// whom is what came of asking for /me.
func (a answer) whom() string {
	switch {
	case a.blocked:
		return "refused"
	case a.status == http.StatusOK:
		return a.body
	case challenged(a):
		return "challenged"
	}
	return strconv.Itoa(a.status) + " " + a.body
}

// challenged reports whether a middleware has refused somebody; 400 is what some answer for no token at all.
func challenged(got answer) bool {
	return !got.blocked && (got.status == http.StatusUnauthorized || got.status == http.StatusBadRequest)
}

// anonymous is what the application makes of a visitor whom it does not know.
func (r *Recipe) anonymous() string {
	if r.Challenges {
		return "challenged"
	}
	return Anonymous
}

// refused is what becomes of an anonymous visitor who is not let in: a middleware in front has the first word.
func (r *Recipe) refused() string {
	if r.Challenges && r.AuthFirst {
		return "challenged"
	}
	return "refused"
}

func (s *site) wants(who string, with With, want string) {
	s.t.Helper()
	if got := s.ask("/me", with).whom(); got != want {
		s.t.Errorf("%q: %s, want %s", who, got, want)
	}
}

func sameUsers(t *testing.T, r Recipe) {
	s := open(t, r.Serve, recess.Policy{AllowAuthenticated: true})
	for _, user := range visitors[1:] {
		with := r.as(s, user)
		s.wants(user, with, user)
		s.close()
		s.wants(user, with, user)
		s.reopen()
	}
}

func usersApart(t *testing.T, r Recipe) {
	for _, c := range []struct {
		name   string
		policy recess.Policy
		in     []string // who is let in
	}{
		{"AllowAnonymous", recess.Policy{AllowAnonymous: true}, []string{""}},
		{"AllowAuthenticated", recess.Policy{AllowAuthenticated: true}, []string{"alice", "staff", "root"}},
		{"AllowStaff", recess.Policy{AllowStaff: true}, []string{"staff"}},
		{"AllowSuperuser", recess.Policy{AllowSuperuser: true}, []string{"root"}},
		{"AllowRoles", recess.Policy{AllowRoles: []string{"ops"}}, []string{"staff"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, r.Serve, c.policy)
			as := make(map[string]With)
			for _, user := range visitors { // nobody can log in later
				as[user] = r.as(s, user)
			}
			s.close()
			for _, user := range visitors {
				want := "refused"
				switch {
				case user == "" && (r.Challenges && r.AuthFirst || slices.Contains(c.in, user)):
					want = r.anonymous()
				case slices.Contains(c.in, user):
					want = user
				}
				s.wants(user, as[user], want)
			}
		})
	}
}

// forged sends what proves nothing. Nobody may learn more from the answer than an anonymous visitor does, not even whether
// there is a user of that name.
func forged(t *testing.T, r Recipe) {
	s := open(t, r.Serve, recess.Policy{AllowAuthenticated: true, AllowStaff: true, AllowSuperuser: true, AllowRoles: []string{"ops", "admin"}})
	s.close()
	nobody := s.ask("/me", nothing)
	s.wants("", nothing, r.refused())
	for how, with := range r.Forged {
		s.wants(how, with, r.refused())
		if got := s.ask("/me", with); nobody.blocked && !got.same(nobody) {
			t.Errorf("%s is answered otherwise than nobody: %d %v, want %d %v", how, got.status, got.header, nobody.status, nobody.header)
		}
	}
	for how, with := range r.Lax {
		got := s.ask("/me", with)
		if refused := got.blocked || r.AuthFirst && challenged(got); !refused {
			t.Errorf("%s: status %d, %q, want a refusal", how, got.status, got.body)
		}
	}
}

// forgedAnonymous sends the same to a site that lets nobody in but who is anonymous.
func forgedAnonymous(t *testing.T, r Recipe) {
	s := open(t, r.Serve, recess.Policy{AllowAnonymous: true})
	s.close()
	s.wants("", nothing, r.anonymous())
	for how, with := range r.Forged {
		s.wants(how, with, r.anonymous())
	}
	for how, with := range r.Lax {
		if got := s.ask("/me", with); got.blocked {
			t.Errorf("%s: the gate has refused it, want it to count as anonymous", how)
		}
	}
}

// noTrace: a hook that answers, or has a middleware answer, spoils what the handlers send.
func noTrace(t *testing.T, r Recipe) {
	if r.AuthFirst && r.Challenges {
		t.Skip("a middleware in front has its say in every answer")
	}
	s := open(t, r.Serve, recess.Policy{AllowAuthenticated: true, AllowPaths: []string{"/open"}})
	alice := r.as(s, "alice")
	s.close()
	nobody := s.ask("/open", nothing)
	if nobody.status != http.StatusOK || nobody.body != "open" || len(nobody.cookies) > 0 {
		t.Fatalf("nobody: status %d, %q, %v", nobody.status, nobody.body, nobody.header)
	}
	all := maps.Clone(r.Forged)
	all["alice"] = alice
	for how, with := range all {
		if got := s.ask("/open", with); !got.same(nobody) {
			t.Errorf("%s: status %d, %q, %v, want what nobody gets: %d, %q, %v",
				how, got.status, got.body, got.header, nobody.status, nobody.body, nobody.header)
		}
	}
}

func gone(t *testing.T, r Recipe) {
	if !r.Finds {
		t.Skip("what the token says counts until it expires")
	}
	s := open(t, r.Serve, recess.Policy{AllowAuthenticated: true})
	with := r.as(s, Gone)
	s.close()
	s.wants(Gone, with, "refused")
}

func broken(t *testing.T, r Recipe) {
	if !r.Finds {
		t.Skip("nothing is looked up")
	}
	s := open(t, r.Serve, recess.Policy{AllowAnonymous: true, AllowPaths: []string{"/me"}})
	with := r.as(s, Broken)
	s.close()
	for range 2 {
		if got := s.ask("/me", with); got.status != http.StatusServiceUnavailable {
			t.Errorf("status %d, %q, want 503", got.status, got.body)
		}
	}
	s.wants("", nothing, r.anonymous())
}

func loggedOut(t *testing.T, r Recipe) {
	s := open(t, r.Serve, recess.Policy{Logout: recess.Logout{Authenticated: true}, AllowAuthenticated: true, AllowStaff: true})
	as, left := make(map[string]With), make(map[string]With)
	for _, user := range visitors[1:] {
		as[user] = r.as(s, user)
	}
	s.close()
	for _, user := range visitors[1:] {
		got := s.ask("/me", as[user])
		if !got.blocked || got.status != http.StatusServiceUnavailable {
			t.Errorf("%q: status %d, %q, want a refusal", user, got.status, got.body)
		}
		r.deleted(t, user, got)
		left[user] = nothing
		for _, cookie := range got.cookies { // a browser that does not forget it sends what it was told instead
			left[user] = Cookie(r.Cookie, cookie.Value)
		}
		if r.Ends {
			s.wants(user+" again", as[user], r.refused())
		}
	}
	s.wants("", nothing, r.refused())
	s.reopen()
	for _, user := range visitors[1:] {
		want := user
		if r.Ends {
			want = r.anonymous()
		}
		s.wants(user+" with what he had", as[user], want)
		s.wants(user+" with what he was left", left[user], r.anonymous())
	}
}

// deleted wants a cookie to be taken from the browser, and no other one to be touched.
func (r *Recipe) deleted(t *testing.T, user string, got answer) {
	t.Helper()
	if len(got.cookies) > 1 || len(got.cookies) == 1 && got.cookies[0].Name != r.Cookie {
		t.Errorf("%q: the cookies %v were set, want no more than %q", user, got.cookies, r.Cookie)
	}
	if r.Cookie == "" {
		return
	}
	if len(got.cookies) == 0 || got.cookies[0].Path != "/" || !over(got.cookies[0]) {
		t.Errorf("%q: the cookies %v were set, want %q to be deleted", user, got.cookies, r.Cookie)
	}
	if control := got.header.Get("Cache-Control"); got.blocked && !strings.Contains(control, "no-store") {
		t.Errorf("%q: Cache-Control is %q", user, control)
	}
}

// over reports whether a cookie is one that browsers delete.
func over(c *http.Cookie) bool {
	return c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Before(time.Now())
}

func anonymousThen(t *testing.T, r Recipe) {
	s := open(t, r.Serve, recess.Policy{Logout: recess.Logout{Authenticated: true, Staff: recess.No}, AllowAnonymous: true})
	alice, staff := r.as(s, "alice"), r.as(s, "staff")
	s.close()
	got := s.ask("/me", alice)
	r.deleted(t, "alice", got)
	r.handlerSeesNobody(t, got)
	s.wants("staff", staff, "refused")
}

// handlerSeesNobody wants the handler to have been asked by nobody. A middleware in front has let somebody through; one
// behind the gate sees what is left of the request.
func (r *Recipe) handlerSeesNobody(t *testing.T, got answer) {
	t.Helper()
	if r.AuthFirst || !r.Challenges {
		if got.blocked || got.status != http.StatusOK || got.body != Anonymous {
			t.Errorf("status %d, %q, want the handler to see nobody", got.status, got.body)
		}
		return
	}
	if !challenged(got) {
		t.Errorf("status %d, %q, want the middleware behind the gate to see nobody", got.status, got.body)
	}
}

func pathThen(t *testing.T, r Recipe) {
	s := open(t, r.Serve, recess.Policy{Logout: recess.Logout{Authenticated: true}, AllowPaths: []string{"/me"}})
	alice := r.as(s, "alice")
	s.close()
	got := s.ask("/me", alice)
	r.deleted(t, "alice", got)
	r.handlerSeesNobody(t, got)
	if r.Ends {
		s.wants("alice again", alice, r.anonymous())
	}
}

func spared(t *testing.T, r Recipe) {
	s := open(t, r.Serve, recess.Policy{Logout: recess.Logout{Authenticated: true, Superuser: recess.No}, AllowSuperuser: true})
	root := r.as(s, "root")
	s.close()
	for range 2 {
		got := s.ask("/me", root)
		if got.status != http.StatusOK || got.body != "root" || len(got.cookies) > 0 {
			t.Errorf("status %d, %q, cookies %v, want root and no cookie", got.status, got.body, got.cookies)
		}
	}
	s.reopen()
	s.wants("root", root, "root")
}

// crowd has everybody come at once: fiber's strings are used again, and headers that requests share are not to be written to.
func crowd(t *testing.T, r Recipe) {
	s := open(t, r.Serve, recess.Policy{
		Logout: recess.Logout{Authenticated: true, Staff: recess.No, Superuser: recess.No}, AllowStaff: true, AllowSuperuser: true,
	})
	want := map[string]string{"": r.refused(), "alice": "refused", "staff": "staff", "root": "root"}
	as := make(map[string]With)
	for _, user := range visitors {
		as[user] = r.as(s, user)
	}
	s.close()
	var all sync.WaitGroup
	for _, user := range visitors {
		for range 4 {
			all.Go(func() {
				for range 25 {
					if got := s.ask("/me", as[user]); got.whom() != want[user] {
						t.Errorf("%q: status %d, %q, want %s", user, got.status, got.body, want[user])
					}
				}
			})
		}
	}
	all.Wait()
}
