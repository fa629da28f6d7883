package oracle

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
)

// A Verdict is what the definition says of a request.
type Verdict struct {
	Refuse    bool
	Reason    recess.Reason
	Hold      time.Duration // how long it may wait
	LoggedOut bool          // the session is ended
	Covered   bool          // some window is about it
	// Unsure is true where a visitor's turn may come in this moment.
	Unsure bool
}

// Decide is the definition. chained says that the route's marker stands in the chain of handlers, and refuses by itself
// where nothing else is asked.
func Decide(p recess.Policy, windows []state.Window, r *Request, now time.Time, chained bool) Verdict {
	over := covering(windows, r, now)
	v := Verdict{Refuse: true, Reason: recess.ReasonMarker, Covered: len(over) > 0}
	switch {
	case chained && r.Marker.Force == recess.ForcedOn:
		return v
	case !anyRefuses(windows, now):
		v.Refuse, v.Reason = false, recess.ReasonOpen
		return v
	case r.Marker.Force == recess.ForcedOff:
		v.Refuse = false
		return v
	case r.Marker.Force == recess.ForcedOn:
		return v
	case len(over) == 0:
		v.Refuse, v.Reason = false, recess.ReasonOpen
		return v
	}
	v.Reason, v.LoggedOut = allowed(p, r)
	come, sure := turn(over, r, v.LoggedOut, now)
	switch {
	case v.Reason != "":
		v.Refuse = false
	case r.passes(p, over):
		v.Refuse, v.Reason = false, recess.ReasonPass
	case !sure:
		v.Unsure = true
	case come:
		v.Refuse, v.Reason = false, recess.ReasonRamp
	default:
		v.Reason, v.Hold = recess.ReasonWindow, hold(over)
	}
	return v
}

// covering are the running windows that are about this request and its method.
func covering(windows []state.Window, r *Request, now time.Time) (all []state.Window) {
	for _, w := range windows {
		running := !now.Before(w.Start) && (w.End.IsZero() || now.Before(w.End))
		unsafe := !slices.Contains([]string{"GET", "HEAD", "OPTIONS", "TRACE"}, r.Method)
		refuses := w.Mode == state.Full || w.Mode == state.Hold || w.Mode == state.ReadOnly && unsafe
		if running && refuses && inScope(w.Scope, r) {
			all = append(all, w)
		}
	}
	return all
}

// anyRefuses reports whether some window runs that refuses anything at all.
func anyRefuses(windows []state.Window, now time.Time) bool {
	return slices.ContainsFunc(windows, func(w state.Window) bool {
		return w.Mode != state.Announce && !now.Before(w.Start) && (w.End.IsZero() || now.Before(w.End))
	})
}

func inScope(scope string, r *Request) bool {
	lower := strings.ToLower(r.Path)
	byRule := lower == "/a" || strings.HasPrefix(lower, "/a/") || strings.HasPrefix(strings.ToLower(r.Host), "api.example")
	return scope == "" || slices.Contains(r.Marker.Scopes, scope) || scope == "api" && byRule
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
func turn(windows []state.Window, r *Request, loggedOut bool, now time.Time) (come, sure bool) {
	who := "client " + string(netip.MustParseAddr(r.Peer).AsSlice())
	if r.Peer == "2001:db8::1" {
		who = "client \x20\x01\x0d\xb8" + strings.Repeat("\x00", 12) // its /64
	}
	if r.User.Authenticated && r.User.Name != "" && !loggedOut {
		who = "user " + r.User.Name
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

// passes is the definition of a pass: it is good for all windows that cover the request.
func (r *Request) passes(p recess.Policy, over []state.Window) bool {
	if r.pass == nil || !r.pass.good || len(p.PassKeys) == 0 {
		return false
	}
	want := r.pass.record
	return !slices.ContainsFunc(over, func(w state.Window) bool {
		return want.Scope != "" && want.Scope != w.Scope || want.Window != "" && want.Window != w.ID
	})
}

// allowed is the definition of the allowances, in their order. It also says whether the session is ended.
func allowed(p recess.Policy, r *Request) (reason recess.Reason, logout bool) {
	within := func(base string) bool {
		base = strings.TrimSuffix(base, "/")
		return r.Path == base || strings.HasPrefix(r.Path, base+"/")
	}
	if p.ControlPath != "" && within(p.ControlPath) {
		return recess.ReasonControl, false
	}
	u := r.User
	if u.Authenticated {
		logout = p.Logout.Authenticated
		if u.Staff && !u.Superuser && p.Logout.Staff != recess.Inherit {
			logout = p.Logout.Staff == recess.Yes
		}
	}
	if logout {
		u = recess.User{}
	}
	host := strings.ToLower(r.Host)
	host, _, _ = strings.Cut(host, ":")
	switch {
	case p.AllowAnonymous && !u.Authenticated,
		u.Authenticated && (p.AllowStaff && u.Staff || p.AllowSuperuser && u.Superuser ||
			slices.ContainsFunc(u.Roles, func(role string) bool { return slices.Contains(p.AllowRoles, role) })):
		return recess.ReasonUser, logout
	case p.AllowAdminSite != "" && within(p.AllowAdminSite):
		return recess.ReasonAdminSite, logout
	case slices.Contains(p.AllowNetworks, "10.0.0.0/16") && strings.HasPrefix(r.Peer, "10.0."),
		slices.Contains(p.AllowNetworks, "2001:db8::/32") && strings.HasPrefix(r.Peer, "2001:db8:"):
		return recess.ReasonNetwork, logout
	case slices.Contains(p.AllowPaths, r.Path), slices.Contains(p.AllowPaths, "/a/**") && within("/a"):
		return recess.ReasonPath, logout
	case slices.Contains(p.AllowHosts, host):
		return recess.ReasonHost, logout
	case p.AllowHeaders != nil && r.Secret == secret:
		return recess.ReasonHeader, logout
	}
	return "", logout
}
