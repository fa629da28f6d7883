package recess

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

var errCut = errors.New("the link is cut")

// A link is one party's way to a store that others share. While it is cut nothing comes through.
type link struct {
	state.Backend
	mu      sync.Mutex
	broken  error
	waiting map[*context.CancelFunc]bool
	writing error // of Save, while the link holds
	saves   int
}

func linkTo(store state.Backend) *link {
	return &link{Backend: store, waiting: make(map[*context.CancelFunc]bool)}
}

func (l *link) cut(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = err
	for cancel := range l.waiting {
		(*cancel)()
	}
}

func (l *link) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.mu.Lock()
	broken := l.broken
	l.waiting[&cancel] = true
	l.mu.Unlock()
	if broken != nil {
		return state.Doc{}, 0, broken
	}
	doc, wait, err := l.Backend.Next(ctx, since)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, &cancel)
	if l.broken != nil {
		return state.Doc{}, 0, l.broken
	}
	return doc, wait, err
}

func (l *link) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	l.mu.Lock()
	l.saves++
	broken := errors.Join(l.broken, l.writing)
	l.mu.Unlock()
	if broken != nil {
		return state.None, broken
	}
	return l.Backend.Save(ctx, old, data)
}

// Close leaves the store to the others.
func (l *link) Close() error { return nil }

// A leasing is a store, an instance, and a holder whose lease of a minute has just begun.
type leasing struct {
	store  state.Backend
	site   *Engine
	path   *link // the site's
	holder *Controller
	way    *link // the holder's
	window state.Window
}

const ttl = time.Minute

func newLeasing(t *testing.T) *leasing {
	t.Helper()
	l := &leasing{store: memstate.New(memstate.Config{})}
	t.Cleanup(func() { l.store.Close() })
	l.site, l.path = l.instance(t, "web-1")
	l.way = linkTo(l.store)
	l.holder = NewController(l.way, state.Actor{Name: "alice", Host: "ops-1"}, NotForced)
	change := must(t)(l.holder.On(t.Context(), Opening{Name: "deploy", Lease: ttl}))
	l.window = change.Opened[0]
	synctest.Wait()
	if l.open() {
		t.Fatal("the site is open while the lease runs")
	}
	return l
}

func (l *leasing) instance(t *testing.T, name string) (*Engine, *link) {
	t.Helper()
	path := linkTo(l.store)
	return started(t, Config{Backend: path, Instance: name}), path
}

func (l *leasing) open() bool { return admit(l.site, new(asked)) }

// keep renews the lease until it is told to stop; stop returns what Keep has returned.
func (l *leasing) keep(t *testing.T) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	kept := make(chan error, 1)
	go func() { kept <- l.holder.Keep(ctx, l.window, nil) }()
	t.Cleanup(cancel)
	return func() error { cancel(); return <-kept }
}

func (l *leasing) document(t *testing.T) state.State {
	t.Helper()
	s, err := NewController(l.store, state.Actor{}, NotForced).State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// opensWithin waits until requests pass, and returns for how long.
func (l *leasing) opensWithin(t *testing.T, limit time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	for !l.open() {
		if time.Since(began) > limit {
			t.Fatalf("the site is still closed after %s", limit)
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
	}
	return time.Since(began)
}

func TestALeaseLastsWhileItIsRenewedAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		stop := l.keep(t)
		for range 100 {
			time.Sleep(ttl / 10)
			synctest.Wait()
			if l.open() {
				t.Fatal("the site opened while the lease was renewed")
			}
		}
		if err := stop(); err != nil {
			t.Errorf("Keep, at the end of its context: %v", err)
		}
		if took := l.opensWithin(t, 2*ttl); took < ttl/2 || took > ttl+ttl/4+DefaultPoll {
			t.Errorf("it opened %s after the last renewal at most", took)
		}
		s := l.document(t)
		last := s.History[len(s.History)-1]
		if len(s.Windows) != 0 || last.Action != "lease over" || last.By.Name != "web-1" || last.By.Source != "lease" || !strings.Contains(last.Reason, "1m") {
			t.Errorf("the document: %+v", s)
		}
	})
}

// TestARenewalIsNoChange: the fleet, the history and whoever else writes have nothing to do with it.
func TestARenewalIsNoChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		before, compiled := l.document(t), l.site.snapshots
		stop := l.keep(t)
		time.Sleep(ttl)
		synctest.Wait()
		after := l.document(t)
		if n := after.Windows[0].Lease.Renewals; n < 4 || n > 5 {
			t.Errorf("renewed %d times within its length", n)
		}
		if !numbersEqual(&before, &after) || len(after.History) != len(before.History) || l.site.snapshots != compiled {
			t.Errorf("before %+v, after %+v; compiled %d times, then %d", before, after, compiled, l.site.snapshots)
		}
		if got := l.site.leases[l.window.ID].window.Lease.Renewals; got != after.Windows[0].Lease.Renewals {
			t.Errorf("the instance has seen %d renewals of %d", got, after.Windows[0].Lease.Renewals)
		}
		stop()
	})
}

func TestARenewalIsNoConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		times := 0
		meddled := NewController(&late{l.store, func() {
			if times++; times <= 3 {
				if err := l.holder.renew(t.Context(), l.window.ID, time.Second); err != nil {
					t.Error(err)
				}
			}
		}}, state.Actor{Name: "bob"}, NotForced)
		must(t)(meddled.On(t.Context(), Opening{Scope: "api"}))
		if s := l.document(t); len(s.Windows) != 2 || s.Windows[0].Lease.Renewals != 3 || s.Revision != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// TestWhoWasCutOffFindsTheRenewalsThatItHasMissed counts to the end of a lease that it has not seen renewed, and must not
// end it.
func TestWhoWasCutOffFindsTheRenewalsThatItHasMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		stop := l.keep(t)
		l.path.cut(errCut)
		for range 50 {
			time.Sleep(ttl / 10)
			if l.open() {
				t.Fatal("it opened while it was cut off")
			}
		}
		l.path.cut(nil)
		for range 50 {
			time.Sleep(ttl / 10)
			synctest.Wait()
			if l.open() {
				t.Fatal("it opened although the lease was renewed all the time")
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestAnInstanceThatWasFrozenDoesNotEndALease (fault F15, the other way round): its timers are over when it thaws, and the
// document it has is old.
func TestAnInstanceThatWasFrozenDoesNotEndALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		frozen := l.site.leases[l.window.ID]
		if err := l.holder.renew(t.Context(), l.window.ID, time.Second); err != nil {
			t.Fatal(err)
		}
		l.site.endLease(t.Context(), frozen)
		if s := l.document(t); len(s.Windows) != 1 {
			t.Errorf("it ended a lease that was renewed: %+v", s)
		}
	})
}

// TestAHolderThatWasFrozenFailsOnWhatHappened is fault F15.
func TestAHolderThatWasFrozenFailsOnWhatHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		l.opensWithin(t, 2*ttl) // nobody renews
		if err := l.holder.renew(t.Context(), l.window.ID, time.Second); !errors.Is(err, ErrLeaseLost) {
			t.Errorf("a late renewal: %v", err)
		}
		err := l.holder.Keep(t.Context(), l.window, nil)
		if !errors.Is(err, ErrLeaseLost) || !strings.Contains(err.Error(), `was ended, by "lease over" of web-1@`) {
			t.Errorf("Keep: %v", err)
		}
		if !l.open() {
			t.Error("a late renewal closed the site again")
		}
	})
}

// TestAHolderGivesUpBeforeAnybodyOpens cuts the holder off: by its own clock it must know before the first instance opens.
func TestAHolderGivesUpBeforeAnybodyOpens(t *testing.T) {
	for range 20 { // instances wait at random
		synctest.Test(t, func(t *testing.T) {
			l := newLeasing(t)
			var failures int
			gaveUp := make(chan error, 1)
			go func() { gaveUp <- l.holder.Keep(t.Context(), l.window, func(error) { failures++ }) }()
			time.Sleep(10 * ttl / 4)
			synctest.Wait()
			l.way.cut(errCut)
			cut := time.Now()
			for len(gaveUp) == 0 {
				if l.open() {
					t.Fatal("the site opened while the holder held it closed")
				}
				time.Sleep(100 * time.Millisecond)
			}
			if took := time.Since(cut); took < ttl/4 || took > 3*ttl/4+time.Second {
				t.Errorf("it gave up %s after the cut", took)
			}
			if err := <-gaveUp; !errors.Is(err, ErrLeaseLost) || !errors.Is(err, errCut) || failures < 3 {
				t.Errorf("%v, told of %d failures", err, failures)
			}
			if left := l.opensWithin(t, 2*ttl); left < ttl/5 {
				t.Errorf("it had %s to stop", left)
			}
		})
	}
}

// TestALeaseIsOverInTime: an instance that seldom looks at the store looks when a lease is over.
func TestALeaseIsOverInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		l.site = started(t, Config{Backend: linkTo(l.store), Poll: time.Hour})
		l.path.cut(errCut) // the first one is not there to help
		l.opensWithin(t, ttl+ttl/4+time.Second)
	})
}

// TestOtherChangesRenewNothing: a store on which much happens would keep the window of a dead holder open for ever.
func TestOtherChangesRenewNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		began := time.Now()
		for !l.open() {
			if time.Since(began) > 2*ttl {
				t.Fatal("the lease is not over")
			}
			must(t)(l.holder.On(t.Context(), Opening{Scope: "api", Reason: time.Since(began).String()}))
			time.Sleep(ttl / 10)
			synctest.Wait()
		}
	})
}

// TestALeaseCountsFromItsOpening: whoever begins to renew late has less time.
func TestALeaseCountsFromItsOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		time.Sleep(ttl / 2)
		l.way.cut(errCut)
		began := time.Now()
		if err := l.holder.Keep(t.Context(), l.window, nil); !errors.Is(err, ErrLeaseLost) || time.Since(began) > ttl/4+time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestAStoreThatIsDownOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		l.way.cut(errCut)
		l.path.cut(errCut)
		time.Sleep(10 * ttl)
		synctest.Wait()
		if l.open() {
			t.Fatal("it opened without a look at the store")
		}
		l.path.cut(nil)
		l.opensWithin(t, ttl)
	})
}

// TestOnlyOneInstanceEndsALease: the others find the work done.
func TestOnlyOneInstanceEndsALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		for range 20 {
			l.instance(t, "web-n")
		}
		l.opensWithin(t, 2*ttl)
		time.Sleep(ttl)
		synctest.Wait()
		if s := l.document(t); s.Revision != 2 || len(s.History) != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWhoCannotWriteOpensLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		l.path.mu.Lock()
		l.path.writing = state.ErrReadOnly
		l.path.mu.Unlock()
		if took := l.opensWithin(t, 4*ttl); took < 2*ttl || took > 2*ttl+ttl/4+2*DefaultPoll {
			t.Errorf("it opened after %s", took)
		}
		time.Sleep(ttl)
		synctest.Wait()
		if !l.open() {
			t.Error("it closed again")
		}
		if err := l.holder.renew(t.Context(), l.window.ID, time.Second); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if l.open() {
			t.Error("it does not follow a holder that is back")
		}
	})
}

// TestAnOlderDocumentEndsNoLease rolls the store back: what stands there is older than what is applied.
func TestAnOlderDocumentEndsNoLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		old, err := state.Read(t.Context(), l.store)
		if err != nil {
			t.Fatal(err)
		}
		must(t)(l.holder.On(t.Context(), Opening{Scope: "api"}))
		synctest.Wait()
		now, err := state.Read(t.Context(), l.store)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.store.Save(t.Context(), now.Rev, old.Data); err != nil {
			t.Fatal(err)
		}
		saves := l.path.saves
		time.Sleep(10 * ttl)
		synctest.Wait()
		if l.open() || l.path.saves != saves {
			t.Errorf("open: %v, written %d times", l.open(), l.path.saves-saves)
		}
	})
}

func TestALeaseCanBeTakenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		stop := l.keep(t)
		time.Sleep(ttl)
		must(t)(l.holder.Unlease(t.Context(), l.window.ID, "migrate failed"))
		time.Sleep(10 * ttl)
		synctest.Wait()
		if err := stop(); err != nil || l.open() {
			t.Errorf("Keep: %v; open: %v", err, l.open())
		}
		if change := must(t)(l.holder.Unlease(t.Context(), l.window.ID, "")); change.Changed() {
			t.Error("a second time changed something")
		}
		must(t)(l.holder.Off(t.Context(), Ending{}))
		if _, err := l.holder.Unlease(t.Context(), l.window.ID, ""); !errors.Is(err, ErrLeaseLost) || !strings.Contains(err.Error(), `by "off" of alice@ops-1`) {
			t.Errorf("of a window that is over: %v", err)
		}
	})
}

func TestWhoeverEndsALeasedWindowIsNamedToItsHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		kept := make(chan error, 1)
		go func() { kept <- l.holder.Keep(t.Context(), l.window, nil) }()
		synctest.Wait()
		must(t)(NewController(l.store, state.Actor{Name: "bob", Host: "ops-2"}, NotForced).Off(t.Context(), Ending{}))
		if err := <-kept; !errors.Is(err, ErrLeaseLost) || !strings.Contains(err.Error(), `by "off" of bob@ops-2`) {
			t.Errorf("%v", err)
		}
	})
}

// TestADocumentThatIsGoneIsNoLoss: instances that remember it stay closed, so the holder has time for the store to come back.
func TestADocumentThatIsGoneIsNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFallible()
		defer b.Close()
		c := NewController(b, state.Actor{}, NotForced)
		w := must(t)(c.On(t.Context(), Opening{Lease: ttl})).Opened[0]
		kept := make(chan error, 1)
		go func() { kept <- c.Keep(t.Context(), w, nil) }()
		synctest.Wait()
		doc, err := state.Read(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		b.becomes(t, nil)
		time.Sleep(ttl / 2)
		synctest.Wait()
		if len(kept) != 0 {
			t.Fatalf("it gave up: %v", <-kept)
		}
		b.becomes(t, doc.Data)
		time.Sleep(2 * ttl)
		synctest.Wait()
		if len(kept) != 0 {
			t.Fatalf("it gave up although the document is back: %v", <-kept)
		}
		b.becomes(t, nil)
		if err := <-kept; !errors.Is(err, ErrLeaseLost) || !strings.Contains(err.Error(), "the document is gone") {
			t.Errorf("%v", err)
		}
	})
}

func TestDuringKeepsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		must(t)(l.holder.Off(t.Context(), Ending{}))
		o := Opening{Lease: ttl}
		err := l.holder.During(t.Context(), o, func(ctx context.Context) error {
			time.Sleep(5 * ttl)
			synctest.Wait()
			if l.open() || ctx.Err() != nil {
				t.Errorf("open: %v, context: %v", l.open(), ctx.Err())
			}
			return nil
		})
		if s := l.document(t); err != nil || len(s.Windows) != 0 {
			t.Errorf("%v: %+v", err, s)
		}

		own := errors.New("mine")
		err = l.holder.During(t.Context(), o, func(ctx context.Context) error {
			l.way.cut(errCut)
			<-ctx.Done()
			if !errors.Is(context.Cause(ctx), ErrLeaseLost) {
				t.Errorf("the cause: %v", context.Cause(ctx))
			}
			l.way.cut(nil)
			return own
		})
		if !errors.Is(err, ErrLeaseLost) || !errors.Is(err, own) {
			t.Errorf("%v", err)
		}
		func() {
			defer func() {
				if recover() != "boom" {
					t.Error("the panic is lost")
				}
			}()
			l.holder.During(t.Context(), o, func(context.Context) error { panic("boom") })
		}()
		if s := l.document(t); len(s.Windows) != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestGoingBackDoesNotTakeRenewalsBack: an instance that had missed the last of them would take the lease for one that is not
// renewed.
func TestGoingBackDoesNotTakeRenewalsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		c := NewController(l.store, state.Actor{}, NotForced)
		err := c.During(t.Context(), Opening{Scope: "api"}, func(context.Context) error {
			return l.holder.renew(t.Context(), l.window.ID, time.Second)
		})
		if s := l.document(t); err != nil || len(s.Windows) != 1 || s.Windows[0].Lease.Renewals != 1 {
			t.Errorf("%v: %+v", err, s)
		}
	})
}

func TestOrdersWithALeaseThatMakeNoSense(t *testing.T) {
	c := controller(t)
	must(t)(c.On(t.Context(), Opening{}))
	soon := time.Now().Add(time.Hour)
	for _, x := range []struct {
		name string
		do   func(context.Context, Opening) (Change, error)
		o    Opening
		want string
	}{
		{"on, beside a window that runs", c.On, Opening{Lease: ttl}, "give it another name"},
		{"on, later", c.On, Opening{Name: "x", Lease: ttl, Start: soon}, "begins now"},
		{"on, for a moment", c.On, Opening{Name: "x", Lease: time.Second}, "from 10s to 24h"},
		{"on, for less than nothing", c.On, Opening{Name: "x", Lease: -ttl}, "from 10s to 24h"},
		{"schedule", c.Schedule, Opening{Lease: ttl, Start: soon, End: soon.Add(time.Hour)}, "begins now"},
		{"schedule, again and again", c.Schedule, Opening{Lease: ttl, Repeat: &state.Repeat{Cron: "0 1 * * *", Zone: "UTC", For: time.Hour}}, "recurring window"},
	} {
		change, err := x.do(t.Context(), x.o)
		if !errors.Is(err, ErrInvalidOrder) || !strings.Contains(err.Error(), x.want) || change.Changed() {
			t.Errorf("%s: %v, %+v", x.name, err, change)
		}
	}
	if err := c.Keep(t.Context(), state.Window{ID: "w"}, nil); !errors.Is(err, ErrInvalidOrder) {
		t.Errorf("Keep without a lease: %v", err)
	}
}

// TestARampEndsALease: what reopens by degrees has its own end, and needs no holder.
func TestARampEndsALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeasing(t)
		change := must(t)(l.holder.Off(t.Context(), Ending{Ramp: time.Hour}))
		if len(change.Updated) != 1 || change.Updated[0].Lease != nil {
			t.Errorf("%+v", change)
		}
	})
}
