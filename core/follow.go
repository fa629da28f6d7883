package recess

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/recess-go/recess/core/state"
)

// FollowerPhase says how much the state an engine decides on is worth.
type FollowerPhase string

// The phases of a follower.
const (
	Initializing FollowerPhase = "initializing" // nothing is known yet
	Valid        FollowerPhase = "valid"        // the last look at the backend succeeded
	Stale        FollowerPhase = "stale"        // the last known state is kept, since the last look failed
	Failed       FollowerPhase = "failed"       // nothing was ever known: the fallback counts
)

// FollowerStatus is how the follower says it is.
type FollowerStatus struct {
	Phase FollowerPhase
	Since time.Time // when the phase began
	// LastError is the last thing that went wrong, and LastErrorAt when; they stay readable after recovery.
	LastError   string
	LastErrorAt time.Time
	// Epoch and Revision are those of the applied state; 0 if it is unnumbered or stands in no document.
	Epoch, Revision int64
	// Source is where the state is read from, of a backend that has several places to read from.
	Source string
	// Poll is the longest time for which a change can go unseen while the phase is Valid.
	Poll time.Duration

	lastError error
}

// errRegression is the last error while the backend offers an older document than the one applied, or none.
var errRegression = errors.New("the backend has lost or rolled back the state")

// follow keeps the engine on the backend's state until ctx ends: watch makes it fast, polling makes it true.
func (e *Engine) follow(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		wait, err := e.look(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			wait = backoff(failures, e.config.Poll)
			failures++
		default:
			failures = 0
			e.endLeases(ctx)
		}
		sleep(ctx, wait)
	}
}

// look asks the backend once and applies what it says. It returns how long to wait before the next look.
func (e *Engine) look(ctx context.Context) (time.Duration, error) {
	// The interval is shortened at random, never stretched: a fleet must not ask in step.
	interval := e.lookWithin(e.config.Poll - rand.N(e.config.Poll/5+1))
	asking, cancel := context.WithTimeout(ctx, interval)
	defer cancel()
	began := time.Now()
	since, writes := e.lookingAt(cancel)

	doc, wait, err := e.config.Backend.Next(asking, since)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case err != nil && errors.Is(asking.Err(), context.Canceled):
		return 0, nil // this process has written: look at what is there now
	case errors.Is(err, state.ErrUnchanged):
		e.confirm(err)
		if asking.Err() != nil {
			return 0, nil // the backend watched for the whole interval: look again now
		}
		if wait <= 0 || wait > interval {
			wait = interval
		}
		return max(wait-time.Since(began), 0), nil
	case err != nil:
		e.fail(fmt.Errorf("reading the state: %w", err))
		return 0, err
	}
	e.observe(doc, writes)
	return 0, nil
}

// lookingAt returns the revision that the backend is to differ from, and how often this process has written. A write
// from now on interrupts the look.
func (e *Engine) lookingAt(interrupt context.CancelFunc) (state.Rev, uint64) {
	e.mu.Lock()
	defer e.unlock()
	e.interrupt = interrupt
	return e.seen, e.writes
}

// observe applies a document. One that was on its way while this process wrote says nothing about what is there now:
// it is looked at again.
func (e *Engine) observe(doc state.Doc, writes uint64) {
	s, err := decodeDoc(doc)
	e.mu.Lock()
	defer e.unlock()
	if e.writes != writes {
		e.seen = state.Unseen
		return
	}
	e.seen = doc.Rev
	e.noteSource()
	switch {
	case err != nil:
		e.failLocked(err)
	case e.regressed(doc, &s):
		e.failLocked(fmt.Errorf("%w: it has %s, epoch %d revision %d was seen before; the last known state is kept",
			errRegression, describeDoc(doc, &s), e.newest.Epoch, e.newest.Revision))
		e.firstKnown() // it has answered, and a start need not wait for another answer
	default:
		e.accept(doc, s)
	}
}

// noteSource tells when the state is read from another place than before. The lock is held.
func (e *Engine) noteSource() {
	s, ok := state.As[state.Sourcer](e.config.Backend)
	if !ok {
		return
	}
	if from := s.Source(); from != e.follower.Source {
		e.follower.Source = from
		e.later(func() { e.log.Info("the state is read from here now", "source", from) })
	}
}

// accept applies a document that is not older than the applied one. The lock is held.
func (e *Engine) accept(doc state.Doc, s state.State) {
	if e.haveState && s.Numbered() && numbersEqual(&s, &e.current) && doc.Rev == e.applied {
		e.setFollower(Valid, nil)
		return
	}
	if e.haveState && state.Renewed(&e.current, &s) {
		e.applied = doc.Rev
		e.setFollower(Valid, nil)
		e.renewed(s)
		return
	}
	if s.Numbered() {
		e.newest = numbersOf(s)
	} else if doc.Rev != state.None {
		e.newest = state.State{} // written by hand: its removal means off
	}
	e.applied = doc.Rev
	e.setFollower(Valid, nil)
	e.adopt(s)
	e.firstKnown()
	e.saveSnapshot(doc)
	e.hasNews()
}

// regressed reports whether a document must not replace the applied state: it is gone, or is an older one.
func (e *Engine) regressed(doc state.Doc, s *state.State) bool {
	if !e.newest.Numbered() {
		return false
	}
	return doc.Rev == state.None || s.Numbered() && s.Older(&e.newest)
}

// decodeDoc reads a document; one that never existed means off.
func decodeDoc(doc state.Doc) (state.State, error) {
	if doc.Rev == state.None {
		return state.State{Version: state.Version}, nil
	}
	return state.Decode(doc.Data)
}

func describeDoc(doc state.Doc, s *state.State) string {
	if doc.Rev == state.None {
		return "no document"
	}
	return fmt.Sprintf("epoch %d revision %d", s.Epoch, s.Revision)
}

func numbersEqual(a, b *state.State) bool { return a.Epoch == b.Epoch && a.Revision == b.Revision }

func numbersOf(s state.State) state.State {
	return state.State{Epoch: s.Epoch, Revision: s.Revision}
}

// confirm takes down that the backend answered and has nothing new. A document that was refused stays refused.
func (e *Engine) confirm(unchanged error) {
	e.mu.Lock()
	defer e.unlock()
	if e.follower.refused() {
		return
	}
	e.setFollower(Valid, nil)
	if why := unchanged.Error(); why != state.ErrUnchanged.Error() && why != e.follower.LastError {
		e.follower.LastError, e.follower.LastErrorAt = why, e.now()
		e.later(func() { e.log.Warn("changes are seen by polling only", "error", why) })
	}
}

// refused reports whether the backend answers, but with a document that cannot be applied.
func (f *FollowerStatus) refused() bool {
	return f.Phase != Valid && (errors.Is(f.lastError, state.ErrInvalid) || errors.Is(f.lastError, errRegression))
}

func (e *Engine) fail(err error) {
	e.mu.Lock()
	defer e.unlock()
	// The next look is answered at once, and not when something changes: it shows that the backend is back, and judges
	// again what was refused before.
	e.seen = state.Unseen
	e.failLocked(err)
}

func (e *Engine) failLocked(err error) {
	phase := Stale
	if !e.haveState {
		phase = Failed
	}
	if e.follower.LastError != err.Error() || e.follower.Phase == Valid {
		kept := "the last known state is kept"
		if !e.haveState {
			kept = "no state is known"
		}
		e.later(func() { e.log.Warn(kept, "phase", string(phase), "error", err) })
	}
	e.setFollower(phase, err)
	if errors.Is(err, state.ErrInvalid) {
		e.firstKnown()
	}
}

// setFollower takes a look's outcome down. The lock is held.
func (e *Engine) setFollower(phase FollowerPhase, err error) {
	before := e.follower.Phase
	if before != phase {
		e.follower.Since = e.now()
		if phase == Valid && before == Stale {
			e.later(func() { e.log.Info("the state is followed again") })
		}
	}
	e.follower.Phase, e.follower.lastError = phase, err
	if err != nil {
		e.follower.LastError, e.follower.LastErrorAt = err.Error(), e.now()
	}
	if before == phase {
		return
	}
	e.publish()
	if phase == Valid || e.follower.refused() {
		e.hasNews() // a store that does not answer is not told so: a fleet whose links are cut would come back as one herd
	}
}

// firstKnown lets New return: the backend has answered.
func (e *Engine) firstKnown() {
	select {
	case <-e.known:
	default:
		close(e.known)
	}
}

// backoff is how long to wait after the nth failure in a row: full jitter, doubling from a second up to limit. A second
// is what a store needs to take a whole fleet back whose links were cut at once. It is waited also by whoever has waited in
// vain already: a store that is too busy to answer in time stays so if all ask again at once.
func backoff(n int, limit time.Duration) time.Duration {
	ceiling := limit
	if n < 20 {
		ceiling = min(limit, time.Second<<n)
	}
	return rand.N(ceiling) + time.Millisecond
}

func sleep(ctx context.Context, d time.Duration) { sleepUntil(ctx, nil, d) }

// sleepUntil is sleep that something can end before its time. It reports whether that was so.
func sleepUntil(ctx context.Context, woken <-chan struct{}, d time.Duration) bool {
	if d <= 0 {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-woken:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
