package recess

import (
	"cmp"
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
	ErrUnreachable = errors.New("the state backend cannot be reached")
	// ErrInvalidOrder is wrapped by errors about what a caller asked for; nothing was changed.
	ErrInvalidOrder = errors.New("that cannot be done")
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
	Opened, Updated, Ended []state.Window
	// Salvaged says where the broken document was kept that this change repaired; "" if it was not broken.
	Salvaged string
}

// Changed reports whether something was written.
func (c *Change) Changed() bool {
	return len(c.Opened)+len(c.Updated)+len(c.Ended) > 0 || c.Salvaged != ""
}

// State returns the document as it is now. A document that makes no sense is an error that wraps [state.ErrInvalid].
func (c *Controller) State(ctx context.Context) (state.State, error) {
	loaded, err := c.load(ctx)
	if err != nil {
		return state.State{}, err
	}
	return loaded.state, loaded.broken
}

// On opens the scope's own window, or a named one, or updates it if it runs. Saying the same again changes nothing.
func (c *Controller) On(ctx context.Context, o Opening) (Change, error) {
	return c.change(ctx, "on", o.Reason, o.apply)
}

// Schedule plans a further window. It needs a start and an end.
func (c *Controller) Schedule(ctx context.Context, o Opening) (Change, error) {
	return c.change(ctx, "schedule", o.Reason, o.schedule)
}

// Off ends the scope's running windows and cancels its planned ones; with a name, only the windows of that name. Over
// a document that makes no sense it is the way out: the document is set aside and replaced by an empty one.
func (c *Controller) Off(ctx context.Context, o Ending) (Change, error) {
	return c.change(ctx, "off", o.Reason, o.apply)
}

// Cancel removes planned windows by id, or all of them if none is given. A running window is ended by Off.
func (c *Controller) Cancel(ctx context.Context, ids ...string) (Change, error) {
	return c.change(ctx, "cancel", "", cancelling(ids))
}

// loaded is a document as it was read, to be changed and saved.
type loaded struct {
	doc    state.Doc
	state  state.State
	broken error // the document makes no sense
}

func (c *Controller) load(ctx context.Context) (loaded, error) {
	if c.backend == nil { // which only a forced mode goes without
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

// change loads, edits and saves: one attempt.
func (c *Controller) change(ctx context.Context, action, reason string, do edit) (Change, error) {
	if c.forced != NotForced {
		return Change{}, fmt.Errorf("recess: %s: %w", action, ErrForced)
	}
	from, err := c.load(ctx)
	if err != nil {
		return Change{}, err
	}
	if from.broken != nil && action != "off" {
		return Change{}, fmt.Errorf("recess: %s: %w; \"off\" sets it aside and starts anew", action, from.broken)
	}
	now := time.Now()
	after := from.state.Clone()
	change, err := do(&after, now)
	if err != nil {
		return Change{}, fmt.Errorf("recess: %s: %w", action, err)
	}
	if from.broken != nil {
		if change.Salvaged, err = c.salvage(ctx, from.doc); err != nil {
			return Change{}, err
		}
	}
	change.Before, change.After = from.state, from.state
	if !change.Changed() {
		return change, nil
	}
	c.sign(&after, &change, utc(now))
	entry := state.Entry{At: utc(now), By: c.by, Action: action, Reason: reason, Windows: change.words()}
	if from.broken != nil && change.Salvaged == inHistory {
		entry.Replaced = excerpt(from.doc.Data)
	}
	c.number(&after, now)
	entry.Revision = after.Revision
	after.History = append(after.History, entry)
	change.After, err = c.save(ctx, from.doc.Rev, after)
	return change, err
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
	s, ok := c.backend.(state.Salvager)
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

// number gives an edited state its place in the order of revisions. A new line of revisions begins where none is
// known, and where the store has lost or rolled back what this process has already seen.
func (c *Controller) number(s *state.State, now time.Time) {
	var newest state.State
	if c.engine != nil {
		newest = c.engine.newestSeen()
	}
	if !s.Numbered() || newest.Numbered() && s.Older(&newest) {
		s.Epoch = max(now.UnixMilli(), newest.Epoch+1, s.Epoch+1)
		s.Revision = 0
	}
	s.Revision++
}

// save writes a state, reads it back and tells the engine, so that the caller is told what holds.
func (c *Controller) save(ctx context.Context, old state.Rev, s state.State) (state.State, error) {
	data, err := state.Encode(s)
	if err != nil {
		return s, fmt.Errorf("recess: %w: %w", ErrInvalidOrder, err)
	}
	_, err = c.backend.Save(ctx, old, data)
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
	// Some backends keep less than they were given (Django's file): what holds is what is read back.
	kept, err := c.load(ctx)
	if err != nil {
		return s, fmt.Errorf("recess: the change was saved, but could not be read back: %w", err)
	}
	if c.engine != nil {
		c.engine.apply(kept)
	}
	return kept.state, nil
}

// apply takes a state over from this process's own controller, without waiting for the follower.
func (e *Engine) apply(l loaded) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l.broken != nil || e.regressed(l.doc, &l.state) {
		return // somebody else wrote in the meantime: the follower will judge
	}
	e.writes++
	e.seen = l.doc.Rev
	e.accept(l.doc, l.state)
}

func (e *Engine) newestSeen() state.State {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.newest
}
