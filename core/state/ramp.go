package state

import (
	"fmt"
	"time"
)

// MaxRamp bounds [Window].Ramp.
const MaxRamp = 24 * time.Hour

// Reopening reports whether the window lets in a share of the visitors at an instant: it runs, and its ramp has begun.
func (w *Window) Reopening(now time.Time) bool {
	_, reopening := w.ramp(now)
	return reopening
}

// Share returns which share of the visitors the window lets in at an instant, from 0 to 1: none before its ramp begins, and
// from then on a share that grows by the same amount in every second, up to all at the end.
func (w *Window) Share(now time.Time) float64 {
	end, reopening := w.ramp(now)
	if !reopening {
		return 0
	}
	return 1 - float64(end.Sub(now))/float64(w.Ramp)
}

// ramp reports whether the window's ramp runs at an instant, and when it is over. A window without one is not asked when it
// recurs.
func (w *Window) ramp(now time.Time) (end time.Time, runs bool) {
	if w.Ramp == 0 {
		return time.Time{}, false
	}
	at := w.At(now)
	return at.End, at.phase(now) == Running && !now.Before(at.End.Add(-at.Ramp))
}

func (w *Window) checkRamp() error {
	switch {
	case w.Ramp == 0:
		return nil
	case w.Ramp < 0 || w.Ramp > MaxRamp || w.Ramp%time.Second != 0:
		return fmt.Errorf("ramp: %s: use whole seconds, at most %s", w.Ramp, MaxRamp)
	case w.Mode != Full && w.Mode != ReadOnly:
		return fmt.Errorf("ramp: a window of mode %s cannot reopen by degrees: only one of mode full or readonly can", w.Mode)
	case w.Repeat != nil && w.Ramp > w.Repeat.For:
		return fmt.Errorf("ramp: %s is longer than the window, %s", w.Ramp, w.Repeat.For)
	case w.Repeat != nil:
		return nil
	case w.End.IsZero():
		return fmt.Errorf("ramp: a window that reopens by degrees needs an end")
	case !w.Start.IsZero() && w.Ramp > w.End.Sub(w.Start):
		return fmt.Errorf("ramp: %s is longer than the window, %s", w.Ramp, w.End.Sub(w.Start))
	}
	return nil
}
