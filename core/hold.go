package recess

import (
	"sync/atomic"
	"time"

	"github.com/recess-go/recess/core/state"
)

// DefaultHoldRequests and DefaultHoldBytes are the defaults of [Policy].HoldRequests and HoldBytes.
const (
	DefaultHoldRequests = 10_000
	DefaultHoldBytes    = 64 << 20
)

// held counts the requests that wait for the end of a window of mode hold, and what they keep in memory.
type held struct{ requests, bytes atomic.Int64 }

// enter takes one more in, unless that would be too many or too much.
func (h *held) enter(bytes int64, p *Policy) bool {
	requests, total := h.requests.Add(1), h.bytes.Add(bytes)
	if requests <= int64(p.HoldRequests) && (bytes == 0 || total <= p.HoldBytes) {
		return true
	}
	h.leave(bytes)
	return false
}

func (h *held) leave(bytes int64) {
	h.requests.Add(-1)
	h.bytes.Add(-bytes)
}

// hold keeps a refused request waiting until the window lets it go, its time is up, its client has gone or the engine is
// closed, and returns what is decided then. A request that waits is not under way: it is counted as ended meanwhile, and
// decided anew on whatever is in force when it goes on. So a drain does not wait for it.
func (t *Ticket) hold(x Exchange, d Decision) Decision {
	e := t.snap.engine
	bytes := x.HoldBytes()
	if !e.held.enter(bytes, &e.rules.policy) {
		return d // as many wait as may
	}
	defer e.held.leave(bytes)
	gone, release := x.Hold()
	defer release()
	began := time.Now()
	timer := time.NewTimer(d.Hold)
	defer timer.Stop()
	for {
		waited := t.snap
		t.End()
		var left, late bool
		select {
		case <-waited.replaced:
		case <-gone:
			left = true
		case <-timer.C:
			late = true
		}
		*t = e.Begin()
		switch {
		case left, t.snap == waited && !late: // the engine is closed: nobody will tell of the end any more
			return d
		case t.snap == nil:
			return Decision{Reason: ReasonOpen}
		}
		d = t.snap.evaluate(&inquiry{request: x, rules: t.snap.rules})
		rest := d.Hold - time.Since(began)
		if late || rest <= 0 {
			return d
		}
		timer.Reset(rest)
	}
}

// letGo wakes all requests that are held for the windows of a snapshot. The engine's lock is held.
func (s *snapshot) letGo() {
	if s == nil || s.replaced == nil {
		return
	}
	select {
	case <-s.replaced:
	default:
		close(s.replaced)
	}
}

// holding returns for how long a request may wait that a window of mode hold covers: as long as the shortest of all that
// do. A window of another mode that covers it too refuses at once, and is returned in its place.
func (s *snapshot) holding(q *inquiry, held *window) (by *window, limit time.Duration) {
	method := q.request.Method()
	for _, w := range s.running {
		if !w.refuses(method, q) {
			continue
		}
		if w.Mode != state.Hold {
			return w, 0
		}
		if limit == 0 || w.HoldFor() < limit {
			limit = w.HoldFor()
		}
	}
	return held, limit
}
