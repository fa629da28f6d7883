// Package propagation measures how long a change takes from the start of the write until all engines decide on it,
// beside the bare client's own time from publishing to receiving, in the same run and turn by turn:
//
//	make bench-propagation
//
// Both write from one client and wait for eight. The bare client is what anybody would write by hand with the same
// library: it reads nothing, checks nothing and decides nothing.
package propagation

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/state"
)

// watching is how many engines follow, and how many bare clients listen.
const watching = 8

// A bare client publishes, and eight of it listen.
type bare struct {
	publish func(ctx context.Context, n int) error
	heard   [watching]chan int // what each listener received
}

// bares are the bare clients of the backends that have push.
var bares = make(map[string]func(b *testing.B, rig rigs.Rig) *bare)

// heap is what a service of some size has in memory. Without it the collector would run every few flips, for both, since
// there is nothing but the benchmark to collect.
const heap = 128 << 20

func BenchmarkPropagation(b *testing.B) {
	service := make([]byte, heap)
	defer runtime.KeepAlive(service)
	for _, name := range rigs.Names() {
		if bares[name] == nil {
			continue // it can only be polled
		}
		b.Run(name, func(b *testing.B) { measure(b, rigs.New(b, name), bares[name]) })
	}
}

func measure(b *testing.B, rig rigs.Rig, makeBare func(*testing.B, rigs.Rig) *bare) {
	const warmUp = 50
	fleet := newFleet(b, rig)
	byHand := makeBare(b, rig)
	var ours, theirs []time.Duration
	n := 0
	for b.Loop() {
		n++
		their := byHand.flip(b, n)
		our := fleet.flip(b, n)
		if n > warmUp || b.N <= warmUp {
			ours, theirs = append(ours, our), append(theirs, their)
		}
	}
	b.ReportMetric(0, "ns/op") // both together say nothing
	report(b, "bare", theirs)
	report(b, "engines", ours)
	b.ReportMetric(float64(quantile(ours, 0.99))/float64(quantile(theirs, 0.99)), "ratio-p99")
}

func report(b *testing.B, who string, times []time.Duration) {
	b.ReportMetric(float64(quantile(times, 0.5).Microseconds()), who+"-p50-µs")
	b.ReportMetric(float64(quantile(times, 0.99).Microseconds()), who+"-p99-µs")
}

func quantile(times []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// flip publishes n and returns how long it took until every listener had it.
func (a *bare) flip(b *testing.B, n int) time.Duration {
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	if err := a.publish(ctx, n); err != nil {
		b.Fatal(err)
	}
	for _, heard := range a.heard {
		for got := 0; got < n; {
			select {
			case got = <-heard:
			case <-ctx.Done():
				b.Fatalf("a bare client did not hear of %d", n)
			}
		}
	}
	return time.Since(began)
}

// A fleet is one writer and the engines that follow it, each on connections of its own.
type fleet struct {
	writer  state.Backend
	rev     state.Rev
	applied [watching]chan int64
}

func newFleet(b *testing.B, rig rigs.Rig) *fleet {
	f := &fleet{writer: rig.Open(b, rig.Server.Addr)}
	b.Cleanup(func() { _ = f.writer.Close() })
	f.save(b, 0)
	for i := range f.applied {
		applied := make(chan int64, 1)
		f.applied[i] = applied
		backend := rig.Open(b, rig.Server.Addr)
		engine, err := recess.New(b.Context(), recess.Config{Backend: backend, StartWait: 30 * time.Second, Instance: fmt.Sprintf("engine-%d", i)})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			_ = engine.Close()
			_ = backend.Close()
		})
		if s := engine.Situation(); s.Follower.Phase != recess.Valid {
			b.Fatalf("an engine starts %s: %s", s.Follower.Phase, s.Follower.LastError)
		}
		engine.Subscribe(func(_, after recess.Situation) {
			select {
			case <-applied:
			default:
			}
			applied <- after.Follower.Revision
		})
	}
	return f
}

// flip turns maintenance on or off and returns how long it took until every engine decided on it.
func (f *fleet) flip(b *testing.B, n int) time.Duration {
	began := f.save(b, n)
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	for _, applied := range f.applied {
		for got := int64(0); got < int64(n)+1; {
			select {
			case got = <-applied:
			case <-deadline.C:
				b.Fatalf("an engine did not apply change %d", n)
			}
		}
	}
	return time.Since(began)
}

// save writes the n-th document, and returns when it began to.
func (f *fleet) save(b *testing.B, n int) (began time.Time) {
	s := state.State{Version: state.Version, Epoch: 1, Revision: int64(n) + 1}
	if n%2 == 1 {
		s.Windows = []state.Window{{ID: "w1", Mode: state.Full}}
	}
	data, err := state.Encode(s)
	if err != nil {
		b.Fatal(err)
	}
	began = time.Now()
	if f.rev, err = f.writer.Save(b.Context(), f.rev, data); err != nil {
		b.Fatal(err)
	}
	return began
}
