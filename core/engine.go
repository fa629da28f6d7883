package recess

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recess-go/recess/core/state"
)

// Config is what an engine is made of. Only Backend is needed, and not even that where Policy.Force is set.
type Config struct {
	// Backend is where the state lives. The caller closes it, after the engine.
	Backend state.Backend
	// Policy is who is let in and how refusals look.
	Policy Policy
	// Instance names this process to the fleet: host-pid by default. Letters, digits, '.', '_' and '-', at most 119.
	Instance string
	// Poll bounds how old the followed state can be: the backend is read at least this often, whatever its watch
	// says. 15 seconds by default, at least 100 milliseconds.
	Poll time.Duration
	// StartWait is how long New waits for the first state: 2 seconds by default.
	StartWait time.Duration
	// SnapshotFile keeps a copy of the last known state on disk, for a start while the backend is down. "": none.
	SnapshotFile string
	// Logger gets what the engine has to say: slog.Default() if nil. Requests that pass are never logged.
	Logger *slog.Logger
}

// DefaultPoll and DefaultStartWait are the defaults of [Config].
const (
	DefaultPoll      = 15 * time.Second
	DefaultStartWait = 2 * time.Second
	minPoll          = 100 * time.Millisecond
)

// An Engine follows a state and decides requests on it. All methods may be called by any number of goroutines.
type Engine struct {
	config Config
	id     string // of this run, to the fleet
	rules  *rules
	log    *slog.Logger

	snap     atomic.Pointer[snapshot] // nil: nothing runs and nothing is planned; stored while mu is held
	entrance atomic.Pointer[snapshot] // what requests take: snap, or naming while that is nil; stored together with it
	inflight inflight
	held     held
	idle     *snapshot // decides markers while snap is nil
	naming   *snapshot // says that nothing runs, and that requests are named; nil if they are not
	names    names     // of routes
	born     time.Time // what ages are counted from
	closed   *window   // answers for routes forced on while no window runs

	stop    context.CancelFunc
	stopped sync.WaitGroup
	known   chan struct{} // closed when the backend has answered for the first time
	news    chan struct{} // tells that the fleet should hear of something

	mu          sync.Mutex
	current     state.State // what is applied; the zero State before anything is known
	haveState   bool        // current is the backend's or the snapshot file's word, not the fallback's
	applied     state.Rev   // the backend's name for current
	seen        state.Rev   // the backend's name for what it last offered, applied or not
	writes      uint64      // states applied past the follower, by this process's own controllers
	newest      state.State // the newest numbered document seen, without its windows
	follower    FollowerStatus
	timer       *time.Timer
	interrupt   context.CancelFunc // ends the follower's look that is under way
	subscribers map[*subscriber]bool
	marked      map[string]bool  // scopes that routes are marked with
	snapshots   uint64           // how many have been put in force
	changed     chan struct{}    // closed when the next one is; nil if no work waits for it
	closers     map[*closer]bool // work under way that wants to know when it is to end
	streams     map[*Stream]bool // the long-lived requests that are open
	leases      map[string]lease // the leases of current, by the ids of their windows
	moving      time.Time        // until when connections are asked to move on
	afterwards  []func()         // what is to be said and written once the lock is released
	unsaved     *state.Doc       // what the snapshot file does not have yet
	ended       bool

	saving   sync.Mutex // one writer of the snapshot file at a time; taken before mu
	reported sync.Map   // the kinds of what is logged once
}

// New checks the configuration, starts to follow the backend and waits for the first state, at most StartWait. It
// returns an error for a configuration that cannot be used. A backend that is down is none: the engine then starts on
// the snapshot file or on Policy.Fallback, says so in its status, and follows as soon as it can.
//
// The context bounds the start only; the engine runs until Close.
func New(ctx context.Context, c Config) (*Engine, error) {
	c.Poll = cmp.Or(c.Poll, DefaultPoll)
	c.StartWait = cmp.Or(c.StartWait, DefaultStartWait)
	c.Instance = cmp.Or(c.Instance, defaultInstance())
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	var faults []error
	if c.Backend == nil && c.Policy.Force == NotForced {
		faults = append(faults, errors.New("recess: Config.Backend is missing"))
	}
	if c.Poll < minPoll {
		faults = append(faults, fmt.Errorf("recess: Config.Poll is %s, at least %s is needed", c.Poll, minPoll))
	}
	if err := CheckInstance(c.Instance); err != nil {
		faults = append(faults, fmt.Errorf("recess: Config.Instance: %w", err))
	}
	if c.StartWait < 0 {
		faults = append(faults, fmt.Errorf("recess: Config.StartWait is %s, it cannot be negative", c.StartWait))
	}
	if err := checkSnapshotFile(c.SnapshotFile); err != nil {
		faults = append(faults, err)
	}
	rules, err := compile(c.Policy)
	if err := errors.Join(append(faults, err)...); err != nil {
		return nil, err
	}
	e := &Engine{
		config: c, id: instanceID(c.Instance), rules: rules, log: c.Logger.With("component", "recess"), inflight: newInflight(),
		known: make(chan struct{}), news: make(chan struct{}, 1), seen: state.Unseen, subscribers: make(map[*subscriber]bool), marked: make(map[string]bool), closers: make(map[*closer]bool), streams: make(map[*Stream]bool), interrupt: func() {},
	}
	e.born = e.now()
	e.follower = FollowerStatus{Phase: Initializing, Since: e.born, Poll: c.Poll}
	e.idle = &snapshot{engine: e, rules: rules}
	if c.Policy.NameRequests {
		e.naming = &snapshot{engine: e, rules: rules}
	}
	e.closed = e.compileWindow(&state.Window{ID: closedID, Mode: state.Full}, e.now())
	e.start(ctx)
	return e, nil
}

// start brings the first state in: the forced one, or the backend's, or what stands in for it.
func (e *Engine) start(ctx context.Context) {
	e.timer = time.AfterFunc(time.Hour, e.tick)
	if e.config.Policy.Force != NotForced {
		e.stop = func() {}
		e.mu.Lock()
		defer e.unlock()
		e.adopt(standIn(forcedID, e.config.Policy.Force == ForcedOn))
		e.setFollower(Valid, nil)
		return
	}
	saved, remembered := e.loadSnapshot()
	if remembered {
		e.mu.Lock()
		e.newest = numbersOf(saved) // a backend that has an older one, or none, has lost it
		e.adopt(saved)
		e.unlock()
	}
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	e.stopped.Go(func() { e.follow(following) })
	if presence, ok := state.As[state.Presence](e.config.Backend); ok {
		e.stopped.Go(func() { e.announce(following, presence) })
	}
	wait := time.NewTimer(e.config.StartWait)
	defer wait.Stop()
	select {
	case <-e.known:
	case <-wait.C:
	case <-ctx.Done():
	}
	e.mu.Lock()
	defer e.unlock()
	switch {
	case !e.haveState:
		e.startUnknown()
	case e.follower.Phase != Valid:
		e.setFollower(Stale, e.follower.lastError)
		e.later(func() {
			e.log.Warn("the state backend did not offer a state that can be used: starting on the last one saved to disk",
				"file", e.config.SnapshotFile, "revision", saved.Revision)
		})
	}
}

// startUnknown starts on the fallback.
func (e *Engine) startUnknown() {
	closed := e.config.Policy.Fallback == FallbackClosed
	e.adopt(standIn(fallbackID, closed))
	e.haveState = false
	why := cmp.Or(e.follower.LastError, "the backend has not answered yet")
	e.later(func() { e.log.Warn("the state is not known: starting on the fallback", "closed", closed, "error", why) })
}

// standIn is a state that stands in no document.
func standIn(id string, closed bool) state.State {
	s := state.State{Version: state.Version}
	if closed {
		s.Windows = []state.Window{{ID: id, Mode: state.Full}}
	}
	return s
}

// Close ends all that the engine started, and waits for subscribers' calls that are under way; it must not be called
// from one. The last snapshot stays in force: requests that still come in are decided as before. Closing twice is no
// error.
func (e *Engine) Close() error {
	e.stop()
	e.mu.Lock()
	e.ended = true
	e.timer.Stop()
	for s := range e.subscribers {
		s.cancel()
	}
	clear(e.subscribers)
	e.tellWork(e.snap.Load())
	e.snap.Load().letGo()
	e.unlock()
	e.stopped.Wait()
	return nil
}

// later has something done once the lock is released: a log handler or a disk may be slow, or ask the engine. The lock
// is held.
func (e *Engine) later(do func()) { e.afterwards = append(e.afterwards, do) }

// unlock releases the lock and does what was put off.
func (e *Engine) unlock() {
	afterwards := e.afterwards
	e.afterwards = nil
	e.mu.Unlock()
	for _, do := range afterwards {
		do()
	}
}

// now is the engine's only look at the clock, but for ages; it is never on the path of a request.
func (e *Engine) now() time.Time { return time.Now() }

// adopt makes a state the one that requests are decided on. The lock is held.
func (e *Engine) adopt(s state.State) {
	e.current, e.haveState = s, true
	e.noteLeases(&s)
	e.rebuild(e.now())
}

// rebuild compiles the current state for an instant and arms the timer for the next. The lock is held.
func (e *Engine) rebuild(now time.Time) {
	before := e.snap.Load()
	snap := e.compileSnapshot(&e.current, now)
	snap.keepShares(before)
	e.compilePasses(snap, before, now)
	e.move(before, snap, now)
	e.snap.Store(snap)
	e.entrance.Store(cmp.Or(snap, e.naming))
	before.letGo()
	e.snapshots++
	e.earlierLocked(snap) // changes the sides at once: what begins now is not of before
	e.tellWork(snap)
	e.tellStreams(snap)
	e.arm(now)
	if before != nil || snap != nil {
		e.publish()
	}
	if snap != nil && !e.ended {
		e.stopped.Go(snap.prepare)
	}
}

// Counts returns what the engine has counted. The in-flight count is zero only if no request that began before the
// call runs any more.
func (e *Engine) Counts() Counts {
	e.mu.Lock()
	defer e.unlock()
	return e.counts()
}

// counts is Counts with the lock held: no stream leaves its handler while the stripes are summed up.
func (e *Engine) counts() Counts {
	c, n := e.inflight.counts(), e.streaming()
	c.InFlight += n.loose
	c.Streams = n.open
	c.Held = e.held.requests.Load()
	return c
}

// Instance is this process's name.
func (e *Engine) Instance() string { return e.config.Instance }
