package recess

import (
	"context"
	"slices"
	"time"

	"github.com/recess-go/recess/core/state"
)

// Restore writes a state that the backend has lost, such as [Remembered] finds: whatever document is there now, none
// and one that makes no sense included, is replaced by its windows and history, numbered after all that any instance
// knows of, so that the whole fleet follows it. Windows that have ended in the meantime stay ended.
func (c *Controller) Restore(ctx context.Context, lost state.State, reason string) (Change, error) {
	return c.repair(ctx, reason, lost, func(s *state.State, now time.Time) (Change, error) {
		change := swapWindows(s, live(lost.Windows, now))
		s.Passes, s.History, s.Extra = slices.Clone(lost.Passes), slices.Clone(lost.History), lost.Extra
		return change, nil
	})
}

// Reset writes a state without a window, numbered after all that any instance knows of: the whole fleet opens, whatever
// the backend has lost and whatever document is there now. Where the instances cannot be asked, [Change.Unasked] says why.
func (c *Controller) Reset(ctx context.Context, reason string) (Change, error) {
	return c.repair(ctx, reason, state.State{}, func(s *state.State, _ time.Time) (Change, error) {
		return swapWindows(s, nil), nil
	})
}

// repair writes a document anew, after one that is known and after those of the fleet. A backend that keeps no
// instances, or cannot list them, is no hindrance, but the change says so: the epoch is the writer's clock.
func (c *Controller) repair(ctx context.Context, reason string, known state.State, do edit) (Change, error) {
	o := order{action: "repair", reason: reason, do: do, wayOut: true, anew: true, after: numbersOf(known)}
	if c.backend == nil || c.forced != NotForced {
		return c.change(ctx, o) // which says why that cannot be
	}
	fleet, unasked := Fleet(ctx, c.backend)
	if unasked != nil && ctx.Err() != nil {
		return Change{}, unasked
	}
	newest := newestOf(fleet)
	o.after.Epoch, o.after.Revision = max(o.after.Epoch, newest.Epoch), max(o.after.Revision, newest.Revision)
	change, err := c.change(ctx, o)
	if err == nil {
		change.Unasked = unasked
	}
	return change, err
}
