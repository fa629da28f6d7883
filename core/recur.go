package recess

import (
	"fmt"
	"strings"
	"time"

	"github.com/recess-go/recess/core/state"
)

// recur is the edit of [Controller].Schedule for a window that recurs. The same times for the same scope and name are the
// same window: what the order says is changed, and what it does not say stays.
func (o Opening) recur(s *state.State, now time.Time) (Change, error) {
	if !o.Start.IsZero() || !o.End.IsZero() || o.NoEnd {
		return Change{}, fmt.Errorf("%w: a window that recurs has no start and no end of its own: its recurrence says when it runs", ErrInvalidOrder)
	}
	r := *o.Repeat
	r.Cron, r.After = strings.Join(strings.Fields(r.Cron), " "), utc(r.After)
	o.Repeat = &r
	if err := o.checkWindow(); err != nil {
		return Change{}, err
	}
	if distance := r.Distance(); r.For > distance {
		return Change{}, fmt.Errorf("%w: each lasts %s, and the next begins %s after it at times: the site would not open in between", ErrInvalidOrder, r.For, distance)
	}
	s.Windows = live(s.Windows, now)
	for i := range s.Windows {
		w := &s.Windows[i]
		if w.Scope != o.Scope || w.Name != o.Name || w.Repeat == nil || !w.Repeat.Same(&r) {
			continue
		}
		before := *w
		merged := *w.Repeat
		merged.For = r.For
		if r.After.After(merged.After) {
			merged.After = r.After
		}
		o.update(w)
		w.Repeat = &merged
		if sameWindow(&before, w) {
			return Change{}, nil
		}
		return Change{Updated: []state.Window{*w}}, nil
	}
	if !r.After.After(now) {
		r.After = utc(now) // what would run already is not planned: "on" begins now
	}
	w := o.window()
	s.Windows = append(s.Windows, w)
	return Change{Opened: []state.Window{w}}, nil
}

// endOccurrence is a recurring window without the occurrence that runs. Its start says which one that is, on every clock.
func endOccurrence(w state.Window, now time.Time) state.Window {
	r := *w.Repeat
	r.After = w.At(now).Start
	w.Repeat = &r
	return w.At(now)
}

// sameRepeat compares what is written of two recurrences.
func sameRepeat(a, b *state.Repeat) bool {
	return a.Cron == b.Cron && a.Zone == b.Zone && a.For == b.For && a.After.Equal(b.After)
}

// resume takes back that occurrences of recurring windows were ended, where nothing else has changed about that since.
func resume(windows []state.Window, did *Change) {
	for _, ended := range did.Ended {
		for _, left := range did.Recurring {
			for i := range windows {
				w := &windows[i]
				if w.ID == ended.ID && left.ID == ended.ID && w.Repeat != nil && w.Repeat.After.Equal(left.Repeat.After) {
					r := *w.Repeat
					r.After = ended.Repeat.After
					w.Repeat = &r
				}
			}
		}
	}
}
