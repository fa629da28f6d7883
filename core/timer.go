package recess

import (
	"slices"
	"time"

	"github.com/recess-go/recess/core/state"
)

// tick runs at the boundaries of windows, and once a second while the prepared answers count down. When an occurrence of a
// recurring window ends, the next one takes its place among the planned.
func (e *Engine) tick() {
	e.mu.Lock()
	defer e.unlock()
	if e.ended {
		return
	}
	now := e.now()
	snap := e.snap.Load()
	if !snap.same(&e.current, now) {
		e.rebuild(now)
		e.hasNews()
		return
	}
	if snap != nil {
		snap.refresh(now)
		snap.moving.Store(now.Before(e.moving))
	}
	e.arm(now)
}

// arm sets the timer to the next instant at which the snapshot must change. Wall clocks are set now and then, forwards
// and back, so as long as any window has a start or an end, or a pass expires, it is looked at once per poll interval at least.
func (e *Engine) arm(now time.Time) {
	if e.ended {
		return
	}
	timed := func(w state.Window) bool { return !w.Start.IsZero() || !w.End.IsZero() || w.Repeat != nil }
	snap := e.snap.Load()
	moving := snap != nil && snap.moving.Load()
	passes := snap.nextExpiry()
	if !slices.ContainsFunc(e.current.Windows, timed) && !moving && passes.IsZero() {
		e.timer.Stop()
		return
	}
	wait := e.config.Poll
	if moving {
		wait = min(wait, e.moving.Sub(now))
	}
	for _, next := range [...]time.Time{e.current.NextBoundary(now), passes} {
		if !next.IsZero() {
			wait = min(wait, next.Sub(now))
		}
	}
	if snap != nil {
		for _, w := range snap.running {
			if w.reopens {
				wait = min(wait, rampEvery(w.Ramp))
			}
			if e.rules.retryAfter > 0 && !w.End.IsZero() {
				wait = min(wait, untilNextSecond(w.End.Sub(now)))
			}
		}
	}
	e.timer.Reset(max(wait, time.Millisecond))
}

// move asks connections to move on for a while, from the beginning of each window that refuses. The lock is held.
func (e *Engine) move(before, snap *snapshot, now time.Time) {
	if snap == nil {
		return
	}
	for _, w := range snap.running {
		if before == nil || !slices.ContainsFunc(before.running, func(b *window) bool { return b.ID == w.ID }) {
			e.moving = now.Add(e.rules.grace)
		}
	}
	snap.moving.Store(now.Before(e.moving))
}

// untilNextSecond is when a countdown in whole seconds changes.
func untilNextSecond(left time.Duration) time.Duration {
	if second := left % time.Second; second > 0 {
		return second
	}
	return time.Second
}
