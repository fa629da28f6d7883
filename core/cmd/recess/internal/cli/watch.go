package cli

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/report"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

// watchPoll is how long to wait between two looks at a backend that can only be polled. One person watches, not a
// fleet: it may be short.
const watchPoll = 2 * time.Second

func (watchCommand) run(ctx context.Context, s *session) error {
	backend, done, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sightings := make(chan sighting)
	go func() {
		defer close(sightings)
		sight(ctx, backend, s.globals.Timeout.Duration, sightings)
	}()
	w := &watcher{session: s, place: s.place()}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case seen, ok := <-sightings:
			if !ok {
				return nil // interrupted: that is how a watch ends
			}
			err = w.see(seen, time.Now())
		case <-timer.C:
			err = w.pass(time.Now())
		}
		if err != nil {
			cancel()
			for range sightings { // until the backend is no longer in use
			}
			return err
		}
		timer.Reset(w.untilNext(time.Now()))
	}
}

// A sighting is the outcome of one look at a backend.
type sighting struct {
	doc       state.Doc
	unchanged bool
	err       error
}

// sight looks at a backend until ctx ends, as the contract of [state.Backend].Next says: each call is a look of its
// own, bounded in time; a backend that can only be polled is asked again after a while, one that fails less and less often.
func sight(ctx context.Context, backend state.Backend, timeout time.Duration, sightings chan<- sighting) {
	since, failures := state.Unseen, 0
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, timeout)
		doc, hint, err := backend.Next(asking, since)
		waited := asking.Err() != nil
		cancel()
		if ctx.Err() != nil {
			return
		}
		wait, seen := time.Duration(0), sighting{doc: doc}
		switch {
		case errors.Is(err, state.ErrUnchanged):
			seen = sighting{unchanged: true}
			failures = 0
			if wait = min(hint, recess.DefaultPoll); wait <= 0 {
				wait = watchPoll
			}
			if waited { // the backend has watched for the whole time: look again now
				wait = 0
			}
		case err != nil:
			seen = sighting{err: err}
			wait = pause(failures)
			failures++
		default:
			since, failures = doc.Rev, 0
		}
		select {
		case sightings <- seen:
		case <-ctx.Done():
			return
		}
		sleep(ctx, wait)
	}
}

// pause is how long to wait after the nth failure in a row: full jitter, from a quarter of a second up to DefaultPoll.
func pause(n int) time.Duration {
	return rand.N(min(recess.DefaultPoll, 250*time.Millisecond<<min(n, 10))) + 50*time.Millisecond
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// A watcher turns sightings and the passing of time into events.
type watcher struct {
	session *session
	place   string

	begun   bool
	current state.State
	newest  state.State // the numbers of the newest numbered document
	at      time.Time   // up to when the passing of time was told
	trouble string      // what is wrong and was told; "" if nothing is
	refused bool        // the trouble is the document itself: that it is unchanged is no recovery
}

// untilNext is how long to wait for the next window to begin or end. The wall clock may be set in the meantime.
func (w *watcher) untilNext(now time.Time) time.Duration {
	next := w.current.NextBoundary(now)
	if next.IsZero() {
		return time.Hour
	}
	return min(next.Sub(now), recess.DefaultPoll)
}

// pass tells what began and ended by the clock since it last looked.
func (w *watcher) pass(now time.Time) error {
	before := w.at
	w.at = now
	for _, window := range w.current.Windows {
		if window.Repeat != nil {
			if err := w.passed(window, before, now); err != nil {
				return err
			}
			continue
		}
		var event string
		switch was, is := window.Phase(before), window.Phase(now); {
		case was >= is: // a clock that is set back tells nothing
			continue
		case is == state.Running:
			event = "started"
		default:
			event = "expired"
		}
		if err := w.tell(report.Event{Event: event, Window: described(window)}, now); err != nil {
			return err
		}
	}
	return nil
}

// passed tells which occurrences of a recurring window ended and began. Of those that nobody was awake for nothing is told.
func (w *watcher) passed(window state.Window, before, now time.Time) error {
	old, current := window.At(before), window.At(now)
	if !before.Before(now) || old.Start.Equal(current.Start) && old.Phase(before) == current.Phase(now) {
		return nil
	}
	if window.Phase(before) == state.Running {
		if err := w.tell(report.Event{Event: "expired", Window: described(old)}, now); err != nil {
			return err
		}
	}
	if window.Phase(now) == state.Running {
		return w.tell(report.Event{Event: "started", Window: described(current)}, now)
	}
	return nil
}

// see tells what a look at the backend shows.
func (w *watcher) see(seen sighting, now time.Time) error {
	if w.begun {
		if err := w.pass(now); err != nil {
			return err
		}
	}
	switch {
	case errors.Is(seen.err, state.ErrClosed):
		return seen.err // it stays closed
	case seen.err != nil:
		return w.suffer("unreachable", seen.err.Error(), false, now)
	case seen.unchanged:
		if w.refused {
			return nil
		}
		return w.recover(now)
	}
	next, err := decode(seen.doc)
	switch {
	case err != nil:
		return w.suffer("invalid", err.Error(), true, now)
	case w.newest.Numbered() && (seen.doc.Rev == state.None || next.Numbered() && next.Older(&w.newest)):
		return w.suffer("lost", "the backend has lost or rolled back the state: the services keep the last one they know", true, now)
	}
	if err := w.recover(now); err != nil {
		return err
	}
	return w.accept(next, seen.doc, now)
}

// suffer tells of a trouble, once.
func (w *watcher) suffer(event, text string, refused bool, now time.Time) error {
	w.refused = refused
	if w.trouble == event {
		return nil
	}
	w.trouble = event
	return w.tell(report.Event{Event: event, Error: w.session.redact(text)}, now)
}

func (w *watcher) recover(now time.Time) error {
	if w.trouble == "" {
		return nil
	}
	w.trouble, w.refused = "", false
	return w.tell(report.Event{Event: "recovered"}, now)
}

func (w *watcher) tell(e report.Event, now time.Time) error {
	e.At, w.session.printer.Now = now.UTC(), now
	status := w.session.statusOf(w.current)
	e.Active, e.Revision = status.Active, status.Revision
	if w.session.globals.JSON {
		return schema.WriteJSON(w.session.Out, e, false)
	}
	return w.session.printer.Event(&e, w.place)
}

func described(w state.Window) *schema.Window {
	window := schema.WindowOf(w)
	return &window
}
