package state

import (
	"fmt"
	"time"
)

// MaxRamp bounds [Window].Ramp.
const MaxRamp = 24 * time.Hour

// Reopening reports whether the window lets in a share of the visitors at an instant: it runs, and its ramp has begun.
func (w *Window) Reopening(now time.Time) bool {
	at := w.At(now)
	return at.Ramp > 0 && at.phase(now) == Running && !now.Before(at.End.Add(-at.Ramp))
}

// Share returns which share of the visitors the window lets in at an instant, from 0 to 1: none before its ramp begins, and
// from then on a share that grows by the same amount in every second, up to all at the end.
func (w *Window) Share(now time.Time) float64 {
	if !w.Reopening(now) {
		return 0
	}
	at := w.At(now)
	return 1 - float64(at.End.Sub(now))/float64(at.Ramp)
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
