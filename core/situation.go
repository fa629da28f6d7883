package recess

import (
	"context"
	"fmt"
	"time"

	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
)

// Situation is what an engine knows at one moment.
type Situation struct {
	// Running and Planned are the windows in these phases, in the state's order. A forced mode and a closed
	// fallback are windows of their own, with the ids "forced" and "fallback".
	Running, Planned []state.Window
	// Follower says how much that is worth.
	Follower FollowerStatus
}

// Active reports whether some window refuses something: announcements do not count.
func (s *Situation) Active() bool { return s.primary() != nil }

// primary is the refusing window that a summary names: one over the whole site before one over a scope, then the
// stronger, then the one that ends last.
func (s *Situation) primary() *state.Window {
	var first *state.Window
	for i := range s.Running {
		w := &s.Running[i]
		if w.Mode != state.Announce && (first == nil || outranks(w, first)) {
			first = w
		}
	}
	return first
}

func outranks(a, b *state.Window) bool {
	switch {
	case (a.Scope == "") != (b.Scope == ""):
		return a.Scope == ""
	case a.Mode != b.Mode:
		return a.Mode.Strength() > b.Mode.Strength()
	case a.End.IsZero() != b.End.IsZero():
		return a.End.IsZero()
	}
	return a.End.After(b.End)
}

// Situation returns what the engine knows now.
func (e *Engine) Situation() Situation {
	e.mu.Lock()
	defer e.unlock()
	return e.situation()
}

func (e *Engine) situation() Situation {
	now := e.now()
	s := Situation{
		Running: e.current.In(state.Running, now), Planned: e.current.In(state.Planned, now), Follower: e.follower,
	}
	s.Follower.Epoch, s.Follower.Revision = e.current.Epoch, e.current.Revision
	return s
}

// Subscribe calls notify after every change: of the windows, by a new state or because the time has come for one, and
// of the follower's phase. Calls come one at a time from a goroutine of their own; changes that happen while notify
// runs are summed up in one call with the newest situation. A panic in notify is logged. The function returned ends
// the subscription, also from notify itself; a call that is under way may still be running when it returns. Close waits
// for all of them.
func (e *Engine) Subscribe(notify func(before, after Situation)) (cancel func()) {
	ctx, stop := context.WithCancel(context.Background())
	s := &subscriber{notify: notify, cancel: stop, wake: make(chan struct{}, 1)}
	e.mu.Lock()
	defer e.unlock()
	if e.ended {
		stop()
		return stop
	}
	s.last = e.situation()
	e.subscribers[s] = true
	e.stopped.Go(func() { s.run(ctx, e) })
	return func() {
		stop()
		e.mu.Lock()
		defer e.unlock()
		delete(e.subscribers, s)
	}
}

type subscriber struct {
	notify func(before, after Situation)
	cancel context.CancelFunc
	wake   chan struct{}
	last   Situation
}

func (s *subscriber) run(ctx context.Context, e *Engine) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		if ctx.Err() != nil {
			return // both were ready
		}
		after := e.Situation()
		s.call(e, after)
		s.last = after
	}
}

func (s *subscriber) call(e *Engine, after Situation) {
	defer func() {
		if v := recover(); v != nil {
			e.log.Error("a subscriber panicked", "error", fmt.Sprint(v))
		}
	}()
	s.notify(s.last, after)
}

// publish wakes the subscribers. The lock is held.
func (e *Engine) publish() {
	for s := range e.subscribers {
		select {
		case s.wake <- struct{}{}:
		default: // it is already told, and will read the newest situation
		}
	}
}

// PublicStatus is what anybody may know: the body of the status endpoint. Times are RFC 3339 in UTC, null when not known.
type PublicStatus struct {
	Active     bool           `json:"active"` // some window refuses something
	Mode       string         `json:"mode"`   // of the window that the other fields describe; "" when none runs
	Scope      string         `json:"scope"`  // "" is the whole site
	Message    string         `json:"message"`
	StartsAt   *time.Time     `json:"starts_at"`
	EndsAt     *time.Time     `json:"ends_at"`
	RetryAfter *int           `json:"retry_after"` // seconds
	Planned    []PublicWindow `json:"planned"`
	Follower   PublicFollower `json:"follower"`
}

// PublicWindow is a planned window as anybody may know it.
type PublicWindow struct {
	Mode     string     `json:"mode"`
	Scope    string     `json:"scope"`
	Message  string     `json:"message"`
	StartsAt *time.Time `json:"starts_at"`
	EndsAt   *time.Time `json:"ends_at"`
}

// PublicFollower says how much the status is worth, without the words of an error.
type PublicFollower struct {
	Status FollowerPhase `json:"status"`
	Since  time.Time     `json:"since"`
}

// PublicStatus returns the status that anybody may know: no reasons, no names, no addresses, no errors.
func (e *Engine) PublicStatus() PublicStatus {
	s := e.Situation()
	p := PublicStatus{Planned: []PublicWindow{}, Follower: PublicFollower{s.Follower.Phase, s.Follower.Since.UTC()}}
	w := s.primary()
	p.Active = w != nil
	if w == nil && len(s.Running) > 0 {
		w = &s.Running[0] // an announcement
	}
	if w != nil {
		p.Mode, p.Scope, p.Message = string(w.Mode), w.Scope, w.Messages[""]
		p.StartsAt, p.EndsAt = instant(w.Start), instant(w.End)
	}
	if p.Active {
		compiled := window{Window: *w, reopens: w.Reopening(e.now())}
		if seconds := int((compiled.retryAfter(e.rules, e.now()) + time.Second - 1) / time.Second); seconds > 0 {
			p.RetryAfter = &seconds
		}
	}
	for _, w := range s.Planned {
		p.Planned = append(p.Planned, PublicWindow{string(w.Mode), w.Scope, w.Messages[""], instant(w.Start), instant(w.End)})
	}
	return p
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// StatusAnswer is the answer of the status endpoint, the same in every adapter: always 200, never cached.
func (e *Engine) StatusAnswer() *page.Answer { return jsonAnswer(200, e.PublicStatus()) }
