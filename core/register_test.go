package recess

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"
)

// entry is what a register is told of.
type entry struct {
	name  string
	since int64
	side  uint32
}

func (r *register) entries() (all []entry) {
	r.each(func(name string, since int64, side uint32) { all = append(all, entry{name, since, side}) })
	return all
}

// TestARegisterUnderAStorm has entries come and go while it is read: what is read was entered as it stands, nothing that is
// in for the whole time is missed, and nothing is left in the end.
func TestARegisterUnderAStorm(t *testing.T) {
	const workers, rounds, depth = 8, 2_000, 40 // more entries than a block has places
	var (
		r     register
		wg    sync.WaitGroup
		over  atomic.Bool
		names [1000]string
	)
	for n := range names {
		names[n] = fmt.Sprint(n)
	}
	stays := entry{"stays", 4711, 1}
	place := r.enter(&stays.name, stays.since, stays.side)
	for w := range workers {
		wg.Go(func() {
			var mine []uint32
			for round := range rounds {
				for d := range 1 + (w+round)%depth {
					n := (w*31 + round*7 + d) % len(names)
					mine = append(mine, r.enter(&names[n], int64(n), uint32(n)&1))
				}
				for _, number := range mine {
					r.leave(number)
				}
				mine = mine[:0]
			}
		})
	}
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		for reads := 0; reads < 10 || !over.Load(); reads++ {
			there := false
			for _, got := range r.entries() {
				there = there || got == stays
				if got != stays && (got.name != fmt.Sprint(got.since) || got.side != uint32(got.since)&1) {
					t.Errorf("nobody has entered %+v", got)
				}
			}
			if !there {
				t.Error("what is in was missed")
			}
		}
	}()
	wg.Wait()
	over.Store(true)
	<-reading
	if got := r.entries(); len(got) != 1 || got[0] != stays {
		t.Errorf("in the end there are %+v", got)
	}
	r.leave(place)
	if got := r.entries(); len(got) != 0 {
		t.Errorf("after all have left there are %+v", got)
	}
	if most := workers*depth + 1; len(*r.blocks.Load())*len(block{}) > most+workers*len(block{}) {
		t.Errorf("there are %d blocks for %d entries at a time", len(*r.blocks.Load()), most)
	}
}

// TestAPlaceThatIsTakenAnewIsNotReadAsItWas, nor taken for itself by whoever takes it off the stack: both would take a
// goroutine that stops in between for as long.
func TestAPlaceThatIsTakenAnewIsNotReadAsItWas(t *testing.T) {
	var r register
	one, other := "one", "other"
	number := r.enter(&one, 1, 0)
	turn := r.at(number).turn.Load()
	if name, _, _, ok := r.at(number).read(turn); !ok || *name != one {
		t.Error("an entry that stays is not read")
	}
	r.leave(number)
	if again := r.enter(&other, 2, 1); again != number {
		t.Fatalf("place %d is taken, not %d, which became free last", again, number)
	}
	if _, _, _, ok := r.at(number).read(turn); ok {
		t.Error("what has taken the place is read as what stood there before")
	}
	top := r.free.Load()
	first, second := r.pop(), r.pop()
	r.push(first, first)
	if now := r.free.Load(); uint32(now) != uint32(top) || now == top {
		t.Errorf("the top is %#x, and was %#x with another place below it", now, top)
	}
	r.push(second, second)
}

func TestAStripeSharesNoCacheLine(t *testing.T) {
	if size := unsafe.Sizeof(stripe{}); size != 128 {
		t.Errorf("a stripe has %d bytes, want two cache lines of 64", size)
	}
}

// TestTheHotPathIsInlined: a call more is a tenth of what a request may cost while nothing runs.
func TestTheHotPathIsInlined(t *testing.T) {
	said, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, said)
	}
	for _, hot := range []string{"(*Engine).Begin", "(*Ticket).Open", "(*Ticket).End", "(*register).at"} {
		if !strings.Contains(string(said), "can inline "+hot+"\n") {
			t.Errorf("%s is not inlined any more: go build -gcflags=-m=2 says why", hot)
		}
	}
}
