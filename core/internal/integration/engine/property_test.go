package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
	"pgregory.net/rapid"
)

// request is drawn by rapid: few values, so that rules and requests meet often.
type request struct {
	method, host, path, peer, secret string
	marker                           recess.Marker
	user                             recess.User
	loggedOut                        bool

	carrier, carried string  // a field and its value
	pass             *bypass // what it carries, if that is a pass
}

func (r *request) Method() string        { return r.method }
func (r *request) Host() string          { return r.host }
func (r *request) Path() string          { return r.path }
func (r *request) Peer() netip.AddrPort  { return netip.MustParseAddrPort(r.peer) }
func (r *request) Marker() recess.Marker { return r.marker }
func (r *request) Route() string         { return "" }
func (r *request) User() recess.User     { return r.user }
func (r *request) Logout() error         { r.loggedOut = true; return nil }

func (r *request) Header(name string) string {
	switch name {
	case "X-Key":
		return r.secret
	case r.carrier:
		return r.carried
	}
	return ""
}

// bypass is a pass that was issued, as the document says or not any more.
type bypass struct {
	record state.Pass
	token  string
	good   bool // it has not expired and was not revoked
}

const passKey = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

// drawPasses issues some passes, and returns those of them that stand in the document.
func drawPasses(t *rapid.T, now time.Time) (issued []bypass, written []state.Pass) {
	ring, err := pass.NewRing([]string{passKey}, "")
	if err != nil {
		t.Fatal(err)
	}
	issued = make([]bypass, rapid.IntRange(0, 3).Draw(t, "passes"))
	for i := range issued {
		b := &issued[i]
		b.record = state.Pass{
			For: "alice", Scope: rapid.SampledFrom(scopes).Draw(t, "pass scope"), Expires: now.Add(time.Hour).Truncate(time.Millisecond),
			Window: rapid.SampledFrom([]string{"", "", "w0", "w1", "w9"}).Draw(t, "pass window"),
		}
		b.good = true
		fate := rapid.SampledFrom([]string{"good", "good", "good", "expired", "revoked"}).Draw(t, "fate")
		if fate == "expired" {
			b.good, b.record.Expires = false, now.Add(-time.Millisecond).Truncate(time.Millisecond)
		}
		b.token = ring.Issue(&b.record).Pass
		if fate == "revoked" {
			b.good = false
			continue
		}
		written = append(written, b.record)
	}
	return issued, written
}

// carry puts a pass into a request, or what resembles one.
func (r *request) carry(t *rapid.T, issued []bypass) {
	if len(issued) == 0 {
		return
	}
	b := &issued[rapid.IntRange(0, len(issued)-1).Draw(t, "pass")]
	token := b.token
	if at := rapid.IntRange(0, 3*len(token)).Draw(t, "changed at"); at < len(token) {
		changed := []byte(token)
		changed[at] ^= 1
		token = string(changed)
	} else {
		r.pass = b
	}
	r.carrier = rapid.SampledFrom([]string{"Cookie", "Authorization", "Recess-Pass", "X-Pass"}).Draw(t, "carrier")
	r.carried = map[string]string{"Cookie": "a=b; __Host-recess=" + token, "Authorization": "Recess " + token, "Recess-Pass": token, "X-Pass": token}[r.carrier]
	if r.carrier == "X-Pass" {
		r.pass = nil
	}
}

// passes is the definition of a pass: it is good for all windows that cover the request.
func (r *request) passes(p recess.Policy, over []state.Window) bool {
	if r.pass == nil || !r.pass.good || len(p.PassKeys) == 0 {
		return false
	}
	want := r.pass.record
	return !slices.ContainsFunc(over, func(w state.Window) bool {
		return want.Scope != "" && want.Scope != w.Scope || want.Window != "" && want.Window != w.ID
	})
}

var (
	paths  = []string{"/", "/a", "/a/b", "/a/b/c", "/b", "/admin", "/admin/x", "/administrator", "/maintenance/status", "/A"}
	hosts  = []string{"www.example", "api.example", "API.example:8080"}
	peers  = []string{"10.0.0.1:1", "10.9.0.1:1", "192.0.2.7:1", "[2001:db8::1]:1"}
	scopes = []string{"", "api", "shop"}
	secret = "0123456789abcdef"
)

func drawRequest(t *rapid.T) *request {
	return &request{
		method: rapid.SampledFrom([]string{"GET", "HEAD", "POST", "DELETE", "OPTIONS", "FOO"}).Draw(t, "method"),
		host:   rapid.SampledFrom(hosts).Draw(t, "host"), path: rapid.SampledFrom(paths).Draw(t, "path"),
		peer: rapid.SampledFrom(peers).Draw(t, "peer"), secret: rapid.SampledFrom([]string{"", secret, "guess"}).Draw(t, "secret"),
		marker: recess.Marker{
			Force:  rapid.SampledFrom([]recess.Force{0, 0, 0, recess.ForcedOff, recess.ForcedOn}).Draw(t, "force"),
			Scopes: rapid.SampledFrom([][]string{nil, {"api"}, {"shop"}, {"shop", "api"}}).Draw(t, "marked"),
		},
		user: recess.User{
			Authenticated: rapid.Bool().Draw(t, "authenticated"), Staff: rapid.Bool().Draw(t, "staff"),
			Name:      rapid.SampledFrom([]string{"", "alice", "bob"}).Draw(t, "name"),
			Superuser: rapid.Bool().Draw(t, "superuser"), Roles: rapid.SampledFrom([][]string{nil, {"ops"}, {"dev"}}).Draw(t, "roles"),
		},
	}
}

func drawPolicy(t *rapid.T) recess.Policy {
	some := func(label string, from ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, 2, rapid.ID[string]).Draw(t, label)
	}
	p := recess.Policy{
		AllowAnonymous: rapid.Bool().Draw(t, "anonymous"), AllowStaff: rapid.Bool().Draw(t, "allow staff"),
		AllowSuperuser: rapid.Bool().Draw(t, "allow superuser"), AllowRoles: some("allow roles", "ops", "dev"),
		AllowPaths: some("allow paths", "/a", "/a/**", "/b"), AllowHosts: some("allow hosts", "api.example"),
		AllowNetworks: some("allow networks", "10.0.0.0/16", "2001:db8::/32"),
		ControlPath:   rapid.SampledFrom([]string{"", "/maintenance"}).Draw(t, "control"),
		Logout:        recess.Logout{Authenticated: rapid.Bool().Draw(t, "logout"), Staff: rapid.SampledFrom([]recess.Inherited{recess.Inherit, recess.Yes, recess.No}).Draw(t, "logout staff")},
		Scopes:        map[string][]string{"api": {"/a/**", "host:api.example"}},
	}
	if rapid.Bool().Draw(t, "admin") {
		p.AllowAdminSite = "/admin/"
	}
	if rapid.Bool().Draw(t, "pass keys") {
		p.PassKeys = []string{passKey}
	}
	if rapid.Bool().Draw(t, "key") {
		p.AllowHeaders = map[string]string{"X-Key": secret}
	}
	return p
}

func drawWindows(t *rapid.T, now time.Time) []state.Window {
	n := rapid.IntRange(0, 4).Draw(t, "windows")
	windows := make([]state.Window, n)
	for i := range windows {
		w := state.Window{
			ID: fmt.Sprint("w", i), Scope: rapid.SampledFrom(scopes).Draw(t, "scope"),
			Mode: rapid.SampledFrom([]state.Mode{state.Announce, state.ReadOnly, state.Hold, state.Full}).Draw(t, "mode"),
		}
		if w.Mode == state.Hold {
			w.Hold = rapid.SampledFrom([]time.Duration{0, 5 * time.Second, time.Minute}).Draw(t, "hold")
		}
		start, length := rapid.IntRange(-3, 3).Draw(t, "start"), rapid.IntRange(0, 3).Draw(t, "length")
		if start != 0 {
			w.Start = now.Add(time.Duration(start) * time.Hour)
		}
		if length != 0 {
			w.End = now.Add(time.Duration(start)*time.Hour + time.Duration(length)*time.Hour + time.Minute)
		}
		if w.Mode == state.Full || w.Mode == state.ReadOnly {
			if share := rapid.SampledFrom([]int{0, 0, -1, 1, 50, 99}).Draw(t, "share"); share != 0 { // of the ramp this many percent are over
				w.Ramp, w.Start = 1000*time.Second, time.Time{}
				w.End = now.Add(w.Ramp - time.Duration(share)*10*time.Second)
			}
		}
		windows[i] = w
	}
	return windows
}

// covered is the definition, read off docs/concepts.md: some running window is about this request and its method.
func covered(windows []state.Window, r *request, now time.Time) bool {
	return len(covering(windows, r, now)) > 0
}

func covering(windows []state.Window, r *request, now time.Time) (all []state.Window) {
	for _, w := range windows {
		running := !now.Before(w.Start) && (w.End.IsZero() || now.Before(w.End))
		unsafe := !slices.Contains([]string{"GET", "HEAD", "OPTIONS", "TRACE"}, r.method)
		refuses := w.Mode == state.Full || w.Mode == state.Hold || w.Mode == state.ReadOnly && unsafe
		if running && refuses && inScope(w.Scope, r) {
			all = append(all, w)
		}
	}
	return all
}

// hold is the definition of waiting: what only windows of mode hold refuse waits, as long as the shortest of them says.
func hold(windows []state.Window) time.Duration {
	shortest := time.Duration(0)
	for _, w := range windows {
		length := w.Hold
		if length == 0 {
			length = 20 * time.Second
		}
		switch {
		case w.Mode != state.Hold:
			return 0
		case shortest == 0 || length < shortest:
			shortest = length
		}
	}
	return shortest
}

// turn is the definition of the ramp: the visitor's turn has come in all windows that cover the request. sure is false where
// that may change in this moment.
func turn(windows []state.Window, r *request, loggedOut bool, now time.Time) (come, sure bool) {
	who := "client " + string(netip.MustParseAddrPort(r.peer).Addr().AsSlice())
	if strings.HasPrefix(r.peer, "[2001:db8::1]") {
		who = "client \x20\x01\x0d\xb8" + strings.Repeat("\x00", 12) // its /64
	}
	if r.user.Authenticated && r.user.Name != "" && !loggedOut {
		who = "user " + r.user.Name
	}
	come, sure = true, true
	for _, w := range windows {
		share := 0.0
		if w.Ramp > 0 {
			share = max(0, 1-w.End.Sub(now).Seconds()/w.Ramp.Seconds())
		}
		sum := sha256.Sum256([]byte(w.ID + "\x00" + who))
		drawn := float64(binary.BigEndian.Uint64(sum[:8])) / (1 << 64)
		come = come && drawn < share
		sure = sure && (w.Ramp == 0 || drawn < share-0.01 || drawn > share+0.01)
	}
	return come, sure
}

// anyRefuses reports whether some window runs that refuses anything at all.
func anyRefuses(windows []state.Window, now time.Time) bool {
	return slices.ContainsFunc(windows, func(w state.Window) bool {
		return w.Mode != state.Announce && !now.Before(w.Start) && (w.End.IsZero() || now.Before(w.End))
	})
}

func inScope(scope string, r *request) bool {
	lower := strings.ToLower(r.path)
	byRule := lower == "/a" || strings.HasPrefix(lower, "/a/") || strings.HasPrefix(strings.ToLower(r.host), "api.example")
	return scope == "" || slices.Contains(r.marker.Scopes, scope) || scope == "api" && byRule
}

// allowed is the definition of the allowances, in their order. It also says whether the session is ended.
func allowed(p recess.Policy, r *request) (reason recess.Reason, logout bool) {
	within := func(base string) bool {
		base = strings.TrimSuffix(base, "/")
		return r.path == base || strings.HasPrefix(r.path, base+"/")
	}
	if p.ControlPath != "" && within(p.ControlPath) {
		return recess.ReasonControl, false
	}
	u := r.user
	if u.Authenticated {
		logout = p.Logout.Authenticated
		if u.Staff && !u.Superuser && p.Logout.Staff != recess.Inherit {
			logout = p.Logout.Staff == recess.Yes
		}
	}
	if logout {
		u = recess.User{}
	}
	host := strings.ToLower(r.host)
	host, _, _ = strings.Cut(host, ":")
	switch {
	case p.AllowAnonymous && !u.Authenticated,
		u.Authenticated && (p.AllowStaff && u.Staff || p.AllowSuperuser && u.Superuser ||
			slices.ContainsFunc(u.Roles, func(role string) bool { return slices.Contains(p.AllowRoles, role) })):
		return recess.ReasonUser, logout
	case p.AllowAdminSite != "" && within(p.AllowAdminSite):
		return recess.ReasonAdminSite, logout
	case slices.Contains(p.AllowNetworks, "10.0.0.0/16") && strings.HasPrefix(r.peer, "10.0."),
		slices.Contains(p.AllowNetworks, "2001:db8::/32") && strings.HasPrefix(r.peer, "[2001:db8:"):
		return recess.ReasonNetwork, logout
	case slices.Contains(p.AllowPaths, r.path), slices.Contains(p.AllowPaths, "/a/**") && within("/a"):
		return recess.ReasonPath, logout
	case slices.Contains(p.AllowHosts, host):
		return recess.ReasonHost, logout
	case p.AllowHeaders != nil && r.secret == secret:
		return recess.ReasonHeader, logout
	}
	return "", logout
}

// TestDecisionsFollowTheirDefinition compares the engine with the definition, written down a second time without any
// of its cleverness, for drawn policies, states and requests.
func TestDecisionsFollowTheirDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Now()
		policy, windows := drawPolicy(t), drawWindows(t, now)
		issued, written := drawPasses(t, now)
		data, err := state.Encode(state.State{Version: state.Version, Epoch: 1, Revision: 1, Windows: windows, Passes: written})
		if err != nil {
			t.Fatal(err)
		}
		backend := memstate.New(memstate.Config{})
		defer backend.Close()
		if _, err := backend.Save(t.Context(), state.None, data); err != nil {
			t.Fatal(err)
		}
		engine, err := recess.New(t.Context(), recess.Config{Backend: backend, Policy: policy, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		for range 8 {
			r := drawRequest(t)
			r.carry(t, issued)
			ticket := engine.Begin()
			open := ticket.Open()
			d := ticket.Evaluate(r)
			again := ticket.Evaluate(r)
			ticket.End()
			if d.Refuse != again.Refuse || d.Reason != again.Reason || d.Rule != again.Rule || d.Window != again.Window {
				t.Fatalf("the same request, decided twice: %+v and %+v", d, again)
			}
			check(t, policy, windows, r, now, open, d)
		}
	})
}

func check(t *rapid.T, policy recess.Policy, windows []state.Window, r *request, now time.Time, open bool, d recess.Decision) {
	want, waits := recess.ReasonWindow, time.Duration(0)
	refuse, loggedOut := true, false
	over := covering(windows, r, now)
	switch {
	case open || !anyRefuses(windows, now): // the route's own marker is not asked: it stands in the chain
		refuse, want = false, recess.ReasonOpen
	case r.marker.Force == recess.ForcedOff:
		refuse, want = false, recess.ReasonMarker
	case r.marker.Force == recess.ForcedOn:
		want = recess.ReasonMarker
	case !covered(windows, r, now):
		refuse, want = false, recess.ReasonOpen
	default:
		reason, logout := allowed(policy, r)
		loggedOut = logout
		come, sure := turn(over, r, logout, now)
		switch {
		case reason != "":
			refuse, want = false, reason
		case r.passes(policy, over):
			refuse, want = false, recess.ReasonPass
		case !sure:
			return
		case come:
			refuse, want = false, recess.ReasonRamp
		default:
			waits = hold(over)
		}
	}
	if d.Refuse != refuse || d.Reason != want || d.Hold != waits || r.loggedOut != loggedOut {
		t.Fatalf("%+v\nunder %+v\nwith %+v:\ngot refuse=%v %s (waits %v, logged out %v), want refuse=%v %s (waits %v, logged out %v)",
			r, policy, windows, d.Refuse, d.Reason, d.Hold, r.loggedOut, refuse, want, waits, loggedOut)
	}
	if !d.Refuse && covered(windows, r, now) && d.Rule == "" {
		t.Fatalf("passed without a rule: %+v", d)
	}
}
