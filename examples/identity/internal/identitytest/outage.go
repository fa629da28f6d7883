package identitytest

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/recess-go/recess/core"
)

// An Outage is a store of sessions that cannot be reached.
type Outage struct{ reads, ends atomic.Bool }

var errOutage = errors.New("the session store is down")

// Read fails while nothing can be read, End while no session can be ended.
func (o *Outage) Read() error { return failing(&o.reads) }

// End fails while no session can be ended.
func (o *Outage) End() error { return failing(&o.ends) }

func failing(fails *atomic.Bool) error {
	if fails.Load() {
		return errOutage
	}
	return nil
}

// StoreDown tests what becomes of visitors with a session while the store of the sessions is down: what else lets them in
// lets them in, and Logout lets nobody in whose session it could not end.
func StoreDown(t *testing.T, r Recipe, o *Outage) {
	t.Run("nobody can be read", func(t *testing.T) {
		s := open(t, r.Serve, recess.Policy{AllowStaff: true, AllowPaths: []string{"/open"}})
		staff := r.as(s, "staff")
		s.close()
		o.reads.Store(true)
		defer o.reads.Store(false)
		if r.AuthFirst {
			if got := s.ask("/me", staff); got.status != http.StatusInternalServerError || got.blocked {
				t.Errorf("status %d, want the 500 of the middleware in front", got.status)
			}
			return
		}
		s.wants("staff", staff, "refused")
		if got := s.ask("/open", staff); got.blocked {
			t.Errorf("a path that is let in is refused to who has a session: status %d, %q", got.status, got.body)
		}
		s.wants("", nothing, "refused")
		o.reads.Store(false)
		s.wants("staff", staff, "staff")
	})
	t.Run("no session can be ended", func(t *testing.T) {
		s := open(t, r.Serve, recess.Policy{Logout: recess.Logout{Authenticated: true}, AllowAnonymous: true, AllowPaths: []string{"/me"}})
		alice := r.as(s, "alice")
		s.close()
		o.ends.Store(true)
		defer o.ends.Store(false)
		if got := s.ask("/me", alice); got.status != http.StatusServiceUnavailable || len(got.cookies) > 0 {
			t.Errorf("status %d, %q, cookies %v, want 503 and no cookie", got.status, got.body, got.cookies)
		}
		o.ends.Store(false)
		s.wants("alice", alice, Anonymous)
	})
}
