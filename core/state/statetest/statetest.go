// Package statetest is the conformance suite of state backends: [Run] asserts what the comments of [state.Backend]
// promise, one subtest for each promise. A backend of your own passes it like this:
//
//	func TestConformance(t *testing.T) {
//		statetest.Run(t, statetest.Harness{
//			Push: true,
//			Fresh: func(t *testing.T) statetest.Store {
//				prefix := newPrefix(t) // a place that no other test uses, removed when t ends
//				return statetest.Store{Open: func(t *testing.T) state.Backend { return mystate.New(client, prefix) }}
//			},
//		})
//	}
//
// The suite uses real time only as a deadline for what must happen, never to wait for something to be true. It needs
// some seconds on a backend that writes to a disk. Run it with -race, and not in parallel with other tests of the
// same package: it counts goroutines.
package statetest

import (
	"testing"

	"github.com/recess-go/recess/core/state"
)

// A Harness says how to make a backend, and which of the optional promises it gives.
type Harness struct {
	// Fresh makes a new store without a document. It cleans up by t.Cleanup.
	Fresh func(t *testing.T) Store

	// Push says that Next waits for a change. Otherwise it answers ErrUnchanged at once, and callers poll.
	Push bool
	// ReadOnly says that Save always answers ErrReadOnly. Store.Put is needed then.
	ReadOnly bool
	// Narrow says that the store's own format expresses nothing but one window of mode full over the whole site,
	// and that Save answers ErrInexpressible to the rest.
	Narrow bool
	// Presence says that the backend is a [state.Presence] too.
	Presence bool
	// Resident says that an open backend may hold goroutines while nobody waits: its connection needs them.
	Resident bool

	// Normalise turns a document that is saved into the one that is read back. Nil: byte for byte the same.
	Normalise func(data []byte) []byte
	// Packages are the import paths of packages whose goroutines must be gone after Close, besides those of the backend
	// and of state/driver.
	Packages []string
}

// A Store is one place where a document is kept.
type Store struct {
	// Open returns another backend on this store. The suite closes it.
	Open func(t *testing.T) state.Backend
	// Put writes the document past the backend, as an operator or a foreign program would. Nil if there is no such way.
	Put func(t *testing.T, data []byte)
	// Looks returns how often the store was read so far by the backends opened. Nil if that cannot be counted.
	Looks func() int
}

// A promise is one sentence of the contract. The needs that a harness does not meet skip it.
type promise struct {
	name  string
	needs need
	check func(t *testing.T, s *subject)
}

type need struct{ push, poll, save, put, presence bool }

var promises = []promise{
	{"a missing document is the zero Doc", need{}, missingDocument},
	{"Unseen is answered at once, every time", need{}, unseenIsAnsweredAtOnce},
	{"one document has one revision on every handle", need{}, oneRevisionOnEveryHandle},
	{"a document that makes no sense is returned as it is", need{put: true}, nonsenseIsReturned},
	{"a polled backend answers ErrUnchanged at once and looks once", need{poll: true}, polledOnce},
	{"a call whose context has ended returns", need{}, endedContext},

	{"a saved document is read back", need{save: true}, savedIsReadBack},
	{"Save keeps a copy of what it was given", need{save: true}, saveKeepsACopy},
	{"Save over a stale revision is a conflict", need{save: true}, staleRevisionConflicts},
	{"Save over None is a conflict where a document exists", need{save: true}, noneConflicts},
	{"Save over a revision is a conflict where no document exists", need{save: true}, missingConflicts},
	{"of 50 writers exactly one wins each revision", need{save: true}, oneWriterWins},
	{"a document of the largest size is kept", need{save: true}, largestDocument},
	{"a read-only backend refuses to save", need{}, readOnlyRefuses},

	{"a waiter is woken by a save on its own handle", need{push: true}, wokenByItsOwnHandle},
	{"every waiter is woken by a save on another handle", need{push: true}, wokenByAnotherHandle},
	{"without a document, None waits for the first one", need{push: true}, noneWaitsForTheFirst},
	{"no change is lost between the look and the wait", need{push: true}, noChangeIsLost},
	{"the end of the context ends the wait with ErrUnchanged, and nothing else does", need{push: true}, contextEndsTheWait},
	{"a storm of changes ends with the last one and never goes back", need{save: true}, storm},

	{"who announced itself is there", need{presence: true}, announcedIsThere},
	{"who withdrew is gone", need{presence: true}, withdrawnIsGone},
	{"whose announcement expired is gone, and nobody else", need{presence: true}, expiredIsGone},
	{"an announcement changes no document and wakes nobody", need{presence: true}, announcingChangesNoDocument},
	{"an announcement that cannot be kept is refused", need{presence: true}, announcementsAreChecked},
	{"the store's time does not go back", need{presence: true}, storeTellsTime},
	{"many announce themselves at once", need{presence: true}, manyAnnounceAtOnce},
	{"after Close nobody can be announced", need{presence: true}, closedPresence},

	{"Close ends every waiting call with ErrClosed", need{push: true}, closeEndsWaiting},
	{"after Close every call answers ErrClosed, and closing again is no error", need{}, closedAnswersErrClosed},
	{"Close leaves other handles open", need{}, closeLeavesOthersOpen},
	{"all methods may be called at the same time", need{}, everythingAtOnce},
	{"no goroutine stays behind", need{}, noGoroutineStays},
}

// Run asserts every promise that the harness does not exclude, each on a store of its own.
func Run(t *testing.T, h Harness) {
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) {
			s := &subject{Harness: h, Store: h.Fresh(t)}
			switch {
			case p.needs.push && !h.Push:
				t.Skip("this backend can only be polled")
			case p.needs.poll && h.Push:
				t.Skip("this backend is told of changes")
			case p.needs.save && h.ReadOnly:
				t.Skip("this backend is read-only")
			case p.needs.presence && !h.Presence:
				t.Skip("this backend keeps no instances")
			case p.needs.put && s.Put == nil:
				t.Skip("nothing can write to this store past the backend")
			case h.ReadOnly && s.Put == nil:
				t.Fatal("statetest: the harness of a read-only backend needs Store.Put")
			}
			p.check(t, s)
		})
	}
}
