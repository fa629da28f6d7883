package faults

import (
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/state"
)

// lost is what a follower says while the store offers less than was there.
const lost = "the backend has lost or rolled back the state"

// TestAStoreThatForgetsEverything is fault F6: it is never read as "off", and a change by an operator repairs it.
func TestAStoreThatForgetsEverything(t *testing.T) {
	eachRig(t, func(t *testing.T, rig rigs.Rig) {
		s := newSite(t, rig)
		s.followTwice(recess.Config{})
		rig.Server.Kill(t)
		rig.Server.Wipe(t)
		rig.Server.Start(t)
		s.regressed()
		s.repair()
		s.converge()
		s.toggle()
		s.converge()
	})
}

// repair closes in an empty store what was closed before, one part after the other.
func (s *site) repair() {
	s.t.Helper()
	for _, i := range s.instances {
		i.allow(shopOpen)
	}
	s.operate(closing("api"))
	s.turn(shopClosed)
}

// TestAStoreThatIsRolledBack is fault F6: an older document comes back from a backup.
func TestAStoreThatIsRolledBack(t *testing.T) {
	eachRig(t, func(t *testing.T, rig rigs.Rig) {
		s := newSite(t, rig)
		direct, _ := s.followTwice(recess.Config{})
		old, err := state.Read(t.Context(), direct.backend)
		if err != nil {
			t.Fatal(err)
		}
		s.turn(shopOpen)
		s.converge()
		rig.Put(t, old.Data)
		s.regressed()
		s.operate(opening("shop")) // its document has a window there, whatever the instances show
		s.converge()
		s.turn(shopClosed)
		s.converge()

		rig.Put(t, nil)
		s.regressed()
		for _, i := range s.instances {
			i.allow(allOpen)
		}
		s.face = allOpen
		s.operate(opening("")) // the way out, which ends everything
		s.converge()
	})
}

// regressed asserts that every instance reports that the store is behind, and goes on saying so, while it keeps what it
// knows.
func (s *site) regressed() {
	s.t.Helper()
	regressed := func(now recess.Situation) bool {
		return stale(now) && strings.Contains(now.Follower.LastError, lost)
	}
	s.await("the regression", regressed)
	s.visited(50)
	for _, i := range s.instances {
		f := i.engine.Situation().Follower
		if !regressed(i.engine.Situation()) || f.Revision != s.revision {
			s.t.Errorf("%s: the follower says %+v, want the regression and revision %d", i.name, f, s.revision)
		}
		s.t.Logf("%s: %s", i.name, f.LastError)
	}
}

// emptied is what an operator does by mistake to a store that runs.
var emptied = map[string]func(t *testing.T, rig rigs.Rig){
	"redis": func(t *testing.T, rig rigs.Rig) {
		if err := rigs.RedisClient(t, rig.Server.Addr).FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	},
	"nats": func(t *testing.T, rig rigs.Rig) { // the bucket is made again: fault F8
		if err := rigs.NATSClient(t, rig.Server.Addr).DeleteKeyValue(t.Context(), "recess"); err != nil {
			t.Fatal(err)
		}
		if err := rigs.NATSBuckets(t.Context(), rig.Server.Addr); err != nil {
			t.Fatal(err)
		}
	},
	"etcd": func(t *testing.T, rig rigs.Rig) {
		client := rigs.EtcdClient(t, clientv3.Config{Endpoints: []string{rig.Server.Addr}})
		if _, err := client.Delete(t.Context(), "", clientv3.WithPrefix()); err != nil {
			t.Fatal(err)
		}
	},
	"postgres": func(t *testing.T, rig rigs.Rig) { rigs.Postgres(t, rig.Server.Addr, "truncate recess") },
}

// TestAStoreThatIsEmptiedWhileItRuns is faults F6 and F8.
func TestAStoreThatIsEmptiedWhileItRuns(t *testing.T) {
	eachRig(t, func(t *testing.T, rig rigs.Rig) {
		empty := emptied[rig.Name]
		if empty == nil {
			empty = func(t *testing.T, rig rigs.Rig) { t.Helper(); rig.Put(t, nil) }
		}
		s := newSite(t, rig)
		s.followTwice(recess.Config{})
		for range 2 {
			empty(t, rig)
			s.regressed()
			s.repair()
			s.converge()
		}
	})
}
