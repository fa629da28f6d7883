package faults

import (
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/integration/rigs"
)

// TestAHalfOpenLink is fault F3: the links stay and carry nothing any more, new ones work. A store that tells of changes
// is polled so rarely here that only the watch's own sign of life can show it.
func TestAHalfOpenLink(t *testing.T) {
	eachRig(t, func(t *testing.T, rig rigs.Rig) {
		s := newSite(t, rig)
		c, limit := recess.Config{Poll: 10 * time.Minute}, 2*rig.Notice
		if !rig.Harness.Push {
			c.Poll, limit = poll, soon
		}
		i := s.follow("proxied", s.link.Addr, c)
		s.converge()
		s.visited(50) // it waits for news by now
		frozen := time.Now()
		s.link.Freeze()
		i.await(limit, "that the link is dead", func(now recess.Situation) bool {
			return now.Follower.LastErrorAt.After(frozen)
		})
		f := i.engine.Situation().Follower
		t.Logf("noticed after %v (promised: %v): %s", f.LastErrorAt.Sub(frozen).Round(time.Millisecond), rig.Notice, f.LastError)
		i.converge(frozen, limit+soon) // on what it knew already
		s.toggle()
		s.converge()
		s.visited(50)
		s.link.Freeze()
		s.toggle() // this time there is something to miss
		i.converge(s.turned, limit+soon)
	})
}

// TestASlowLink is fault F4: answers take ten seconds there and back, and then come at one byte a second.
func TestASlowLink(t *testing.T) {
	eachRig(t, func(t *testing.T, rig rigs.Rig) {
		s := newSite(t, rig)
		direct, proxied := s.followTwice(recess.Config{})
		for _, fault := range []string{"five seconds each way", "one byte a second"} {
			spoiled := time.Now()
			if fault == "one byte a second" {
				s.link.Rate(1)
			} else {
				s.link.Delay(5 * time.Second)
			}
			proxied.await(patience, fault, func(now recess.Situation) bool {
				return stale(now) && now.Follower.LastErrorAt.After(spoiled)
			})
			t.Logf("%s: noticed after %v: %s", fault, since(spoiled), proxied.engine.Situation().Follower.LastError)
			s.toggle()
			direct.converge(s.turned, soon)
			proxied.cannotControl()
			s.visited(50)
			if seen := proxied.engine.Situation().Follower.Revision; seen >= s.revision {
				t.Errorf("%s: the instance behind the slow link knows revision %d: the link is not slow", fault, seen)
			}
			s.link.Heal()
			s.converge()
		}
	})
}

// TestALostPush is fault F7: the message that tells of a change never arrives.
func TestALostPush(t *testing.T) {
	eachRig(t, func(t *testing.T, rig rigs.Rig) {
		if !rig.Harness.Push {
			t.Skip("it is polled: there is no message to lose")
		}
		s := newSite(t, rig)
		s.follow("proxied", s.link.Addr, recess.Config{Poll: 3 * time.Second})
		s.converge()
		for range 3 {
			s.visited(50) // it waits for news by now
			lost := s.link.Drop(pushed(t, rig))
			s.toggle()
			select {
			case <-lost:
			case <-time.After(patience):
				t.Fatal("no message came that tells of a change")
			}
			s.converge()
		}
	})
}
