package faults

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/integration/rigs"
)

// herds are how many instances lose their links at once, where the server has a process for each connection; herd is for
// the others.
var herds = map[string]int{"postgres": 60}

const herd = 500

// TestAThunderingReconnect is fault F16: all links of a large fleet are cut, and for a while no new ones are made. By
// then the fleet tries at intervals of up to a poll interval, chosen at random, and that is how it comes back.
func TestAThunderingReconnect(t *testing.T) {
	eachRigAlone(t, func(t *testing.T, rig rigs.Rig) {
		size := cmp.Or(herds[rig.Name], herd)
		s := newSite(t, rig)
		fleet := s.crowd(size)
		s.allFollow(fleet)
		s.toggle()
		s.allFollow(fleet)
		links := s.link.Open()
		for chances := 3; !s.outage(fleet); chances-- {
			if chances == 1 {
				t.Error("the fleet does not spread")
				break
			}
		}
		if n := s.link.Open(); n > links+size/2 {
			t.Errorf("there are %d links, and there were %d before", n, links)
		}
		if n := watches(); n > size {
			t.Errorf("%d backends have %d watches", size, n)
		}
	})
}

// outage cuts all links of a fleet, refuses new ones for some seconds, and waits until all follow again. It reports
// whether the links spread that were tried first, and those that were made afterwards: that the middle eight tenths of
// them took some time to arrive, where a herd comes at once. A machine that stalls for a second can make a herd of what
// was spread, so there is more than one chance.
func (s *site) outage(fleet []*recess.Engine) (spread bool) {
	const lasts, first, back = 5 * time.Second, 100 * time.Millisecond, 300 * time.Millisecond
	t := s.t
	t.Helper()
	cut := time.Now()
	s.link.Refuse()
	s.link.Cut()
	eventually(t, patience, "several attempts of each instance", func() bool {
		return time.Since(cut) > lasts && len(s.arrivedAfter(cut)) > 2*len(fleet)
	})
	refused := s.arrivedAfter(cut)
	s.toggle()
	healed := time.Now()
	s.link.Heal()
	s.allFollow(fleet)
	made := s.arrivedAfter(healed)
	tookFirst, tookBack := middle(refused[:len(fleet)]), middle(made)
	t.Logf("%d instances: %d links were refused in %v, the first %d of them within %v; then %d were made, within %v",
		len(fleet), len(refused), healed.Sub(cut).Round(time.Millisecond), len(fleet), tookFirst, len(made), tookBack)
	t.Logf("in each tenth of a second: %v", tenths(cut, s.arrivedAfter(cut)))
	if most := 4 * len(fleet) * int(1+healed.Sub(cut)/time.Second); len(refused) > most {
		t.Errorf("%d links were tried, want %d at most", len(refused), most)
	}
	return tookFirst >= first && tookBack >= back
}

// middle is how long the middle eight tenths of some links took to arrive.
func middle(arrived []time.Time) time.Duration {
	return arrived[len(arrived)*9/10].Sub(arrived[len(arrived)/10]).Round(time.Millisecond)
}

// arrivedAfter returns when each link arrived that came after a moment.
func (s *site) arrivedAfter(moment time.Time) []time.Time {
	arrived := s.link.Arrived()
	first, _ := slices.BinarySearchFunc(arrived, moment, time.Time.Compare)
	return arrived[first:]
}

// tenths counts the links that arrived in each tenth of a second.
func tenths(from time.Time, arrived []time.Time) []int {
	const width = 100 * time.Millisecond
	counts := make([]int, 1+arrived[len(arrived)-1].Sub(from)/width)
	for _, at := range arrived {
		counts[at.Sub(from)/width]++
	}
	return counts
}

// allFollow waits until a whole fleet follows the newest state.
func (s *site) allFollow(fleet []*recess.Engine) {
	t := s.t
	t.Helper()
	began := time.Now()
	if !become(t, patience, func() bool { return !slices.ContainsFunc(fleet, s.isBehind) }) {
		behind := slices.IndexFunc(fleet, s.isBehind)
		t.Fatalf("the fleet does not follow within %v: instance %d knows %+v", patience, behind, fleet[behind].Situation().Follower)
	}
	t.Logf("all follow after %v", since(began))
}

// crowd starts engines behind the proxy, which end with the test.
func (s *site) crowd(size int) []*recess.Engine {
	t := s.t
	t.Helper()
	fleet := make([]*recess.Engine, size)
	var starting sync.WaitGroup
	slots := make(chan struct{}, 20)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // who starts does not wait: all of them are waited for at once
	for n := range fleet {
		backend := s.rig.Open(t, s.link.Addr)
		t.Cleanup(func() { _ = backend.Close() })
		slots <- struct{}{}
		starting.Go(func() {
			defer func() { <-slots }()
			engine, err := recess.New(ctx, recess.Config{
				Backend: backend, Instance: fmt.Sprint("herd-", n), Poll: 3 * poll,
				Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
			})
			if err != nil {
				t.Error(err)
				return
			}
			fleet[n] = engine
		})
	}
	starting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() {
		var ending sync.WaitGroup
		for _, engine := range fleet {
			ending.Go(func() { _ = engine.Close() })
		}
		within(t, patience, "the end of the fleet", ending.Wait)
	})
	return fleet
}

// isBehind reports whether an engine does not follow the newest state.
func (s *site) isBehind(engine *recess.Engine) bool {
	f := engine.Situation().Follower
	return f.Phase != recess.Valid || f.Epoch != s.epoch || f.Revision != s.revision
}

// watches counts the watches of all backends.
func watches() int {
	var stacks bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&stacks, 2) // a buffer takes everything
	return strings.Count(stacks.String(), "/state/driver.(*Backend).run(")
}
