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
type inflight struct {
	stripes []stripe
	shift   uint
}

// stripe fills two cache lines: adjacent lines are fetched in pairs on current x86.
type stripe struct {
	running atomic.Int64
	refused atomic.Uint64
	allowed atomic.Uint64
	would   atomic.Uint64
	_       [128 - 4*8]byte
}

func newInflight() inflight {
	n, bits := 4, uint(2)
	for n < 4*runtime.GOMAXPROCS(0) && n < 1024 {
		n, bits = n*2, bits+1
	}
	return inflight{stripes: make([]stripe, n), shift: 64 - bits}
}

// begin counts one more and returns the stripe to end on. Goroutines are told apart by the address of their stack,
// which costs nothing to find and differs between any two that run at the same time.
func (f *inflight) begin() *stripe {
	var here byte
	hash := uint64(uintptr(unsafe.Pointer(&here))>>10) * 0x9E3779B97F4A7C15
	s := &f.stripes[hash>>f.shift]
	s.running.Add(1)
	return s
}

// Counts is what an engine has seen and is doing.
type Counts struct {
	InFlight    int64  // admitted and not yet ended, requests being decided included
	Refused     uint64 // refused since the start
	Allowed     uint64 // let in by exception while a window covered them
	WouldRefuse uint64 // let through by a policy that only reports
}

func (f *inflight) counts() (c Counts) {
	for i := range f.stripes {
		s := &f.stripes[i]
		c.InFlight += s.running.Load()
		c.Refused += s.refused.Load()
		c.Allowed += s.allowed.Load()
		c.WouldRefuse += s.would.Load()
	}
	return c
}
