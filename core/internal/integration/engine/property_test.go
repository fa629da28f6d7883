package engine

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/oracle"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
	"pgregory.net/rapid"
)

// request puts a drawn request to the engine.
type request struct {
	*oracle.Request
	loggedOut bool
}

func (r *request) Method() string        { return r.Request.Method }
func (r *request) Host() string          { return r.Request.Host }
func (r *request) Path() string          { return r.Request.Path }
func (r *request) Route() string         { return "" }
func (r *request) Marker() recess.Marker { return r.Request.Marker }
func (r *request) User() recess.User     { return r.Request.User }
func (r *request) Logout() error         { r.loggedOut = true; return nil }

func (r *request) Peer() netip.AddrPort {
	return netip.MustParseAddrPort(net.JoinHostPort(r.Request.Peer, "1"))
}

func (r *request) Header(name string) string {
	switch name {
	case "X-Key":
		return r.Secret
	case r.Carrier:
		return r.Carried
	}
	return ""
}

// rapidly draws what rapid wants, which looks for the smallest example of what fails.
type rapidly struct{ *rapid.T }

func (t rapidly) Draw(label string, n int) int { return rapid.IntRange(0, n-1).Draw(t.T, label) }

// TestDecisionsFollowTheirDefinition compares the engine with the definition, written down a second time without any
// of its cleverness, for drawn policies, states and requests. The same is asked of every adapter by its suite.
func TestDecisionsFollowTheirDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, from := time.Now(), rapidly{t}
		policy, windows := oracle.DrawPolicy(from), oracle.DrawWindows(from, now)
		issued, written, err := oracle.DrawPasses(from, now)
		if err != nil {
			t.Fatal(err)
		}
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
			r := &request{Request: oracle.DrawRequest(from, issued)}
			ticket := engine.Begin()
			d := ticket.Evaluate(r)
			again := ticket.Evaluate(r)
			ticket.End()
			if d.Refuse != again.Refuse || d.Reason != again.Reason || d.Rule != again.Rule || d.Window != again.Window {
				t.Fatalf("the same request, decided twice: %+v and %+v", d, again)
			}
			check(t, policy, windows, r, oracle.Decide(policy, windows, r.Request, now, false), d)
		}
	})
}

func check(t *rapid.T, policy recess.Policy, windows []state.Window, r *request, want oracle.Verdict, d recess.Decision) {
	if want.Unsure {
		return
	}
	if d.Refuse != want.Refuse || d.Reason != want.Reason || d.Hold != want.Hold || r.loggedOut != want.LoggedOut {
		t.Fatalf("%+v\nunder %+v\nwith %+v:\ngot refuse=%v %s (waits %v, logged out %v), want %+v",
			r.Request, policy, windows, d.Refuse, d.Reason, d.Hold, r.loggedOut, want)
	}
	if !d.Refuse && want.Covered && d.Rule == "" {
		t.Fatalf("passed without a rule: %+v", d)
	}
}
