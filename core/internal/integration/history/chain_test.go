package history

import (
	"fmt"
	"math"

	"github.com/recess-go/recess/core/state"
)

// checkChain judges a history by what is special about it: no document is written twice, so the last one names its
// predecessor, and so on back to none. That is the chain of revisions, and all that was seen must fit to it. The last
// operation is a read that began when all others had ended, but for those whose outcome is unknown.
func checkChain(history []operation) error {
	if err := checkRevisions(history); err != nil {
		return err
	}
	chain, err := chainOf(history)
	if err != nil {
		return err
	}
	place := map[int]int{0: 0} // of each document in the chain, by id
	for i, o := range chain {
		place[o.new.id] = i + 1
	}
	return checkOrder(history, chain, place)
}

// checkRevisions asserts that a revision names one document, and a document has one revision.
func checkRevisions(history []operation) error {
	revs, documents := make(map[int]state.Rev), make(map[state.Rev]document)
	for _, o := range history {
		d, rev := o.old, o.oldRev
		if o.outcome == saved {
			d, rev = o.new, o.newRev
		}
		if known, ok := revs[d.id]; ok && known != rev {
			return fmt.Errorf("%v has two revisions, %q and %q", d, known, rev)
		}
		if known, ok := documents[rev]; ok && known != d {
			return fmt.Errorf("revision %q names two documents: %v, and %v", rev, known, d)
		}
		revs[d.id], documents[rev] = rev, d
	}
	return nil
}

// chainOf returns the saves that made the last document, oldest first. Every save that was acknowledged is among them,
// and each document has the number after its predecessor's.
func chainOf(history []operation) ([]operation, error) {
	saves := make(map[int]operation)
	for _, o := range history {
		if o.outcome != found {
			saves[o.new.id] = o
		}
	}
	last := history[len(history)-1].old
	chain := make([]operation, last.number)
	for at := last; at.id != 0; {
		o, ok := saves[at.id]
		switch {
		case !ok || o.new != at:
			return nil, fmt.Errorf("%v was written by nobody, or stands in the chain twice", at)
		case o.outcome == conflict:
			return nil, fmt.Errorf("%v stands in the chain, but its writer was told that it lost: %v", at, &o)
		case at.number != o.old.number+1:
			return nil, fmt.Errorf("%v replaced %v", at, o.old)
		}
		delete(saves, at.id)
		chain[at.number-1] = o
		at = o.old
	}
	for _, o := range saves {
		if o.outcome == saved {
			return nil, fmt.Errorf("a save that was acknowledged is not in the chain that leads to %v: %v", last, &o)
		}
	}
	return chain, nil
}

// writerOf describes the save that made a document.
func writerOf(history []operation, d document) string {
	for _, o := range history {
		if o.outcome != found && o.new == d {
			return o.String()
		}
	}
	return "nobody"
}

// checkOrder asserts that there is a moment for each link of the chain to have come into force, in order, that agrees
// with when each operation was called, when it ended, and what it saw.
func checkOrder(history, chain []operation, place map[int]int) error {
	type bound struct {
		at  int64
		why operation
	}
	notBefore, notAfter := make([]bound, len(chain)+2), make([]bound, len(chain)+2)
	for i := range notAfter {
		notBefore[i].at, notAfter[i].at = math.MinInt64, math.MaxInt64
	}
	earliest := func(n int, o operation) {
		if n < len(notBefore) && o.call > notBefore[n].at {
			notBefore[n] = bound{o.call, o}
		}
	}
	latest := func(n int, o operation) {
		if o.end < notAfter[n].at {
			notAfter[n] = bound{o.end, o}
		}
	}
	for _, o := range history {
		n, ok := place[o.old.id]
		if !ok {
			return fmt.Errorf("a document was seen that is not in the chain: %v; it is from %v", &o, writerOf(history, o.old))
		}
		switch o.outcome {
		case found: // the n-th was in force at some moment of the call, and the next was not
			latest(n, o)
			earliest(n+1, o)
		case saved: // the next came into force
			earliest(n+1, o)
			latest(n+1, o)
		case conflict: // its writer had seen the n-th, which was replaced before the call ended
			latest(n+1, o)
		case unknown:
			if place[o.new.id] == n+1 {
				earliest(n+1, o)
			}
		}
	}
	if lost := notAfter[len(chain)+1]; lost.at != math.MaxInt64 {
		return fmt.Errorf("a save was refused although nothing had replaced what it was to replace: %v", &lost.why)
	}
	before := notBefore[0]
	for n := range chain {
		if notBefore[n+1].at > before.at {
			before = notBefore[n+1]
		}
		if after := notAfter[n+1]; after.at < before.at {
			return fmt.Errorf("out of order: %v; and after that had ended, %v", &after.why, &before.why)
		}
	}
	return nil
}
