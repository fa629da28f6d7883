package oracle

import (
	"fmt"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
)

// A Source draws numbers: at random, or as somebody wants who looks for the smallest example.
type Source interface {
	// Draw returns a number from 0 to n-1. The label says what for.
	Draw(label string, n int) int
}

func one[T any](from Source, label string, of ...T) T { return of[from.Draw(label, len(of))] }

func coin(from Source, label string) bool { return from.Draw(label, 2) == 1 }

// some draws up to two of these.
func some(from Source, label string, of ...string) (drawn []string) {
	first := from.Draw(label, len(of)+1)
	if first == len(of) {
		return nil
	}
	drawn = []string{of[first]}
	if second := from.Draw(label+", the second", len(of)+1); second != len(of) && second != first {
		drawn = append(drawn, of[second])
	}
	return drawn
}

var (
	paths  = []string{"/", "/a", "/a/b", "/a/b/c", "/b", "/admin", "/admin/x", "/administrator", "/maintenance/status", "/A"}
	hosts  = []string{"www.example", "api.example", "API.example:8080"}
	peers  = []string{"10.0.0.1", "10.9.0.1", "192.0.2.7", "2001:db8::1"}
	scopes = []string{"", "api", "shop"}
)

// Paths are the paths of all requests.
func Paths() []string { return append([]string(nil), paths...) }

const (
	secret  = "0123456789abcdef"
	passKey = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

// A Request is what the rules may ask about one.
type Request struct {
	Method, Host, Path string
	Peer               string // an address
	Secret             string // in X-Key
	Marker             recess.Marker
	User               recess.User

	Carrier, Carried string // a field and its value
	pass             *Bypass
}

// DrawRequest draws a request, which may carry one of the passes or what resembles one.
func DrawRequest(from Source, issued []Bypass) *Request {
	r := &Request{
		Method: one(from, "method", "GET", "HEAD", "POST", "DELETE", "OPTIONS", "FOO"),
		Host:   one(from, "host", hosts...), Path: one(from, "path", paths...), Peer: one(from, "peer", peers...),
		Secret: one(from, "secret", "", secret, "guess"), Marker: DrawMarker(from),
		User: recess.User{
			Authenticated: coin(from, "authenticated"), Staff: coin(from, "staff"), Name: one(from, "name", "", "alice", "bob"),
			Superuser: coin(from, "superuser"), Roles: one(from, "roles", nil, []string{"ops"}, []string{"dev"}),
		},
	}
	r.carry(from, issued)
	return r
}

// DrawMarker draws what a route says of itself.
func DrawMarker(from Source) recess.Marker {
	return recess.Marker{
		Force:  one(from, "force", 0, 0, 0, recess.ForcedOff, recess.ForcedOn),
		Scopes: one(from, "marked", nil, []string{"api"}, []string{"shop"}, []string{"shop", "api"}),
	}
}

// A Bypass is a pass that was issued, as the document says or not any more.
type Bypass struct {
	record state.Pass
	token  string
	good   bool // it has not expired and was not revoked
}

// DrawPasses issues some passes, and returns those of them that stand in the document.
func DrawPasses(from Source, now time.Time) (issued []Bypass, written []state.Pass, err error) {
	ring, err := pass.NewRing([]string{passKey}, "")
	if err != nil {
		return nil, nil, err
	}
	issued = make([]Bypass, from.Draw("passes", 4))
	for i := range issued {
		b := &issued[i]
		b.record = state.Pass{
			For: "alice", Scope: one(from, "pass scope", scopes...), Expires: now.Add(time.Hour).Truncate(time.Millisecond),
			Window: one(from, "pass window", "", "", "w0", "w1", "w9"),
		}
		fate := one(from, "fate", "good", "good", "good", "expired", "revoked")
		b.good = fate == "good"
		if fate == "expired" {
			b.record.Expires = now.Add(-time.Millisecond).Truncate(time.Millisecond)
		}
		b.token = ring.Issue(&b.record).Pass
		if fate != "revoked" {
			written = append(written, b.record)
		}
	}
	return issued, written, nil
}

// carry puts a pass into a request, or what resembles one.
func (r *Request) carry(from Source, issued []Bypass) {
	if len(issued) == 0 {
		return
	}
	b := &issued[from.Draw("pass", len(issued))]
	token := b.token
	if at := from.Draw("changed at", 3*len(token)+1); at < len(token) {
		changed := []byte(token)
		changed[at] ^= 1
		token = string(changed)
	} else {
		r.pass = b
	}
	r.Carrier = one(from, "carrier", "Cookie", "Authorization", "Recess-Pass", "X-Pass")
	r.Carried = map[string]string{"Cookie": "a=b; __Host-recess=" + token, "Authorization": "Recess " + token, "Recess-Pass": token, "X-Pass": token}[r.Carrier]
	if r.Carrier == "X-Pass" {
		r.pass = nil
	}
}

// DrawPolicy draws who is let in.
func DrawPolicy(from Source) recess.Policy {
	p := recess.Policy{
		AllowAnonymous: coin(from, "anonymous"), AllowStaff: coin(from, "allow staff"),
		AllowSuperuser: coin(from, "allow superuser"), AllowRoles: some(from, "allow roles", "ops", "dev"),
		AllowPaths: some(from, "allow paths", "/a", "/a/**", "/b"), AllowHosts: some(from, "allow hosts", "api.example"),
		AllowNetworks: some(from, "allow networks", "10.0.0.0/16", "2001:db8::/32"),
		ControlPath:   one(from, "control", "", "/maintenance"),
		Logout:        recess.Logout{Authenticated: coin(from, "logout"), Staff: one(from, "logout staff", recess.Inherit, recess.Yes, recess.No)},
		Scopes:        map[string][]string{"api": {"/a/**", "host:api.example"}},
	}
	if coin(from, "admin") {
		p.AllowAdminSite = "/admin/"
	}
	if coin(from, "pass keys") {
		p.PassKeys = []string{passKey}
	}
	if coin(from, "key") {
		p.AllowHeaders = map[string]string{"X-Key": secret}
	}
	return p
}

// DrawWindows draws windows that run, are planned, or are over.
func DrawWindows(from Source, now time.Time) []state.Window {
	windows := make([]state.Window, from.Draw("windows", 5))
	for i := range windows {
		w := state.Window{
			ID: fmt.Sprint("w", i), Scope: one(from, "scope", scopes...),
			Mode: one(from, "mode", state.Announce, state.ReadOnly, state.Hold, state.Full),
		}
		if w.Mode == state.Hold {
			w.Hold = one(from, "hold", 0, 5*time.Second, time.Minute)
		}
		start, length := from.Draw("start", 7)-3, from.Draw("length", 4)
		if start != 0 {
			w.Start = now.Add(time.Duration(start) * time.Hour)
		}
		if length != 0 {
			w.End = now.Add(time.Duration(start)*time.Hour + time.Duration(length)*time.Hour + time.Minute)
		}
		if w.Mode == state.Full || w.Mode == state.ReadOnly {
			if share := one(from, "share", 0, 0, -1, 1, 50, 99); share != 0 { // of the ramp this many percent are over
				w.Ramp, w.Start = 1000*time.Second, time.Time{}
				w.End = now.Add(w.Ramp - time.Duration(share)*10*time.Second)
			}
		}
		windows[i] = w
	}
	return windows
}
