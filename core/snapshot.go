package recess

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
)

// snapshot is state and policy compiled for one moment: what requests are decided on. It never changes, but for the
// prepared answers, which come a moment later and are replaced as the end of a window comes nearer.
type snapshot struct {
	engine *Engine
	rules  *rules
	// running are the windows that may refuse. The one that ends last comes first, since the site reopens when the
	// last window ends; among equals the stronger mode.
	running []*window
	// announced are running windows of mode announce, planned those that begin soonest first.
	announced, planned []*window
	// moving is true while connections are asked to move on, so that balancers spread anew.
	moving atomic.Bool
	// passes are those that let in; nil if there are none, or no keys.
	passes atomic.Pointer[pass.Book]
	// scoped is true if one of these is for a scope: requests are then asked for their marker.
	scoped bool
	// replaced is closed when another snapshot is in force, for requests that are held; nil if none can be.
	replaced chan struct{}
}

// window is a state.Window, compiled.
type window struct {
	state.Window
	scope   *scope        // nil for the whole site, and for a scope known by markers only
	known   atomic.Bool   // it was looked at whether the application defines the scope at all
	share   atomic.Uint64 // of the turns of all visitors, the part that is let in: see ramp.go
	reopens bool          // its ramp has begun

	// answers are the prepared refusals; nil until they are. Engine.answers returns them.
	answers   atomic.Pointer[page.Set]
	preparing sync.Mutex
	// notice is the value for handlers, allowed the one for visitors let in by exception.
	notice, allowed *Maintenance
	// passHeader goes on passing responses while the window is planned or announced, allowedHeader on those let in.
	passHeader, allowedHeader []page.Field
}

// Ids of the windows that stand in no document.
const (
	forcedID   = "forced"   // Policy.Force
	fallbackID = "fallback" // Policy.Fallback
	closedID   = "closed"   // a route forced on while nothing runs
)

// compileSnapshot sorts a state's windows by their phase at an instant. It returns nil when there is nothing to do or
// to tell: the request path then costs one load.
func (e *Engine) compileSnapshot(s *state.State, now time.Time) *snapshot {
	snap := &snapshot{engine: e, rules: e.rules}
	at := s.At(now)
	for i := range at.Windows {
		w := e.compileWindow(&at.Windows[i], now)
		snap.scoped = snap.scoped || w.Scope != ""
		switch phase := w.Phase(now); {
		case phase == state.Running && w.Mode == state.Announce:
			snap.announced = append(snap.announced, w)
		case phase == state.Running:
			snap.running = append(snap.running, w)
			if w.Mode == state.Hold && snap.replaced == nil {
				snap.replaced = make(chan struct{})
			}
		case phase == state.Planned && told(&w.Window, now):
			snap.planned = append(snap.planned, w)
		}
	}
	if len(snap.running)+len(snap.announced)+len(snap.planned) == 0 {
		return nil
	}
	slices.SortStableFunc(snap.running, lastToEnd)
	slices.SortStableFunc(snap.announced, lastToEnd)
	slices.SortStableFunc(snap.planned, func(a, b *window) int { return a.Start.Compare(b.Start) })
	return snap
}

func lastToEnd(a, b *window) int {
	switch {
	case a.End.IsZero() != b.End.IsZero():
		if a.End.IsZero() {
			return -1
		}
		return 1
	case !a.End.Equal(b.End):
		return b.End.Compare(a.End)
	}
	return cmp.Compare(b.Mode.Strength(), a.Mode.Strength())
}

func (e *Engine) compileWindow(from *state.Window, now time.Time) *window {
	w := &window{Window: *from, scope: e.rules.scopes[from.Scope]}
	value := Maintenance{
		Mode: w.Mode, Scope: w.Scope, Message: w.Messages[""], Messages: w.Messages, StartsAt: w.Start, EndsAt: w.End,
	}
	if w.Phase(now) == state.Planned {
		value.Planned = true
		w.notice = &value
		w.passHeader = fields(page.HeaderName, page.ModeField("planned", w.Scope, false, w.Start, w.End))
		return w
	}
	if w.Mode == state.Announce {
		value.Announced = true
		w.notice = &value
		w.passHeader = fields(page.HeaderName, page.ModeField(string(w.Mode), w.Scope, false, time.Time{}, w.End))
		return w
	}
	w.reopens = w.Reopening(now)
	w.grow(now)
	value.Active = true
	allowed := value
	allowed.Allowed = true
	w.notice, w.allowed = &value, &allowed
	w.allowedHeader = fields(
		page.HeaderName, page.ModeField(string(w.Mode), w.Scope, true, time.Time{}, w.End),
		"Cache-Control", "private, no-store",
	)
	return w
}

// prepare renders the refusals of all windows that run, once everybody has been told of them.
func (s *snapshot) prepare() {
	runtime.Gosched() // where there is more to do than processors, this can wait
	for _, w := range s.running {
		s.engine.answers(w)
	}
}

// answers returns the refusals of a window. Usually they are prepared: a change is decided on at once, whatever its pages
// cost, and these are rendered right after that. A request that comes in between renders them.
func (e *Engine) answers(w *window) *page.Set {
	if set := w.answers.Load(); set != nil {
		return set
	}
	w.preparing.Lock()
	defer w.preparing.Unlock()
	if set := w.answers.Load(); set != nil {
		return set
	}
	set, err := e.rules.renderer.Prepare(w.pageNotice(e.rules, e.now()))
	if err != nil {
		e.reportOnce("Template", fmt.Errorf("window %s: %w", w.ID, err))
	}
	w.answers.Store(set)
	return set
}

// fields makes response headers of names and values that are shared between requests.
func fields(pairs ...string) []page.Field {
	var fields []page.Field
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, page.Field{Name: pairs[i], Value: []string{pairs[i+1]}})
	}
	return fields
}

func (w *window) pageNotice(c *rules, now time.Time) page.Notice {
	return page.Notice{
		Mode: string(w.Mode), Scope: w.Scope, Starts: w.Start, Ends: w.End, Messages: w.Messages,
		RetryAfter: w.retryAfter(c, now), Reopening: w.reopens,
	}
}

// retryAfter is how long a refused client should wait: until the window's end if that is known, at least a second; until
// it may be held once more by a window of mode hold.
func (w *window) retryAfter(c *rules, now time.Time) time.Duration {
	switch {
	case c.retryAfter == 0:
		return 0
	case w.End.IsZero() && w.Mode == state.Hold: // it is meant to be short
		return min(c.retryAfter, w.HoldFor())
	case w.End.IsZero():
		return c.retryAfter
	}
	left := max(w.End.Sub(now), time.Second)
	if w.reopens {
		return min(left, rampRetry(w.Ramp))
	}
	return left
}

// refresh renews what changes with the clock: the passes that are good, the shares, and what counts down in the prepared
// answers.
func (s *snapshot) refresh(now time.Time) {
	if book := s.passes.Load(); book != nil {
		s.passes.Store(book.Live(now))
	}
	for _, w := range s.running {
		w.grow(now)
		if set := w.answers.Load(); set != nil && !w.End.IsZero() {
			w.answers.Store(set.With(w.retryAfter(s.rules, now)))
		}
	}
}

// same reports whether both snapshots are made of the same windows in the same phases, and the same occurrences of those
// that recur.
func (s *snapshot) same(windows *state.State, now time.Time) bool {
	running, planned := windows.In(state.Running, now), windows.In(state.Planned, now)
	planned = slices.DeleteFunc(planned, func(w state.Window) bool { return !told(&w, now) })
	if s == nil {
		return len(running)+len(planned) == 0
	}
	for _, w := range s.running {
		if w.reopens != w.Reopening(now) {
			return false
		}
	}
	return len(running) == len(s.running)+len(s.announced) && len(planned) == len(s.planned) &&
		has(running, s.running, s.announced) && has(planned, s.planned)
}

// told reports whether visitors are told of a planned window. Of one that recurs they are for the last hour: some window
// would be planned at any time else, and the site never be one of which there is nothing to tell.
func told(w *state.Window, now time.Time) bool {
	return w.Repeat == nil || w.Start.Sub(now) <= recurrenceTold
}

// recurrenceTold is for how long before it begins visitors are told of an occurrence.
const recurrenceTold = time.Hour

// has reports whether each recurring window stands in one of the lists with the same start.
func has(windows []state.Window, lists ...[]*window) bool {
	for _, w := range windows {
		there := func(other *window) bool { return other.ID == w.ID && other.Start.Equal(w.Start) }
		if w.Repeat != nil && !slices.ContainsFunc(lists, func(list []*window) bool { return slices.ContainsFunc(list, there) }) {
			return false
		}
	}
	return true
}

// covers reports whether the window is about this request. Doubt is maintenance: a scope's rules match in any
// spelling, and a route may belong to the scope by its marker.
func (w *window) covers(q *inquiry) bool {
	if w.Scope == "" || q.marker.in(w.Scope) {
		return true
	}
	if w.scope == nil {
		return false
	}
	if _, ok := w.scope.paths.Match(q.pathForms()); ok {
		return true
	}
	_, ok := w.scope.hosts.Match(q.canonicalHost())
	return ok
}

// refuses reports whether the window refuses a request of this method unless an allowance lets it in.
func (w *window) refuses(method string, q *inquiry) bool {
	return w.Mode.Refuses(method) && w.covers(q)
}

// covering returns the window that refuses this request unless an allowance lets it in; nil if there is none.
func (s *snapshot) covering(q *inquiry) *window {
	q.asking = "scopes"
	method := q.request.Method()
	for _, w := range s.running {
		covers := w.refuses(method, q)
		if !covers && w.scope == nil && !w.known.Load() {
			s.engine.warnUnknownScope(w)
		}
		q.considered(w, covers)
		if covers {
			return w
		}
	}
	return nil
}

// about finds what a passing request is told of although no window refuses it: one that would with another method, one
// that announces, or the next one planned. The header speaks of announcements and plans only.
func (s *snapshot) about(q *inquiry) (notice *Maintenance, header []page.Field) {
	for _, windows := range [...][]*window{s.running, s.announced, s.planned} {
		for _, w := range windows {
			if header != nil || !w.covers(q) {
				continue
			}
			if notice == nil {
				notice = w.notice
			}
			header = w.passHeader
		}
	}
	return notice, header
}

// describeWindow names a window in words.
func describeWindow(w *state.Window) string {
	text := "site"
	if w.Scope != "" {
		text = "scope " + w.Scope
	}
	text += ", " + string(w.Mode)
	if w.Name != "" {
		text += ", held as " + w.Name
	}
	if w.Repeat != nil {
		text += ", " + w.Repeat.String()
	}
	if !w.Start.IsZero() {
		text += ", from " + w.Start.UTC().Format(time.RFC3339)
	}
	if w.Ramp > 0 {
		text += ", reopening within " + w.Ramp.String()
	}
	if !w.End.IsZero() {
		text += ", until " + w.End.UTC().Format(time.RFC3339)
	}
	if w.Lease != nil {
		text += ", on a lease of " + w.Lease.TTL.String()
	}
	return text
}
