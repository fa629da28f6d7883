package recess

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// TestNothingOlderRunsOnceEarlierIsZero is the promise that a drain rests on, under a storm of changes: whatever began
// when, after "zero" nothing runs that was decided on an older snapshot.
func TestNothingOlderRunsOnceEarlierIsZero(t *testing.T) {
	const workers, changes = 8, 5_000
	e := &Engine{inflight: newInflight()}
	var (
		number  atomic.Uint64          // of the snapshot in force
		decided [workers]atomic.Uint64 // on which the work runs; 0 if none does
		over    atomic.Bool
		wg      sync.WaitGroup
	)
	number.Store(1)
	for w := range workers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for !over.Load() {
				stripe, side := e.inflight.begin() // what Begin does, with a number for the snapshot
				for range r.IntN(3) {
					idle()
				}
				decided[w].Store(number.Load())
				for range r.IntN(20) {
					idle()
				}
				decided[w].Store(0)
				stripe.running[side&1].Add(-1)
				idle()
			}
		})
	}
	zeros := 0
	for n := uint64(2); n < changes; n++ {
		number.Store(n)
		for range rand.IntN(4) {
			idle()
		}
		if e.inflight.earlier(n) > 0 && rand.IntN(2) == 0 {
			continue // the next change comes before this one is through
		}
		for e.inflight.earlier(n) > 0 {
			idle()
		}
		zeros++
		for w := range decided {
			if on := decided[w].Load(); on > 0 && on < n {
				t.Errorf("after change %d was through, work runs that was decided on %d", n, on)
			}
		}
		if e.inflight.earlier(n) != 0 {
			t.Error("zero was not final")
		}
	}
	over.Store(true)
	wg.Wait()
	if zeros < changes/10 {
		t.Errorf("only %d of %d changes got through", zeros, changes)
	}
}

// idle lets others run.
func idle() { runtime.Gosched() }

// A member is one instance's way to a shared store, which can break.
type member struct {
	*memstate.Backend
	mute, deaf atomic.Bool
}

func (m *member) Announce(ctx context.Context, id string, data []byte, ttl time.Duration) (time.Time, error) {
	if m.mute.Load() {
		return time.Time{}, errors.New("no route")
	}
	return m.Backend.Announce(ctx, id, data, ttl)
}

func (m *member) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	doc, wait, err := m.Backend.Next(ctx, since)
	if m.deaf.Load() {
		return state.Doc{}, 0, errors.New("no route")
	}
	return doc, wait, err
}

func (m *member) Close() error { return nil }

// A crew is a fleet on one store, and somebody who drains it.
type crew struct {
	*Controller
	members []*member
	engines []*Engine
	told    []Progress
}

func newCrew(t *testing.T, policies ...Policy) *crew {
	t.Helper()
	b := memstate.New(memstate.Config{})
	t.Cleanup(func() { b.Close() })
	c := &crew{Controller: NewController(b, state.Actor{Name: "alice"}, NotForced)}
	for n, p := range policies {
		m := &member{Backend: b}
		c.members = append(c.members, m)
		c.engines = append(c.engines, started(t, Config{Backend: m, Policy: p, Instance: fmt.Sprint("web-", n)}))
	}
	synctest.Wait()
	return c
}

func (c *crew) on(t *testing.T) {
	t.Helper()
	if _, err := c.On(t.Context(), Opening{}); err != nil {
		t.Fatal(err)
	}
}

// drain drains within a time, and returns the phases of all instances at its end.
func (c *crew) drain(t *testing.T, within time.Duration) (phases string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	c.told = nil
	err = c.Drain(ctx, func(p Progress) { c.told = append(c.told, p) })
	last := Progress{}
	if len(c.told) > 0 {
		last = c.told[len(c.told)-1]
	}
	var words []string
	for _, i := range last.Instances {
		words = append(words, string(i.Phase))
	}
	return strings.Join(words, " "), err
}

func TestADrainWaitsForWhatBeganBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{}, Policy{AllowPaths: []string{"/open"}}, Policy{})
		time.Sleep(time.Minute)
		c.on(t)
		if _, err := c.Off(t.Context(), Ending{}); err != nil { // and announced: the next change waits for a second
			t.Fatal(err)
		}
		synctest.Wait()
		long := c.engines[1].Begin()
		c.on(t)
		synctest.Wait()
		exception := c.engines[1].Begin() // a rule lets it in, and it runs on
		if !exception.Admit(&asked{path: "/open"}) {
			t.Fatal("the exception is refused")
		}
		time.AfterFunc(20*time.Second, long.End)
		began := time.Now()
		phases, err := c.drain(t, time.Minute)
		if err != nil || phases != "drained drained drained" {
			t.Errorf("%s: %v", phases, err)
		}
		if took := time.Since(began); took < 20*time.Second || took > 22*time.Second {
			t.Errorf("the drain took %v, and a request ended after 20s", took)
		}
		if first := c.told[len(c.told)/2]; first.Count(Drained) != 2 || first.Instances[1].Phase != Draining || first.Instances[1].Earlier != 1 || first.Done() {
			t.Errorf("on the way it was told: %+v", first)
		}
		exception.End()
		if phases, err := c.drain(t, time.Minute); err != nil || len(c.told) != 1 {
			t.Errorf("draining again takes %d looks: %s: %v", len(c.told), phases, err)
		}
	})
}

func TestADrainThatEndsTooEarlySaysWhoIsLateWithWhat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{}, Policy{}, Policy{}, Policy{ReportOnly: true})
		c.members[0].deaf.Store(true)
		one, two := c.engines[1].Begin(), c.engines[1].Begin()
		defer one.End()
		defer two.End()
		c.on(t)
		time.Sleep(time.Minute)
		phases, err := c.drain(t, 30*time.Second)
		if phases != "behind draining drained unable" {
			t.Error(phases)
		}
		var late *DrainError
		if !errors.Is(err, ErrNotDrained) || !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &late) || late.OnlyLost() {
			t.Fatalf("the error is %#v", err)
		}
		for _, want := range []string{
			"web-0.", "has not seen the change yet (reading the state: no route)", "web-1.", "has 2 requests to finish", "web-3.", "its policy only reports",
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
		if strings.Contains(err.Error(), "web-2.") {
			t.Errorf("%q names who is drained", err)
		}
	})
}

func TestAnInstanceThatFallsSilentIsLostAndNeverDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{}, Policy{})
		time.Sleep(time.Minute)
		c.members[0].mute.Store(true) // killed, frozen or cut off: who could tell
		c.on(t)
		began := time.Now()
		phases, err := c.drain(t, time.Hour)
		if phases != "lost drained" {
			t.Error(phases)
		}
		var lost *DrainError
		if !errors.As(err, &lost) || !lost.OnlyLost() || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "is lost") {
			t.Errorf("the error is %v", err)
		}
		if took := time.Since(began); took > announcementLasts+drainPollLast {
			t.Errorf("it took %v to give it up", took)
		}
	})
}

func TestALostInstanceThatComesBackIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{}, Policy{})
		time.Sleep(time.Minute)
		c.members[0].mute.Store(true)
		slow := c.engines[1].Begin()
		time.AfterFunc(2*time.Minute, slow.End)
		time.AfterFunc(time.Minute, func() { c.members[0].mute.Store(false) })
		c.on(t)
		phases, err := c.drain(t, time.Hour)
		if phases != "drained drained" || err != nil {
			t.Errorf("%s: %v", phases, err)
		}
		lost := false
		for _, p := range c.told {
			lost = lost || p.Count(Lost) == 1
		}
		if !lost {
			t.Error("it was never told that the instance was lost")
		}
	})
}

func TestAnInstanceThatEndsInGoodOrderIsNotLost(t *testing.T) {
	for name, c := range map[string]struct {
		running int
		want    string
	}{
		"with nothing to do":    {0, "left drained"},
		"with a request to end": {1, "lost drained"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				crew := newCrew(t, Policy{}, Policy{})
				ticket := crew.engines[0].Begin()
				slow := crew.engines[1].Begin()
				time.AfterFunc(30*time.Second, slow.End)
				time.AfterFunc(10*time.Second, func() {
					if c.running == 0 {
						ticket.End()
					}
					crew.engines[0].Close()
				})
				crew.on(t)
				phases, err := crew.drain(t, time.Minute)
				if phases != c.want || (err == nil) != (c.running == 0) {
					t.Errorf("%s: %v", phases, err)
				}
				if c.running > 0 && !strings.Contains(fmt.Sprint(err), "has ended with 1 request running") {
					t.Errorf("the error is %v", err)
				}
				if fleet := fleetOf(t, crew.members[1]); len(fleet) != 1 {
					t.Errorf("the fleet is %+v", fleet)
				}
			})
		})
	}
}

// What runs on an instance that ends before it has seen the change is not counted as earlier than that.
func TestAnInstanceThatEndsBehindWithARequestRunningIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{Scopes: map[string][]string{"shop": {"/shop/**"}}})
		if _, err := c.On(t.Context(), Opening{Scope: "shop"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		c.members[0].deaf.Store(true)
		elsewhere := c.engines[0].Begin() // the window over the shop lets it in
		defer elsewhere.End()
		c.on(t)
		time.AfterFunc(10*time.Second, func() { c.engines[0].Close() })
		phases, err := c.drain(t, time.Hour)
		if phases != "lost" || !strings.Contains(fmt.Sprint(err), "has ended with 1 request running") {
			t.Errorf("%s: %v", phases, err)
		}
	})
}

func TestAnInstanceThatComesDuringADrainIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{})
		slow := c.engines[0].Begin()
		time.AfterFunc(time.Minute, slow.End)
		c.on(t)
		var joined *Engine
		time.AfterFunc(30*time.Second, func() { joined = started(t, Config{Backend: c.members[0], Instance: "web-9"}) })
		phases, err := c.drain(t, time.Hour)
		synctest.Wait()
		if phases != "drained drained" || err != nil || joined == nil {
			t.Errorf("%s: %v", phases, err)
		}
	})
}

func TestADrainNeedsAWindowThatRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{})
		if _, err := c.drain(t, time.Minute); !errors.Is(err, ErrInvalidOrder) {
			t.Errorf("with nothing on: %v", err)
		}
		if _, err := c.On(t.Context(), Opening{Mode: state.Announce}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.drain(t, time.Minute); !errors.Is(err, ErrInvalidOrder) {
			t.Errorf("with an announcement: %v", err)
		}
		c.on(t)
		slow := c.engines[0].Begin()
		defer slow.End()
		c2 := newCrew(t, Policy{})
		stuck := c2.engines[0].Begin()
		defer stuck.End()
		c2.on(t)
		time.AfterFunc(5*time.Second, func() { _, _ = c2.Off(context.WithoutCancel(t.Context()), Ending{}) })
		if _, err := c2.drain(t, time.Minute); !errors.Is(err, ErrInvalidOrder) || !strings.Contains(err.Error(), "has ended while") {
			t.Errorf("with a window that ends: %v", err)
		}
	})
}

func TestWhoKnowsTheChangeAndDoesNotRefuseIsAskedForItsClock(t *testing.T) {
	d := &drain{state: state.State{Epoch: 1, Revision: 1}, windows: []state.Window{{ID: "w"}}}
	for offset, want := range map[int64]string{
		0:     "is its clock behind, or its version older?",
		700:   "is its clock behind, or its version older?",
		-5250: "its clock is 5.3s behind the backend's",
	} {
		i := d.judge(Instance{Name: "web", Epoch: 1, Revision: 1, ClockOffset: offset})
		if i.Phase != Behind || !strings.Contains(i.Words(), want) {
			t.Errorf("with an offset of %d ms it is %s: %q", offset, i.Phase, i.Words())
		}
	}
}

func TestADrainOutlivesABackendThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{})
		slow := c.engines[0].Begin()
		time.AfterFunc(time.Minute, slow.End)
		c.on(t)
		time.Sleep(announceSpacing)
		way := &member{Backend: c.members[0].Backend}
		c.Controller = NewController(way, state.Actor{}, NotForced)
		time.AfterFunc(10*time.Second, func() { way.deaf.Store(true) })
		time.AfterFunc(40*time.Second, func() { way.deaf.Store(false) })
		phases, err := c.drain(t, time.Hour)
		if phases != "drained" || err != nil {
			t.Errorf("%s: %v", phases, err)
		}
		troubled := 0
		for _, p := range c.told {
			if p.Trouble != nil {
				troubled++
				if p.Done() || len(p.Instances) != 1 {
					t.Errorf("while nothing is known: %+v", p)
				}
			}
		}
		if troubled == 0 {
			t.Error("it was never told that the backend does not answer")
		}
	})
}

// A store that is wiped ends no window: the instances go on refusing.
func TestADrainOutlivesAStoreThatIsWiped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFallible()
		e := started(t, Config{Backend: b, Instance: "web-0"})
		synctest.Wait() // it is announced
		slow := e.Begin()
		time.AfterFunc(time.Minute, slow.End)
		c := &crew{Controller: NewController(b, state.Actor{}, NotForced)}
		c.on(t)
		time.AfterFunc(10*time.Second, func() { b.becomes(t, nil) })
		phases, err := c.drain(t, 2*time.Minute)
		if phases != "draining" || !errors.Is(err, ErrNotDrained) || !strings.Contains(err.Error(), "lost or rolled back the state") {
			t.Errorf("%s: %v", phases, err)
		}
	})
}

func TestADrainingInstanceIsAnnouncedWhenItIsDrainedAndRarelyBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFallible()
		e := started(t, Config{Backend: b})
		time.Sleep(time.Minute)
		stream := e.Begin()
		on(t, e, Opening{})
		time.Sleep(5 * time.Second)
		before := b.count()
		time.Sleep(10 * time.Minute)
		if beats := b.count() - before; beats > 75 {
			t.Errorf("in ten minutes of one stream it announced itself %d times", beats)
		}
		time.Sleep(5 * time.Second)
		stream.End()
		time.Sleep(drainLookLast)
		synctest.Wait()
		if fleet := fleetOf(t, b); fleet[0].Earlier != 0 || len(fleet[0].Running) != 1 {
			t.Errorf("soon after the end of the stream it says %+v", fleet[0])
		}
	})
}

func TestAWindowThatBeginsByTheClockIsDrainedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t, Policy{}, Policy{})
		now := time.Now()
		if _, err := c.Schedule(t.Context(), Opening{Start: now.Add(time.Minute), End: now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		slow := c.engines[1].Begin()
		time.Sleep(time.Minute + time.Millisecond)
		time.AfterFunc(5*time.Second, slow.End)
		phases, err := c.drain(t, 10*time.Second)
		if phases != "drained drained" || err != nil {
			t.Errorf("%s: %v", phases, err)
		}
	})
}

func TestAnAnnouncementFromAnotherVersionIsNeverDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew(t)
		c.on(t)
		for id, data := range map[string]string{
			"nonsense": "{", "older": `{"id":"older","name":"older","epoch":9999999999999,"revision":9,"follower":"valid","in_flight":0}`,
		} {
			b := c.backend.(*memstate.Backend)
			if _, err := b.Announce(t.Context(), id, []byte(data), time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		phases, err := c.drain(t, 10*time.Second)
		if phases != "unable behind" || !strings.Contains(fmt.Sprint(err), "or its version older?") {
			t.Errorf("%s: %v", phases, err)
		}
	})
}
