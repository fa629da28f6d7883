package multistate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/recess-go/recess/core/state"
)

// Next implements [state.Backend]. It waits on the backend that is in use, if that can be watched; while that is not the
// first one, it looks in between whether an earlier one answers again.
func (b *Backend) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	doc, wait, err := b.next(ctx, since)
	switch {
	case b.ctx.Err() != nil:
		return state.Doc{}, 0, fmt.Errorf("multistate: next: %w", state.ErrClosed)
	case errors.Is(err, state.ErrUnchanged):
		return state.Doc{}, wait, err
	case err != nil:
		return state.Doc{}, 0, fmt.Errorf("multistate: next: %w", err)
	}
	return doc, 0, nil
}

func (b *Backend) next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	current := b.holder(since)
	if current < 0 {
		_, doc, err := b.first(ctx, b.sources)
		return doc, 0, err
	}
	for {
		if among, must := b.before(current); len(among) > 0 {
			i, doc, err := b.first(ctx, among)
			switch {
			case err == nil && doc.Rev != since, err != nil && must:
				return doc, 0, err
			case err == nil:
				current = i // there is none there either
			}
		}
		doc, wait, err := b.look(ctx, current, since)
		switch {
		case err == nil:
			return doc, 0, nil
		case errors.Is(err, state.ErrUnchanged):
			if ctx.Err() == nil && current > 0 {
				continue // an earlier one is to be asked again
			}
			return state.Doc{}, wait, b.unchanged(current, err)
		case ctx.Err() != nil:
			return state.Doc{}, 0, err
		}
		i, doc, errFirst := b.first(ctx, b.sources) // one that has lost its watch, and not its server, answers at once
		switch {
		case errFirst != nil:
			return state.Doc{}, 0, errFirst
		case doc.Rev != since:
			return doc, 0, nil
		case i == current:
			s := b.sources[i]
			return state.Doc{}, s.lose(), fmt.Errorf("multistate: next: %w; %s: %w", state.ErrUnchanged, s.Name, errors.Unwrap(err))
		}
		current = i // there is none there either
	}
}

// before are the sources to ask before the one in use is looked at: earlier ones that have had their rest, or all if it
// is in trouble itself. Then one of them must answer.
func (b *Backend) before(current int) (among []*source, must bool) {
	if _, trouble := b.sources[current].pause(); trouble != nil {
		return b.ready(), true
	}
	return b.rested(current), false
}

// holder returns which source a revision is from; -1 if the sources are to be asked in their order.
func (b *Backend) holder(since state.Rev) int {
	if since == state.None {
		return max(b.activeIndex(), 0) // there is none where the last answer came from
	}
	return slices.IndexFunc(b.sources, func(s *source) bool { _, ok := s.inner(since); return ok })
}

// look looks at the source in use, and waits there for a change: up to the end of the context, or until an earlier source
// is to be asked again.
func (b *Backend) look(ctx context.Context, current int, since state.Rev) (state.Doc, time.Duration, error) {
	s := b.sources[current]
	inner, _ := s.inner(since) // None stays None
	waiting, cancel := ctx, context.CancelFunc(func() {})
	if current > 0 {
		waiting, cancel = context.WithTimeout(ctx, b.untilEarlier(current))
	}
	defer cancel()
	began := time.Now()
	a := b.call(waiting, s, func(ctx context.Context) answer {
		doc, wait, err := s.Backend.Next(ctx, inner)
		return answer{doc: doc, wait: wait, err: err}
	})
	switch {
	case a.err == nil:
		b.answered(current)
		s.keep()
		a.doc.Rev = s.outer(a.doc.Rev)
		return a.doc, 0, nil
	case errors.Is(a.err, state.ErrUnchanged):
		b.answered(current)
		s.keep()
		if current > 0 {
			<-waiting.Done() // one that can only be polled does not wait by itself
		}
		return state.Doc{}, a.wait, a.err
	}
	return state.Doc{}, 0, b.fault(waiting, s, began, a.err)
}

// untilEarlier is how long it takes until some source before the current one is to be asked again, but for long enough to
// look at the current one.
func (b *Backend) untilEarlier(current int) time.Duration {
	until := maxPause
	for _, s := range b.sources[:current] {
		pause, _ := s.pause()
		until = min(until, pause)
	}
	return max(until, b.timeout)
}

// rested are the sources before the current one that are to be asked again.
func (b *Backend) rested(current int) []*source {
	return slices.DeleteFunc(slices.Clone(b.sources[:current]), func(s *source) bool {
		pause, _ := s.pause()
		return pause > 0
	})
}

// ready are all sources: those that are to be left alone come last, each kind in its order.
func (b *Backend) ready() []*source {
	var ready, resting []*source
	for _, s := range b.sources {
		if pause, _ := s.pause(); pause > 0 {
			resting = append(resting, s)
		} else {
			ready = append(ready, s)
		}
	}
	return append(ready, resting...)
}

// first asks sources in their order, and returns the one that answers, and what it says. Each has its share of the time
// that the caller has, of which one is kept for what comes after.
func (b *Backend) first(ctx context.Context, among []*source) (int, state.Doc, error) {
	var errs []error
	for n, s := range among {
		limit := b.timeout
		if deadline, ok := ctx.Deadline(); ok {
			limit = min(limit, time.Until(deadline)/time.Duration(len(among)-n+1))
		}
		doc, err := b.ask(ctx, s, limit)
		if err == nil {
			i := slices.Index(b.sources, s)
			b.answered(i)
			return i, doc, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break // the others were not asked
		}
	}
	return 0, state.Doc{}, errors.Join(errs...)
}

// answered notes which source is in use.
func (b *Backend) answered(i int) {
	b.sources[i].note(nil)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.active = i
}

// unchanged is the answer that nothing has changed, with the reason if the source in use is not the first one.
func (b *Backend) unchanged(current int, err error) error {
	if current == 0 {
		return err
	}
	if _, trouble := b.sources[0].pause(); trouble != nil {
		return fmt.Errorf("multistate: next: %w; the state is read from %s, since %w", err, b.sources[current].Name, trouble)
	}
	return err
}
