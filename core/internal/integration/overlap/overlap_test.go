package overlap

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
)

const (
	// cycles is how many migrations there are.
	cycles = 20
	// tries is how often a migration without a drain is repeated that must meet a request.
	tries = 50
	// exitNotDrained is the exit code that is promised for a drain that did not succeed.
	exitNotDrained = 4
)

// seedVariable repeats an experiment, as far as it depends on chance in this program.
const seedVariable = "OVERLAP_SEED"

func TestNoMigrationMeetsARequest(t *testing.T) {
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv(seedVariable), strconv.FormatUint(rand.Uint64(), 10)), 10, 64)
	must.Do(t, err)
	t.Logf("%s=%d repeats it", seedVariable, seed)
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		var err error
		defer func() {
			if err != nil {
				t.Error(err)
			}
		}()
		must.Become(t, "no goroutine is left behind", func() bool { err = goleak.Find(before); return err == nil })
	})
	over := func(name string, document func(t *testing.T) string) {
		seed++ // each backend has faults of its own
		own := seed
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newSite(t, document(t), own).experiment(own)
		})
	}
	for _, name := range []string{"redis", "postgres", "etcd", "nats"} {
		over(name, func(t *testing.T) string {
			rig := rigs.New(t, name)
			return rig.URL(rig.Server.Addr)
		})
	}
	over("file", func(t *testing.T) string { return "file:" + filepath.Join(t.TempDir(), "recess.json") })
}

func (s *site) experiment(seed uint64) {
	began := time.Now()
	leave := s.visit(seed)
	defer func() {
		s.thaw() // visitors of a frozen instance would not leave
		leave()
	}()
	s.reopened()
	s.meets()
	for n, f := range faultsInOrder(s.random) {
		if f.name == "" {
			s.errand()
		} else {
			s.cycle(n, f)
		}
		if s.t.Failed() {
			break
		}
	}
	if s.t.Failed() {
		s.kill() // what a fault was to end, or has frozen, may be there
	}
	leave()
	s.holding.Wait()
	s.client.CloseIdleConnections()
	for _, p := range s.serving() {
		p.finish(s.t)
	}
	s.judge(time.Since(began))
}

// meets asserts that this experiment can see an overlap: a migration that waits for nothing meets a request.
func (s *site) meets() {
	s.t.Helper()
	for try := range tries {
		s.crowd()
		s.must(s.recess(nil, "on"), "on")
		now := time.Now().UnixNano()
		s.must(s.recess(nil, "off"), "off")
		s.reopened()
		if found := s.history().overlaps(migration{begin: now, end: now}); len(found) > 0 {
			s.t.Logf("a migration that did not wait met %d requests, at try %d", len(found), try+1)
			return
		}
	}
	s.t.Errorf("of %d migrations that did not wait none met a request: this experiment shows nothing", tries)
}

// errand migrates as an operator does: recess run closes the site, drains it, migrates and opens it again.
func (s *site) errand() {
	s.t.Helper()
	s.crowd()
	m, closed, drained := s.run()
	s.written = append(s.written, closed.UnixNano())
	s.draining = append(s.draining, drained.Sub(closed))
	s.migrations = append(s.migrations, m)
	s.reopened()
}

// cycle turns maintenance on, lets the drain work while a fault befalls an instance, migrates, and turns it off again.
func (s *site) cycle(n int, f fault) {
	s.t.Helper()
	place := s.random.IntN(len(s.fleet))
	victim := s.fleet[place]
	if f.name != "" {
		s.t.Logf("cycle %d: %s is %s", n+1, victim.name, f.name)
	}
	s.crowd()
	f.before(s, victim)
	var on time.Time
	drained := s.recess(func(e event) {
		if e.Action == "on" {
			on = time.Now()
			s.written = append(s.written, on.UnixNano())
		}
		f.during(s, victim, e)
	}, "on", "--drain", "--within", "2m")
	took := time.Since(on)
	m := migration{}
	if f.lost {
		m.lost = victim
		s.drainingLosts = append(s.drainingLosts, took)
		s.lose(victim, drained)
		drained = s.recess(func(event) {}, "drain", "--wait", "--allow-lost", "--within", "2m")
	} else {
		s.draining = append(s.draining, took)
		if !victim.serves() {
			s.t.Errorf("the drain has ended while %s was frozen", victim.name)
		}
	}
	s.must(drained, "the drain")
	s.has(drained.last, nil)
	s.migrate(m)
	s.must(s.recess(nil, "off"), "off")
	if s.t.Failed() {
		return // the victim may not be what it should
	}
	f.after(s, place, victim)
	s.reopened()
}

// lose asserts that a drain has ended because an instance is lost, and nothing else.
func (s *site) lose(victim *process, r result) {
	s.t.Helper()
	if victim.serves() {
		s.t.Errorf("the drain has ended before anything befell %s", victim.name)
	}
	id, _ := r.last.phase(victim)
	if r.code != exitNotDrained || r.last.Event != "not_drained" || !strings.Contains(r.err, id+" is lost") {
		s.t.Errorf("%s is lost: exit code %d, event %q\n%s", victim.name, r.code, r.last.Event, r.err)
	}
	s.has(r.last, victim)
}

// has asserts that a drain knows each process that serves, and has drained it; and further only the one that is lost.
func (s *site) has(e event, lost *process) {
	s.t.Helper()
	want := make(map[string]recess.DrainPhase)
	for _, p := range s.serving() {
		want[p.name] = recess.Drained
	}
	if lost != nil {
		want[lost.name] = recess.Lost
	}
	got := make(map[string]recess.DrainPhase)
	for _, i := range e.Instances {
		got[i.Name] = i.Phase
	}
	if !maps.Equal(got, want) {
		s.t.Errorf("the drain has come to %v, want %v", got, want)
	}
}

// migrate does what needs the service to stand still, and asserts that every process refuses meanwhile.
func (s *site) migrate(m migration) {
	m.begin = time.Now().UnixNano()
	s.allRefuse()
	m.end = time.Now().UnixNano()
	s.migrations = append(s.migrations, m)
}

// allRefuse asserts that every process refuses.
func (s *site) allRefuse() {
	for _, p := range s.serving() {
		for range 5 {
			if got := s.ask(p, 0); got != refused {
				s.t.Errorf("during a migration %s answers otherwise than by refusing: %d", p.name, got)
			}
		}
	}
}

// must asserts that a command has done what it should.
func (s *site) must(r result, what string) {
	s.t.Helper()
	if r.code != 0 {
		s.t.Fatalf("%s: exit code %d\n%s", what, r.code, r.err)
	}
}

// judge lays the journals beside the migrations, and says what was measured.
func (s *site) judge(took time.Duration) {
	s.t.Helper()
	h := s.history()
	requests, met, running := 0, 0, 0
	for p, all := range h {
		requests += len(all)
		for _, r := range all {
			if r.end == never {
				s.t.Errorf("request %d of %s has never ended", r.id, p.name)
			}
			s.answered.Delete(r.id)
		}
	}
	s.answered.Range(func(id, _ any) bool {
		s.t.Errorf("request %d was done, and stands in no journal", id)
		return true
	})
	for _, m := range s.migrations {
		found := h.overlaps(m)
		for _, words := range found[:min(len(found), 10)] {
			s.t.Error(words)
		}
		met += len(found)
	}
	for _, instant := range s.written {
		running += h.running(instant)
	}
	s.t.Logf("%v: %d requests were done, %d refused, %d broken; %d migrations met %d requests", took.Round(time.Second),
		requests, s.refused.Load(), s.broken.Load(), len(s.migrations), met)
	s.t.Logf("%.1f requests ran on average when maintenance was turned on; drains took %s; those that lost an instance %s",
		float64(running)/float64(max(len(s.written), 1)), spread(s.draining), spread(s.drainingLosts))
}

// spread says the median and the longest of some times.
func spread(times []time.Duration) string {
	if len(times) == 0 {
		return "no time"
	}
	slices.Sort(times)
	return fmt.Sprintf("%v (median) to %v", times[len(times)/2].Round(time.Millisecond), times[len(times)-1].Round(time.Millisecond))
}
