package history

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
)

// register is the model that the linearizability checker compares a history with: a register that holds the id of a
// document and is changed by compare-and-swap.
var register = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(current, _, output any) (bool, any) {
		switch o := output.(*operation); o.outcome {
		case found:
			return current == o.old.id, current
		case conflict:
			return current != o.old.id, current
		default:
			return current == o.old.id, o.new.id
		}
	},
	Hash: func(current any) uint64 { return uint64(current.(int)) },
}

// checkLinearizable has porcupine judge a history. Not to come to an end within the limit is an error.
func checkLinearizable(history []operation, limit time.Duration) error {
	history = settled(history)
	operations := make([]porcupine.Operation, len(history))
	for i := range history {
		o := &history[i]
		operations[i] = porcupine.Operation{ClientId: o.writer, Call: o.call, Return: o.end, Output: o}
	}
	switch result := porcupine.CheckOperationsTimeout(register, operations, limit); result {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return fmt.Errorf("porcupine did not come to an end within %v over %d operations", limit, len(history))
	default:
		return fmt.Errorf("porcupine finds no order of %d operations that explains what they were told", len(history))
	}
}

// settled returns a history without saves whose outcome is unknown, for which a search would have to try all that may
// have become of them. One whose document was seen has happened, at the latest by the end of the first call that saw it.
// One whose document was never seen counts as none: whatever replaces a document has seen it, so this one could only be
// the last, after everything else.
func settled(history []operation) []operation {
	seen := make(map[int]int64) // when each document was first seen for certain
	for _, o := range history {
		if end, ok := seen[o.old.id]; !ok || o.end < end {
			seen[o.old.id] = o.end
		}
	}
	var settled []operation
	for _, o := range history {
		if o.outcome == unknown {
			end, ok := seen[o.new.id]
			if !ok {
				continue
			}
			o.outcome, o.end = saved, end
		}
		settled = append(settled, o)
	}
	return settled
}
