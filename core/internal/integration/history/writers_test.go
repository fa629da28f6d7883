package history

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recess-go/recess/core/state"
)

// A recording is a run of writers over one document.
type recording struct {
	began    time.Time
	attempts int
	begun    atomic.Int64          // attempts to save
	passed   map[int]chan struct{} // closed when so many have begun

	mu      sync.Mutex
	history []operation
	faults  []error // what no register could have said
}

// record has a writer on each backend read and save until so many saves were attempted, or the context ends. At each of
// the attempts that disturb names, that function is called, one after the other, while the writers go on. At the end the
// document is read once more.
func record(ctx context.Context, backends []state.Backend, attempts int, disturb map[int]func()) ([]operation, error) {
	r := &recording{began: time.Now(), attempts: attempts, passed: make(map[int]chan struct{})}
	var at []int
	for n := range disturb {
		at = append(at, n)
		r.passed[n] = make(chan struct{})
	}
	slices.Sort(at)
	var writers sync.WaitGroup
	for i, backend := range backends {
		writers.Go(func() { (&writer{recording: r, id: i, backend: backend}).run(ctx) })
	}
	for _, n := range at {
		select {
		case <-r.passed[n]:
			disturb[n]()
		case <-ctx.Done():
		}
	}
	writers.Wait()
	last := &writer{recording: r, id: len(backends), backend: backends[0]}
	for !last.read(ctx) {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%d of %d attempts were made when the time was over", r.begun.Load(), attempts)
		}
		pause(ctx)
	}
	if n := int(r.begun.Load()); n < attempts {
		return nil, fmt.Errorf("%d of %d attempts were made when the time was over", n, attempts)
	}
	return r.history, errors.Join(r.faults...)
}

// A writer makes one call at a time.
type writer struct {
	*recording
	id      int
	backend state.Backend

	known, past       document // what it has seen last, and before that
	knownRev, pastRev state.Rev
}

func (w *writer) run(ctx context.Context) {
	for fresh := false; ctx.Err() == nil; {
		if !fresh && !w.read(ctx) {
			pause(ctx)
			continue
		}
		n := int(w.begun.Add(1))
		if n > w.attempts {
			w.begun.Add(-1)
			return
		}
		if passed := w.passed[n]; passed != nil {
			close(passed)
		}
		// Now and then it builds on what it saw before, which has to be refused.
		outdated := w.past != w.known && rand.N(20) == 0
		fresh = w.save(ctx, n, outdated) && rand.N(2) == 0
	}
}

// pause is for a backend that is down.
func pause(ctx context.Context) {
	select {
	case <-time.After(time.Millisecond + rand.N(20*time.Millisecond)):
	case <-ctx.Done():
	}
}

func (w *writer) now() int64 { return int64(time.Since(w.began)) }

// read reports whether the document was read.
func (w *writer) read(ctx context.Context) bool {
	o := operation{writer: w.id, outcome: found, call: w.now()}
	doc, err := state.Read(ctx, w.backend)
	o.end, o.oldRev = w.now(), doc.Rev
	if err != nil {
		return false
	}
	o.old, err = decode(doc)
	w.keep(o, err)
	w.see(o.old, o.oldRev)
	return true
}

// save reports whether the document was saved.
func (w *writer) save(ctx context.Context, id int, outdated bool) bool {
	o := operation{writer: w.id, old: w.known, oldRev: w.knownRev}
	if outdated {
		o.old, o.oldRev = w.past, w.pastRev
	}
	o.new = document{id, o.old.number + 1}
	data := o.new.encode()
	o.call = w.now()
	rev, err := w.backend.Save(ctx, o.oldRev, data)
	o.end = w.now()
	switch {
	case err == nil:
		o.outcome, o.newRev = saved, rev
		w.see(o.new, o.newRev)
	case errors.Is(err, state.ErrConflict):
		o.outcome = conflict
	default:
		o.outcome, o.end = unknown, math.MaxInt64
	}
	w.keep(o, nil)
	return err == nil
}

func (w *writer) see(d document, rev state.Rev) {
	if d != w.known {
		w.past, w.pastRev = w.known, w.knownRev
		w.known, w.knownRev = d, rev
	}
}

func (w *writer) keep(o operation, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.history = append(w.history, o)
	if err != nil {
		w.faults = append(w.faults, err)
	}
}
