package recess

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/recess-go/recess/core/state"
)

// ErrLeaseLost says that a window is not kept open by its lease any more, or that nobody can tell: it was ended, by its
// instances or by a person, or it could not be renewed in time. Whoever relied on it must stop.
var ErrLeaseLost = errors.New("the lease is lost")

// A holder renews its lease four times in its length, and gives up a quarter before the end: it must have stopped when the
// first instance opens. Instances count from later than it does, from their receipt of a renewal.
const (
	renewEvery  = 4 // of the length, the part after which a lease is renewed
	giveUpAfter = 3 // so many parts without a renewal
)

// Keep renews the lease of a window of [Controller].On until ctx ends, and then returns nil. If the lease is lost it returns
// an error that wraps [ErrLeaseLost] and says why. failing, unless it is nil, is told of each attempt that failed while there is still time.
func (c *Controller) Keep(ctx context.Context, w state.Window, failing func(error)) error {
	if w.Lease == nil {
		return fmt.Errorf("recess: keep: %w: window %s has no lease", ErrInvalidOrder, w.ID)
	}
	part := w.Lease.TTL / renewEvery
	// The instances may have counted since the window was opened.
	renewed := time.Now().Add(-min(max(time.Since(w.OpenedAt), 0), w.Lease.TTL))
	for {
		began := time.Now()
		pause, err := part, c.renew(ctx, w.ID, part)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			renewed = began
		case errors.Is(err, ErrLeaseLost):
			return err
		case time.Since(renewed) >= giveUpAfter*part:
			return fmt.Errorf("recess: %w: it could not be renewed for %s: %w", ErrLeaseLost, time.Since(renewed).Round(time.Second), err)
		default:
			pause = part / 8
			if failing != nil {
				failing(err)
			}
		}
		sleep(ctx, min(pause, time.Until(renewed.Add(giveUpAfter*part))))
	}
}

// renew renews a lease once.
func (c *Controller) renew(ctx context.Context, id string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	_, err := c.retry(ctx, order{action: "renew", quiet: true, do: renewing(id)})
	return err
}

func renewing(id string) edit {
	return func(s *state.State, now time.Time) (Change, error) {
		w, err := leased(s, id, now)
		if err != nil || w.Lease == nil { // without one it lasts anyway
			return Change{}, err
		}
		l := *w.Lease
		l.Renewals++
		w.Lease = &l
		return Change{Updated: []state.Window{*w}}, nil
	}
}

// Unlease takes the lease off a window: it then lasts until somebody ends it, whatever becomes of its holder. It is no error
// if it had none. A window that is over is an error that wraps [ErrLeaseLost]. The reason is for the history.
func (c *Controller) Unlease(ctx context.Context, id, reason string) (Change, error) {
	return c.retry(ctx, order{action: "unlease", reason: reason, do: func(s *state.State, now time.Time) (Change, error) {
		w, err := leased(s, id, now)
		if err != nil || w.Lease == nil {
			return Change{}, err
		}
		w.Lease = nil
		return Change{Updated: []state.Window{*w}}, nil
	}})
}

// leased finds the window of a lease. It is lost when a document says so: one that is not there says nothing.
func leased(s *state.State, id string, now time.Time) (*state.Window, error) {
	i := slices.IndexFunc(s.Windows, func(w state.Window) bool { return w.ID == id })
	switch {
	case i >= 0 && s.Windows[i].Phase(now) != state.Ended:
		return &s.Windows[i], nil
	case i >= 0:
		return nil, fmt.Errorf("%w: window %s has ended at %s", ErrLeaseLost, id, stamp(s.Windows[i].End))
	case !s.Numbered():
		return nil, fmt.Errorf("%w: the document is gone", ErrUnreachable)
	}
	return nil, fmt.Errorf("%w: window %s was ended%s", ErrLeaseLost, id, enders(s, id))
}

// enders says who ended a window, as far as the history tells.
func enders(s *state.State, id string) string {
	for _, entry := range slices.Backward(s.History) {
		if slices.ContainsFunc(entry.Windows, func(text string) bool { return strings.HasPrefix(text, id+":") }) {
			return fmt.Sprintf(", by %q of %s", entry.Action, actorWords(entry.By))
		}
	}
	return ""
}

// keeping is fn with a lease that is renewed while it runs.
func (c *Controller) keeping(w state.Window, fn func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		within, cancel := context.WithCancelCause(ctx)
		var keeper sync.WaitGroup
		defer keeper.Wait()
		defer cancel(nil) // also when fn panics
		var lost error
		keeper.Go(func() {
			if lost = c.Keep(within, w, nil); lost != nil {
				cancel(lost)
			}
		})
		err := fn(within)
		cancel(nil)
		keeper.Wait()
		return errors.Join(err, lost)
	}
}

// A lease is what an engine knows of the lease of a window.
type lease struct {
	window   state.Window
	received time.Time // when its last renewal was seen here
	told     bool      // it was logged that its window cannot be ended
}

// noteLeases takes down when renewals were received. The lock is held.
func (e *Engine) noteLeases(s *state.State) {
	var leases map[string]lease
	for _, w := range s.Windows {
		if w.Lease == nil {
			continue
		}
		l, known := e.leases[w.ID]
		if !known || l.window.Lease.Renewals != w.Lease.Renewals {
			l = lease{received: e.now()}
		}
		l.window = w
		if leases == nil {
			leases = make(map[string]lease)
		}
		leases[w.ID] = l
	}
	e.leases = leases
}

// renewed takes over a state in which leases were renewed. Nothing is compiled for that, and the fleet need not hear of it.
// The lock is held.
func (e *Engine) renewed(s state.State) {
	e.current = s
	e.noteLeases(&s)
}

// lookWithin returns when the follower is to look next at the latest: soon after the next lease is over, and not all
// instances at once. One that is over, and could not be ended, is looked at as often as anything else.
func (e *Engine) lookWithin(interval time.Duration) time.Duration {
	e.mu.Lock()
	defer e.unlock()
	for _, l := range e.leases {
		ttl := l.window.Lease.TTL
		if left := ttl - e.now().Sub(l.received); left > 0 {
			interval = min(interval, left+rand.N(ttl/renewEvery))
		}
	}
	return interval
}

// endLeases ends the windows whose leases were not renewed. The follower asks for it after each look. What counts is the look of the change itself, which begins after the lease is
// over: an instance that was cut off, or frozen, finds the renewals that it has missed.
func (e *Engine) endLeases(ctx context.Context) {
	for _, l := range e.overdue() {
		e.endLease(ctx, l)
	}
}

// overdue returns the leases of which no renewal was seen for their length.
func (e *Engine) overdue() []lease {
	e.mu.Lock()
	defer e.unlock()
	if e.follower.Phase != Valid {
		return nil // what is there is an older state than the one applied: nobody's renewals stand in it
	}
	var over []lease
	for _, l := range e.leases {
		if e.now().Sub(l.received) >= l.window.Lease.TTL {
			over = append(over, l)
		}
	}
	return over
}

func (e *Engine) endLease(ctx context.Context, l lease) {
	ctx, cancel := context.WithTimeout(ctx, e.config.Poll)
	defer cancel()
	w := &l.window
	change, err := e.Control(state.Actor{Name: e.config.Instance, Source: "lease"}).change(ctx, order{
		action: "lease over", reason: fmt.Sprintf("it was not renewed for %s", w.Lease.TTL), do: ending(w),
	})
	log := e.log.With("window", w.ID, "name", w.Name, "scope", w.Scope, "ttl", w.Lease.TTL)
	switch {
	case err == nil && change.Changed():
		log.Warn("a lease was not renewed: its window was ended")
	case err == nil || errors.Is(err, state.ErrConflict) || errors.Is(ctx.Err(), context.Canceled): // others may have ended it
	case errors.Is(err, state.ErrReadOnly):
		if e.lapse(&l) {
			log.Warn("a lease was not renewed: its window is over for this instance, which cannot write the state")
		}
	case e.tellOnce(w.ID):
		log.Warn("a lease was not renewed, and its window cannot be ended: it is tried again", "error", err)
	}
}

// ending is the edit that ends a window whose lease is still the one that was counted.
func ending(overdue *state.Window) edit {
	return func(s *state.State, _ time.Time) (Change, error) {
		i := slices.IndexFunc(s.Windows, sameID(*overdue))
		if i < 0 || s.Windows[i].Lease == nil || s.Windows[i].Lease.Renewals != overdue.Lease.Renewals {
			return Change{}, nil
		}
		ended := s.Windows[i]
		s.Windows = slices.Delete(s.Windows, i, i+1)
		return Change{Ended: []state.Window{ended}}, nil
	}
}

// lapse ends a window for this instance alone, where nobody who can write has done so for as long again. A holder that comes
// back after that has no document to fail on; by its own clock it has given up long before.
func (e *Engine) lapse(l *lease) bool {
	e.mu.Lock()
	defer e.unlock()
	now, known := e.leases[l.window.ID] // it may have been renewed in the meantime
	if !known || e.now().Sub(now.received) < 2*now.window.Lease.TTL {
		return false
	}
	s := e.current.Clone()
	s.Windows = slices.DeleteFunc(s.Windows, sameID(l.window))
	e.adopt(s)
	return true
}

// tellOnce reports whether nothing was said yet about a lease that cannot be ended.
func (e *Engine) tellOnce(id string) bool {
	e.mu.Lock()
	defer e.unlock()
	l, known := e.leases[id]
	if !known || l.told {
		return false
	}
	l.told = true
	e.leases[id] = l
	return true
}
