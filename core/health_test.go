package recess

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

func TestProbesAreToldWhatThePolicySays(t *testing.T) {
	running := func(scope string, mode state.Mode) Opening { return Opening{Scope: scope, Mode: mode} }
	for name, c := range map[string]struct {
		policy   Policy
		open     []Opening
		unready  bool // while Policy.Readiness is ReadyWhileOpen; it is ready by default
		starts   bool // the window is planned
		fallback bool // the state was never known
	}{
		"nothing runs":                     {},
		"the whole site is closed":         {open: []Opening{running("", state.Full)}, unready: true},
		"requests are held":                {open: []Opening{running("", state.Hold)}, unready: true},
		"the site is read-only":            {open: []Opening{running("", state.ReadOnly)}},
		"something is announced":           {open: []Opening{running("", state.Announce)}},
		"a part is closed":                 {open: []Opening{running("checkout", state.Full)}},
		"a part is closed, and all is too": {open: []Opening{running("checkout", state.Full), running("", state.Full)}, unready: true},
		"it is planned":                    {open: []Opening{running("", state.Full)}, starts: true},
		"the policy only reports":          {policy: Policy{ReportOnly: true}, open: []Opening{running("", state.Full)}},
		"it is forced on":                  {policy: Policy{Force: ForcedOn}, unready: true},
		"it is forced off":                 {policy: Policy{Force: ForcedOff}},
		"the fallback is closed":           {policy: Policy{Fallback: FallbackClosed}, fallback: true, unready: true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, readiness := range []Readiness{ReadyAlways, ReadyWhileOpen} {
				backend := state.Backend(memstate.New(memstate.Config{}))
				for _, o := range c.open {
					if c.starts {
						o.Start = time.Now().Add(time.Hour)
					}
					if _, err := NewController(backend, state.Actor{}, NotForced).On(t.Context(), o); err != nil {
						t.Fatal(err)
					}
				}
				wait := DefaultStartWait
				if c.fallback {
					wait = time.Millisecond
					backend.Close()
				}
				c.policy.Readiness = readiness
				c.policy.Scopes = map[string][]string{"checkout": {"/checkout"}}
				e, err := New(t.Context(), Config{Backend: backend, Policy: c.policy, StartWait: wait})
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				live, ready := e.LiveAnswer(), e.ReadyAnswer()
				if live.Status != 200 || string(live.Body) != string(ready.Body) {
					t.Errorf("live: %d %s, ready: %d %s", live.Status, live.Body, ready.Status, ready.Body)
				}
				want := 200
				if c.unready && readiness == ReadyWhileOpen {
					want = 503
				}
				var says health
				if err := json.Unmarshal(ready.Body, &says); err != nil || !says.Live || says.Ready != (want == 200) || says.Reason == "" {
					t.Errorf("the body is %s, %v", ready.Body, err)
				}
				if ready.Status != want {
					t.Errorf("readiness %d: %d %s, want %d", readiness, ready.Status, ready.Body, want)
				}
			}
		})
	}
}
