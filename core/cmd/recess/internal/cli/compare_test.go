package cli

import (
	"testing"
	"time"

	"github.com/recess-go/recess/core/cmd/recess/internal/report"
	"github.com/recess-go/recess/core/state"
)

func TestAChangeIsSignedWhereItIsTheNextOne(t *testing.T) {
	const before, revision = 100, 7
	for _, c := range []struct {
		name            string
		epoch, revision int64
		history         int64 // the revision of the last entry
		signed          bool
	}{
		{"the next revision in the same epoch", before, revision + 1, revision + 1, true},
		{"the next revision in a later epoch, as epochs grow with each change", before + 1000, revision + 1, revision + 1, true},
		{"the first revision of a store that was emptied", before + 1000, 1, 1, true},
		{"two revisions on", before + 1000, revision + 2, revision + 2, false},
		{"the same revision in a later epoch", before + 1000, revision, revision, false},
		{"an earlier epoch", before - 1, revision + 1, revision + 1, false},
		{"a history that is about another change", before, revision + 1, revision, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := report.Event{Event: "opened"}
			sign(&e, &state.State{Epoch: before, Revision: revision}, &state.State{
				Epoch: c.epoch, Revision: c.revision,
				History: []state.Entry{{Revision: c.history, Action: "on", By: state.Actor{Name: "alice"}}},
			})
			if got := e.By != nil && e.By.Name == "alice" && e.Action == "on"; got != c.signed {
				t.Errorf("signed: %v, want %v", got, c.signed)
			}
		})
	}
}

// TestARenewalIsNoEvent: while a lease is renewed, whoever watches has nothing to see.
func TestARenewalIsNoEvent(t *testing.T) {
	leased := func(ttl time.Duration, renewals int64) *state.State {
		return &state.State{Windows: []state.Window{{ID: "w", Mode: state.Full, Lease: &state.Lease{TTL: ttl, Renewals: renewals}}}}
	}
	before := leased(time.Minute, 1)
	if events := differences(before, leased(time.Minute, 2), time.Now()); len(events) != 0 {
		t.Errorf("a renewal: %+v", events)
	}
	if events := differences(before, leased(time.Hour, 1), time.Now()); len(events) != 1 || events[0].Event != "updated" {
		t.Errorf("another length: %+v", events)
	}
	taken := leased(time.Minute, 1)
	taken.Windows[0].Lease = nil
	if events := differences(before, taken, time.Now()); len(events) != 1 || events[0].Event != "updated" {
		t.Errorf("taken off: %+v", events)
	}
	if before.Windows[0].Lease.Renewals != 1 {
		t.Error("the comparison changed what it compares")
	}
}
