// Package fleet simulates a fleet of 1,000 instances in one process, on one real server behind a proxy, and shows what
// the server has to bear:
//
//	make bench-fleet
//
// The engines share one client for what they read and write; each has one watch of its own, as each process of a real
// fleet has. The proxy counts their connections, and cuts all of them at once for the reconnect storm.
package fleet

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/integration/proxy"
	"github.com/recess-go/recess/core/state"
)

// A store is a server, and the way to a backend on it.
type store struct {
	addr string
	// open returns a backend that reaches the server at addr; all of them share one client.
	open func(addr string) backend
}

// A backend is one that keeps its instances.
type backend interface {
	state.Backend
	state.Presence
}

var stores = make(map[string]func(b *testing.B) store)

// size is how many instances there are: 1,000 unless RECESS_FLEET says otherwise.
func size(b *testing.B) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("RECESS_FLEET"), "1000"))
	if err != nil {
		b.Fatalf("RECESS_FLEET: %v", err)
	}
	return n
}

const (
	poll = recess.DefaultPoll
	idle = 3 * poll // how long the fleet is watched while nothing happens
)

func BenchmarkFleet(b *testing.B) {
	for name, makeStore := range stores {
		b.Run(name, func(b *testing.B) {
			if b.N > 1 {
				b.Fatal("once is enough: -benchtime 1x")
			}
			simulate(b, name, makeStore(b), size(b))
		})
	}
}

func simulate(b *testing.B, name string, s store, n int) {
	say := func(format string, args ...any) { fmt.Printf("%-9s  "+format+"\n", append([]any{name}, args...)...) }
	link := proxy.New(b, s.addr)
	f := &fleet{}
	defer f.close()

	began := time.Now()
	f.start(b, n, func() backend { return s.open(link.Addr) })
	f.await(b, "the start", func(e *recess.Engine) bool { return e.Situation().Follower.Phase == recess.Valid })
	say("%d instances follow after %s, over %d connections", n, round(time.Since(began)), link.Open())

	looks, connections := f.looks.Load(), len(link.Arrived())
	time.Sleep(idle)
	each := float64(f.looks.Load()-looks) / float64(n) / float64(idle/poll)
	say("idle for %s: %.2f reads per instance and poll interval, %d new connections", idle, each, len(link.Arrived())-connections)

	writer := recess.NewController(f.backends[0], state.Actor{Name: "bench"}, recess.NotForced)
	applied := f.flip(b, writer.On)
	say("a change is applied by half of them after %s, by all after %s", round(applied[n/2]), round(applied[n-1]))

	connections = link.Open()
	before := len(link.Arrived())
	cut := time.Now()
	link.Cut()
	off := recess.NewController(s.open(s.addr), state.Actor{Name: "bench"}, recess.NotForced)
	if _, err := off.Off(context.Background(), recess.Ending{}); err != nil {
		b.Fatal(err)
	}
	f.await(b, "the reconnection", func(e *recess.Engine) bool {
		s := e.Situation()
		return s.Follower.Phase == recess.Valid && !s.Active()
	})
	say("all %d connections cut: all instances follow again, and have a change made meanwhile, after %s", connections, round(time.Since(cut)))
	arrived := link.Arrived()[before:]
	say("%d new connections, by tenth of a second after the cut: %v", len(arrived), histogram(arrived, cut))
	if again := link.Open(); again > n+n/10 {
		b.Errorf("%d connections for %d instances: watches pile up", again, n)
	}
}

// histogram counts instants by tenth of a second, up to the last that has one.
func histogram(instants []time.Time, from time.Time) []int {
	var counts []int
	for _, at := range instants {
		i := max(int(at.Sub(from)/(100*time.Millisecond)), 0)
		for len(counts) <= i {
			counts = append(counts, 0)
		}
		counts[i]++
	}
	return counts
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

type fleet struct {
	engines  []*recess.Engine
	backends []backend
	looks    atomic.Int64
}

// A counted backend counts how often it is asked; each call reads the document once, which statetest asserts.
type counted struct {
	backend
	looks *atomic.Int64
}

func (c counted) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	c.looks.Add(1)
	return c.backend.Next(ctx, since)
}

func (f *fleet) start(b *testing.B, n int, open func() backend) {
	f.engines, f.backends = make([]*recess.Engine, n), make([]backend, n)
	var starting sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		f.backends[i] = open()
		starting.Go(func() {
			engine, err := recess.New(context.Background(), recess.Config{
				Backend: counted{f.backends[i], &f.looks}, Instance: fmt.Sprintf("web-%d", i), Logger: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				errs <- err
				return
			}
			f.engines[i] = engine
		})
	}
	starting.Wait()
	close(errs)
	for err := range errs {
		b.Fatal(err)
	}
}

// await returns when all engines meet a condition.
func (f *fleet) await(b *testing.B, what string, ok func(*recess.Engine) bool) {
	deadline := time.Now().Add(2 * time.Minute)
	for _, e := range f.engines {
		for !ok(e) {
			if time.Now().After(deadline) {
				b.Fatalf("%s: an engine is %+v", what, e.Situation().Follower)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// flip makes a change and returns when each engine had applied it, in order.
func (f *fleet) flip(b *testing.B, change func(context.Context, recess.Opening) (recess.Change, error)) []time.Duration {
	times := make(chan time.Duration, len(f.engines))
	began := time.Now()
	for _, e := range f.engines {
		cancel := e.Subscribe(func(_, after recess.Situation) {
			if after.Active() {
				select {
				case times <- time.Since(began):
				default:
				}
			}
		})
		defer cancel()
	}
	began = time.Now()
	if _, err := change(context.Background(), recess.Opening{}); err != nil {
		b.Fatal(err)
	}
	var all []time.Duration
	for range f.engines {
		select {
		case t := <-times:
			all = append(all, t)
		case <-time.After(2 * time.Minute):
			b.Fatalf("%d of %d engines applied the change", len(all), len(f.engines))
		}
	}
	slices.Sort(all)
	return all
}

func (f *fleet) close() {
	var closing sync.WaitGroup
	for i := range f.engines {
		closing.Go(func() {
			if f.engines[i] != nil {
				_ = f.engines[i].Close()
			}
			_ = f.backends[i].Close()
		})
	}
	closing.Wait()
}
