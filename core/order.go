package recess

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/recess-go/recess/core/state"
)

// An Opening says which window to open, or how to change it. The zero Opening closes the whole site from now on until
// somebody ends it.
type Opening struct {
	// Scope is the part of the site; "" is all of it.
	Scope string
	// Name opens a further window beside the scope's own, a named hold: the site reopens when the last one ends.
	Name string
	// Mode is Full by default, or state.Hold if Hold is set. For a running window "" leaves it as it is.
	Mode state.Mode
	// Hold is how long a window of mode state.Hold keeps one request waiting at most: whole seconds, up to state.MaxHold;
	// state.DefaultHold if it is zero.
	Hold time.Duration
	// Start is when the window begins; zero is now, by nobody's clock. End is when it ends; zero leaves it open,
	// and a running window's end as it is.
	Start, End time.Time
	// NoEnd takes the end from a running window.
	NoEnd bool
	// Messages are the words to visitors by language tag, "" for everybody else. For a running window they are
	// added to those it has; an empty text removes one.
	Messages map[string]string
	// Lease makes the window last only while its holder renews it: whole seconds, from state.MinLease to state.MaxLease. The
	// window is always one of its own that begins now; [Controller].Keep renews it, and During does so by itself.
	Lease time.Duration
	// Repeat makes the window recur, for Schedule alone. Start and End are then zero: Repeat says when it runs.
	Repeat *state.Repeat
	// Reason is for the team and the history.
	Reason string
}

// An Ending says which windows to end.
type Ending struct {
	Scope  string // the part of the site; "" is the whole site's own windows, not those of its scopes
	Name   string // only the windows of this name; "" is all of the scope's
	Reason string // for the history
	// Ramp reopens by degrees: the running windows let in a growing share of the visitors, and end when it is over, or at
	// their own end if that comes first. Whole seconds, up to state.MaxRamp. Windows that only announce or hold, and planned
	// ones, are ended at once; one that reopens already goes on as it does.
	Ramp time.Duration
}

// apply is the edit of [Controller].On.
func (o Opening) apply(s *state.State, now time.Time) (Change, error) {
	o.Start, o.End = utc(o.Start), utc(o.End)
	if err := o.check(now); err != nil {
		return Change{}, err
	}
	s.Windows = live(s.Windows, now)
	for i := range s.Windows {
		w := &s.Windows[i]
		if w.Scope != o.Scope || w.Name != o.Name || w.Repeat != nil || !o.means(w, now) {
			continue
		}
		if o.Lease != 0 {
			return Change{}, fmt.Errorf("%w: window %s runs already, and a lease is for a window of its own: give it another name", ErrInvalidOrder, w.ID)
		}
		before := *w
		if w.Reopening(now) { // it closes again
			w.Ramp, w.End = 0, time.Time{}
		}
		o.update(w)
		if sameWindow(&before, w) {
			return Change{}, nil
		}
		if !w.End.IsZero() && !w.Start.Before(w.End) {
			return Change{}, fmt.Errorf("%w: the end %s is not after the window's start %s", ErrInvalidOrder, stamp(w.End), stamp(w.Start))
		}
		return Change{Updated: []state.Window{*w}}, nil
	}
	w := o.window()
	s.Windows = append(s.Windows, w)
	return Change{Opened: []state.Window{w}}, nil
}

// hold is the edit of [Controller].During: always a window of its own, also beside one of its name.
func (o Opening) hold(w state.Window) edit {
	return func(s *state.State, now time.Time) (Change, error) {
		if err := o.check(now); err != nil {
			return Change{}, err
		}
		s.Windows = append(live(s.Windows, now), w)
		return Change{Opened: []state.Window{w}}, nil
	}
}

// schedule is the edit of [Controller].Schedule.
func (o Opening) schedule(s *state.State, now time.Time) (Change, error) {
	if o.Repeat != nil {
		return o.recur(s, now)
	}
	o.Start, o.End = utc(o.Start), utc(o.End)
	if err := o.check(now); err != nil {
		return Change{}, err
	}
	switch {
	case o.Start.IsZero():
		return Change{}, fmt.Errorf("%w: a planned window needs a start", ErrInvalidOrder)
	case o.End.IsZero():
		return Change{}, fmt.Errorf("%w: a planned window needs an end", ErrInvalidOrder)
	case !o.Start.After(now):
		return Change{}, fmt.Errorf("%w: the start %s is in the past: use \"on\" to begin now", ErrInvalidOrder, stamp(o.Start))
	}
	s.Windows = live(s.Windows, now)
	for i := range s.Windows {
		w := &s.Windows[i]
		if w.Scope == o.Scope && w.Name == o.Name && w.Repeat == nil && w.Start.Equal(o.Start) && w.End.Equal(o.End) && w.Mode == o.mode() {
			return Change{}, fmt.Errorf("%w: this window is planned already, as %s", ErrInvalidOrder, w.ID)
		}
	}
	w := o.window()
	s.Windows = append(s.Windows, w)
	return Change{Opened: []state.Window{w}}, nil
}

// check finds what makes no sense whatever the state is.
func (o Opening) check(now time.Time) error {
	switch {
	case !o.End.IsZero() && !o.End.After(now):
		return fmt.Errorf("%w: the end %s is in the past", ErrInvalidOrder, stamp(o.End))
	case !o.End.IsZero() && !o.Start.Before(o.End):
		return fmt.Errorf("%w: the start %s is not before the end %s", ErrInvalidOrder, stamp(o.Start), stamp(o.End))
	case !o.End.IsZero() && o.NoEnd:
		return fmt.Errorf("%w: an end and no end", ErrInvalidOrder)
	case o.Repeat != nil:
		return fmt.Errorf("%w: a window that recurs is planned, by \"schedule\"", ErrInvalidOrder)
	case o.Lease != 0 && o.Start.After(now):
		return fmt.Errorf("%w: a lease is for a window that begins now: nobody holds a planned one", ErrInvalidOrder)
	}
	return o.checkWindow()
}

// checkWindow finds what no document may hold.
func (o Opening) checkWindow() error {
	probe := state.State{Version: state.Version, Windows: []state.Window{o.window()}}
	if err := probe.Validate(); err != nil {
		return fmt.Errorf("%w: %s", ErrInvalidOrder, strings.ReplaceAll(err.Error(), "windows[0]: ", ""))
	}
	return nil
}

// means reports whether the order is about this window: the one that runs, or the one planned for the same start.
func (o Opening) means(w *state.Window, now time.Time) bool {
	if o.Start.After(now) {
		return w.Start.Equal(o.Start)
	}
	return w.Phase(now) == state.Running
}

func (o Opening) mode() state.Mode {
	switch {
	case o.Mode != "":
		return o.Mode
	case o.Hold != 0:
		return state.Hold
	}
	return state.Full
}

// window makes the window that is opened.
func (o Opening) window() state.Window {
	w := state.Window{
		ID: state.NewID(), Name: o.Name, Scope: o.Scope, Mode: o.mode(), Start: o.Start, End: o.End, Hold: o.Hold, Repeat: o.Repeat,
		Reason: o.Reason,
	}
	if o.Lease != 0 {
		w.Lease = &state.Lease{TTL: o.Lease}
	}
	o.addMessages(&w)
	return w
}

// update changes a window that is there; what the order does not say stays.
func (o Opening) update(w *state.Window) {
	if o.Mode != "" || o.Hold != 0 {
		w.Mode = o.mode()
	}
	switch {
	case w.Mode != state.Hold:
		w.Hold = 0
	case o.Hold != 0:
		w.Hold = o.Hold
	}
	if !o.Start.IsZero() {
		w.Start = o.Start
	}
	if !o.End.IsZero() {
		w.End = o.End
	}
	if o.NoEnd {
		w.End = time.Time{}
	}
	if o.Reason != "" {
		w.Reason = o.Reason
	}
	o.addMessages(w)
}

func (o Opening) addMessages(w *state.Window) {
	if len(o.Messages) == 0 {
		return
	}
	all := maps.Clone(w.Messages)
	if all == nil {
		all = make(map[string]string)
	}
	maps.Copy(all, o.Messages)
	maps.DeleteFunc(all, func(_, text string) bool { return text == "" })
	w.Messages = all
}

// sameWindow compares what is written of two windows but for who they are: of recurring ones no start and no end.
func sameWindow(a, b *state.Window) bool {
	sameTimes := a.Start.Equal(b.Start) && a.End.Equal(b.End)
	if a.Repeat != nil && b.Repeat != nil {
		sameTimes = sameRepeat(a.Repeat, b.Repeat)
	}
	return a.Mode == b.Mode && (a.Repeat == nil) == (b.Repeat == nil) && sameTimes && a.Hold == b.Hold && a.Ramp == b.Ramp &&
		sameLease(a.Lease, b.Lease) && a.Reason == b.Reason && maps.Equal(a.Messages, b.Messages)
}

// sameLease compares leases but for how often they were renewed.
func sameLease(a, b *state.Lease) bool {
	return a == b || a != nil && b != nil && a.TTL == b.TTL
}

// apply is the edit of [Controller].Off.
func (o Ending) apply(s *state.State, now time.Time) (Change, error) {
	if o.Ramp < 0 || o.Ramp > state.MaxRamp || o.Ramp%time.Second != 0 {
		return Change{}, fmt.Errorf("%w: a ramp of %s: use whole seconds, at most %s", ErrInvalidOrder, o.Ramp, state.MaxRamp)
	}
	var change Change
	var kept []state.Window
	for _, w := range live(s.Windows, now) {
		switch {
		case w.Scope != o.Scope || o.Name != "" && w.Name != o.Name:
			kept = append(kept, w)
		case o.Ramp > 0 && w.Reopening(now):
			kept = append(kept, w)
		case o.Ramp > 0 && w.Repeat == nil && rampable(&w, now):
			w = ramped(w, o.Ramp, now)
			change.Updated = append(change.Updated, w)
			kept = append(kept, w)
		case w.Repeat == nil:
			change.Ended = append(change.Ended, w)
		case w.Phase(now) == state.Running:
			change.Ended = append(change.Ended, w.At(now))
			w = endOccurrence(w, now)
			change.Recurring = append(change.Recurring, w)
			kept = append(kept, w)
			if last := change.Ended[len(change.Ended)-1]; o.Ramp > 0 && rampable(&last, now) {
				last.ID, last.Repeat = state.NewID(), nil
				last = ramped(last, o.Ramp, now)
				change.Opened, kept = append(change.Opened, last), append(kept, last)
			}
		default: // it stays planned
			kept = append(kept, w)
		}
	}
	s.Windows = kept
	return change, nil
}

// rampable reports whether a window can reopen by degrees: it refuses visitors now, and does not only keep them waiting.
func rampable(w *state.Window, now time.Time) bool {
	return w.Phase(now) == state.Running && (w.Mode == state.Full || w.Mode == state.ReadOnly)
}

// ramped is a window that reopens from now on, and is over with its ramp, or at its own end if that comes first.
func ramped(w state.Window, ramp time.Duration, now time.Time) state.Window {
	now = utc(now)
	if left := w.End.Sub(now).Truncate(time.Second); !w.End.IsZero() && left < ramp {
		ramp = max(left, time.Second)
	}
	w.End, w.Ramp, w.Lease = now.Add(ramp), ramp, nil
	return w
}

// cancelling is the edit of [Controller].Cancel.
func cancelling(ids []string) edit {
	return func(s *state.State, now time.Time) (Change, error) {
		var kept, ended, updated []state.Window
		for _, w := range live(s.Windows, now) {
			planned := w.Phase(now) == state.Planned
			switch named := slices.Contains(ids, w.ID); {
			case w.Repeat != nil && !planned && (named || len(ids) == 0):
				ended = append(ended, endOccurrence(w, now))
				once := w.At(now)
				once.Repeat = nil
				kept, updated = append(kept, once), append(updated, once)
			case named && !planned:
				return Change{}, fmt.Errorf("%w: window %s already runs: end it with \"off\"", ErrInvalidOrder, w.ID)
			case planned && (named || len(ids) == 0):
				ended = append(ended, w)
			default:
				kept = append(kept, w)
			}
		}
		for _, id := range ids {
			if !slices.ContainsFunc(ended, func(w state.Window) bool { return w.ID == id }) {
				return Change{}, fmt.Errorf("%w: no planned window has the id %q", ErrInvalidOrder, id)
			}
		}
		s.Windows = kept
		return Change{Updated: updated, Ended: ended}, nil
	}
}

// live drops the windows that are over.
func live(windows []state.Window, now time.Time) []state.Window {
	var kept []state.Window
	for _, w := range windows {
		if w.Phase(now) != state.Ended {
			kept = append(kept, w)
		}
	}
	return kept
}

func stamp(t time.Time) string { return t.Format(time.RFC3339) }

// utc keeps instants as they are written: in UTC, to the millisecond, without a monotonic reading.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Millisecond)
}
