package recess

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
)

// everybody is a policy in which each rule lets in what only it can: whatever stands first in the order decides.
func everybody() Policy {
	return Policy{
		ControlPath:    "/maintenance",
		AllowStaff:     true,
		AllowRoles:     []string{"ops"},
		AllowAdminSite: "/admin/",
		AllowNetworks:  []string{"10.0.0.0/8"},
		AllowPaths:     []string{"/open/**"},
		AllowHosts:     []string{"open.example"},
		AllowHeaders:   map[string]string{"X-Key": "0123456789abcdef"},
		Allow:          []Predicate{{"friend", func(r Request) bool { return r.Header("X-Friend") == "1" }}},
		Redirect:       "/down",
	}
}

func TestEachRuleLetsInWhatItNames(t *testing.T) {
	e := closedEngine(t, everybody())
	staff := func() User { return User{Authenticated: true, Staff: true} }
	ops := func() User { return User{Authenticated: true, Roles: []string{"dev", "ops"}} }
	for _, c := range []struct {
		name   string
		asked  asked
		reason Reason
		rule   string
		refuse bool
	}{
		{"a marker forced off passes", asked{marker: Marker{Force: ForcedOff}}, ReasonMarker, "force off", false},
		{"a marker forced on refuses", asked{marker: Marker{Force: ForcedOn}}, ReasonMarker, "force on", true},
		{"a marker forced on refuses whatever else would let in", asked{marker: Marker{Force: ForcedOn}, path: "/open/x", user: staff, peer: "10.0.0.1:1"}, ReasonMarker, "force on", true},
		{"the control path passes", asked{path: "/maintenance"}, ReasonControl, "/maintenance/**", false},
		{"what is below the control path passes", asked{path: "/maintenance/status"}, ReasonControl, "/maintenance/**", false},
		{"a sibling of the control path does not", asked{path: "/maintenancex"}, ReasonWindow, "", true},
		{"staff passes", asked{user: staff}, ReasonUser, "AllowStaff", false},
		{"a role passes", asked{user: ops}, ReasonUser, "ops", false},
		{"a superuser who is neither does not", asked{user: func() User { return User{Authenticated: true, Superuser: true} }}, ReasonWindow, "", true},
		{"the admin site passes", asked{path: "/admin/"}, ReasonAdminSite, "/admin/**", false},
		{"the admin site passes without its slash", asked{path: "/admin"}, ReasonAdminSite, "/admin/**", false},
		{"the administrators do not", asked{path: "/administrator"}, ReasonWindow, "", true},
		{"a network passes", asked{peer: "10.1.2.3:4"}, ReasonNetwork, "10.0.0.0/8", false},
		{"a network passes as mapped IPv6", asked{peer: "[::ffff:10.1.2.3]:4"}, ReasonNetwork, "10.0.0.0/8", false},
		{"another network does not", asked{peer: "11.1.2.3:4"}, ReasonWindow, "", true},
		{"a forwarded address is not believed", asked{peer: "11.1.2.3:4", header: map[string]string{"X-Forwarded-For": "10.0.0.1"}}, ReasonWindow, "", true},
		{"a path passes", asked{path: "/open/door"}, ReasonPath, "/open/**", false},
		{"a path that leaves the allowance does not", asked{path: "/open/../secret"}, ReasonWindow, "", true},
		{"an encoded slash gets no allowance", asked{path: "/open/a%2Fb"}, ReasonWindow, "", true},
		{"a host passes in canonical form", asked{host: "OPEN.example.:8080"}, ReasonHost, "open.example", false},
		{"a secret header passes", asked{header: map[string]string{"X-Key": "0123456789abcdef"}}, ReasonHeader, "X-Key", false},
		{"a wrong secret does not", asked{header: map[string]string{"X-Key": "0123456789abcdeF"}}, ReasonWindow, "", true},
		{"a predicate passes", asked{header: map[string]string{"X-Friend": "1"}}, ReasonPredicate, "friend", false},
		{"the redirect's target passes", asked{path: "/down"}, ReasonRedirectTarget, "/down", false},
		{"nothing else does", asked{}, ReasonWindow, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := decide(e, &c.asked)
			if d.Refuse != c.refuse || d.Reason != c.reason || d.Rule != c.rule {
				t.Errorf("got refuse=%v %s %q, want refuse=%v %s %q", d.Refuse, d.Reason, d.Rule, c.refuse, c.reason, c.rule)
			}
			if (d.Answer() != nil) != c.refuse {
				t.Errorf("the answer is %v", d.Answer())
			}
			if c.reason != ReasonMarker && d.Window == "" {
				t.Error("the decision names no window")
			}
		})
	}
}

// TestTheOrderOfTheRules lets one request be allowed by every rule at once, and takes the first away again and again.
func TestTheOrderOfTheRules(t *testing.T) {
	a := func() *asked {
		return &asked{
			path: "/down", host: "open.example", peer: "10.0.0.1:1",
			header: map[string]string{"X-Key": "0123456789abcdef", "X-Friend": "1"},
			user:   func() User { return User{Authenticated: true, Staff: true} },
		}
	}
	p := Policy{
		ControlPath: "/down", AllowStaff: true, AllowAdminSite: "/down", AllowTests: true, AllowNetworks: []string{"10.0.0.1"},
		AllowPaths: []string{"/down"}, AllowHosts: []string{"open.example"},
		AllowHeaders: map[string]string{"x-key": "0123456789abcdef"},
		Allow:        []Predicate{{"friend", func(Request) bool { return true }}}, Redirect: "/down",
	}
	for _, step := range []struct {
		want Reason
		drop func()
	}{
		{ReasonControl, func() { p.ControlPath = "" }},
		{ReasonUser, func() { p.AllowStaff = false }},
		{ReasonAdminSite, func() { p.AllowAdminSite = "" }},
		{ReasonTests, func() { p.AllowTests = false }},
		{ReasonNetwork, func() { p.AllowNetworks = nil }},
		{ReasonPath, func() { p.AllowPaths = nil }},
		{ReasonHost, func() { p.AllowHosts = nil }},
		{ReasonHeader, func() { p.AllowHeaders = nil }},
		{ReasonPredicate, func() { p.Allow = nil }},
		{ReasonRedirectTarget, func() { p.Redirect = "" }},
		{ReasonWindow, func() {}},
	} {
		if d := decide(closedEngine(t, p), a()); d.Reason != step.want {
			t.Errorf("got %s, want %s", d.Reason, step.want)
		}
		step.drop()
	}
}

func TestUserRulesFollowDjango(t *testing.T) {
	anonymous := User{}
	alice := User{Authenticated: true}
	staff := User{Authenticated: true, Staff: true}
	root := User{Authenticated: true, Superuser: true}
	both := User{Authenticated: true, Staff: true, Superuser: true}
	all := map[string]User{"anonymous": anonymous, "alice": alice, "staff": staff, "root": root, "both": both}
	for _, c := range []struct {
		name   string
		policy Policy
		passes []string
		out    []string // whose session is ended
	}{
		{"AllowAnonymous", Policy{AllowAnonymous: true}, []string{"anonymous"}, nil},
		{"AllowAuthenticated", Policy{AllowAuthenticated: true}, []string{"alice", "staff", "root", "both"}, nil},
		{"AllowStaff", Policy{AllowStaff: true}, []string{"staff", "both"}, nil},
		{"AllowSuperuser", Policy{AllowSuperuser: true}, []string{"root", "both"}, nil},
		{"Logout of all who are logged in", Policy{Logout: Logout{Authenticated: true}}, nil, []string{"alice", "staff", "root", "both"}},
		{"Logout runs before the allowances", Policy{Logout: Logout{Authenticated: true}, AllowAuthenticated: true}, nil, []string{"alice", "staff", "root", "both"}},
		{"who was logged out counts as anonymous", Policy{Logout: Logout{Authenticated: true}, AllowAnonymous: true}, []string{"anonymous", "alice", "staff", "root", "both"}, []string{"alice", "staff", "root", "both"}},
		{"Logout spares staff when told so", Policy{Logout: Logout{Authenticated: true, Staff: No}, AllowStaff: true}, []string{"staff"}, []string{"alice", "root", "both"}},
		{"a superuser who is staff counts as a superuser", Policy{Logout: Logout{Authenticated: true, Superuser: No}, AllowSuperuser: true}, []string{"root", "both"}, []string{"alice", "staff"}},
		{"Logout of superusers alone", Policy{Logout: Logout{Superuser: Yes}, AllowAuthenticated: true}, []string{"alice", "staff"}, []string{"root", "both"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := closedEngine(t, c.policy)
			for name, user := range all {
				a := &asked{user: func() User { return user }}
				passed := admit(e, a)
				if want := slices.Contains(c.passes, name); passed != want {
					t.Errorf("%s: passed is %v, want %v", name, passed, want)
				}
				if want := slices.Contains(c.out, name); (a.loggedOut == 1) != want {
					t.Errorf("%s: logged out %d times, want %v", name, a.loggedOut, want)
				}
			}
		})
	}
}

func TestWhoIsNotLoggedInIsNothingElse(t *testing.T) {
	e := closedEngine(t, Policy{AllowStaff: true, AllowSuperuser: true, AllowRoles: []string{"ops"}})
	claims := User{Staff: true, Superuser: true, Roles: []string{"ops"}}
	if admit(e, &asked{user: func() User { return claims }}) {
		t.Error("unverified claims opened the site")
	}
}

func TestReportOnlyEndsNoSession(t *testing.T) {
	e := closedEngine(t, Policy{ReportOnly: true, Logout: Logout{Authenticated: true}})
	a := &asked{user: func() User { return User{Authenticated: true} }}
	if !admit(e, a) || a.loggedOut != 0 {
		t.Errorf("logged out %d times", a.loggedOut)
	}
}

func TestLogoutRunsBeforeOtherAllowances(t *testing.T) {
	e := closedEngine(t, Policy{Logout: Logout{Authenticated: true}, AllowPaths: []string{"/open"}})
	a := &asked{path: "/open", user: func() User { return User{Authenticated: true} }}
	if !admit(e, a) || a.loggedOut != 1 {
		t.Errorf("a path that is let in: logged out %d times, want once, as in Django", a.loggedOut)
	}
	a = &asked{marker: Marker{Force: ForcedOff}, user: func() User { return User{Authenticated: true} }}
	if !admit(e, a) || a.loggedOut != 0 {
		t.Errorf("a route forced off: logged out %d times, want never", a.loggedOut)
	}
}

func TestModesAndMethods(t *testing.T) {
	methods := []string{"GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "FOO", "get"}
	refused := map[state.Mode][]string{
		state.Announce: nil,
		state.ReadOnly: {"POST", "PUT", "PATCH", "DELETE", "CONNECT", "FOO", "get"},
		state.Hold:     methods,
		state.Full:     methods,
	}
	for mode, want := range refused {
		synctest.Test(t, func(t *testing.T) { // what is held waits
			e := started(t, Config{})
			on(t, e, Opening{Mode: mode})
			for _, method := range methods {
				a := &asked{method: method}
				if got := !admit(e, a); got != slices.Contains(want, method) {
					t.Errorf("%s refuses %s: %v", mode, method, got)
				}
				if a.attached == nil && a.answered == nil {
					t.Errorf("%s with %s: a passing request is told nothing", mode, method)
				}
			}
		})
	}
}

func TestScopesCoverByPathHostAndMarker(t *testing.T) {
	e := started(t, Config{Policy: Policy{Scopes: map[string][]string{"api": {"/api/**", "host:api.example"}}}})
	on(t, e, Opening{Scope: "api"})
	for _, c := range []struct {
		asked  asked
		refuse bool
	}{
		{asked{path: "/api"}, true},
		{asked{path: "/api/orders"}, true},
		{asked{path: "/API/orders"}, true},
		{asked{path: "/%61pi/orders"}, true},
		{asked{path: "//api/orders"}, true},
		{asked{path: "/x/../api/orders"}, true},
		{asked{path: "/apix"}, false},
		{asked{path: "/"}, false},
		{asked{host: "API.example:443"}, true},
		{asked{host: "www.example"}, false},
		{asked{marker: Marker{Scopes: []string{"checkout", "api"}}}, true},
		{asked{marker: Marker{Scopes: []string{"checkout"}}}, false},
		{asked{marker: Marker{Scopes: []string{everyScope}}}, true},
		{asked{path: "/api", marker: Marker{Force: ForcedOff}}, false},
	} {
		if d := decide(e, &c.asked); d.Refuse != c.refuse {
			t.Errorf("%q at %q, %v: refuse is %v", c.asked.path, c.asked.host, c.asked.marker, d.Refuse)
		}
	}
}

func TestTheWindowThatEndsLastAnswers(t *testing.T) {
	e := started(t, Config{})
	now := e.now()
	on(t, e, Opening{Name: "short", End: now.Add(hour)})
	on(t, e, Opening{Name: "long", End: now.Add(3 * hour), Mode: state.ReadOnly})
	get, post := decide(e, &asked{}), decide(e, &asked{method: "POST"})
	if get.notice != nil || get.Window == post.Window {
		t.Errorf("GET by %s and POST by %s: a reader waits for the full window only, a writer for both", get.Window, post.Window)
	}
	on(t, e, Opening{Name: "endless"})
	if d := decide(e, &asked{}); !strings.Contains(fmt.Sprint(d.answer.Header), "full") || strings.Contains(fmt.Sprint(d.answer.Header), "until") {
		t.Errorf("a window without an end must answer without one: %v", d.answer.Header)
	}
}

func TestForcedModes(t *testing.T) {
	onEngine := started(t, Config{Policy: Policy{Force: ForcedOn, AllowPaths: []string{"/open"}}})
	offEngine := started(t, Config{Policy: Policy{Force: ForcedOff}})
	if d := decide(onEngine, &asked{}); !d.Refuse || d.Window != forcedID {
		t.Errorf("forced on: %+v", d)
	}
	if d := decide(onEngine, &asked{path: "/open"}); d.Refuse {
		t.Errorf("forced on keeps the allowances: %+v", d)
	}
	ticket := offEngine.Begin()
	defer ticket.End()
	if !ticket.Open() {
		t.Error("forced off costs more than nothing")
	}
	if s := onEngine.Situation(); s.Follower.Phase != Valid || !s.Active() {
		t.Errorf("forced on: %+v", s)
	}
	if s, err := onEngine.Control(state.Actor{}).State(t.Context()); err != nil || len(s.Windows) != 1 {
		t.Errorf("forced on, without a backend: %+v, %v", s, err)
	}
	if _, err := onEngine.Control(state.Actor{}).Off(t.Context(), Ending{}); !errors.Is(err, ErrForced) {
		t.Errorf("a forced mode can be switched: %v", err)
	}
}

func TestARouteForcedOnIsClosedWhileNothingRuns(t *testing.T) {
	e := started(t, Config{})
	forced := Marker{Force: ForcedOn}
	a := &asked{marker: forced}
	if e.AdmitMarked(a, forced) || a.answered == nil || a.answered.Status != 503 {
		t.Error("it is open")
	}
	if !e.AdmitMarked(&asked{marker: Marker{Force: ForcedOff}}, forced) {
		t.Error("an inner marker that says off is overruled")
	}
	if a := new(asked); e.AdmitMarked(a, forced) || a.answered == nil {
		t.Error("a route of which nothing is known is open")
	}
	reporting := started(t, Config{Policy: Policy{ReportOnly: true}})
	if !reporting.AdmitMarked(&asked{marker: forced}, forced) {
		t.Error("a policy that only reports refuses")
	}
}

func TestAScopeMarkerThatTheLookUpMissesDecidesItself(t *testing.T) {
	e := started(t, Config{Policy: Policy{AllowPaths: []string{"/open"}}})
	checkout := Marker{Scopes: []string{"checkout"}}
	if !e.AdmitMarked(new(asked), checkout) {
		t.Error("closed while nothing runs")
	}
	on(t, e, Opening{Scope: "checkout"})
	for name, c := range map[string]struct {
		asked  asked
		marker Marker
		admit  bool
	}{
		"a route of the scope":        {asked{}, checkout, false},
		"a route of another scope":    {asked{}, Marker{Scopes: []string{"api"}}, true},
		"a route that is let in":      {asked{path: "/open"}, checkout, true},
		"a route that is forced off":  {asked{marker: Marker{Force: ForcedOff}}, checkout, true},
		"a route of an unknown scope": {asked{}, e.EveryScope(errors.New("?")), false},
	} {
		if admitted := e.AdmitMarked(&c.asked, c.marker); admitted != c.admit || (c.asked.answered == nil) != c.admit {
			t.Errorf("%s: admitted is %v", name, admitted)
		}
	}
	if n := e.Counts(); n.Allowed != 0 || n.Refused != 2 {
		t.Errorf("%+v", n)
	}
}

func TestReportOnlyCountsAndLetsThrough(t *testing.T) {
	var l logs
	e := started(t, Config{Policy: Policy{ReportOnly: true, AllowPaths: []string{"/open"}}, Logger: l.logger()})
	on(t, e, Opening{})
	a := &asked{path: "/shop"}
	if !admit(e, a) || a.answered != nil || a.attached != nil || len(a.sent) > 0 {
		t.Errorf("report only shows: %+v", a)
	}
	admit(e, &asked{path: "/open"})
	if c := e.Counts(); c.WouldRefuse != 1 || c.Refused != 0 || c.Allowed != 1 {
		t.Errorf("counts: %+v", c)
	}
	if l.count("would have been refused") != 1 {
		t.Error("it is not logged once")
	}
}

func TestWhoIsLetInByExceptionIsKeptOutOfCaches(t *testing.T) {
	e := started(t, Config{Policy: Policy{AllowPaths: []string{"/open"}}})
	w := on(t, e, Opening{End: e.now().Add(hour)})
	a := &asked{path: "/open"}
	if !admit(e, a) {
		t.Fatal("refused")
	}
	mode, ok := page.ParseModeField(a.sent.Get(page.HeaderName))
	if !ok || !mode.Allowed || mode.Name != "full" || mode.Until.Unix() != w.End.Add(999_999_999).Unix() && mode.Until.Unix() != w.End.Unix() {
		t.Errorf("header: %q", a.sent.Get(page.HeaderName))
	}
	if got := a.sent.Get("Cache-Control"); got != "private, no-store" {
		t.Errorf("Cache-Control: %q", got)
	}
	if a.attached == nil || !a.attached.Allowed || !a.attached.Active {
		t.Errorf("value: %+v", a.attached)
	}
	a = &asked{marker: Marker{Force: ForcedOff}}
	if admit(e, a); len(a.sent) > 0 || a.attached != nil {
		t.Errorf("a route out of all maintenance carries %v", a.sent)
	}
}

func TestCallbacksThatPanicRefuse(t *testing.T) {
	boom := func(Request) bool { panic("boom") }
	for name, c := range map[string]struct {
		policy Policy
		asked  asked
	}{
		"User":         {Policy{AllowStaff: true}, asked{user: func() User { panic("boom") }}},
		"Logout":       {Policy{Logout: Logout{Authenticated: true}}, asked{user: func() User { return User{Authenticated: true} }, logout: func() error { panic("boom") }}},
		"Logout error": {Policy{Logout: Logout{Authenticated: true}, AllowAnonymous: true}, asked{user: func() User { return User{Authenticated: true} }, logout: func() error { return errors.New("boom") }}},
		"predicate":    {Policy{Allow: []Predicate{{"friend", boom}}}, asked{}},
		"response":     {Policy{ResponseTypeFunc: func(Request) page.Type { panic("boom") }}, asked{}},
		"context":      {Policy{Context: func(Request) map[string]any { panic("boom") }}, asked{}},
		"address":      {Policy{AllowNetworks: []string{"10.0.0.1"}, ClientAddress: func(Request) netip.Addr { panic("boom") }}, asked{}},
		"respond":      {Policy{}, asked{respond: func(Decision) error { panic("boom") }}},
		"respond err":  {Policy{}, asked{respond: func(Decision) error { return errors.New("boom") }}},
	} {
		t.Run(name, func(t *testing.T) {
			var l logs
			e := started(t, Config{Policy: c.policy, Logger: l.logger()})
			on(t, e, Opening{})
			for range 3 {
				a := c.asked
				if admit(e, &a) {
					t.Fatal("the request passed")
				}
				if a.answered == nil || a.answered.Status != 503 || len(a.answered.Body) == 0 {
					t.Fatalf("answer: %+v", a.answered)
				}
			}
			if n := l.count("boom"); n != 1 {
				t.Errorf("logged %d times, want once", n)
			}
			if n := e.Counts().InFlight; n != 0 {
				t.Errorf("%d are still in flight", n)
			}
		})
	}
}

func TestExplainTellsTheWayByTheSameCode(t *testing.T) {
	e := closedEngine(t, everybody())
	for _, a := range []*asked{{}, {path: "/open/x"}, {peer: "10.0.0.1:1"}, {marker: Marker{Force: ForcedOn}}, {path: "/down"}} {
		x, d := e.Explain(a), decide(e, a)
		if x.Decision.Refuse != d.Refuse || x.Decision.Reason != d.Reason || x.Decision.Rule != d.Rule {
			t.Errorf("%+v: explained as %+v, decided as %+v", a, x.Decision, d)
		}
		last := x.Steps[len(x.Steps)-1]
		if !last.Hit || last.Reason != d.Reason {
			t.Errorf("%+v: the last step is %+v", a, last)
		}
		for _, s := range x.Steps[:len(x.Steps)-1] {
			if s.Hit {
				t.Errorf("%+v: %+v hit before the last", a, s)
			}
		}
		if x.Client == nil {
			t.Error("it does not say how the client's address was found")
		}
	}
	if x := e.Explain(&asked{path: "/open/a%2Fb"}); len(x.Notes) != 1 || !strings.Contains(x.Notes[0], "no path rule") {
		t.Errorf("an encoded slash is not explained: %q", x.Notes)
	}
	leaving := closedEngine(t, Policy{Logout: Logout{Authenticated: true}})
	a := &asked{user: func() User { return User{Authenticated: true} }}
	if x := leaving.Explain(a); a.loggedOut != 0 || len(x.Notes) != 1 {
		t.Errorf("an explanation ended a session: %d, notes %q", a.loggedOut, x.Notes)
	}
}

func TestDecisionsDoNotAllocate(t *testing.T) {
	e := closedEngine(t, everybody())
	user := User{Authenticated: true}
	for name, a := range map[string]*asked{
		"refused":         {path: "/shop", host: "www.example", peer: "192.0.2.1:1", user: func() User { return user }},
		"let in by path":  {path: "/open/door", host: "www.example", peer: "192.0.2.1:1"},
		"let in by range": {peer: "10.0.0.1:1"},
	} {
		if n := testing.AllocsPerRun(100, func() {
			ticket := e.Begin()
			ticket.Admit(a)
			ticket.End()
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
