package recess

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// A fallible is a memory backend whose document can be lost or replaced, and whose presence can fail.
type fallible struct {
	*memstate.Backend // the instances

	mu         sync.Mutex
	doc        *memstate.Backend // the document
	generation string            // of the document's store, before its revisions
	refusing   error
	announced  int
}

func newFallible() *fallible {
	return &fallible{Backend: memstate.New(memstate.Config{}), doc: memstate.New(memstate.Config{}), generation: "a"}
}

// becomes puts another document, or none, into the place of the one that is there.
func (f *fallible) becomes(t *testing.T, data []byte) {
	t.Helper()
	doc := memstate.New(memstate.Config{})
	if data != nil {
		if _, err := doc.Save(t.Context(), state.None, data); err != nil {
			t.Fatal(err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.doc.Close()
	f.doc, f.generation = doc, f.generation+"a"
}

func (f *fallible) now() (doc *memstate.Backend, generation state.Rev) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.doc, state.Rev(f.generation + "-")
}

func (f *fallible) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	doc, generation := f.now()
	inner, ok := strings.CutPrefix(string(since), string(generation))
	if !ok && since != state.None {
		inner = string(state.Unseen)
	}
	got, wait, err := doc.Next(ctx, state.Rev(inner))
	if got.Rev != state.None {
		got.Rev = generation + got.Rev
	}
	return got, wait, err
}

func (f *fallible) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	doc, generation := f.now()
	inner, ok := strings.CutPrefix(string(old), string(generation))
	if !ok && old != state.None {
		return state.None, state.ErrConflict
	}
	rev, err := doc.Save(ctx, state.Rev(inner), data)
	if err != nil {
		return state.None, err
	}
	return generation + rev, nil
}

func (f *fallible) Close() error {
	doc, _ := f.now()
	return errors.Join(doc.Close(), f.Backend.Close())
}

func (f *fallible) refuse(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refusing = err
}

func (f *fallible) Announce(ctx context.Context, id string, data []byte, ttl time.Duration) (time.Time, error) {
	f.mu.Lock()
	f.announced++
	err := f.refusing
	f.mu.Unlock()
	if err != nil {
		return time.Time{}, err
	}
	return f.Backend.Announce(ctx, id, data, ttl)
}

func (f *fallible) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.announced
}

func fleetOf(t *testing.T, b state.Backend) []Instance {
	t.Helper()
	fleet, err := Fleet(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return fleet
}

func TestAnInstanceSaysWhatItFollowsAndTakesItsLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFallible()
		e := started(t, Config{Backend: b, Instance: "web-1"})
		synctest.Wait()
		on(t, e, Opening{})
		ticket := e.Begin()
		time.Sleep(announceSpacing + time.Millisecond)
		synctest.Wait()
		fleet := fleetOf(t, b)
		if len(fleet) != 1 {
			t.Fatalf("%d instances are there", len(fleet))
		}
		i := fleet[0]
		if !strings.HasPrefix(i.ID, "web-1.") || i.Name != "web-1" || i.Host == "" || i.PID == 0 {
			t.Errorf("it calls itself %+v", i)
		}
		if i.Revision != 1 || i.Epoch == 0 || i.Follower != Valid || i.InFlight != 1 || i.Known != nil || i.LastError != "" {
			t.Errorf("it says %+v", i)
		}
		ticket.End()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if fleet := fleetOf(t, b); len(fleet) != 0 {
			t.Errorf("after Close there is %+v", fleet)
		}
	})
}

// skewed is a store whose clock is another, and which takes its time.
type skewed struct {
	*memstate.Backend
	ahead, takes time.Duration
	silent       bool
}

func (s *skewed) Announce(ctx context.Context, id string, data []byte, ttl time.Duration) (time.Time, error) {
	time.Sleep(s.takes / 2)
	at, err := s.Backend.Announce(ctx, id, data, ttl)
	time.Sleep(s.takes / 2)
	if s.silent {
		at = time.Time{}
	}
	return at.Add(s.ahead), err
}

func TestAnInstanceTellsHowFarItsClockIsOff(t *testing.T) {
	for _, c := range []struct {
		name  string
		store skewed
		want  int64
	}{
		{"it is right", skewed{}, 0},
		{"it is behind", skewed{ahead: 5 * time.Second}, -5000},
		{"it is ahead", skewed{ahead: -1500 * time.Millisecond}, 1500},
		{"an answer that takes longer says nothing", skewed{ahead: 400 * time.Millisecond, takes: time.Second}, 0},
		{"it is behind by that much at least", skewed{ahead: 5 * time.Second, takes: time.Second}, -4500},
		{"a store without a clock", skewed{silent: true}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.store.Backend = memstate.New(memstate.Config{})
				t.Cleanup(func() { c.store.Close() })
				started(t, Config{Backend: &c.store})
				time.Sleep(2 * heartbeat)
				synctest.Wait()
				if fleet := fleetOf(t, &c.store); len(fleet) != 1 || fleet[0].ClockOffset != c.want {
					t.Errorf("it announces %+v, want an offset of %d", fleet, c.want)
				}
			})
		})
	}
}

func TestAnIdleInstanceIsAnnouncedRarelyAndABusyOneNotOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFallible()
		e := started(t, Config{Backend: b})
		time.Sleep(5 * time.Second)
		before := b.count()
		time.Sleep(10 * time.Minute)
		if beats := b.count() - before; beats < 60 || beats > 75 {
			t.Errorf("in ten idle minutes it announced itself %d times", beats)
		}
		before = b.count()
		for range 100 {
			on(t, e, Opening{})
			if _, err := e.Control(state.Actor{}).Off(t.Context(), Ending{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if beats := b.count() - before; beats == 0 || beats > 3 {
			t.Errorf("in one second of two hundred changes it announced itself %d times", beats)
		}
	})
}

func TestAnInstanceThatCannotAnnounceItselfSaysSoOnceAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFallible()
		b.refuse(errors.New("no permission"))
		said := new(logs)
		e := started(t, Config{Backend: b, Logger: said.logger()})
		time.Sleep(time.Minute)
		if n := said.count("cannot announce itself"); n != 1 {
			t.Errorf("it said so %d times", n)
		}
		if s := e.Situation(); s.Follower.Phase != Valid {
			t.Errorf("the follower is %s", s.Follower.Phase)
		}
		b.refuse(nil)
		time.Sleep(heartbeat + time.Second)
		if fleet := fleetOf(t, b); len(fleet) != 1 || said.count("is announced to the fleet again") != 1 {
			t.Errorf("after the recovery the fleet is %+v", fleet)
		}
	})
}

// TestALostStoreIsMendedFromAnInstance is fault F6 to its end.
func TestALostStoreIsMendedFromAnInstance(t *testing.T) {
	older, err := state.Encode(state.State{Version: state.Version, Epoch: 1, Revision: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, left := range map[string][]byte{"wiped": nil, "rolled back": older, "overwritten by nonsense": []byte("{")} {
		for mend, repair := range map[string]func(t *testing.T, c *Controller, fleet []Instance) (Change, error){
			"restore": func(t *testing.T, c *Controller, fleet []Instance) (Change, error) {
				lost, holder, ok := Remembered(fleet)
				if !ok || !strings.HasPrefix(holder.Name, "web-") {
					t.Fatalf("%s is remembered: %v", holder.Name, ok)
				}
				return c.Restore(t.Context(), lost, "it was lost")
			},
			"reset": func(t *testing.T, c *Controller, _ []Instance) (Change, error) {
				return c.Reset(t.Context(), "it was lost")
			},
		} {
			t.Run(name+", "+mend, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newFallible()
					e := started(t, Config{Backend: b, Instance: "web-2"})
					other := started(t, Config{Backend: b, Instance: "web-3"})
					on(t, e, Opening{Scope: "checkout", Reason: "moving"})
					on(t, e, Opening{})
					synctest.Wait()
					before := other.Situation().Follower
					b.becomes(t, left)
					time.Sleep(2 * announceSpacing)
					for _, e := range []*Engine{e, other} {
						if s := e.Situation(); s.Follower.Phase != Stale || !s.Active() {
							t.Errorf("after the loss: %s, active %v", s.Follower.Phase, s.Active())
						}
					}
					fleet := fleetOf(t, b)
					stranger := NewController(b, state.Actor{Name: "alice"}, NotForced) // the command line
					change, err := repair(t, stranger, fleet)
					if err != nil {
						t.Fatal(err)
					}
					if last := change.After.History[len(change.After.History)-1]; last.Action != "repair" || last.Reason != "it was lost" {
						t.Errorf("the history says %+v", last)
					}
					time.Sleep(2 * announceSpacing)
					for _, e := range []*Engine{e, other} {
						s := e.Situation()
						if s.Follower.Phase != Valid || s.Follower.Revision <= before.Revision || s.Active() != (mend == "restore") {
							t.Errorf("after the repair: %s, revision %d, active %v", s.Follower.Phase, s.Follower.Revision, s.Active())
						}
						if mend == "restore" && len(s.Running) != 2 {
							t.Errorf("%d windows run after the repair", len(s.Running))
						}
					}
					for _, i := range fleetOf(t, b) {
						if i.Known != nil {
							t.Errorf("%s still shows what it knows", i.ID)
						}
					}
				})
			})
		}
	}
}

// A repair must come after what the fleet knows even where the repairer's clock is behind the clock of who wrote it.
func TestARepairIsFollowedWhateverTheClockOfTheRepairerSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFallible()
		ahead := state.State{Version: state.Version, Epoch: time.Now().Add(24 * time.Hour).UnixMilli(), Revision: 41, Windows: []state.Window{{ID: "w1", Mode: state.Full}}}
		data, err := state.Encode(ahead)
		if err != nil {
			t.Fatal(err)
		}
		b.becomes(t, data)
		e := started(t, Config{Backend: b})
		synctest.Wait()
		b.becomes(t, nil)
		time.Sleep(2 * announceSpacing)
		if _, err := NewController(b, state.Actor{}, NotForced).Reset(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if s := e.Situation(); s.Follower.Phase != Valid || s.Active() || s.Follower.Revision != 42 {
			t.Errorf("after the repair: %+v", s.Follower)
		}
	})
}

// mute keeps announcements, and does not list them.
type mute struct{ *memstate.Backend }

func (mute) Instances(context.Context) ([]state.Instance, error) { return nil, errors.New("denied") }

// TestARepairSaysThatItCouldNotAskTheFleet: it is numbered by the writer's clock, which may be behind.
func TestARepairSaysThatItCouldNotAskTheFleet(t *testing.T) {
	for name, c := range map[string]struct {
		backend state.Backend
		says    string
	}{
		"a backend that does not list them": {mute{memstate.New(memstate.Config{})}, "denied"},
		"a backend that keeps none":         {struct{ state.Backend }{memstate.New(memstate.Config{})}, ErrNoPresence.Error()},
		"a backend that lists them":         {memstate.New(memstate.Config{}), ""},
	} {
		change, err := NewController(c.backend, state.Actor{}, NotForced).Reset(t.Context(), "")
		if err != nil || !change.Anew {
			t.Errorf("%s: %v", name, err)
		}
		if (change.Unasked != nil) != (c.says != "") || c.says != "" && !strings.Contains(change.Unasked.Error(), c.says) {
			t.Errorf("%s: the fleet was not asked: %v, want %q", name, change.Unasked, c.says)
		}
	}
}

func TestAFleetOfABackendWithoutPresenceIsAnError(t *testing.T) {
	if _, err := Fleet(t.Context(), newScripted(state.Doc{}, nil)); !errors.Is(err, ErrNoPresence) {
		t.Errorf("the error is %v", err)
	}
}

func TestAnAnnouncementThatMakesNoSenseIsAnInstanceWithItsIDAlone(t *testing.T) {
	b := memstate.New(memstate.Config{})
	for id, text := range map[string]string{"a": "nonsense", "b": `{"id":"z","name":"b","known":{"version":1}}`} {
		if _, err := b.Announce(t.Context(), id, []byte(text), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	fleet := fleetOf(t, b)
	if len(fleet) != 2 || fleet[0].ID != "a" || fleet[0].Name != "" || fleet[1].ID != "b" || fleet[1].Name != "b" {
		t.Errorf("the fleet is %+v", fleet)
	}
	if _, _, ok := Remembered(fleet); ok {
		t.Error("an unnumbered document is remembered")
	}
}

func TestTheNewestRememberedStateCounts(t *testing.T) {
	var fleet []Instance
	for n, id := range []string{"a", "b", "c"} {
		data, err := state.Encode(state.State{Version: state.Version, Epoch: 7, Revision: []int64{3, 9, 5}[n]})
		if err != nil {
			t.Fatal(err)
		}
		fleet = append(fleet, Instance{ID: id, Known: json.RawMessage(data)})
	}
	if s, holder, ok := Remembered(fleet); !ok || holder.ID != "b" || s.Revision != 9 {
		t.Errorf("remembered is revision %d of %q: %v", s.Revision, holder.ID, ok)
	}
}

func TestANameThatCannotBeAnnouncedIsRefusedAtTheStart(t *testing.T) {
	for _, name := range []string{"web 1", "web/1", "wéb", strings.Repeat("x", state.MaxInstance)} {
		if _, err := New(t.Context(), Config{Backend: memstate.New(memstate.Config{}), Instance: name}); err == nil || !strings.Contains(err.Error(), "Config.Instance") {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	if err := CheckInstance(defaultInstance()); err != nil {
		t.Errorf("the default name: %v", err)
	}
}

// A process that starts over a wiped store must not read "there never was a document" where its own disk knows better.
func TestTheSnapshotFileRemembersWhatAStoreHasLost(t *testing.T) {
	older, err := state.Encode(state.State{Version: state.Version, Epoch: 1, Revision: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, left := range map[string][]byte{"wiped": nil, "rolled back": older} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, file := newFallible(), filepath.Join(t.TempDir(), "snapshot.json")
				first := started(t, Config{Backend: b, SnapshotFile: file})
				on(t, first, Opening{})
				synctest.Wait()
				first.Close()
				b.becomes(t, left)

				began := time.Now()
				e := started(t, Config{Backend: b, SnapshotFile: file})
				if waited := time.Since(began); waited != 0 {
					t.Errorf("the start waited %v for a backend that had answered", waited)
				}
				s := e.Situation()
				if s.Follower.Phase != Stale || !s.Active() || !strings.Contains(s.Follower.LastError, errRegression.Error()) {
					t.Fatalf("it started with %+v, active %v", s.Follower, s.Active())
				}
				time.Sleep(2 * announceSpacing)
				lost, _, ok := Remembered(fleetOf(t, b))
				if !ok {
					t.Fatal("what it remembers is not announced")
				}
				if _, err := NewController(b, state.Actor{}, NotForced).Restore(t.Context(), lost, ""); err != nil {
					t.Fatal(err)
				}
				time.Sleep(DefaultPoll)
				if s := e.Situation(); s.Follower.Phase != Valid || !s.Active() {
					t.Errorf("after the repair: %+v, active %v", s.Follower, s.Active())
				}
			})
		})
	}
}

func TestARestoreKeepsTheHistoryAndLeavesOutWhatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := state.State{
			Version: state.Version, Epoch: time.Now().UnixMilli(), Revision: 7,
			Windows: []state.Window{{ID: "w1", Mode: state.Full}, {ID: "w2", Mode: state.Full, End: time.Now().Add(time.Hour)}},
			History: []state.Entry{{Revision: 7, Action: "on"}}, Extra: map[string]json.RawMessage{"newer": json.RawMessage("1")},
		}
		time.Sleep(2 * time.Hour)
		change, err := NewController(newFallible(), state.Actor{}, NotForced).Restore(t.Context(), lost, "")
		if err != nil {
			t.Fatal(err)
		}
		after := change.After
		if len(after.Windows) != 1 || after.Windows[0].ID != "w1" || len(change.Opened) != 1 {
			t.Errorf("the windows are %+v", after.Windows)
		}
		if len(after.History) != 2 || after.History[0].Action != "on" || after.History[1].Action != "repair" || string(after.Extra["newer"]) != "1" {
			t.Errorf("the history is %+v, the rest %v", after.History, after.Extra)
		}
		if after.Revision != 8 || !change.Anew {
			t.Errorf("revision %d, anew %v", after.Revision, change.Anew)
		}
	})
}
