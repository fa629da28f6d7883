package faults

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/integration/proxy"
	"github.com/recess-go/recess/core/internal/integration/rigs"
)

// TestAKilledServer is fault F1. One instance loses its server itself, the other a link to it.
func TestAKilledServer(t *testing.T) {
	eachRig(t, func(t *testing.T, rig rigs.Rig) {
		s := newSite(t, rig)
		s.followTwice(recess.Config{})
		killed := time.Now()
		rig.Server.Kill(t)
		s.interrupted(killed)
		s.lookAgainInVain()
		rig.Server.Start(t)
		s.converge() // on what was there before
		s.toggle()
		s.converge()
	})
}

// interrupted asserts that every instance says that it is cut off: since when, and why. It keeps what it knows.
func (s *site) interrupted(by time.Time) {
	s.t.Helper()
	s.await("the interruption", stale)
	for _, i := range s.instances {
		f := i.engine.Situation().Follower
		if f.Phase != recess.Stale {
			continue // it has found a way in the meantime
		}
		if f.Since.Before(by) || f.LastError == "" || f.LastErrorAt.Before(f.Since) || f.Revision != s.revision {
			s.t.Errorf("%s: cut off at %v, the follower says %+v", i.name, by, f)
		}
		s.t.Logf("%s: says so after %v: %s", i.name, f.Since.Sub(by).Round(time.Millisecond), f.LastError)
	}
	s.visited(50)
}

// lookAgainInVain waits until every instance has looked at the store again, and failed.
func (s *site) lookAgainInVain() {
	s.t.Helper()
	failed := time.Now()
	s.await("another failure", func(now recess.Situation) bool {
		return stale(now) && now.Follower.LastErrorAt.After(failed)
	})
	s.visited(50)
}

// TestAFrozenServer is fault F5: connections are made, and nothing answers.
func TestAFrozenServer(t *testing.T) {
	eachRig(t, func(t *testing.T, rig rigs.Rig) {
		s := newSite(t, rig)
		direct, _ := s.followTwice(recess.Config{})
		frozen := time.Now()
		rig.Server.Freeze(t)
		s.interrupted(frozen)
		s.lookAgainInVain()
		direct.cannotControl()
		rig.Server.Thaw(t)
		s.converge()
		s.toggle()
		s.converge()
	})
}

// cannotControl asserts that a change through the instance's backend fails in time, though its caller set no deadline.
func (i *instance) cannotControl() {
	t := i.site.t
	t.Helper()
	began := time.Now()
	within(t, soon, "a change", func() {
		_, err := recess.NewController(i.backend, operator, recess.NotForced).On(t.Context(), recess.Opening{Name: "vain"})
		if !errors.Is(err, recess.ErrUnreachable) {
			t.Errorf("%s: a change: %v, want ErrUnreachable", i.name, err)
		}
		t.Logf("%s: a change failed after %v: %v", i.name, since(began), err)
	})
}

// TestAStartWithoutItsServer is fault F2: it is down, or takes connections and does not answer.
func TestAStartWithoutItsServer(t *testing.T) {
	eachRig(t, func(t *testing.T, rig rigs.Rig) {
		s := newSite(t, rig)
		snapshot := filepath.Join(t.TempDir(), "snapshot.json")
		before := s.follow("before", rig.Server.Addr, recess.Config{SnapshotFile: snapshot})
		s.converge()
		eventually(t, soon, "the snapshot file", func() bool { _, err := os.Stat(snapshot); return err == nil })
		before.end()
		rig.Server.Kill(t)

		silent := proxy.New(t, rig.Server.Addr)
		silent.FreezeAll()
		for _, way := range []struct{ name, addr string }{
			{"down", rig.Server.Addr}, {"down-behind-a-proxy", s.link.Addr}, {"silent", silent.Addr},
		} {
			start := func(name string, c recess.Config, phase recess.FollowerPhase, shown face) {
				c.StartWait = 200 * time.Millisecond
				began := time.Now()
				i := s.follow(way.name+"."+name, way.addr, c)
				took := time.Since(began)
				i.only(shown)
				if took > soon {
					t.Errorf("%s: New took %v, with a StartWait of %v", i.name, took, c.StartWait)
				}
				f := i.engine.Situation().Follower
				if f.Phase != phase && f.Phase != recess.Initializing {
					t.Errorf("%s: the follower is %s, want %s", i.name, f.Phase, phase)
				}
				i.await(patience, "why", func(now recess.Situation) bool { return now.Follower.Phase == phase && now.Follower.LastError != "" })
				if face := i.look(); face != shown {
					t.Errorf("%s: it shows %v, want %v", i.name, face, shown)
				}
				t.Logf("%s: ready after %v, and says: %s", i.name, took.Round(time.Millisecond), i.engine.Situation().Follower.LastError)
			}
			start("with-a-snapshot", recess.Config{SnapshotFile: snapshot}, recess.Stale, s.face)
			start("open", recess.Config{}, recess.Failed, allOpen)
			start("closed", recess.Config{Policy: recess.Policy{Fallback: recess.FallbackClosed}}, recess.Failed, allClosed)
		}
		s.visited(20)

		for _, i := range s.instances {
			i.allow(s.face)
		}
		silent.Heal()
		rig.Server.Start(t)
		s.converge()
		s.toggle()
		s.converge()
	})
}
