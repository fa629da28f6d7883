package recess

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
)

// nightly is every night from one to three by the clocks of Berlin. In a bubble it is 2000-01-01, one in the morning there.
func nightly() *state.Repeat {
	return &state.Repeat{Cron: "0 1 * * *", Zone: "Europe/Berlin", For: 2 * time.Hour}
}

// sleepUntilInstant sleeps up to an instant, and until what it sets off is done.
func sleepUntilInstant(at time.Time) {
	time.Sleep(time.Until(at))
	synctest.Wait()
}

func TestARecurringWindowRunsAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		midnight := time.Now()
		if _, err := e.Control(state.Actor{}).Schedule(t.Context(), Opening{Repeat: nightly()}); err != nil {
			t.Fatal(err)
		}
		for day := 1; day <= 3; day++ {
			start := midnight.AddDate(0, 0, day) // one in the morning in Berlin
			for _, c := range []struct {
				name  string
				at    time.Time
				phase state.Phase
				start time.Time
			}{
				{"a nanosecond before", start.Add(-1), state.Planned, start},
				{"at the beginning", start, state.Running, start},
				{"a nanosecond before the end", start.Add(2*hour - 1), state.Running, start},
				{"at the end", start.Add(2 * hour), state.Planned, start.AddDate(0, 0, 1)},
			} {
				sleepUntilInstant(c.at)
				a := &asked{method: "GET"}
				if passed := admit(e, a); passed != (c.phase == state.Planned) {
					t.Errorf("day %d, %s: passed is %v", day, c.name, passed)
				}
				s := e.Situation()
				windows := map[state.Phase][]state.Window{state.Running: s.Running, state.Planned: s.Planned}[c.phase]
				if len(s.Running)+len(s.Planned) != 1 || len(windows) != 1 || !windows[0].Start.Equal(c.start) || !windows[0].End.Equal(c.start.Add(2*hour)) {
					t.Errorf("day %d, %s: %+v", day, c.name, s)
				}
				want := page.ModeField("planned", "", false, c.start, c.start.Add(2*hour))
				if time.Until(c.start) > hour {
					want = "" // visitors are told of it for the last hour
				}
				if sent := a.sent.Get(page.HeaderName); c.phase == state.Planned && sent != want {
					t.Errorf("day %d, %s: %q, want %q", day, c.name, sent, want)
				}
			}
		}
	})
}

// TestOccurrencesThatTouchLetNothingThrough: where one begins as the other ends, the site stays closed, and visitors are
// told of the end of the new one.
func TestOccurrencesThatTouchLetNothingThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		midnight := time.Now()
		r := &state.Repeat{Cron: "0 * * * *", Zone: "UTC", For: time.Hour}
		if _, err := e.Control(state.Actor{}).Schedule(t.Context(), Opening{Repeat: r}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			at    time.Duration
			retry string
		}{{2*hour - 1, "1"}, {2 * hour, "3600"}, {2*hour + time.Second, "3599"}, {3*hour - 1, "1"}, {3 * hour, "3600"}} {
			sleepUntilInstant(midnight.Add(c.at))
			a := new(asked)
			if admit(e, a) {
				t.Fatalf("after %s a request passed", c.at)
			}
			if got := header(a.answered, "Retry-After"); got != c.retry {
				t.Errorf("after %s: %s, want %s", c.at, got, c.retry)
			}
		}
	})
}

// TestAnOccurrenceThatNobodySaw: a machine that slept, or whose clock was set, tells of the next one and not of the last.
func TestAnOccurrenceThatNobodySaw(t *testing.T) {
	e := started(t, Config{})
	s := state.State{Windows: []state.Window{{ID: "w", Mode: state.Full, Repeat: nightly()}, {ID: "x", Mode: state.Announce}}}
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	evening := noon.Add(11 * hour) // an hour before
	snap := e.compileSnapshot(&s, evening)
	for after, want := range map[time.Duration]bool{0: true, hour - 1: true, -1: false, hour: false, 24 * hour: false, -24 * hour: false} {
		if got := snap.same(&s, evening.Add(after)); got != want {
			t.Errorf("after %s it is the same: %v", after, got)
		}
	}
	if untold := e.compileSnapshot(&s, noon); !untold.same(&s, noon.Add(10*hour)) || untold.same(&s, evening) || len(untold.planned) > 0 {
		t.Error("visitors are told of it for other than an hour")
	}
	running := e.compileSnapshot(&s, noon.Add(13*hour))
	if !running.same(&s, noon.Add(14*hour-1)) || running.same(&s, noon.Add(37*hour)) {
		t.Error("an occurrence is not told from another")
	}
}

func TestOffEndsAnOccurrenceAndLeavesTheRecurrence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		c, ok := e.Control(state.Actor{}), must(t)
		midnight := time.Now()
		w := ok(c.Schedule(t.Context(), Opening{Repeat: nightly()})).Opened[0]
		other := ok(c.Schedule(t.Context(), Opening{Scope: "eu", Repeat: nightly()})).Opened[0]
		if idle := ok(c.Off(t.Context(), Ending{})); idle.Changed() {
			t.Errorf("off has cancelled what recurs: %+v", idle)
		}
		sleepUntilInstant(midnight.Add(25 * hour))
		ok(c.On(t.Context(), Opening{}))
		change := ok(c.Off(t.Context(), Ending{}))
		if len(change.Ended) != 2 || change.Ended[0].ID != w.ID || !change.Ended[0].Start.Equal(midnight.Add(24*hour)) || change.Ended[1].Repeat != nil {
			t.Errorf("ended: %+v", change.Ended)
		}
		if len(change.Recurring) != 1 || change.Recurring[0].ID != w.ID || !change.Recurring[0].Start.Equal(midnight.Add(48*hour)) {
			t.Errorf("recurring: %+v", change.Recurring)
		}
		if s := e.Situation(); len(s.Running) != 1 || s.Running[0].ID != other.ID || len(s.Planned) != 1 || s.Planned[0].ID != w.ID {
			t.Errorf("%+v", s)
		}
		if !admit(e, new(asked)) {
			t.Error("the site is closed after off")
		}
		if again := ok(c.Off(t.Context(), Ending{})); again.Changed() {
			t.Errorf("off again: %+v", again)
		}
		sleepUntilInstant(midnight.Add(48*hour - 1))
		if !admit(e, new(asked)) {
			t.Error("it is closed before the next occurrence")
		}
		sleepUntilInstant(midnight.Add(48 * hour))
		if admit(e, new(asked)) {
			t.Error("the recurrence has gone with its occurrence")
		}
		last := e.current.History[len(e.current.History)-1]
		if !strings.Contains(strings.Join(last.Windows, ";"), `every "0 1 * * *" in Europe/Berlin for 2h, from 2000-01-02T00:00:00Z`) {
			t.Errorf("the history says %q", last.Windows)
		}
	})
}

func TestCancelRemovesARecurrenceAndOpensNothing(t *testing.T) {
	for name, all := range map[string]bool{"by its id": false, "all": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := started(t, Config{})
				c, ok := e.Control(state.Actor{}), must(t)
				midnight := time.Now()
				cancel := func(w state.Window) Change {
					if all {
						return ok(c.Cancel(t.Context()))
					}
					return ok(c.Cancel(t.Context(), w.ID))
				}
				w := ok(c.Schedule(t.Context(), Opening{Repeat: nightly()})).Opened[0]
				if change := cancel(w); len(change.Ended) != 1 || len(change.Updated) != 0 || len(change.After.Windows) != 0 {
					t.Errorf("while it is planned: %+v", change)
				}
				w = ok(c.Schedule(t.Context(), Opening{Repeat: nightly()})).Opened[0]
				sleepUntilInstant(midnight.Add(25 * hour))
				change := cancel(w)
				if len(change.Updated) != 1 || change.Updated[0].Repeat != nil || !change.Updated[0].End.Equal(midnight.Add(26*hour)) {
					t.Errorf("what runs: %+v", change.Updated)
				}
				if len(change.Ended) != 1 || change.Ended[0].Phase(time.Now()) != state.Planned || !change.Ended[0].Start.Equal(midnight.Add(48*hour)) {
					t.Errorf("what does not come any more: %+v", change.Ended)
				}
				if admit(e, new(asked)) {
					t.Error("cancel has opened the site")
				}
				sleepUntilInstant(midnight.Add(26 * hour))
				if e.snap.Load() != nil {
					t.Errorf("after the end: %+v", e.Situation())
				}
			})
		})
	}
}

// TestOnStandsBesideWhatRecurs: an order for now neither swallows an occurrence nor changes the ones to come.
func TestOnStandsBesideWhatRecurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		c, ok := e.Control(state.Actor{}), must(t)
		midnight := time.Now()
		w := ok(c.Schedule(t.Context(), Opening{Repeat: nightly()})).Opened[0]
		sleepUntilInstant(midnight.Add(24*hour + time.Minute))
		change := ok(c.On(t.Context(), Opening{Mode: state.ReadOnly, End: midnight.Add(25 * hour)}))
		if len(change.Opened) != 1 || len(change.After.Windows) != 2 || change.After.Windows[0].ID != w.ID || change.After.Windows[0].Mode != state.Full {
			t.Fatalf("%+v", change)
		}
		if change := ok(c.On(t.Context(), Opening{Start: midnight.Add(48 * hour), End: midnight.Add(49 * hour)})); len(change.Opened) != 1 {
			t.Errorf("on for the beginning of the next one: %+v", change)
		}
		sleepUntilInstant(midnight.Add(25 * hour))
		if admit(e, new(asked)) {
			t.Error("the occurrence ended with the other window")
		}
		sleepUntilInstant(midnight.Add(49 * hour))
		if admit(e, new(asked)) {
			t.Error("the next occurrence was swallowed")
		}
		if _, err := c.On(t.Context(), Opening{Repeat: nightly()}); !errors.Is(err, ErrInvalidOrder) || !strings.Contains(err.Error(), `by "schedule"`) {
			t.Errorf("on with a recurrence: %v", err)
		}
		if err := c.During(t.Context(), Opening{Repeat: nightly()}, nil); !errors.Is(err, ErrInvalidOrder) {
			t.Errorf("during with a recurrence: %v", err)
		}
	})
}

func TestTheSameRecurrenceIsOneWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ok := controller(t), must(t)
		midnight := time.Now()
		time.Sleep(time.Minute) // an occurrence would run
		first := ok(c.Schedule(t.Context(), Opening{Repeat: nightly(), Reason: "db"})).Opened[0]
		if first.Phase(time.Now()) != state.Planned || !first.Start.Equal(midnight.Add(24*hour)) {
			t.Errorf("what was planned began: %+v", first)
		}
		time.Sleep(48 * hour)
		if again := ok(c.Schedule(t.Context(), Opening{Repeat: nightly()})); again.Changed() {
			t.Errorf("the same again: %+v", again)
		}
		longer := nightly()
		longer.Cron, longer.For = "00  1 * 1-12 *", 3*hour
		change := ok(c.Schedule(t.Context(), Opening{Repeat: longer, Mode: state.ReadOnly, Messages: map[string]string{"": "hi"}}))
		if len(change.Updated) != 1 || len(change.After.Windows) != 1 {
			t.Fatalf("%+v", change)
		}
		w := change.Updated[0]
		if w.ID != first.ID || w.Repeat.For != 3*hour || w.Repeat.Cron != "0 1 * * *" || w.Mode != state.ReadOnly || w.Reason != "db" || w.Messages[""] != "hi" ||
			!w.Repeat.After.Equal(first.Repeat.After) || !w.End.Equal(midnight.Add(51*hour)) {
			t.Errorf("%+v, %+v", w, w.Repeat)
		}
		others := []Opening{{Scope: "eu", Repeat: nightly()}, {Name: "db", Repeat: nightly()}, {Repeat: &state.Repeat{Cron: "0 1 * * *", Zone: "UTC", For: hour}}}
		for _, o := range others {
			if change := ok(c.Schedule(t.Context(), o)); len(change.Opened) != 1 {
				t.Errorf("%+v is taken for another", o)
			}
		}
	})
}

func TestRecurrencesThatMakeNoSenseChangeNothing(t *testing.T) {
	c := controller(t)
	with := func(cron, zone string, length time.Duration) Opening {
		return Opening{Repeat: &state.Repeat{Cron: cron, Zone: zone, For: length}}
	}
	started := with("0 1 * * *", "UTC", hour)
	started.Start = time.Now().Add(hour)
	ended := with("0 1 * * *", "UTC", hour)
	ended.NoEnd = true
	for _, c2 := range []struct {
		name string
		o    Opening
		says string
	}{
		{"a bad field", with("0 25 * * *", "UTC", hour), `repeat: cron: hour: "25"`},
		{"a bad zone", with("0 1 * * *", "Mars/Olympus", hour), `repeat: zone: "Mars/Olympus"`},
		{"no length", with("0 1 * * *", "UTC", 0), "repeat: for: 0s"},
		{"a start beside it", started, "no start and no end of its own"},
		{"no end beside it", ended, "no start and no end of its own"},
		{"longer than a day every day", with("0 1 * * *", "UTC", 25*hour), "the next begins 24h0m0s after it"},
		{"longer than an hour at the weekend", with("0 0,1 * * SAT", "UTC", 2*hour), "the next begins 1h0m0s after it"},
	} {
		if _, err := c.Schedule(t.Context(), c2.o); !errors.Is(err, ErrInvalidOrder) || !strings.Contains(err.Error(), c2.says) {
			t.Errorf("%s: %v, want one that says %q", c2.name, err, c2.says)
		}
	}
	if s, err := c.State(t.Context()); err != nil || s.Numbered() {
		t.Errorf("something was written: %+v, %v", s, err)
	}
	if _, err := c.Schedule(t.Context(), with("0 0 * * SAT,SUN", "UTC", 24*hour)); err != nil {
		t.Errorf("two days that touch: %v", err)
	}
}

// TestDuringOffPutsAnOccurrenceBack, whether or not somebody else has changed something meanwhile.
func TestDuringOffPutsAnOccurrenceBack(t *testing.T) {
	for _, c := range []struct {
		name    string
		between func(*Controller) (Change, error)
		runs    bool
	}{
		{"nobody else", nil, true},
		{"another window opened", func(c *Controller) (Change, error) {
			return c.On(t.Context(), Opening{Scope: "eu", Mode: state.Announce})
		}, true},
		{"the recurrence cancelled", func(c *Controller) (Change, error) { return c.Cancel(t.Context()) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := started(t, Config{})
				ctl, ok := e.Control(state.Actor{}), must(t)
				ok(ctl.Schedule(t.Context(), Opening{Repeat: nightly()}))
				time.Sleep(25 * hour)
				inside := false
				err := ctl.DuringOff(t.Context(), Ending{}, func(context.Context) error {
					inside = admit(e, new(asked))
					if c.between != nil {
						ok(c.between(ctl))
					}
					return nil
				})
				if err != nil || !inside {
					t.Errorf("passed inside: %v, %v", inside, err)
				}
				if passed := admit(e, new(asked)); passed == c.runs {
					t.Errorf("passed afterwards: %v", passed)
				}
			})
		})
	}
}

func TestADrainTellsOccurrencesApart(t *testing.T) {
	at := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	once := state.Window{ID: "a", Start: at, End: at.Add(hour)}
	w := state.Window{ID: "a", Repeat: nightly()}.At(at)
	next := w.At(w.Start.Add(24*hour + time.Minute))
	touching := w
	touching.Start, touching.End = w.End, w.End.Add(2*hour)
	for _, c := range []struct {
		name string
		was  state.Window
		now  []state.Window
		want bool
	}{
		{"the same", once, []state.Window{once}, true},
		{"gone", once, nil, false},
		{"the same occurrence", w, []state.Window{once, w}, true},
		{"another occurrence", w, []state.Window{next}, false},
		{"one that began as the other ended", w, []state.Window{touching}, true},
	} {
		c.now = slices.DeleteFunc(c.now, func(other state.Window) bool { return len(c.now) > 1 && other.Repeat == nil })
		if got, there := goesOn(c.was, c.now); there != c.want || there && !got.Start.Equal(c.now[0].Start) {
			t.Errorf("%s: goes on is %v, %+v", c.name, there, got)
		}
	}
	d := &drain{windows: []state.Window{next}}
	if phase := d.judge(Instance{Name: "web-1", Running: []string{occurrence(&w)}}).Phase; phase != Behind {
		t.Errorf("an instance that was heard of in the last occurrence is %s", phase)
	}
	if phase := d.judge(Instance{Name: "web-1", Running: []string{"a@2026-11-22T00:00:00Z"}}).Phase; phase != Drained {
		t.Errorf("an instance that refuses in this one is %s", phase)
	}
}

// TestADrainFollowsARecurringWindow from one occurrence into the next that touches it, and fails once it is over.
func TestADrainFollowsARecurringWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := started(t, Config{})
		c := e.Control(state.Actor{})
		if _, err := c.Schedule(t.Context(), Opening{Repeat: &state.Repeat{Cron: "0 1,2 * * *", Zone: "UTC", For: time.Hour}}); err != nil {
			t.Fatal(err)
		}
		if err := c.Drain(t.Context(), nil); !errors.Is(err, ErrInvalidOrder) {
			t.Errorf("while nothing runs: %v", err)
		}
		late := e.Begin()
		time.Sleep(115 * time.Minute)
		if err := c.Drain(t.Context(), func(p Progress) {
			if p.Count(Draining) == 1 && p.Windows[0].Start.Hour() == 2 {
				late.End()
			}
		}); err != nil {
			t.Errorf("a drain that lasts into the next occurrence: %v", err)
		}
		if now := time.Now().UTC(); now.Hour() != 2 {
			t.Errorf("it was over at %s", now)
		}
		late = e.Begin()
		defer late.End()
		time.Sleep(24*hour + 58*time.Minute)
		stays := e.Begin()
		defer stays.End()
		if err := c.Drain(t.Context(), nil); !errors.Is(err, ErrInvalidOrder) || !strings.Contains(err.Error(), "has ended while its instances were drained") {
			t.Errorf("a drain that lasts too long: %v", err)
		}
	})
}
