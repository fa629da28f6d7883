package cli

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"

	"github.com/recess-go/recess/core/cmd/recess/internal/report"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

// accept makes a document the current one and tells how it differs from the one before.
func (w *watcher) accept(next state.State, doc state.Doc, now time.Time) error {
	before := w.current
	w.current = next
	w.newest = state.State{Epoch: next.Epoch, Revision: next.Revision}
	if !w.begun {
		w.begun, w.at = true, now
		w.session.printer.Now = now
		status := w.session.statusOf(next)
		status.Exists = doc.Rev != state.None
		return w.tell(report.Event{Event: "watching", Status: &status}, now)
	}
	for _, e := range differences(&before, &next, now) {
		sign(&e, &before, &next)
		if err := w.tell(e, now); err != nil {
			return err
		}
	}
	return nil
}

// differences lists what changed between two documents, window by window.
func differences(before, after *state.State, now time.Time) []report.Event {
	var events []report.Event
	add := func(event string, w state.Window) {
		events = append(events, report.Event{Event: event, Window: described(w.At(now))})
	}
	for _, old := range before.Windows {
		if slices.ContainsFunc(after.Windows, sameID(old)) {
			continue
		}
		switch old.Phase(now) {
		case state.Planned:
			add("cancelled", old)
		case state.Running:
			add("ended", old)
		}
	}
	for _, w := range after.Windows {
		i := slices.IndexFunc(before.Windows, sameID(w))
		switch phase := w.Phase(now); {
		case i >= 0 && occurrenceEnded(before.Windows[i], w, now):
			add("ended", before.Windows[i])
		case i >= 0 && !same(before.Windows[i], w):
			add("updated", w)
		case i >= 0:
		case phase == state.Planned:
			add("planned", w)
		case phase == state.Running:
			add("opened", w)
		}
	}
	return append(events, passDifferences(before.LivePasses(now), after.LivePasses(now))...)
}

// passDifferences lists what changed between the passes that are good before and after. One that expired is gone from both.
func passDifferences(before, after []state.Pass) (events []report.Event) {
	add := func(event string, p state.Pass) {
		pass := schema.PassOf(p)
		events = append(events, report.Event{Event: event, Pass: &pass})
	}
	find := func(in []state.Pass, p state.Pass) int {
		return slices.IndexFunc(in, func(other state.Pass) bool { return other.ID == p.ID })
	}
	for _, old := range before {
		if find(after, old) < 0 {
			add("pass ended", old)
		}
	}
	for _, p := range after {
		switch i := find(before, p); {
		case i < 0:
			add("pass made", p)
		case p.Uses < before[i].Uses:
			add("link used", p)
		}
	}
	return events
}

// occurrenceEnded reports whether what ran of a recurring window was ended before its time, and comes again.
func occurrenceEnded(before, after state.Window, now time.Time) bool {
	return before.Repeat != nil && after.Repeat != nil && before.Phase(now) == state.Running && after.Phase(now) == state.Planned
}

// sign adds who did it, if exactly one change lies between the two documents: with several, nobody can tell. Epochs may
// grow with every change; revisions are counted, and start again in a store that was emptied.
func sign(e *report.Event, before, after *state.State) {
	n := len(after.History)
	next := before.Epoch <= after.Epoch && after.Revision == before.Revision+1 || before.Epoch < after.Epoch && after.Revision == 1
	if n == 0 || !next || after.History[n-1].Revision != after.Revision {
		return
	}
	last := after.History[n-1]
	by := schema.Actor(last.By)
	e.Action, e.By, e.Reason = last.Action, &by, last.Reason
}

func sameID(w state.Window) func(state.Window) bool {
	return func(other state.Window) bool { return other.ID == w.ID }
}

// same compares windows as they are written, but for how often their leases were renewed.
func same(a, b state.Window) bool {
	if a.Lease != nil && b.Lease != nil {
		lease := *b.Lease
		lease.Renewals = a.Lease.Renewals
		b.Lease = &lease
	}
	textA, errA := json.Marshal(a)
	textB, errB := json.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(textA, textB)
}
