package faults

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/state"
)

// storm opens and closes the shop as fast as the store takes it, until so many changes are made or the time is over. It
// returns how many were made.
func (s *site) storm(changes int, limit time.Duration) (made int) {
	t := s.t
	t.Helper()
	for _, i := range s.instances {
		i.allow(shopOpen)
		i.allow(shopClosed)
	}
	backend := s.rig.Open(t, s.rig.Server.Addr)
	defer backend.Close()
	doc, now := s.read()
	shop := now.Windows[slices.IndexFunc(now.Windows, ofShop)]
	for began := time.Now(); made < changes && time.Since(began) < limit; {
		next := now.Clone()
		next.Revision++
		if next.Windows = slices.DeleteFunc(next.Windows, ofShop); len(next.Windows) == len(now.Windows) {
			next.Windows = append(next.Windows, shop)
		}
		data, err := state.Encode(next)
		if err != nil {
			t.Fatal(err)
		}
		switch rev, err := backend.Save(t.Context(), doc.Rev, data); {
		case err == nil:
			doc.Rev, now = rev, next
			made++
		case errors.Is(err, state.ErrConflict):
			doc, now = s.read()
		default:
			t.Fatal(err)
		}
	}
	s.newest(now)
	return made
}

func ofShop(w state.Window) bool { return w.Scope == "shop" }

// newest makes a document the one that is to be followed.
func (s *site) newest(now state.State) {
	s.face = shopOpen
	if slices.ContainsFunc(now.Windows, ofShop) {
		s.face = shopClosed
	}
	s.epoch, s.revision, s.turned = now.Epoch, now.Revision, time.Now()
}

// TestAStormOfChanges is fault F19: the last one wins, and what cannot be kept up with is summed up, not queued.
func TestAStormOfChanges(t *testing.T) {
	const changes, goroutines = 2000, 25
	eachRig(t, func(t *testing.T, rig rigs.Rig) {
		s := newSite(t, rig)
		direct, proxied := s.followTwice(recess.Config{})
		var seen atomic.Int64
		for _, i := range s.instances {
			defer i.engine.Subscribe(func(_, _ recess.Situation) { seen.Add(1) })()
		}
		s.link.Delay(time.Millisecond) // one of them is slower than the storm
		before := goroutinesOf(direct.backend, rig.Harness.Packages)
		most, over := 0, make(chan struct{})
		var counting sync.WaitGroup
		counting.Go(func() {
			for {
				select {
				case <-over:
					return
				case <-time.After(100 * time.Millisecond):
					most = max(most, goroutinesOf(direct.backend, rig.Harness.Packages))
				}
			}
		})
		began := time.Now()
		made := s.storm(changes, 3*time.Second)
		took := time.Since(began)
		close(over)
		counting.Wait()
		direct.converge(s.turned, soon)
		proxied.converge(s.turned, soon)
		if most > before+goroutines {
			t.Errorf("%d goroutines before the storm, and %d in it", before, most)
		}
		t.Logf("%d changes at %.0f/s; the two instances saw %d; %d goroutines before it, at most %d in it",
			made, float64(made)/took.Seconds(), seen.Load(), before, most)
	})
}

// goroutinesOf counts the goroutines of a backend and of its client, in all tests that run.
func goroutinesOf(backend state.Backend, packages []string) int {
	kind := reflect.TypeOf(backend)
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	packages = append([]string{kind.PkgPath()}, packages...)
	var text bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&text, 2) // a buffer takes everything
	found := 0
	for stack := range strings.SplitSeq(text.String(), "\n\n") {
		for _, pkg := range packages {
			if strings.Contains(stack, pkg+".") || strings.Contains(stack, pkg+"/") {
				found++
				break
			}
		}
	}
	return found
}

// TestTheEndOfAnInstanceInAStorm is fault F20: engines and backends are closed in whatever order while the state changes
// and while they change it themselves.
func TestTheEndOfAnInstanceInAStorm(t *testing.T) {
	eachRig(t, func(t *testing.T, rig rigs.Rig) {
		s := newSite(t, rig)
		s.followTwice(recess.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for n := range 4 {
			running.Go(func() {
				for ctx.Err() == nil {
					s.startAndEnd(ctx, []string{rig.Server.Addr, s.link.Addr}[n%2])
				}
			})
		}
		made := s.storm(1000, 2*time.Second)
		cancel()
		within(t, patience, "the instances that started and ended", running.Wait)
		_, now := s.read()
		s.newest(now)
		s.converge()
		t.Logf("%d changes of the storm", made)
	})
}

// startAndEnd runs an instance for a moment and closes the engine and the backend at the same time, while its controller
// makes a change.
func (s *site) startAndEnd(ctx context.Context, addr string) {
	t := s.t
	backend := s.rig.Open(t, addr)
	engine, err := recess.New(ctx, recess.Config{
		Backend: backend, Poll: poll, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Error(err)
		return
	}
	engine.Subscribe(func(_, _ recess.Situation) {})
	var ends sync.WaitGroup
	for _, end := range []func(){
		func() { _ = engine.Close() },
		func() { _ = backend.Close() },
		func() {
			change := []change{opening("elsewhere"), closing("elsewhere")}[rand.N(2)]
			_, err := change(context.WithoutCancel(ctx), engine.Control(operator))
			if err != nil && !errors.Is(err, state.ErrClosed) && !errors.Is(err, state.ErrConflict) {
				t.Errorf("a change while the backend is closed: %v", err)
			}
		},
	} {
		ends.Go(func() {
			time.Sleep(rand.N(5 * time.Millisecond)) // any order
			end()
		})
	}
	within(t, soon, "the end of an instance", ends.Wait)
	ticket := engine.Begin() // requests that still come in are decided as before
	ticket.Evaluate(request("/shop"))
	ticket.End()
}
