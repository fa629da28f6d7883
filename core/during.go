package recess

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/recess-go/recess/core/state"
)

const (
	// restoreTimeout bounds the way back of During, whose own context may have ended.
	restoreTimeout = 10 * time.Second
	// attempts bounds how often somebody else may be first.
	attempts = 20
)

// During runs fn while a window is open, and then restores what was there before: also when fn panics, when the
// context is cancelled, and in nested use. What others changed in the meantime is theirs and stays: During takes back
// only the window that it opened. It is django-maintenance-mode's context manager and decorator.
//
// The window is a hold of its own, beside whatever runs already, also beside another of its name: two processes that
// run the same migration each have one. An empty Name is filled in where the backend can keep names.
//
// With a Lease the window outlives this process by no more than that. It is renewed while fn runs; if it is lost, fn's context
// ends with [ErrLeaseLost] as its cause, and the error wraps it: what fn did since may have met requests.
func (c *Controller) During(ctx context.Context, o Opening, fn func(context.Context) error) error {
	o.Start, o.End = utc(o.Start), utc(o.End)
	named := o.window()
	if o.Name == "" {
		named.Name = "during-" + strings.ToLower(rand.Text()[:10])
	}
	begin := order{action: "during", reason: o.Reason, do: o.hold(named)}
	change, err := c.retry(ctx, begin)
	if o.Name == "" && errors.Is(err, state.ErrInexpressible) {
		begin.do = o.hold(o.window())
		change, err = c.retry(ctx, begin)
	}
	if o.Lease > 0 && err == nil {
		fn = c.keeping(change.Opened[0], fn)
	}
	return c.during(ctx, begin, change, err, fn)
}

// DuringOff runs fn while nothing is open that the Ending names, and then puts back the windows that it ended.
func (c *Controller) DuringOff(ctx context.Context, o Ending, fn func(context.Context) error) error {
	begin := order{action: "during off", reason: o.Reason, do: o.apply}
	change, err := c.retry(ctx, begin)
	return c.during(ctx, begin, change, err, fn)
}

// during runs fn after a change was made, or failed, and takes the change back. A change that failed because the backend
// could not be reached may have been saved all the same, so it is taken back too.
func (c *Controller) during(ctx context.Context, begun order, change Change, failed error, fn func(context.Context) error) (err error) {
	if failed != nil && !errors.Is(failed, ErrUnreachable) {
		return failed
	}
	if change.Changed() {
		defer func() {
			back, cancel := context.WithTimeout(context.WithoutCancel(ctx), restoreTimeout)
			defer cancel()
			end := order{action: begun.action + " (over)", reason: begun.reason, do: restoring(change)}
			if _, errBack := c.retry(back, end); errBack != nil {
				err = errors.Join(err, fmt.Errorf("recess: what was there before could not be restored: %w", errBack))
			}
		}()
	}
	if failed != nil {
		return failed
	}
	return fn(ctx)
}

// retry repeats a change that needs no look at what others did.
func (c *Controller) retry(ctx context.Context, o order) (change Change, err error) {
	for range attempts {
		change, err = c.change(ctx, o)
		if !errors.Is(err, state.ErrConflict) {
			return change, err
		}
	}
	return change, err
}

// restoring is the edit that undoes a change: exactly, if nothing has happened since; else its own part of it.
func restoring(did Change) edit {
	return func(s *state.State, now time.Time) (Change, error) {
		untouched := numbersEqual(s, &did.After) && slices.EqualFunc(s.Windows, did.After.Windows, identical)
		if untouched {
			return swapWindows(s, live(did.Before.Windows, now)), nil
		}
		windows := live(s.Windows, now)
		resume(windows, &did)
		for _, w := range did.Opened {
			windows = slices.DeleteFunc(windows, func(there state.Window) bool { return there.ID == w.ID })
		}
		for _, w := range live(did.Ended, now) {
			comesAgain := slices.ContainsFunc(did.Recurring, sameID(w)) // if it is gone, somebody has cancelled it
			if !comesAgain && !slices.ContainsFunc(windows, sameID(w)) {
				windows = append(windows, w)
			}
		}
		return swapWindows(s, windows), nil
	}
}

// swapWindows replaces the windows of a state and says what that changes.
func swapWindows(s *state.State, windows []state.Window) Change {
	var change Change
	for k, w := range windows {
		switch i := slices.IndexFunc(s.Windows, sameID(w)); {
		case i < 0:
			change.Opened = append(change.Opened, w)
		case !identical(s.Windows[i], w):
			change.Updated = append(change.Updated, w)
		default:
			windows[k] = s.Windows[i] // its lease may have been renewed
		}
	}
	for _, w := range s.Windows {
		if !slices.ContainsFunc(windows, sameID(w)) {
			change.Ended = append(change.Ended, w)
		}
	}
	s.Windows = windows
	return change
}

func sameID(w state.Window) func(state.Window) bool {
	return func(other state.Window) bool { return other.ID == w.ID }
}

func identical(a, b state.Window) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Scope == b.Scope && sameWindow(&a, &b)
}
