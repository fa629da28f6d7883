package state

import (
	"crypto/rand"
	"encoding/json"
	"slices"
	"time"
)

// Version is the schema version that this package writes, and the only one it reads so far.
const Version = 1

// A State is the document: everything that an instance must know to decide.
type State struct {
	// Version is the schema version, [Version]. Another one is refused by name.
	Version int
	// Epoch orders documents of a store that has lost or rolled back some: the Unix time in milliseconds of the writer
	// at the last change, never less than before. 0 belongs to Revision 0.
	Epoch int64
	// Revision counts the changes from 1. 0 means unnumbered: the document was written by hand or by
	// Django, and each different text is simply the newest.
	Revision int64
	// Windows are the running and the planned ones, and those that ended since the last change.
	Windows []Window
	// Passes let single persons in while windows run, at most [MaxPasses].
	Passes []Pass
	// History is what was changed lately, oldest first, at most [MaxHistory] entries.
	History []Entry
	// Extra holds members that a newer Recess wrote and this one does not know. They are written back untouched.
	Extra map[string]json.RawMessage
}

// A Window is one period of maintenance.
type Window struct {
	// ID is unique in the document: 1 to 64 letters, digits, '-' or '_'.
	ID string
	// Name makes the window a named hold, ended only by its name or with its whole scope. "" is the scope's own window.
	Name string
	// Scope is the named part of the site that is closed. "" is the whole site.
	Scope string
	// Mode is what the window does while it runs.
	Mode Mode
	// Start is the first instant of the window. Zero: it has begun, whatever a clock says.
	Start time.Time
	// End is the first instant after the window: it runs in [Start, End). Zero: until it is ended.
	End time.Time
	// Hold is how long a window of mode [Hold] keeps one request waiting at most, in whole seconds, up to [MaxHold]. Zero
	// is [DefaultHold]; of other modes it is zero.
	Hold time.Duration
	// Ramp is for how long before its End the window lets in a growing share of the visitors, in whole seconds, up to
	// [MaxRamp]: see [Window.Share]. Zero: all come in at the End.
	Ramp time.Duration
	// Lease makes the window last only while its holder renews it; nil for one that needs no holder.
	Lease *Lease
	// Repeat makes the window recur; nil for one that runs once. Start and End of a recurring window are those of one
	// occurrence, filled in by [Window.At], and zero in a document.
	Repeat *Repeat
	// Messages is the operator's word to visitors, by BCP 47 language tag; "" is the one for everybody else.
	Messages map[string]string
	// Reason is for the team: it is never shown to visitors.
	Reason string
	// OpenedBy and OpenedAt say who opened the window, and when by that writer's clock.
	OpenedBy Actor
	OpenedAt time.Time
	// Extra holds members that a newer Recess wrote; see [State.Extra].
	Extra map[string]json.RawMessage
}

// An Actor is who made a change.
type Actor struct {
	Name   string `json:"name,omitempty"`   // the person or service
	Host   string `json:"host,omitempty"`   // the machine it acted on
	Source string `json:"source,omitempty"` // by which way: "cli", "go", "panel", "api"
}

// An Entry is one change in the history.
type Entry struct {
	Revision int64     `json:"revision"`
	At       time.Time `json:"at,omitzero"`      // by the writer's clock
	By       Actor     `json:"by,omitzero"`      // who
	Action   string    `json:"action"`           // "on", "off", "schedule", "cancel", "pass", "repair", …
	Windows  []string  `json:"windows"`          // the windows and passes concerned, in words a person reads
	Reason   string    `json:"reason,omitempty"` // as given with the change
	// Replaced is the beginning of a document that made no sense and was overwritten by this change.
	Replaced string `json:"replaced,omitempty"`
}

// A Phase says where an instant lies in relation to a window.
type Phase int

// The phases of a window, in the order in which it passes through them.
const (
	Planned Phase = iota
	Running
	Ended
)

// Phase returns the window's phase at an instant: a window runs in [Start, End). A recurring one is planned whenever it
// does not run, whatever its Start and End are.
func (w *Window) Phase(now time.Time) Phase {
	if w.Repeat != nil {
		at := w.At(now)
		return at.phase(now)
	}
	return w.phase(now)
}

// phase is Phase of a window as it is at this instant.
func (w *Window) phase(now time.Time) Phase {
	switch {
	case !w.End.IsZero() && !now.Before(w.End):
		return Ended
	case now.Before(w.Start):
		return Planned
	default:
		return Running
	}
}

// DefaultHold and MaxHold are how long a request is held at most, if the window does not say and if it does.
const (
	DefaultHold = 20 * time.Second
	MaxHold     = 5 * time.Minute
)

// HoldFor returns how long the window keeps one request waiting at most.
func (w *Window) HoldFor() time.Duration {
	if w.Hold == 0 {
		return DefaultHold
	}
	return w.Hold
}

// Numbered reports whether the document carries a revision: see [State.Revision].
func (s *State) Numbered() bool { return s.Revision > 0 }

// Older reports whether s comes before other in the order of epochs and revisions.
func (s *State) Older(other *State) bool {
	if s.Epoch != other.Epoch {
		return s.Epoch < other.Epoch
	}
	return s.Revision < other.Revision
}

// In returns the windows that are in the given phase at an instant, as they are then ([Window.At]), in the document's
// order.
func (s *State) In(phase Phase, now time.Time) []Window {
	var in []Window
	for i := range s.Windows {
		if w := s.Windows[i].At(now); w.phase(now) == phase {
			in = append(in, w)
		}
	}
	return in
}

// NextBoundary returns the first instant after now at which some window begins, begins to reopen or ends; zero if there is
// none.
func (s *State) NextBoundary(now time.Time) time.Time {
	var next time.Time
	for i := range s.Windows {
		w := s.Windows[i].At(now)
		boundaries := [3]time.Time{w.Start, w.End}
		if w.Ramp > 0 && !w.End.IsZero() {
			boundaries[2] = w.End.Add(-w.Ramp)
		}
		for _, at := range boundaries {
			if at.After(now) && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
	}
	return next
}

// Clone returns a copy that shares nothing that is changed in place by this package or its callers.
func (s *State) Clone() State {
	c := *s
	c.Windows = slices.Clone(s.Windows)
	c.Passes = slices.Clone(s.Passes)
	c.History = slices.Clone(s.History)
	return c
}

// NewID returns a fresh window id: 80 random bits, in letters and digits that are hard to mistake.
func NewID() string { return "w" + rand.Text()[:16] }
