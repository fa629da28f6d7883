package recess

import (
	"sync"
	"sync/atomic"
)

// A register holds the names of what runs on a stripe, and since when. Entering and leaving take no lock and, once there
// were as many entries before, allocate nothing; both touch their own stripe's memory alone.
type register struct {
	// free is a stack of the places that are free: in its lower half the number of the topmost, 0 for none, and in its
	// upper half how often something was put on it, so that a place which has gone and come back is not mistaken for itself.
	free   atomic.Uint64
	blocks atomic.Pointer[[]*block] // the places, numbered from 1; they are never taken away
	grows  sync.Mutex
}

type block [16]place

// place is one entry. While turn is even it is free, and belongs to whoever took it off the stack.
type place struct {
	turn  atomic.Uint32
	next  atomic.Uint32 // below it on the stack
	side  atomic.Uint32 // on which its ticket is counted
	since atomic.Int64  // as Engine.age counts
	name  atomic.Pointer[string]
}

// enter takes an entry down and returns its place.
func (r *register) enter(name *string, since int64, side uint32) (number uint32) {
	number = r.pop()
	p := r.at(number)
	p.name.Store(name)
	p.since.Store(since)
	p.side.Store(side)
	p.turn.Add(1)
	return number
}

// leave takes an entry out.
func (r *register) leave(number uint32) {
	r.at(number).turn.Add(1)
	r.push(number, number)
}

// each calls yield with all that was entered before and has not left, and perhaps with what does either meanwhile.
func (r *register) each(yield func(name string, since int64, side uint32)) {
	blocks := r.blocks.Load()
	if blocks == nil {
		return
	}
	for _, b := range *blocks {
		for n := range b {
			p := &b[n]
			if turn := p.turn.Load(); turn%2 == 1 {
				if name, since, side, ok := p.read(turn); ok {
					yield(*name, since, side)
				}
			}
		}
	}
}

// read returns an entry, unless it has left since the place's turn was read: then somebody else may have entered.
func (p *place) read(turn uint32) (name *string, since int64, side uint32, ok bool) {
	name, since, side = p.name.Load(), p.since.Load(), p.side.Load()
	return name, since, side, turn == p.turn.Load()
}

func (r *register) at(number uint32) *place {
	return &(*r.blocks.Load())[(number-1)/uint32(len(block{}))][(number-1)%uint32(len(block{}))]
}

// pop takes a place off the stack.
func (r *register) pop() uint32 {
	for {
		top := r.free.Load()
		number := uint32(top)
		if number == 0 {
			r.grow()
			continue
		}
		if r.free.CompareAndSwap(top, top>>32<<32|uint64(r.at(number).next.Load())) {
			return number
		}
	}
}

// push puts places on the stack that hang together from the first to the last.
func (r *register) push(first, last uint32) {
	for {
		top := r.free.Load()
		r.at(last).next.Store(uint32(top))
		if r.free.CompareAndSwap(top, (top>>32+1)<<32|uint64(first)) {
			return
		}
	}
}

// grow adds a block of places, unless somebody has been faster.
func (r *register) grow() {
	r.grows.Lock()
	defer r.grows.Unlock()
	if uint32(r.free.Load()) != 0 {
		return
	}
	var blocks []*block
	if known := r.blocks.Load(); known != nil {
		blocks = *known
	}
	first := uint32(len(blocks)*len(block{})) + 1
	added := new(block)
	for n := range len(added) - 1 {
		added[n].next.Store(first + uint32(n) + 1)
	}
	blocks = append(blocks[:len(blocks):len(blocks)], added)
	r.blocks.Store(&blocks)
	r.push(first, first+uint32(len(added))-1)
}
