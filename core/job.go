package recess

import (
	"context"
	"errors"
	"fmt"

	"github.com/recess-go/recess/core/state"
)

// ErrMaintenance is the answer of [Engine.TryEnter] while a window runs that keeps the work from beginning.
var ErrMaintenance = errors.New("maintenance is on")

// Enter begins one unit of background work, of a queue's consumer or a cron job. It waits while a window runs that covers
// the work: one over the whole site, or over one of the scopes, in a mode that refuses requests which change something.
// The work is counted like a request, so that a drain waits for it; without an error it needs one [Ticket.End].
//
//	ticket, err := engine.Enter(ctx, "billing")
//	if err != nil {
//		return err
//	}
//	defer ticket.End()
//
// Enter before work is taken from its queue: what waits in the queue is safe, what waits here may be given to another.
// The error is that of the context, wrapped; one that wraps [state.ErrClosed] if the engine was closed while it waited, as
// nobody would tell of the end of maintenance any more; or one about a scope that no window can have.
func (e *Engine) Enter(ctx context.Context, scopes ...string) (Ticket, error) {
	for {
		t, changed, err := e.enter(scopes, jobName(ctx))
		if err != nil || changed == nil {
			return t, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Ticket{}, fmt.Errorf("recess: waiting for the end of maintenance: %w", context.Cause(ctx))
		}
	}
}

// WithJobName gives what enters with the context ([Engine.Enter], [Engine.Job]) a name by which a drain tells who is late:
// "nightly-invoices", not one that differs from job to job. What cannot be printed in it is replaced, and what is longer
// than 200 bytes cut.
func WithJobName(ctx context.Context, name string) context.Context {
	name = printable("job " + name)
	return context.WithValue(ctx, jobKey{}, &name)
}

type jobKey struct{}

// aJob is the name of a job that was given none.
var aJob = "a job"

func jobName(ctx context.Context) *string {
	if name, ok := ctx.Value(jobKey{}).(*string); ok {
		return name
	}
	return &aJob
}

// TryEnter is [Engine.Enter] without the wait: while a window covers the work the error wraps ErrMaintenance.
func (e *Engine) TryEnter(scopes ...string) (Ticket, error) {
	t, changed, err := e.enter(scopes, &aJob)
	if changed != nil {
		err = fmt.Errorf("recess: %w", ErrMaintenance)
	}
	return t, err
}

// Job enters, does the work, and ends it, also when it panics. The context that the work gets answers [Closing].
func (e *Engine) Job(ctx context.Context, do func(context.Context) error, scopes ...string) error {
	t, err := e.Enter(ctx, scopes...)
	if err != nil {
		return err
	}
	defer t.End()
	c := &closer{engine: e, scopes: scopes}
	defer c.forget()
	return do(context.WithValue(ctx, closingKey{}, c))
}

// Closing returns a channel that is closed once a window runs that covers the work under way: long work may come to an end
// at a good place, so that the drain need not wait for all of it, and a [Stream] can say goodbye. It is nil, and so never
// ready, for a context that comes neither from [Engine.Job] nor from a route that an adapter's LongLived stands before.
func Closing(ctx context.Context) <-chan struct{} {
	c, ok := ctx.Value(closingKey{}).(interface{ channel() <-chan struct{} })
	if !ok {
		return nil
	}
	return c.channel()
}

// enter begins work, or returns a channel that is closed at the next change after which it is worth to try again.
func (e *Engine) enter(scopes []string, name *string) (t Ticket, changed <-chan struct{}, err error) {
	if len(scopes) > 0 {
		if err := e.know(scopes); err != nil {
			return Ticket{}, nil, err
		}
	}
	for {
		if t = e.Begin(); !t.snap.keeps(scopes) {
			t.enter(name, e.age())
			return t, nil, nil
		}
		t.End()
		e.mu.Lock()
		if e.snap.Load() != t.snap { // a change came in between
			e.unlock()
			continue
		}
		defer e.unlock()
		if e.ended {
			return Ticket{}, nil, fmt.Errorf("recess: waiting for the end of maintenance: %w", state.ErrClosed)
		}
		if e.changed == nil {
			e.changed = make(chan struct{})
		}
		return Ticket{}, e.changed, nil
	}
}

// know makes scopes known to the engine, or says which name no window can have.
func (e *Engine) know(scopes []string) error {
	for _, name := range scopes {
		if err := state.CheckName("scope", name); err != nil {
			return fmt.Errorf("recess: %w: %w", ErrInvalidOrder, err)
		}
	}
	e.mu.Lock()
	defer e.unlock()
	for _, name := range scopes {
		e.marked[name] = true
	}
	return nil
}

// keeps reports whether a window keeps work of these scopes from beginning.
func (s *snapshot) keeps(scopes []string) bool {
	if s == nil || s.rules.policy.ReportOnly {
		return false
	}
	marker := Marker{Scopes: scopes}
	for _, w := range s.running {
		if w.Mode.Refuses("POST") && (w.Scope == "" || marker.in(w.Scope)) {
			return true
		}
	}
	return false
}

type closingKey struct{}

// A closer tells work under way that it is to end.
type closer struct {
	engine *Engine
	scopes []string
	begun  chan struct{} // nil until somebody asks; guarded by the engine's lock
}

func (c *closer) channel() <-chan struct{} {
	e := c.engine
	e.mu.Lock()
	defer e.unlock()
	if c.begun == nil {
		c.begun = make(chan struct{})
		if e.snap.Load().keeps(c.scopes) {
			close(c.begun)
		} else {
			e.closers[c] = true
		}
	}
	return c.begun
}

func (c *closer) forget() {
	c.engine.mu.Lock()
	defer c.engine.unlock()
	delete(c.engine.closers, c)
}

// tellWork wakes the work that waits, and tells the work under way that a new snapshot keeps from beginning. The lock is
// held.
func (e *Engine) tellWork(snap *snapshot) {
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
	for c := range e.closers {
		if snap.keeps(c.scopes) {
			close(c.begun)
			delete(e.closers, c)
		}
	}
}
