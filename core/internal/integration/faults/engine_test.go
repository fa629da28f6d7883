package faults

import (
	"cmp"
	"context"
	"flag"
	"io"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/integration/proxy"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/state"
	"go.uber.org/goleak"
)

const (
	// poll is how often the engines look at least. What is promised after a fault is convergence within one poll
	// interval and a second.
	poll     = time.Second
	promised = poll + time.Second
	// soon is the deadline for it here, where a dozen servers and as many engines may share one or two processors. Each
	// test logs how long it really took.
	soon = 5 * promised
	// patience is the deadline for what must happen some time.
	patience = time.Minute
)

func TestMain(m *testing.M) {
	if runWriter() {
		return
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		// Faults are waited out more than worked on: the rigs take one side by side, however few processors there are.
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// eachRig injects a fault into every backend, several at a time, and asserts afterwards that no goroutine stays behind:
// of the engines, the backends, or the clients that these made.
func eachRig(t *testing.T, inject func(t *testing.T, rig rigs.Rig)) {
	t.Helper()
	overRigs(t, func(t *testing.T, name string) {
		t.Parallel()
		inject(t, rigs.New(t, name))
	})
}

// eachRigAlone does so with one backend after the other, for a fault that takes all that the machine has.
func eachRigAlone(t *testing.T, inject func(t *testing.T, rig rigs.Rig)) {
	t.Helper()
	overRigs(t, func(t *testing.T, name string) { inject(t, rigs.New(t, name)) })
}

func overRigs(t *testing.T, run func(t *testing.T, name string)) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		var err error
		if !become(t, soon, func() bool { err = goleak.Find(before); return err == nil }) {
			t.Error(err)
		}
	})
	for _, name := range rigs.Names() {
		t.Run(name, func(t *testing.T) { run(t, name) })
	}
}

// A site is a fleet on one document, with two parts: the api, which is closed throughout, and the shop, which a test
// opens and closes.
type site struct {
	t         *testing.T
	rig       rigs.Rig
	link      *proxy.Proxy
	instances []*instance

	face            face // what the newest state shows
	epoch, revision int64
	turned          time.Time
}

// newSite sets a document up that closes the shop. When the test is over, no link is left at the proxy.
func newSite(t *testing.T, rig rigs.Rig) *site {
	t.Helper()
	s := &site{t: t, rig: rig, link: proxy.New(t, rig.Server.Addr)}
	t.Cleanup(func() { eventually(t, soon, "no link", func() bool { return s.link.Open() == 0 }) })
	s.operate(closing("api"))
	s.turn(shopClosed)
	return s
}

var operator = state.Actor{Name: "operator"}

// operate makes a change in another process, as far as the instances can tell: past the proxy, on a connection of its own.
func (s *site) operate(make change) {
	s.t.Helper()
	backend := s.rig.Open(s.t, s.rig.Server.Addr)
	defer backend.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	done, err := make(ctx, recess.NewController(backend, operator, recess.NotForced))
	if err != nil {
		s.t.Fatal(err)
	}
	s.epoch, s.revision, s.turned = done.After.Epoch, done.After.Revision, time.Now()
}

// A change is what somebody does with a controller.
type change func(context.Context, *recess.Controller) (recess.Change, error)

func closing(scope string) change {
	return func(ctx context.Context, c *recess.Controller) (recess.Change, error) {
		return c.On(ctx, recess.Opening{Scope: scope})
	}
}

func opening(scope string) change {
	return func(ctx context.Context, c *recess.Controller) (recess.Change, error) {
		return c.Off(ctx, recess.Ending{Scope: scope})
	}
}

// turn opens or closes the shop. From now on the instances may show the new face too.
func (s *site) turn(to face) {
	s.t.Helper()
	for _, i := range s.instances {
		i.allow(to)
	}
	s.face = to
	if to == shopClosed {
		s.operate(closing("shop"))
	} else {
		s.operate(opening("shop"))
	}
}

// toggle opens a closed shop, and closes an open one.
func (s *site) toggle() {
	s.t.Helper()
	if s.face == shopClosed {
		s.turn(shopOpen)
	} else {
		s.turn(shopClosed)
	}
}

// converge asserts that every instance comes to follow the newest state, and shows nothing else from then on. The clock
// runs from now, when the fault is over.
func (s *site) converge() {
	s.t.Helper()
	began := time.Now()
	for _, i := range s.instances {
		i.converge(began, soon)
	}
}

// await waits until all instances are so.
func (s *site) await(what string, ok func(recess.Situation) bool) {
	s.t.Helper()
	for _, i := range s.instances {
		i.await(patience, what, ok)
	}
}

// visited waits until every instance has had so many visits more.
func (s *site) visited(n int64) {
	s.t.Helper()
	for _, i := range s.instances {
		from := i.visits.Load()
		eventually(s.t, patience, i.name+": visits", func() bool { return i.visits.Load() >= from+n })
	}
}

// An instance is one process of the fleet.
type instance struct {
	visitors
	site    *site
	name    string
	backend state.Backend
	ended   bool
}

// follow starts an instance that reaches the server at an address. It ends with the test; its last link too.
func (s *site) follow(name, addr string, c recess.Config) *instance {
	s.t.Helper()
	i := &instance{site: s, name: name, backend: s.rig.Open(s.t, addr)}
	c.Backend, c.Instance = i.backend, name
	c.Poll, c.StartWait = cmp.Or(c.Poll, poll), cmp.Or(c.StartWait, patience)
	c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	c.Policy.Scopes = map[string][]string{"api": {"/api"}, "shop": {"/shop"}}
	engine, err := recess.New(s.t.Context(), c)
	if err != nil {
		s.t.Fatal(err)
	}
	i.come(s.t, engine)
	s.instances = append(s.instances, i)
	s.t.Cleanup(i.end)
	return i
}

// end ends an instance in good order. It is called at the end of the test, if not before.
func (i *instance) end() {
	if i.ended {
		return
	}
	i.ended = true
	t := i.site.t
	t.Helper()
	i.site.instances = slices.DeleteFunc(i.site.instances, func(other *instance) bool { return other == i })
	i.leave(t, i.name)
	within(t, soon, i.name+": the engine's Close", func() { _ = i.engine.Close() })
	within(t, soon, i.name+": the backend's Close", func() { _ = i.backend.Close() })
}

// followTwice starts an instance that reaches the server directly, and one that does so through the proxy, and waits
// until both show the site.
func (s *site) followTwice(c recess.Config) (direct, proxied *instance) {
	s.t.Helper()
	direct = s.follow("direct", s.rig.Server.Addr, c)
	proxied = s.follow("proxied", s.link.Addr, c)
	s.converge()
	return direct, proxied
}

// converge asserts that the instance comes to follow the newest state within a limit, and shows nothing else from then
// on. It says how long after a moment that was.
func (i *instance) converge(after time.Time, limit time.Duration) {
	s := i.site
	s.t.Helper()
	i.await(limit, "the newest state", func(now recess.Situation) bool {
		f := now.Follower
		return f.Phase == recess.Valid && f.Epoch == s.epoch && f.Revision == s.revision
	})
	i.only(s.face)
	s.t.Logf("%s: follows revision %d after %v (promised: %v)", i.name, s.revision, since(after), promised)
}

// await asserts that the instance comes to be so within a limit.
func (i *instance) await(limit time.Duration, what string, ok func(recess.Situation) bool) {
	t := i.site.t
	t.Helper()
	if !become(t, limit, func() bool { return ok(i.engine.Situation()) }) {
		t.Fatalf("%s: not seen within %v: %s; it knows %+v", i.name, limit, what, i.engine.Situation())
	}
}

func stale(now recess.Situation) bool { return now.Follower.Phase == recess.Stale }

// become waits until something is so, and reports whether it was in time.
func become(t *testing.T, limit time.Duration, ok func() bool) bool {
	t.Helper()
	deadline := time.Now().Add(limit)
	for ; !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	if !become(t, limit, ok) {
		t.Errorf("not seen within %v: %s", limit, what)
	}
}

// within asserts that a call returns in time.
func within(t *testing.T, limit time.Duration, what string, call func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); call() }()
	select {
	case <-done:
	case <-time.After(limit):
		t.Errorf("%s did not return within %v", what, limit)
	}
}

func since(moment time.Time) time.Duration { return time.Since(moment).Round(time.Millisecond) }
