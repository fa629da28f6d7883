package faults

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/state"
)

// TestFiftyWritersRace is fault F12.
func TestFiftyWritersRace(t *testing.T) {
	const writers, handles = 50, 10
	eachRigAlone(t, func(t *testing.T, rig rigs.Rig) {
		s := newSite(t, rig)
		s.followTwice(recess.Config{})
		var backends []state.Backend
		for n := range handles {
			backend := rig.Open(t, []string{rig.Server.Addr, s.link.Addr}[n%2])
			defer backend.Close()
			backends = append(backends, backend)
		}
		for range 3 {
			s.raceForOneRevision(backends, writers)
		}
		s.raceForAPlaceEach(backends, writers)
		s.converge()
	})
}

// raceForOneRevision has many writers replace the same document: exactly one may, and all others are told. A machine so
// slow that an answer does not come in time may leave a writer in the dark.
func (s *site) raceForOneRevision(backends []state.Backend, writers int) {
	t := s.t
	t.Helper()
	doc, now := s.read()
	now.Revision++
	var (
		running sync.WaitGroup
		winner  atomic.Value
		wins    atomic.Int32
		dark    atomic.Int32
		begin   = make(chan struct{})
	)
	for n := range writers {
		mine := now.Clone()
		mine.History = append(mine.History, state.Entry{Revision: mine.Revision, Action: "race", Reason: fmt.Sprint(n), Windows: []string{}})
		data, err := state.Encode(mine)
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			<-begin
			switch rev, err := backends[n%len(backends)].Save(t.Context(), doc.Rev, data); {
			case err == nil:
				wins.Add(1)
				winner.Store(rev)
			case !errors.Is(err, state.ErrConflict):
				dark.Add(1)
				t.Logf("writer %d: %v", n, err)
			}
		})
	}
	close(begin)
	running.Wait()
	after, is := s.read()
	switch {
	case wins.Load() > 1 || wins.Load() == 0 && dark.Load() == 0 || int(dark.Load()) > writers/5:
		t.Fatalf("of %d writers of the same revision %d were told that they won, and %d were told neither", writers, wins.Load(), dark.Load())
	case wins.Load() == 1 && after.Rev != winner.Load():
		t.Errorf("the document has revision %q, the winner was told %q", after.Rev, winner.Load())
	case is.Revision != now.Revision:
		t.Errorf("after a race for revision %d it is %d", now.Revision, is.Revision)
	}
	s.epoch, s.revision = is.Epoch, is.Revision
}

// raceForAPlaceEach has many controllers announce something at the same time, again and again until it is done. Each
// loser is shown what the winner left; nobody's change is lost, and no revision is left out or given twice.
func (s *site) raceForAPlaceEach(backends []state.Backend, writers int) {
	t := s.t
	t.Helper()
	_, before := s.read()
	var (
		running   sync.WaitGroup
		conflicts atomic.Int32
		dark      atomic.Int32
		mu        sync.Mutex
		made      = make(map[int64]int)
	)
	for n := range writers {
		running.Go(func() {
			controller := recess.NewController(backends[n%len(backends)], state.Actor{Name: fmt.Sprint("writer-", n)}, recess.NotForced)
			for {
				change, err := controller.On(t.Context(), recess.Opening{Name: fmt.Sprint("hold-", n), Mode: state.Announce})
				var lost *recess.ConflictError
				switch {
				case err == nil && !change.Changed(): // what was left open was done
					return
				case err == nil:
					mu.Lock()
					made[change.After.Revision]++
					mu.Unlock()
					return
				case errors.Is(err, recess.ErrUnreachable):
					dark.Add(1)
					t.Logf("writer %d: %v", n, err)
					continue
				case !errors.As(err, &lost):
					t.Errorf("writer %d: %v", n, err)
					return
				case lost.Current.Revision <= before.Revision:
					t.Errorf("writer %d lost against revision %d, and %d was there before", n, lost.Current.Revision, before.Revision)
				}
				conflicts.Add(1)
			}
		})
	}
	running.Wait()
	_, after := s.read()
	if want := before.Revision + int64(writers); after.Revision != want {
		t.Errorf("after %d changes of revision %d it is %d", writers, before.Revision, after.Revision)
	}
	if got, want := len(after.Windows), len(before.Windows)+writers; got != want {
		t.Errorf("%d windows, want %d: a change was lost", got, want)
	}
	unclaimed := 0
	for revision := before.Revision + 1; revision <= after.Revision; revision++ {
		switch made[revision] {
		case 0:
			unclaimed++
		case 1:
		default:
			t.Errorf("%d writers were told that they made revision %d", made[revision], revision)
		}
	}
	if unclaimed > int(dark.Load()) || int(dark.Load()) > writers/5 {
		t.Errorf("%d writers were told neither, and nobody was told of %d revisions", dark.Load(), unclaimed)
	}
	s.epoch, s.revision = after.Epoch, after.Revision
	t.Logf("%d changes, %d conflicts, %d not known", writers, conflicts.Load(), dark.Load())
}

// read returns the document as another process finds it.
func (s *site) read() (state.Doc, state.State) {
	s.t.Helper()
	backend := s.rig.Open(s.t, s.rig.Server.Addr)
	defer backend.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	doc, err := state.Read(ctx, backend)
	if err != nil {
		s.t.Fatal(err)
	}
	now, err := state.Decode(doc.Data)
	if err != nil {
		s.t.Fatal(err)
	}
	return doc, now
}
