package recess

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/recess-go/recess/core/state"
)

// A Controller changes the state. It needs no engine: the command line is one. All methods may be called by any
// number of goroutines.
//
// Each change is one compare-and-swap: of two controllers that change the same revision exactly one succeeds, the
// other gets a [ConflictError] that shows the winner's state, and nothing of its own is written.
type Controller struct {
	backend state.Backend
	by      state.Actor
	forced  Force
	engine  *Engine // told at once of every change; nil without one
}

// NewController returns a controller over a backend. by goes into the history; an empty host is filled in. forced is
// [Policy].Force: with a forced mode every change is refused.
func NewController(backend state.Backend, by state.Actor, forced Force) *Controller {
	if by.Host == "" {
		by.Host, _ = os.Hostname() // a history without a host is still a history
	}
	return &Controller{backend: backend, by: by, forced: forced}
}

// Control returns a controller over the engine's backend. No request that begins in this process after a change has
// returned is decided on the state before it.
func (e *Engine) Control(by state.Actor) *Controller {
	c := NewController(e.config.Backend, by, e.config.Policy.Force)
	c.engine = e
	return c
}

var (
	// ErrForced is returned by every change while a forced mode holds.
	ErrForced = errors.New("the mode is forced by configuration (RECESS_MODE, Policy.Force): remove it to change the state")
	// ErrUnreachable is wrapped by errors of a backend that could not be read or written.
	ErrUnreachable = errors.New("the state backend cannot be reached or written")
	// ErrInvalidOrder is wrapped by errors about what a caller asked for; nothing was changed.
	ErrInvalidOrder = errors.New("that cannot be done")
)

// State returns the document as it is now; [state.State.At] fills in when its recurring windows run. A document that makes no sense is an error that wraps [state.ErrInvalid].
func (c *Controller) State(ctx context.Context) (state.State, error) {
	loaded, err := c.load(ctx)
	if err != nil {
		return state.State{}, err
	}
	return loaded.state, loaded.broken
}

// On opens the scope's own window, or a named one, or updates it if it runs. Saying the same again changes nothing.
func (c *Controller) On(ctx context.Context, o Opening) (Change, error) {
	return c.change(ctx, order{action: "on", reason: o.Reason, do: o.apply})
}

// Schedule plans a further window. It needs a start and an end, or a recurrence: the same recurrence for the same scope and
// name again changes the window that is there, and is no error. An occurrence that would run already does not begin.
func (c *Controller) Schedule(ctx context.Context, o Opening) (Change, error) {
	return c.change(ctx, order{action: "schedule", reason: o.Reason, do: o.schedule})
}

// Off ends the scope's running windows and cancels its planned ones; with a name, only the windows of that name. Of a
// recurring window it ends the occurrence that runs, and the window stays planned: [Change.Recurring] has these. Without
// scope and name it is also the way out: a document that makes no sense is set aside and replaced by an empty one, and
// where there is none, as after a store was lost, an empty one is written for the services that remember an older one.
func (c *Controller) Off(ctx context.Context, o Ending) (Change, error) {
	return c.change(ctx, order{action: "off", reason: o.Reason, do: o.apply, wayOut: o.Scope == "" && o.Name == ""})
}

// Cancel removes planned windows by id, or all of them if none is given. A running window is ended by Off. Cancel opens
// nothing: where an occurrence of a recurring window runs, the recurrence is removed (Change.Ended), and what runs goes on
// to its end, as a window that runs once (Change.Updated).
func (c *Controller) Cancel(ctx context.Context, ids ...string) (Change, error) {
	return c.change(ctx, order{action: "cancel", do: cancelling(ids)})
}

// loaded is a document as it was read, to be changed and saved.
type loaded struct {
	doc    state.Doc
	state  state.State
	broken error // the document makes no sense
}

func (c *Controller) load(ctx context.Context) (loaded, error) {
	switch {
	case c.backend != nil:
	case c.forced == NotForced:
		return loaded{}, errors.New("recess: the controller has no backend")
	default: // a forced mode goes without one
		return loaded{state: standIn(forcedID, c.forced == ForcedOn)}, nil
	}
	doc, err := state.Read(ctx, c.backend)
	if err != nil {
		return loaded{}, fmt.Errorf("recess: %w: %w", ErrUnreachable, err)
	}
	s, err := decodeDoc(doc)
	if err != nil {
		s = state.State{Version: state.Version}
	}
	return loaded{doc: doc, state: s, broken: err}, nil
}

// An edit changes the windows of a state in place and says what it did.
type edit func(s *state.State, now time.Time) (Change, error)

// An order is an edit with what goes into the history about it.
type order struct {
	action string // as the history names it
	reason string
	do     edit
	quiet  bool        // it is no change of the site: the document keeps its revision, and its history says nothing
	wayOut bool        // it may also replace a document that makes no sense, and start one where there is none
	anew   bool        // it writes even if no window changes
	after  state.State // numbers that the document must come after, beside those that this process has seen
}

// change loads, edits and saves. It is one attempt, but for leases: that one was renewed in the meantime is nobody's change.
func (c *Controller) change(ctx context.Context, o order) (change Change, err error) {
	for range attempts {
		change, err = c.attempt(ctx, o)
		var lost *ConflictError
		if !errors.As(err, &lost) || !state.Renewed(&change.Before, &lost.Current) {
			break
		}
	}
	return change, err
}

// attempt is one attempt at a change.
func (c *Controller) attempt(ctx context.Context, o order) (Change, error) {
	if c.forced != NotForced {
		return Change{}, fmt.Errorf("recess: %s: %w", o.action, ErrForced)
	}
	from, err := c.load(ctx)
	if err != nil {
		return Change{}, err
	}
	if from.broken != nil && !o.wayOut {
		return Change{}, fmt.Errorf("recess: %s: %w; a plain \"off\", without scope and name, sets it aside and starts anew", o.action, from.broken)
	}
	now := time.Now()
	after := from.state.Clone()
	change, err := o.do(&after, now)
	if err != nil {
		return Change{}, fmt.Errorf("recess: %s: %w", o.action, err)
	}
	if from.broken != nil {
		if change.Salvaged, err = c.salvage(ctx, from.doc); err != nil {
			return Change{}, err
		}
	}
	change.Started = o.wayOut && (from.doc.Rev == state.None || c.behind(&from.state))
	change.Anew = o.anew
	change.Before, change.After = from.state, from.state
	if !change.Changed() {
		if c.engine != nil && from.broken == nil {
			c.engine.apply(from)
		}
		return change, nil
	}
	c.sign(&after, &change, utc(now))
	after.Passes = after.LivePasses(now)
	change.resolve(now)
	if !o.quiet {
		entry := state.Entry{At: utc(now), By: c.by, Action: o.action, Reason: o.reason, Windows: change.words()}
		if from.broken != nil && change.Salvaged == inHistory {
			entry.Replaced = excerpt(from.doc.Data)
		}
		c.number(&after, &o.after, now)
		entry.Revision = after.Revision
		after.History = append(after.History, entry)
	}
	change.After, err = c.save(ctx, from.doc.Rev, after)
	if change.Started && !change.Anew && len(change.Ended) == 0 && errors.Is(err, state.ErrReadOnly) {
		change.Started, change.After = false, from.state // off it is, and nothing can be written here
		return change, nil
	}
	change.settle()
	return change, err
}

// behind reports whether this process's engine has seen a newer document than the one that is there now.
func (c *Controller) behind(s *state.State) bool {
	if c.engine == nil {
		return false
	}
	newest := c.engine.newestSeen()
	return newest.Numbered() && s.Older(&newest)
}

// sign notes on the windows of a change who opened them. One that is put back keeps its first opener.
func (c *Controller) sign(s *state.State, change *Change, now time.Time) {
	for i := range change.Opened {
		w := &change.Opened[i]
		if w.OpenedAt.IsZero() {
			w.OpenedBy, w.OpenedAt = c.by, now
		}
		s.Windows[slices.IndexFunc(s.Windows, sameID(*w))] = *w
	}
}

// inHistory is where a broken document is kept by a backend that has no better place.
const inHistory = "the history"

func (c *Controller) salvage(ctx context.Context, doc state.Doc) (string, error) {
	s, ok := state.As[state.Salvager](c.backend)
	if !ok {
		return inHistory, nil
	}
	where, err := s.Salvage(ctx, doc)
	if err != nil {
		return "", fmt.Errorf("recess: off: the broken document could not be kept, so it was not replaced: %w", err)
	}
	return where, nil
}

// excerpt keeps the beginning of a broken document in a form that a document can hold.
func excerpt(data []byte) string {
	const limit = 1024
	if len(data) > limit {
		data = data[:limit]
	}
	return fmt.Sprintf("%q", data)
}

// number gives an edited state its place in the order of revisions: after all that this process has seen, and, since
// the epoch is the writer's clock, after all that others have seen of a store that has lost or rolled back since.
func (c *Controller) number(s, after *state.State, now time.Time) {
	var newest state.State
	if c.engine != nil {
		newest = c.engine.newestSeen()
	}
	s.Epoch = max(s.Epoch, after.Epoch, newest.Epoch, now.UnixMilli())
	s.Revision = max(s.Revision, after.Revision, newest.Revision) + 1
}

// save writes a state, reads it back and tells the engine, so that the caller is told what holds.
func (c *Controller) save(ctx context.Context, old state.Rev, s state.State) (state.State, error) {
	data, err := state.Encode(s)
	if err != nil {
		return s, fmt.Errorf("recess: %w: %w", ErrInvalidOrder, err)
	}
	saved, err := c.backend.Save(ctx, old, data)
	switch {
	case errors.Is(err, state.ErrConflict):
		winner, errLoad := c.load(ctx)
		if errLoad != nil {
			return s, errors.Join(fmt.Errorf("recess: %w", err), errLoad)
		}
		return s, &ConflictError{Current: winner.state}
	case errors.Is(err, state.ErrReadOnly), errors.Is(err, state.ErrInexpressible):
		return s, fmt.Errorf("recess: %w", err)
	case err != nil:
		return s, fmt.Errorf("recess: %w: %w", ErrUnreachable, err)
	}
	// Some backends keep less than they were given (Django's file): what holds is what is read back. A look that fails
	// changes nothing about what was saved.
	kept, err := c.load(ctx)
	if err != nil {
		kept = loaded{doc: state.Doc{Rev: saved, Data: data}, state: s}
	}
	if c.engine != nil {
		c.engine.apply(kept)
	}
	if kept.doc.Rev != saved {
		return s, nil // somebody else has written since: theirs is not this change
	}
	return kept.state, nil
}

// apply takes a state over from this process's own controller, without waiting for the follower.
func (e *Engine) apply(l loaded) {
	e.mu.Lock()
	defer e.unlock()
	if l.broken != nil || e.regressed(l.doc, &l.state) {
		return // somebody else wrote in the meantime: the follower will judge
	}
	e.writes++
	e.seen = l.doc.Rev
	e.accept(l.doc, l.state)
	e.interrupt() // the follower may be waiting for a change from something else
}

func (e *Engine) newestSeen() state.State {
	e.mu.Lock()
	defer e.unlock()
	return e.newest
}
