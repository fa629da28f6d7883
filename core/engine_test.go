package recess

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// TestWindowsRunFromStartToEnd is the matrix of planned, running and ended windows: [start, end), flipped by timer.
func TestWindowsRunFromStartToEnd(t *testing.T) {
	for _, mode := range []state.Mode{state.Full, state.ReadOnly, state.Announce} {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := started(t, Config{})
				start := time.Now().Add(90 * time.Minute)
				end := start.Add(time.Hour)
				if _, err := e.Control(state.Actor{}).Schedule(t.Context(), Opening{Mode: mode, Start: start, End: end}); err != nil {
					t.Fatal(err)
				}
				for _, c := range []struct {
					name string
					at   time.Time
					sent string // the beginning of Maintenance-Mode on a passing POST, "-" for a refusal
				}{
					{"at once", time.Now(), "planned;"},
					{"a nanosecond before the start", start.Add(-1), "planned;"},
					{"at the start", start, map[state.Mode]string{state.Full: "-", state.ReadOnly: "-", state.Announce: "announce;"}[mode]},
					{"a nanosecond before the end", end.Add(-1), map[state.Mode]string{state.Full: "-", state.ReadOnly: "-", state.Announce: "announce;"}[mode]},
					{"at the end", end, ""},
					{"long after", end.Add(24 * time.Hour), ""},
				} {
					time.Sleep(time.Until(c.at))
					synctest.Wait()
					a := &asked{method: "POST"}
					passed := admit(e, a)
					if (c.sent == "-") == passed {
						t.Errorf("%s: passed is %v", c.name, passed)
					}
					if sent := a.sent.Get(page.HeaderName); passed && (!strings.HasPrefix(sent, c.sent) || c.sent == "" && sent != "") {
						t.Errorf("%s: %q", c.name, sent)
					}
				}
				if e.snap.Load() != nil {
					t.Error("after the end a request costs more than nothing")
				}
			})
		})
	}
}

func TestRetryAfterCountsDownToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		on(t, e, Opening{End: time.Now().Add(10 * time.Minute)})
		for _, c := range []struct {
			after time.Duration
			want  string
		}{{0, "600"}, {1, "600"}, {time.Second, "599"}, {time.Minute, "540"}, {599 * time.Second, "1"}, {600*time.Second - 1, "1"}} {
			begun := e.Situation().Running[0].End.Add(-10 * time.Minute)
			time.Sleep(time.Until(begun.Add(c.after)))
			synctest.Wait()
			a := new(asked)
			admit(e, a)
			got := header(a.answered, "Retry-After")
			if n, _ := strconv.Atoi(c.want); got != c.want && got != strconv.Itoa(n+1) || n > 1 && got == strconv.Itoa(n+1) && c.after%time.Second == 0 {
				t.Errorf("after %s: %s, want %s", c.after, got, c.want)
			}
		}
	})
}

func header(a *page.Answer, name string) string {
	for _, f := range a.Header {
		if f.Name == name {
			return f.Value[0]
		}
	}
	return ""
}

func TestRetryAfterWithoutAnEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy Policy
		end    time.Duration
		want   string
	}{
		{"an hour by default", Policy{}, 0, "3600"},
		{"as configured", Policy{RetryAfter: 90 * time.Second}, 0, "90"},
		{"a fraction rounds up", Policy{RetryAfter: 1500 * time.Millisecond}, 0, "2"},
		{"none", Policy{RetryAfter: NoRetryAfter}, 0, ""},
		{"none, whatever the end", Policy{RetryAfter: NoRetryAfter}, time.Hour, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := started(t, Config{Policy: c.policy})
			o := Opening{}
			if c.end > 0 {
				o.End = time.Now().Add(c.end)
			}
			on(t, e, o)
			a := new(asked)
			admit(e, a)
			if got := header(a.answered, "Retry-After"); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// scripted is a backend that answers what a test tells it to.
type scripted struct {
	mu      sync.Mutex
	doc     state.Doc
	err     error
	looks   atomic.Int64
	changed chan struct{}
}

func newScripted(doc state.Doc, err error) *scripted {
	return &scripted{doc: doc, err: err, changed: make(chan struct{})}
}

func (s *scripted) say(doc state.Doc, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doc, s.err = doc, err
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *scripted) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	s.looks.Add(1)
	for {
		s.mu.Lock()
		doc, err, changed := s.doc, s.err, s.changed
		s.mu.Unlock()
		if err != nil {
			return state.Doc{}, 0, err
		}
		if doc.Rev != since {
			return doc, 0, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return state.Doc{}, 0, state.ErrUnchanged
		}
	}
}

func (s *scripted) Save(context.Context, state.Rev, []byte) (state.Rev, error) {
	return "", state.ErrReadOnly
}

func (s *scripted) Close() error { return nil }

// document is one at an epoch and revision, with a window over the whole site if it is on.
func document(t testing.TB, epoch, revision int64, on bool) state.Doc {
	t.Helper()
	s := state.Switched(on, time.Time{}, time.Time{})
	s.Epoch, s.Revision = epoch, revision
	data, err := state.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return state.Doc{Rev: state.Rev(fmt.Sprint(epoch, "-", revision, on)), Data: data}
}

// TestTheFollowerKeepsTheLastKnownState walks through what a backend can do wrong, step by step on one engine.
func TestTheFollowerKeepsTheLastKnownState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newScripted(document(t, 5, 7, true), nil)
		e := started(t, Config{Backend: b})
		down := errors.New("connection refused")
		for _, step := range []struct {
			name   string
			doc    state.Doc
			err    error
			refuse bool
			phase  FollowerPhase
			says   string
		}{
			{"a document with a window closes", document(t, 5, 7, true), nil, true, Valid, ""},
			{"a backend that is down changes nothing", state.Doc{}, down, true, Stale, "connection refused"},
			{"a newer document opens", document(t, 5, 8, false), nil, false, Valid, "connection refused"},
			{"an older one is a regression", document(t, 5, 7, true), nil, false, Stale, "rolled back"},
			{"no document is a regression", state.Doc{}, nil, false, Stale, "no document"},
			{"the same one again is fine", document(t, 5, 8, false), nil, false, Valid, "no document"},
			{"a document that makes no sense changes nothing", state.Doc{Rev: "x", Data: []byte("{")}, nil, false, Stale, "makes no sense"},
			{"neither does one from the future", state.Doc{Rev: "y", Data: []byte(`{"version":9,"windows":[]}`)}, nil, false, Stale, "version 9"},
			{"a new epoch is newer whatever its revision", document(t, 6, 1, true), nil, true, Valid, "version 9"},
			{"an old epoch is a regression whatever its revision", document(t, 5, 99, false), nil, true, Stale, "epoch 5 revision 99"},
			{"an unnumbered text is somebody's word", document(t, 0, 0, false), nil, false, Valid, "epoch 5"},
			{"and its removal means off", state.Doc{}, nil, false, Valid, "epoch 5"},
		} {
			b.say(step.doc, step.err)
			time.Sleep(2 * DefaultPoll)
			synctest.Wait()
			s := e.Situation()
			if d := decide(e, new(asked)); d.Refuse != step.refuse {
				t.Errorf("%s: refuse is %v", step.name, d.Refuse)
			}
			if s.Follower.Phase != step.phase || !strings.Contains(s.Follower.LastError, step.says) {
				t.Errorf("%s: %s, %q", step.name, s.Follower.Phase, s.Follower.LastError)
			}
		}
	})
}

func TestTheStartWithoutAState(t *testing.T) {
	down := errors.New("connection refused")
	for _, c := range []struct {
		name     string
		fallback Fallback
		doc      state.Doc
		err      error
		refuse   bool
		phase    FollowerPhase
	}{
		{"no document is off, whatever the fallback", FallbackClosed, state.Doc{}, nil, false, Valid},
		{"a backend that is down falls back to open", FallbackOpen, state.Doc{}, down, false, Failed},
		{"or to closed", FallbackClosed, state.Doc{}, down, true, Failed},
		{"so does a document that makes no sense", FallbackClosed, state.Doc{Rev: "x", Data: []byte("?")}, nil, true, Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				b := newScripted(c.doc, c.err)
				e := started(t, Config{Backend: b, Policy: Policy{Fallback: c.fallback}})
				if waited := time.Since(began); c.err != nil && waited != DefaultStartWait || c.err == nil && waited != 0 {
					t.Errorf("New took %s", waited)
				}
				if d := decide(e, new(asked)); d.Refuse != c.refuse {
					t.Errorf("refuse is %v", d.Refuse)
				}
				if s := e.Situation(); s.Follower.Phase != c.phase {
					t.Errorf("phase %s, want %s", s.Follower.Phase, c.phase)
				}
				b.say(document(t, 1, 1, true), nil)
				time.Sleep(DefaultPoll)
				synctest.Wait()
				if d := decide(e, new(asked)); !d.Refuse || d.Window == fallbackID {
					t.Errorf("the first state is not followed: %+v", d)
				}
			})
		})
	}
}

func TestTheSnapshotFileBridgesAStartWithoutBackend(t *testing.T) {
	file := filepath.Join(t.TempDir(), "snapshot.json")
	first := started(t, Config{SnapshotFile: file})
	on(t, first, Opening{Messages: map[string]string{"": "back soon"}})
	first.Close() // the follower may have been first, and is writing
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := newScripted(state.Doc{}, errors.New("connection refused"))
		e := started(t, Config{Backend: b, SnapshotFile: file})
		if d := decide(e, new(asked)); !d.Refuse || d.Window == fallbackID {
			t.Errorf("the saved state does not count: %+v", d)
		}
		if s := e.Situation(); s.Follower.Phase != Stale || s.Follower.Revision != 1 {
			t.Errorf("%+v", s.Follower)
		}
		b.say(state.Doc{}, nil)
		time.Sleep(DefaultPoll)
		synctest.Wait()
		if d := decide(e, new(asked)); !d.Refuse {
			t.Error("a store that lost the state opened the site")
		}
	})
}

// TestAnIdleEngineAsksOncePerInterval also shows that polling goes on behind a watch that never says anything.
func TestAnIdleEngineAsksOncePerInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newScripted(document(t, 1, 1, false), nil)
		started(t, Config{Backend: b})
		before := b.looks.Load()
		time.Sleep(time.Hour)
		synctest.Wait()
		looks := b.looks.Load() - before
		least, most := int64(time.Hour/DefaultPoll), int64(time.Hour/(DefaultPoll*4/5))+1
		if looks < least || looks > most {
			t.Errorf("%d looks in an hour, want %d to %d", looks, least, most)
		}
	})
}

func TestADeadBackendIsAskedLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newScripted(state.Doc{}, errors.New("connection refused"))
		started(t, Config{Backend: b})
		time.Sleep(time.Hour)
		synctest.Wait()
		if looks := b.looks.Load(); looks < 240 || looks > 1200 {
			t.Errorf("%d looks in an hour", looks)
		}
	})
}

// TestOnIsInForceWhenItReturns is target T7: no request of this process that begins after On returned sees the old state.
func TestOnIsInForceWhenItReturns(t *testing.T) {
	e := started(t, Config{})
	for range 200 {
		on(t, e, Opening{})
		if admit(e, new(asked)) {
			t.Fatal("a request passed after On had returned")
		}
		off(t, e)
		if !admit(e, new(asked)) {
			t.Fatal("a request was refused after Off had returned")
		}
	}
	if s := e.Situation(); s.Follower.Phase != Valid || s.Follower.LastError != "" {
		t.Errorf("its own writes confuse the follower: %+v", s.Follower)
	}
}

// TestTheCountIsNeverZeroWhileARequestRuns sums while one request runs and many others begin and end around it, on
// stacks that move: whoever ended one of them on another stripe than its own would make some sum read zero.
func TestTheCountIsNeverZeroWhileARequestRuns(t *testing.T) {
	e := started(t, Config{})
	stop := make(chan struct{})
	var churning sync.WaitGroup
	for range 4 {
		churning.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var request sync.WaitGroup
				ticket := e.Begin()
				request.Go(ticket.End) // it may end on another goroutine, as a hijacked connection does
				request.Wait()
			}
		})
	}
	for range 300 {
		begun, end := make(chan struct{}), make(chan struct{})
		var long sync.WaitGroup
		long.Go(func() {
			ticket := e.Begin()
			close(begun)
			<-end
			ticket.End()
		})
		<-begun
		for range 100 {
			if n := e.Counts().InFlight; n < 1 {
				t.Errorf("the sum reads %d while a request runs", n)
				break
			}
			runtime.Gosched()
		}
		close(end)
		long.Wait()
	}
	close(stop)
	churning.Wait()
	if n := e.Counts().InFlight; n != 0 {
		t.Errorf("%d in flight after all have ended", n)
	}
}

func TestOffAllocatesNothingAndAsksNothing(t *testing.T) {
	e := started(t, Config{Policy: everybody()})
	a := &asked{user: func() User { panic("asked") }}
	if n := testing.AllocsPerRun(1000, func() {
		if !admit(e, a) {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSubscribersHearOfEveryTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		var heard []string
		cancel := e.Subscribe(func(before, after Situation) {
			heard = append(heard, fmt.Sprintf("%v>%v", before.Active(), after.Active()))
			if len(heard) == 1 {
				panic("a subscriber's panic is its own")
			}
		})
		on(t, e, Opening{End: time.Now().Add(time.Hour)})
		synctest.Wait()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		cancel()
		on(t, e, Opening{})
		synctest.Wait()
		if got := strings.Join(heard, " "); got != "false>true true>false" {
			t.Errorf("heard %q", got)
		}
	})
}

// TestARefusedDocumentStaysRefused: a cut connection in between must not make it valid.
func TestARefusedDocumentStaysRefused(t *testing.T) {
	for name, bad := range map[string]state.Doc{"nonsense": {Rev: "x", Data: []byte("{")}, "older": document(t, 1, 1, false), "gone": {}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newScripted(document(t, 5, 7, true), nil)
				e := started(t, Config{Backend: b})
				for _, err := range []error{nil, errors.New("connection reset"), nil} {
					b.say(bad, err)
					time.Sleep(3 * DefaultPoll)
					synctest.Wait()
				}
				if s := e.Situation(); s.Follower.Phase != Stale || !s.Active() {
					t.Errorf("%+v", s.Follower)
				}
			})
		})
	}
}

// TestALogHandlerMayAskTheEngine: nothing is logged, and nothing written to disk, while the lock is held.
func TestALogHandlerMayAskTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e *Engine
		log := slog.New(curious{func() {
			if e != nil {
				e.Situation()
			}
		}})
		b := newScripted(document(t, 5, 7, true), nil)
		e = started(t, Config{Backend: b, Logger: log})
		b.say(state.Doc{Rev: "x", Data: []byte("{")}, nil)
		time.Sleep(2 * DefaultPoll)
		b.say(document(t, 5, 8, true), nil)
		time.Sleep(2 * DefaultPoll)
		synctest.Wait()
		if s := e.Situation(); s.Follower.Phase != Valid {
			t.Errorf("%+v", s.Follower)
		}
	})
}

type curious struct{ ask func() }

func (c curious) Enabled(context.Context, slog.Level) bool  { return true }
func (c curious) Handle(context.Context, slog.Record) error { c.ask(); return nil }
func (c curious) WithAttrs([]slog.Attr) slog.Handler        { return c }
func (c curious) WithGroup(string) slog.Handler             { return c }

// TestAWindowIsNotForgottenWhenTheClockWasFast: an instance that starts with a fast clock takes a planned window for
// over; when the clock is put right it must look again.
func TestAWindowIsNotForgottenWhenTheClockWasFast(t *testing.T) {
	e := started(t, Config{})
	start := time.Now().Add(time.Hour)
	if _, err := e.Control(state.Actor{}).Schedule(t.Context(), Opening{Start: start, End: start.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	defer e.unlock()
	e.rebuild(start.Add(3 * time.Hour))
	if e.snap.Load() != nil {
		t.Error("a window that is over still counts")
	}
	if !e.timer.Stop() {
		t.Error("nothing looks at the clock again")
	}
	e.arm(time.Now())
}

func TestTheSnapshotFileFollowsARemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "snapshot.json")
		b := newScripted(document(t, 0, 0, true), nil)
		started(t, Config{Backend: b, SnapshotFile: file})
		synctest.Wait()
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
		b.say(state.Doc{}, nil)
		time.Sleep(DefaultPoll)
		synctest.Wait()
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a switch that was removed is still saved: %v", err)
		}
	})
}

func TestASnapshotFileThatCannotBeIsRefusedAtTheStart(t *testing.T) {
	for _, file := range []string{t.TempDir(), filepath.Join(t.TempDir(), "nowhere", "x")} {
		if _, err := New(t.Context(), Config{Backend: memstate.New(memstate.Config{}), SnapshotFile: file}); err == nil {
			t.Errorf("%s is taken", file)
		}
	}
}

func TestAPlanAsksNothingOfRequests(t *testing.T) {
	e := started(t, Config{})
	start := time.Now().Add(time.Hour)
	schedule := func(o Opening) {
		o.Start, o.End = start, start.Add(time.Hour)
		if _, err := e.Control(state.Actor{}).Schedule(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	schedule(Opening{})
	a := &asked{findMarker: func() Marker { panic("asked") }}
	if !admit(e, a) || a.attached == nil || !a.attached.Planned {
		t.Errorf("%+v", a.attached)
	}
	schedule(Opening{Scope: "api"})
	if !admit(e, a) {
		t.Error("a panic refuses although nothing runs")
	}
}

func TestAReadOnlySiteSaysSoBesideAnAnnouncement(t *testing.T) {
	e := started(t, Config{})
	on(t, e, Opening{Mode: state.ReadOnly})
	on(t, e, Opening{Mode: state.Announce, Name: "news"})
	a := new(asked)
	if !admit(e, a) || !a.attached.Active || a.sent.Get(page.HeaderName) != "announce" {
		t.Errorf("%+v, %v", a.attached, a.sent)
	}
}

func TestASubscriberMayCancelItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		calls := 0
		var cancel func()
		cancel = e.Subscribe(func(_, _ Situation) { calls++; cancel() })
		on(t, e, Opening{})
		synctest.Wait()
		off(t, e)
		synctest.Wait()
		if calls != 1 {
			t.Errorf("called %d times", calls)
		}
	})
}

// TestAToggleStormLeavesTheLastWord flips the state as fast as it goes while requests run: fault F19.
func TestAToggleStormLeavesTheLastWord(t *testing.T) {
	e := started(t, Config{})
	stop := make(chan struct{})
	var asking sync.WaitGroup
	for range 2 {
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					admit(e, new(asked))
					runtime.Gosched()
				}
			}
		})
	}
	for range 200 {
		on(t, e, Opening{})
		off(t, e)
	}
	on(t, e, Opening{})
	close(stop)
	asking.Wait()
	if admit(e, new(asked)) {
		t.Error("the last word was on")
	}
	if n := len(e.current.History); n > state.MaxHistory {
		t.Errorf("the history has grown to %d entries", n)
	}
}

func TestCloseKeepsTheLastState(t *testing.T) {
	b := memstate.New(memstate.Config{})
	e := started(t, Config{Backend: b})
	e.Subscribe(func(_, _ Situation) {})
	on(t, e, Opening{})
	for range 2 {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if admit(e, new(asked)) {
		t.Error("a closed engine opened the site")
	}
	e.Subscribe(func(_, _ Situation) { t.Error("told after the end") })()
}

func TestThePublicStatusTellsNoSecrets(t *testing.T) {
	e := started(t, Config{})
	on(t, e, Opening{Reason: "SECRET-REASON", Scope: "", Mode: state.ReadOnly, End: time.Now().Add(time.Hour), Messages: map[string]string{"": "hello"}})
	if _, err := e.Control(state.Actor{Name: "SECRET-NAME"}).Schedule(t.Context(), Opening{Start: time.Now().Add(time.Hour), End: time.Now().Add(2 * time.Hour), Reason: "SECRET-REASON"}); err != nil {
		t.Fatal(err)
	}
	a := e.StatusAnswer()
	if a.Status != 200 || header(a, "Cache-Control") != "no-store" {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	if body := string(a.Body); strings.Contains(body, "SECRET") || !strings.Contains(body, `"active":true`) || !strings.Contains(body, `"mode":"readonly"`) {
		t.Errorf("%s", body)
	}
}

func TestAnnouncementsAreNotActive(t *testing.T) {
	e := started(t, Config{})
	on(t, e, Opening{Mode: state.Announce})
	if s := e.PublicStatus(); s.Active || s.Mode != "announce" || s.RetryAfter != nil {
		t.Errorf("%+v", s)
	}
}

// A change is in force before its pages are rendered, so requests may come before these.
func TestRequestsThatComeBeforeTheirPagesShareThem(t *testing.T) {
	e := started(t, Config{})
	on(t, e, Opening{})
	w := e.snap.Load().running[0]
	for w.answers.Load() == nil { // they are rendered without being asked for
		runtime.Gosched()
	}
	w.answers.Store(nil)
	var wg sync.WaitGroup
	answers := make([]*page.Answer, 32)
	for i := range answers {
		wg.Go(func() {
			a := new(asked)
			admit(e, a)
			answers[i] = a.answered
		})
	}
	wg.Wait()
	for _, answer := range answers {
		if answer == nil || answer != answers[0] {
			t.Fatal("requests that are refused together get pages that were rendered apart")
		}
	}
}
