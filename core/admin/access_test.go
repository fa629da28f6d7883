package admin

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core"
)

// TestRights asks for everything in everybody's name.
func TestRights(t *testing.T) {
	s := open(t, nil)
	everything := func(from func(ask) ask) (asks []ask) {
		for _, a := range []ask{get("/"), get("/api/status"), get("/api/fleet"), get("/api/openapi.json"), get("/none"), get("/api/none"), order("/api/explain", `{}`)} {
			asks = append(asks, from(a))
		}
		return asks
	}
	changes := []ask{order("/api/on", `{}`), order("/api/schedule", `{}`), order("/api/off", `{}`), order("/api/cancel", `{"all":true}`)}

	for _, c := range []struct {
		name   string
		from   func(ask) ask
		status int
		code   string
	}{
		{"nobody", func(a ask) ask { return a.with("Sec-Fetch-Site: same-origin") }, 401, "unauthorized"},
		{"nobody, as Authorize panics", func(a ask) ask { return a.as("panics") }, 401, "unauthorized"},
		{"somebody without a right", func(a ask) ask { return a.as("alice") }, 403, "forbidden"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, a := range everything(c.from) {
				code := c.code
				if !strings.HasPrefix(a.path, "/api/") {
					code = ""
				}
				got := s.unchanged(a, c.status, code)
				if (c.status == 401) != (got.Header().Get("WWW-Authenticate") != "") {
					t.Errorf("%s: WWW-Authenticate is %q", a.path, got.Header().Get("WWW-Authenticate"))
				}
			}
			for _, a := range changes {
				s.unchanged(c.from(a), c.status, c.code)
			}
			for _, path := range []string{"/on", "/off", "/schedule", "/cancel", "/preview", "/explain"} {
				s.unchanged(c.from(posted(path)), c.status, "")
			}
		})
	}
	for _, path := range []string{"/panel.css", "/panel.js", "/status", "/live", "/ready"} {
		s.is(get(path), 200, "") // anybody
		s.is(get(path).as("panics"), 200, "")
	}

	for name, from := range map[string]func(ask) ask{
		"staff": func(a ask) ask { return a.as("staff") }, "monitor": func(a ask) ask { return a.bearer(readToken) },
	} {
		for _, a := range everything(from) {
			status := 200
			if strings.HasSuffix(a.path, "/none") {
				status = 404
			}
			s.unchanged(a, status, "")
		}
		for _, a := range changes {
			if got := s.unchanged(from(a), 403, "forbidden"); !strings.Contains(got.problem.Detail, name) {
				t.Errorf("%s is told %q", name, got.problem.Detail)
			}
		}
	}
	for _, path := range []string{"/on", "/off", "/schedule", "/cancel"} {
		s.unchanged(s.form("staff", path), 403, "")
	}
	s.is(s.form("staff", "/explain", "path", "/x"), 200, "")
	s.is(s.form("staff", "/preview"), 200, "")

	s.is(changes[0].as("root"), 200, "")
	s.is(changes[2].bearer(writeToken), 200, "")
}

func TestTokens(t *testing.T) {
	s := open(t, nil, func(_ *recess.Policy, c *Config) {
		c.Authorize = func(*http.Request) Access { return Access{Right: Write} }
	})
	for i, c := range []struct {
		name   string
		header []string
		status int
	}{
		{"right", []string{"Authorization: Bearer " + writeToken}, 200},
		{"the scheme in another case", []string{"Authorization: bEARER " + writeToken}, 200},
		{"blanks around", []string{"Authorization: Bearer   " + writeToken + " "}, 200},
		{"wrong", []string{"Authorization: Bearer x" + writeToken}, 401},
		{"in another case", []string{"Authorization: Bearer " + strings.ToUpper(writeToken)}, 401},
		{"a beginning", []string{"Authorization: Bearer " + writeToken[:8]}, 401},
		{"empty", []string{"Authorization: Bearer "}, 401},
		{"the scheme alone", []string{"Authorization: Bearer"}, 401},
		{"its hash", []string{"Authorization: Bearer " + fmt.Sprintf("%x", sha256.Sum256([]byte(writeToken)))}, 401},
		{"two lines", []string{"Authorization: Bearer " + writeToken, "Authorization: Bearer " + writeToken}, 401},
		{"two lines of two schemes", []string{"Authorization: Basic cm9vdDpyb290", "Authorization: Bearer " + writeToken}, 401},
		{"two tokens in a line", []string{"Authorization: Bearer " + writeToken + ", " + writeToken}, 401},
		// What is no bearer token is the application's to judge; without proof of origin it changes nothing.
		{"another scheme", []string{"Authorization: Basic " + writeToken}, 403},
		{"no scheme", []string{"Authorization: " + writeToken}, 403},
		{"in a cookie", []string{"Cookie: Authorization=" + writeToken}, 403},
		{"none", nil, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := order("/api/on", fmt.Sprintf(`{"reason":"%d"}`, i), c.header...).at(fmt.Sprintf("192.0.2.%d:1", i+1))
			if c.status == 200 {
				s.is(a, 200, "")
			} else {
				s.unchanged(a, c.status, map[int]string{401: "unauthorized", 403: "cross_origin"}[c.status])
			}
		})
	}
	if got := s.state().History; len(got) == 0 || got[0].By.Name != "deploy" {
		t.Errorf("the history has %v", got)
	}
	// In the query a token is none: it would stand in logs.
	nobody := open(t, nil)
	nobody.is(get("/api/status?access_token="+writeToken), 401, "")
}

// TestASessionIsNotAskedBesideAToken: a wrong token of somebody who is signed in lets in nobody.
func TestASessionIsNotAskedBesideAToken(t *testing.T) {
	s := open(t, nil)
	s.unchanged(order("/api/on", `{}`).as("root").bearer("wrong"), 401, "")
	s.unchanged(order("/api/on", `{}`).as("root").bearer(readToken), 403, "forbidden")
}

func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const atOnce, every = 10, 6 * time.Second // as docs/admin.md and openapi.json say
		s := open(t, nil)
		wrong := func(from string, status int) answer {
			t.Helper()
			return s.is(get("/api/status").bearer("wrong").at(from), status, "")
		}
		right := func(from string, status int) {
			t.Helper()
			s.is(get("/api/status").bearer(readToken).at(from), status, "")
		}
		const here, elsewhere = "198.51.100.1:1000", "198.51.100.2:1000"
		for range atOnce {
			wrong(here, 401)
		}
		if got := wrong(here, 429); got.Header().Get("Retry-After") != "6" || got.problem.Code != "throttled" {
			t.Errorf("Retry-After is %q with %q, want 6", got.Header().Get("Retry-After"), got.problem.Code)
		}
		right(here, 429) // or it would be known which one is right
		wrong("198.51.100.1:2000", 429)
		wrong("[::ffff:198.51.100.1]:1", 429)
		right(elsewhere, 200)
		wrong(elsewhere, 401)
		s.is(get("/api/status").as("staff").at(here), 200, "") // sessions are the application's to protect

		for range 5 { // who asks while it must wait does not wait longer
			wrong(here, 429)
		}
		time.Sleep(every - time.Millisecond)
		wrong(here, 429)
		time.Sleep(time.Millisecond)
		right(here, 200) // costs nothing
		wrong(here, 401)
		wrong(here, 429)
		time.Sleep(every)
		wrong(here, 401)
		wrong(here, 429)
		time.Sleep(time.Hour)
		for range atOnce {
			wrong(here, 401)
		}
		wrong(here, 429)

		// Of IPv6 a customer has a /64.
		for i := range atOnce {
			wrong(fmt.Sprintf("[2001:db8:0:1::%x]:1", i), 401)
		}
		wrong("[2001:db8:0:1:ffff::1]:1", 429)
		wrong("[2001:db8:0:2::1]:1", 401)
	})
}

// TestPlaces: one customer is one place, however the address is written.
func TestPlaces(t *testing.T) {
	for a, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32", "2001:db8::1": "2001:db8::/64", "fe80::1%eth0": "fe80::/64", "fe80::2%eth1": "fe80::/64",
	} {
		if got := place(netip.MustParseAddr(a)); got != netip.MustParsePrefix(want) {
			t.Errorf("%s: %s, want %s", a, got, want)
		}
	}
	if got := place(netip.Addr{}); got != (netip.Prefix{}) {
		t.Errorf("nobody: %s", got)
	}
}

// TestTheThrottleIsBounded: whoever has many addresses fills no memory, and those that are there stay.
func TestTheThrottleIsBounded(t *testing.T) {
	var th throttle
	now := time.Now()
	address := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	for range wrongAtOnce {
		th.try(address(0), now, false)
	}
	for i := range 3 * maxAddresses {
		th.try(address(i+1), now, false)
	}
	if len(th.wrong) > maxAddresses+1 {
		t.Fatalf("%d addresses are kept", len(th.wrong))
	}
	if th.try(address(0), now, true) == 0 {
		t.Error("an address that has to wait was forgotten")
	}
	if th.try(address(1), now, true) > 0 {
		t.Error("an address with attempts left has to wait")
	}
	if th.try(address(4*maxAddresses), now, true) == 0 {
		t.Error("those that have no place of their own do not wait")
	}
	later := now.Add(wrongAtOnce * wrongEvery)
	for i := range 2 {
		if wait := th.try(address(i), later, true); wait > 0 {
			t.Errorf("an address still waits for %s", wait)
		}
	}
	th.try(address(5*maxAddresses), later, false)
	if len(th.wrong) != 1 {
		t.Errorf("%d addresses are kept after all have made up for it, want the last one", len(th.wrong))
	}
}

// TestTheThrottleHoldsForManyAtOnce counts how many get through.
func TestTheThrottleHoldsForManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, nil)
		var through sync.WaitGroup
		codes := make(chan int, 200)
		for range cap(codes) {
			through.Go(func() { codes <- s.do(get("/api/status").bearer("wrong")).Code })
		}
		through.Wait()
		close(codes)
		count := make(map[int]int)
		for code := range codes {
			count[code]++
		}
		if count[401] != wrongAtOnce || count[401]+count[429] != cap(codes) {
			t.Errorf("%v, want %d times 401", count, wrongAtOnce)
		}
	})
}

func TestSuperusers(t *testing.T) {
	for _, c := range []struct {
		user recess.User
		want Access
	}{
		{recess.User{}, Access{}},
		{recess.User{Name: "x", Superuser: true}, Access{Name: "x"}}, // nobody has checked
		{recess.User{Name: "alice", Authenticated: true}, Access{Name: "alice", SignedIn: true}},
		{recess.User{Name: "staff", Authenticated: true, Staff: true, Roles: []string{"admin", "superuser"}}, Access{Name: "staff", SignedIn: true}},
		{recess.User{Name: "root", Authenticated: true, Superuser: true}, Access{Name: "root", Right: Write, SignedIn: true}},
	} {
		r, _ := http.NewRequestWithContext(recess.WithUser(t.Context(), c.user), "GET", "/", nil)
		if got := Superusers(r); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.user, got, c.want)
		}
	}
}
