package state_test

import (
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

func TestARenewalIsAllThatDiffers(t *testing.T) {
	leased := func(renewals int64) state.Window {
		return state.Window{ID: "a", Mode: state.Full, Lease: &state.Lease{TTL: time.Minute, Renewals: renewals}}
	}
	plain := state.Window{ID: "b", Mode: state.Full}
	at := func(revision int64, windows ...state.Window) state.State {
		return state.State{Version: state.Version, Epoch: revision, Revision: revision, Windows: windows}
	}
	bare := leased(1)
	bare.Lease = nil
	for _, c := range []struct {
		name          string
		before, after state.State
		want          bool
	}{
		{"renewed", at(1, plain, leased(0)), at(1, plain, leased(1)), true},
		{"taken back", at(1, leased(2)), at(1, leased(1)), true},
		{"nothing differs", at(1, leased(1)), at(1, leased(1)), false},
		{"edited by hand, without a lease", at(1, plain), at(1, state.Window{ID: "b", Mode: state.ReadOnly}), false},
		{"another revision", at(1, leased(0)), at(2, leased(1)), false},
		{"another epoch", at(1, leased(0)), state.State{Epoch: 2, Revision: 1, Windows: []state.Window{leased(1)}}, false},
		{"a window more", at(1, leased(0)), at(1, leased(1), plain), false},
		{"another window", at(1, leased(0), plain), at(1, leased(1), state.Window{ID: "c"}), false},
		{"the lease was taken off", at(1, leased(0)), at(1, bare), false},
		{"written by hand: each different text is a change", at(0, leased(0)), at(0, leased(1)), false},
	} {
		if got := state.Renewed(&c.before, &c.after); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestALeaseInWords(t *testing.T) {
	for renewals, want := range map[int64]string{0: "1m, not renewed yet", 1: "1m, renewed once", 2: "1m, renewed 2 times"} {
		if got := (&state.Lease{TTL: time.Minute, Renewals: renewals}).String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
