package recess

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
)

// MaxPass is the longest time for which a pass can be made.
const MaxPass = 90 * 24 * time.Hour

// A PassOrder says what pass to make.
type PassOrder struct {
	// For is whom it is for: a name, in a line of at most state.MaxPassFor bytes.
	For string
	// TTL is how long it lets in, from now: whole seconds, up to [MaxPass].
	TTL time.Duration
	// Scope binds it to the windows of a scope; "" is every scope's.
	Scope string
	// Window binds it to the one window of this id, which runs or is planned; "" is every window. Of a window that recurs it
	// is the occurrence that runs, or the next one.
	Window string
	// Uses is how many times its link can be used, up to state.MaxUses. 0: it has none, and the pass is handed over itself.
	Uses int
	// Reason is for the history.
	Reason string
}

// apply is the edit of [Controller].IssuePass. The record is what the document shall say; it is issued here, so that what
// is signed is what is written.
func (o PassOrder) apply(ring *pass.Ring, by state.Actor, issued *pass.Tokens) edit {
	return func(s *state.State, now time.Time) (Change, error) {
		if o.TTL <= 0 || o.TTL > MaxPass || o.TTL%time.Second != 0 {
			return Change{}, fmt.Errorf("%w: a pass for %s: use whole seconds, at most %s", ErrInvalidOrder, o.TTL, MaxPass)
		}
		p := state.Pass{
			For: o.For, Scope: o.Scope, Window: o.Window, Expires: utc(now.Add(o.TTL)), Uses: o.Uses,
			IssuedBy: by, IssuedAt: utc(now),
		}
		if p.Window != "" {
			i := slices.IndexFunc(s.Windows, func(w state.Window) bool { return w.ID == p.Window })
			if i < 0 || s.Windows[i].Phase(now) == state.Ended {
				return Change{}, fmt.Errorf("%w: no window that runs or is planned has the id %q", ErrInvalidOrder, p.Window)
			}
			switch w := s.Windows[i].At(now); {
			case p.Scope != "" && p.Scope != w.Scope:
				return Change{}, fmt.Errorf("%w: window %s is not one of scope %q", ErrInvalidOrder, w.ID, p.Scope)
			case w.Repeat != nil:
				p.Occurrence = w.Start
			}
		}
		*issued = ring.Issue(&p)
		if err := p.Check(); err != nil {
			return Change{}, fmt.Errorf("%w: %w", ErrInvalidOrder, err)
		}
		s.Passes = append(s.Passes, p)
		if n := len(s.LivePasses(now)); n > state.MaxPasses {
			return Change{}, fmt.Errorf("%w: there are %d passes already: revoke one", ErrInvalidOrder, n-1)
		}
		return Change{Passes: []state.Pass{p}}, nil
	}
}

// IssuePass makes a pass. Its tokens are returned and kept nowhere: the document only says that there is such a pass
// ([Change].Passes), so that it can be listed and revoked. The ring must be that of the services which are to let it in.
func (c *Controller) IssuePass(ctx context.Context, ring *pass.Ring, o PassOrder) (pass.Tokens, Change, error) {
	var issued pass.Tokens
	if ring == nil {
		return issued, Change{}, errors.New("recess: pass: there are no keys to sign it with")
	}
	change, err := c.change(ctx, order{action: "pass", reason: o.Reason, do: o.apply(ring, c.by, &issued)})
	if err != nil {
		return pass.Tokens{}, change, err
	}
	return issued, change, nil
}

// minPassPrefix is how much of an id must be given at least.
const minPassPrefix = 4

// RevokePass takes passes back, each named by its id or by the beginning of its id, of four characters at least. Every
// instance lets them in no longer as soon as it follows the document.
func (c *Controller) RevokePass(ctx context.Context, reason string, ids ...string) (Change, error) {
	return c.change(ctx, order{action: "revoke", reason: reason, do: func(s *state.State, now time.Time) (Change, error) {
		var change Change
		if len(ids) == 0 {
			return change, fmt.Errorf("%w: name the pass to revoke", ErrInvalidOrder)
		}
		live := s.LivePasses(now)
		for _, id := range ids {
			i := slices.IndexFunc(live, func(p state.Pass) bool { return p.ID == id || len(id) >= minPassPrefix && strings.HasPrefix(p.ID, id) })
			if i < 0 {
				return Change{}, fmt.Errorf("%w: no pass has the id %.80q: it was revoked, has expired, or never was", ErrInvalidOrder, id)
			}
			if slices.ContainsFunc(live[i+1:], func(p state.Pass) bool { return strings.HasPrefix(p.ID, id) }) {
				return Change{}, fmt.Errorf("%w: the ids of several passes begin with %.80q", ErrInvalidOrder, id)
			}
			change.Passes = append(change.Passes, live[i])
			live = slices.Delete(live, i, i+1)
		}
		s.Passes = live
		return change, nil
	}})
}

// describePass names a pass in words.
func describePass(p *state.Pass) string {
	text := "pass for " + p.For
	if p.Scope != "" {
		text += ", scope " + p.Scope
	}
	if p.Window != "" {
		text += ", window " + p.Window
	}
	return text + ", until " + stamp(p.Expires.UTC())
}

// compilePasses has the passes of a state looked up while something refuses.
func (e *Engine) compilePasses(snap, before *snapshot, now time.Time) {
	if snap == nil || e.rules.passes == nil || len(snap.running) == 0 {
		return
	}
	var known *pass.Book
	if before != nil {
		known = before.passes.Load()
	}
	book := e.rules.passes.Book(e.current.LivePasses(now), now, known)
	snap.passes.Store(book)
	for _, id := range book.Unknown() {
		if e.first("pass key " + id) {
			e.later(func() {
				e.log.Warn("there are passes that are signed with a key which is not among Policy.PassKeys: they let nobody in here", "key", id)
			})
		}
	}
}

// nextExpiry is when the next pass expires that lets in; zero if none will.
func (s *snapshot) nextExpiry() time.Time {
	if s == nil {
		return time.Time{}
	}
	return s.passes.Load().Next()
}

// pass lets in who has a pass that is good for every window which refuses the request.
func (q *inquiry) pass() string {
	if q.snap == nil || q.covered == nil {
		return ""
	}
	book := q.snap.passes.Load()
	if book == nil {
		return ""
	}
	r := q.request
	carried := pass.CarriedBy(r.Header("Authorization"), r.Header(pass.HeaderName), r.Header("Cookie"))
	for token, ok := carried.Next(); ok; token, ok = carried.Next() {
		e := book.Find(token)
		switch {
		case e == nil && q.trace != nil:
			q.trace.note("the request carries something that is no pass here: changed, expired, revoked, or made for another site")
		case e != nil && q.opens(e):
			return e.Rule
		}
	}
	return ""
}

// opens reports whether a pass is good for all windows that refuse the request.
func (q *inquiry) opens(e *pass.Entry) bool {
	method := q.request.Method()
	for _, w := range q.snap.running {
		if w.refuses(method, q) && !e.Pass.Opens(&w.Window) {
			if q.trace != nil {
				q.trace.note(fmt.Sprintf("pass %s is good, but not for window %s", e.Rule, w.ID))
			}
			return false
		}
	}
	return true
}
