package state_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

func TestAWindowRunsFromItsStartUpToItsEnd(t *testing.T) {
	start, end, never := noon, noon.Add(time.Hour), time.Time{}
	tokyo := time.FixedZone("", 9*3600)
	for _, c := range []struct {
		name            string
		start, end, now time.Time
		want            state.Phase
	}{
		{"long before", start, end, start.AddDate(-50, 0, 0), state.Planned},
		{"a nanosecond before the start", start, end, start.Add(-1), state.Planned},
		{"at the start", start, end, start, state.Running},
		{"at the start, by another zone", start, end, start.In(tokyo), state.Running},
		{"a nanosecond after the start", start, end, start.Add(1), state.Running},
		{"a nanosecond before the end", start, end, end.Add(-1), state.Running},
		{"at the end", start, end, end, state.Ended},
		{"at the end, by another zone", start, end, end.In(tokyo), state.Ended},
		{"long after", start, end, end.AddDate(50, 0, 0), state.Ended},
		{"without a start, whatever the clock says", never, end, time.Unix(0, 0), state.Running},
		{"without a start, at the end", never, end, end, state.Ended},
		{"without an end", start, never, start.AddDate(7000, 0, 0), state.Running},
		{"without an end, before the start", start, never, start.Add(-1), state.Planned},
		{"without either", never, never, never, state.Running},
	} {
		w := state.Window{Start: c.start, End: c.end}
		if got := w.Phase(c.now); got != c.want {
			t.Errorf("%s: phase %d, want %d", c.name, got, c.want)
		}
	}
}

func TestWindowsByPhaseAndTheNextBoundary(t *testing.T) {
	s := state.State{Windows: []state.Window{
		{ID: "ended", End: noon.Add(-time.Hour)},
		{ID: "planned", Start: noon.Add(2 * time.Hour), End: noon.Add(3 * time.Hour)},
		{ID: "open"},
		{ID: "reopening", Start: noon.Add(-time.Hour), End: noon.Add(90 * time.Minute), Ramp: time.Hour},
		{ID: "running", Start: noon, End: noon.Add(time.Hour)},
	}}
	for phase, want := range map[state.Phase]string{state.Ended: "ended", state.Planned: "planned", state.Running: "open reopening running"} {
		var ids []string
		for _, w := range s.In(phase, noon) {
			ids = append(ids, w.ID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("in phase %d: %q, want %q", phase, got, want)
		}
	}
	at := time.Time{}
	for _, want := range []time.Duration{-time.Hour, 0, 30 * time.Minute, time.Hour, 90 * time.Minute, 2 * time.Hour, 3 * time.Hour} {
		if at = s.NextBoundary(at); !at.Equal(noon.Add(want)) {
			t.Fatalf("the next boundary is %v, want %v", at, noon.Add(want))
		}
	}
	if at = s.NextBoundary(at); !at.IsZero() {
		t.Errorf("after the last boundary comes %v", at)
	}
}

func TestEpochsOrderBeforeRevisions(t *testing.T) {
	order := []state.State{{}, {Epoch: 1, Revision: 1}, {Epoch: 1, Revision: 9}, {Epoch: 2, Revision: 1}}
	for i := range order {
		for j := range order {
			if got := order[i].Older(&order[j]); got != (i < j) {
				t.Errorf("%+v older than %+v: %v", order[i], order[j], got)
			}
		}
	}
	if order[0].Numbered() || !order[1].Numbered() {
		t.Error("a state is numbered from revision 1 on, and not before")
	}
}

func TestACloneIsNotChangedThroughTheOriginal(t *testing.T) {
	s := full()
	c := s.Clone()
	s.Windows[0].ID, s.History[0].Action = "other", "other"
	if c.Windows[0].ID != "w1" || c.History[0].Action != "on" {
		t.Error("the clone shares its windows or its history")
	}
}

func TestNewIDsAreValidAndDiffer(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		id := state.NewID()
		s := state.Switched(true, time.Time{}, time.Time{})
		s.Windows[0].ID = id
		if err := s.Validate(); err != nil || seen[id] {
			t.Fatalf("id %q: seen before: %v, %v", id, seen[id], err)
		}
		seen[id] = true
	}
}

func TestModes(t *testing.T) {
	for i, m := range state.Modes {
		if got, err := state.ParseMode(strings.ToUpper(string(m))); err != nil || got != m {
			t.Errorf("ParseMode(%q) = %q, %v", m, got, err)
		}
		if m.Strength() != i {
			t.Errorf("strength of %s: %d, want %d", m, m.Strength(), i)
		}
	}
	if _, err := state.ParseMode(strings.Repeat("x", 9999)); err == nil || len(err.Error()) > 200 {
		t.Errorf("an unknown mode: %v", err)
	}
	if state.Mode("later").Strength() != state.Full.Strength() {
		t.Error("an unknown mode is not as strong as full")
	}
	methods := []string{"GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "get", "", "PROPFIND"}
	for mode, refused := range map[state.Mode][]string{
		state.Announce: nil, state.ReadOnly: methods[4:], state.Hold: methods, state.Full: methods, "later": methods,
	} {
		for _, method := range methods {
			if got, want := mode.Refuses(method), slices.Contains(refused, method); got != want {
				t.Errorf("%s refuses %q: %v, want %v", mode, method, got, want)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"a", "0", "checkout", "eu.west-1_b", strings.Repeat("x", 64)} {
		if err := state.CheckName("scope", name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "A", ".a", "-a", "_a", "a b", "ä", "a/b", "a\n", "a\x00", strings.Repeat("x", 65)} {
		if err := state.CheckName("scope", name); err == nil || !strings.HasPrefix(err.Error(), "scope: ") {
			t.Errorf("the name %q: %v", name, err)
		}
	}
}

func TestTexts(t *testing.T) {
	for _, text := range []string{"", "a\nb\tc", "Zurück um 10 Uhr", "\u202e", strings.Repeat("x", 10)} {
		if err := state.CheckText("reason", text, 20); err != nil {
			t.Error(err)
		}
	}
	for _, text := range []string{strings.Repeat("x", 21), "\x00", "\r", "\x1b", "\x7f", "\u0085", "\u009b", "\xff"} {
		if err := state.CheckText("reason", text, 20); err == nil || !strings.HasPrefix(err.Error(), "reason: ") {
			t.Errorf("the text %q: %v", text, err)
		}
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	s := state.State{Version: 3, Epoch: -1, Windows: []state.Window{{ID: "a b", Mode: "x", Scope: "/"}, {ID: "ok", Mode: state.Full, Messages: map[string]string{"d_e": "\x00"}}}}
	err := s.Validate()
	if err == nil {
		t.Fatal("no fault was found")
	}
	for _, says := range []string{"version: 3", "epoch: -1", `windows[0]: id: "a b"`, `mode: "x"`, `scope: "/"`, "windows[1]: messages", "U+0000"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%q is missing in: %v", says, err)
		}
	}
}

func TestSentinelsDiffer(t *testing.T) {
	all := []error{state.ErrUnchanged, state.ErrConflict, state.ErrReadOnly, state.ErrInexpressible, state.ErrClosed, state.ErrInvalid}
	for i, a := range all {
		for j, b := range all {
			if errors.Is(a, b) != (i == j) {
				t.Errorf("%v is %v", a, b)
			}
		}
	}
}
