package recess

import (
	"runtime"
	"sync/atomic"
	"unsafe"
)

// inflight counts what is admitted and not yet ended.
//
// The count is striped so that cores do not share a cache line, and a unit of work ends on the stripe on which it
// began. So no stripe is ever negative, and a running unit keeps its own stripe above zero for its whole life: a sum
// that reads the stripes one after the other, however slowly, cannot be zero while a unit runs that began before it.
//
// Each stripe has two sides, so that the work from before a change can be told from the work after it: see earlier.
type inflight struct {
	side    atomic.Uint32 // on which work that begins is counted: 0 or 1
	shift   uint
	stripes []stripe

	// The snapshots are numbered in the order in which they were put in force. Guarded by the engine's lock.
	turned uint64 // the newest one when the side was changed last
	clear  uint64 // the newest one of which it is known that nothing runs that was decided on an older one
}

// stripe fills two cache lines: adjacent lines are fetched in pairs on current x86.
type stripe struct {
	running [2]atomic.Int64
	refused atomic.Uint64
	allowed atomic.Uint64
	would   atomic.Uint64
	named   register // of what runs here, that which has a name
	_       [128 - 8*8]byte
}

func newInflight() inflight {
	n, bits := 4, uint(2)
	for n < 4*runtime.GOMAXPROCS(0) && n < 1024 {
		n, bits = n*2, bits+1
	}
	return inflight{stripes: make([]stripe, n), shift: 64 - bits}
}

// begin counts one more and returns the stripe and the side to end on. Goroutines are told apart by the address of their
// stack, which costs nothing to find and differs between any two that run at the same time.
func (f *inflight) begin() (s *stripe, side uint32) {
	var here byte
	hash := uint64(uintptr(unsafe.Pointer(&here))>>10) * 0x9E3779B97F4A7C15
	s, side = &f.stripes[hash>>f.shift], f.side.Load()&1
	s.running[side].Add(1)
	return s, side
}

// earlier returns how much runs that may have been decided on a snapshot before the newest one, which has this number and
// is in force. Zero is final: nothing of it comes back. The engine's lock is held.
//
// This is the grace period of sleepable RCU (Gaist, McKenney and others: Linux, kernel/rcu/srcu.c). What begins is
// counted on one side, and only then loads the snapshot. Once the other side is found empty while the newest snapshot is
// in force, the sides change; what was decided before is then all on the side that fills no more, for whoever is late and
// still counts there loads the newest snapshot after that. When that side is empty in turn, nothing of it runs any more.
// While the other side is not empty the sides stay: of two changes in quick succession the second waits for the first.
func (f *inflight) earlier(newest uint64) int64 {
	if f.clear == newest {
		return 0
	}
	side := f.side.Load()
	rest := f.running(1 - side)
	switch {
	case f.turned == newest:
	case rest > 0:
		return rest + f.running(side)
	default:
		f.side.Store(1 - side)
		f.turned = newest
		rest = f.running(side)
	}
	if rest == 0 {
		f.clear = newest
	}
	return rest
}

// earlierOn returns the sides on which stands what earlier has counted for this number.
func (f *inflight) earlierOn(newest uint64) (sides [2]bool) {
	switch {
	case f.clear == newest:
	case f.turned == newest:
		sides[1-f.side.Load()] = true
	default:
		sides = [2]bool{true, true}
	}
	return sides
}

// running sums one side.
func (f *inflight) running(side uint32) (n int64) {
	for i := range f.stripes {
		n += f.stripes[i].running[side].Load()
	}
	return n
}

// Counts is what an engine has seen and is doing.
type Counts struct {
	InFlight    int64  // admitted and not yet ended, requests being decided included
	Streams     int64  // of these, long-lived requests
	Held        int64  // waiting for the end of a window of mode hold; they are not in flight
	Refused     uint64 // refused since the start
	Allowed     uint64 // let in by exception while a window covered them
	WouldRefuse uint64 // let through by a policy that only reports
}

func (f *inflight) counts() (c Counts) {
	for i := range f.stripes {
		s := &f.stripes[i]
		c.InFlight += s.running[0].Load() + s.running[1].Load()
		c.Refused += s.refused.Load()
		c.Allowed += s.allowed.Load()
		c.WouldRefuse += s.would.Load()
	}
	return c
}
