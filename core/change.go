package recess

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/recess-go/recess/core/state"
)

// A ConflictError says that somebody else changed the state first. It wraps [state.ErrConflict].
type ConflictError struct {
	Current state.State // what the winner left
}

func (e *ConflictError) Error() string {
	text := fmt.Sprintf("recess: somebody else changed the state first: it is now at revision %d", e.Current.Revision)
	if n := len(e.Current.History); n > 0 {
		last := e.Current.History[n-1]
		text += fmt.Sprintf(", by %q of %s", last.Action, actorWords(last.By))
	}
	return text + "; nothing of yours was written: look at it and try again"
}

// Unwrap returns [state.ErrConflict].
func (e *ConflictError) Unwrap() error { return state.ErrConflict }

func actorWords(a state.Actor) string {
	return cmp.Or(a.Name, "somebody") + "@" + cmp.Or(a.Host, "somewhere")
}

// A Change is what a controller did.
type Change struct {
	Before, After state.State
	// Opened, Updated and Ended are the windows concerned, as they are after the change; Ended also has planned
	// windows that were cancelled. All are empty when there was nothing to do, and then nothing was written.
	// Recurring windows stand here with the occurrence that runs or comes next; in Before and After they have none, see
	// [state.State.At].
	Opened, Updated, Ended []state.Window
	// Passes are those that were made, used or revoked, as they are or were then.
	Passes []state.Pass
	// Recurring are the windows in Ended of which Off has ended only the occurrence that ran: they stay planned, and stand
	// here with the next one.
	Recurring []state.Window
	// Started is true when there was no document and Off wrote one: services that remember an older one follow it.
	Started bool
	// Anew is true when the document was written anew by a repair, whether or not a window changed.
	Anew bool
	// Unasked is why a repair could not ask the instances how far they are (ErrNoPresence where the backend keeps none). Its
	// document is then numbered by the writer's clock alone: an instance that has seen a later one does not follow it.
	Unasked error
	// Salvaged says where the broken document was kept that this change repaired; "" if it was not broken.
	Salvaged string
}

// Changed reports whether something was written.
func (c *Change) Changed() bool {
	return len(c.Opened)+len(c.Updated)+len(c.Ended)+len(c.Passes) > 0 || c.Started || c.Anew || c.Salvaged != ""
}

// resolve gives the recurring windows of a change their occurrences at an instant.
func (c *Change) resolve(now time.Time) {
	for _, windows := range [...][]state.Window{c.Opened, c.Updated, c.Ended, c.Recurring} {
		for i := range windows {
			windows[i] = windows[i].At(now)
		}
	}
}

// settle names windows as the backend keeps them: one that has no place for ids gives its own.
func (c *Change) settle() {
	for _, windows := range [...][]state.Window{c.Opened, c.Updated} {
		for i := range windows {
			if !slices.ContainsFunc(c.After.Windows, sameID(windows[i])) && len(c.After.Windows) == 1 {
				windows[i] = c.After.Windows[0]
			}
		}
	}
}

// words describes the windows and passes of a change for the history.
func (c *Change) words() []string {
	words := []string{}
	for _, windows := range [...][]state.Window{c.Opened, c.Updated, c.Ended} {
		for i := range windows {
			words = append(words, windows[i].ID+": "+describeWindow(&windows[i]))
		}
	}
	for i := range c.Passes {
		words = append(words, c.Passes[i].ID+": "+describePass(&c.Passes[i]))
	}
	return words
}
