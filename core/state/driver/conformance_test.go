package driver_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
	"github.com/recess-go/recess/core/state/statetest"
)

// A mute watch tells that there was a change, and not which.
type mute struct{ *fake }

func (m mute) Watch(ctx context.Context) (driver.Watch, error) {
	w, err := m.fake.Watch(ctx)
	return muteWatch{w}, err
}

type muteWatch struct{ driver.Watch }

func (w muteWatch) Wait(ctx context.Context) (state.Doc, error) {
	_, err := w.Watch.Wait(ctx)
	return state.Doc{}, err
}

// A doting watch tells everything twice, and in between what was before.
type doting struct{ *fake }

func (d doting) Watch(ctx context.Context) (driver.Watch, error) {
	w, err := d.fake.Watch(ctx)
	return &dotingWatch{Watch: w}, err
}

type dotingWatch struct {
	driver.Watch
	before, last state.Doc
	more         int
}

func (w *dotingWatch) Wait(ctx context.Context) (state.Doc, error) {
	switch w.more {
	case 2:
		w.more--
		return w.before, nil
	case 1:
		w.more--
		return w.last, nil
	}
	doc, err := w.Watch.Wait(ctx)
	if err == nil {
		w.before, w.last, w.more = w.last, doc, 2
	}
	return doc, err
}

// shared is a store of one handle among several: closing the handle leaves it open.
type shared struct{ driver.Watcher }

func (shared) Close() error { return nil }

func TestConformance(t *testing.T) {
	for name, c := range map[string]struct {
		push bool
		of   func(f *fake) driver.Store
	}{
		"told with the document":    {true, func(f *fake) driver.Store { return shared{f} }},
		"told of changes alone":     {true, func(f *fake) driver.Store { return shared{mute{f}} }},
		"told in disorder":          {true, func(f *fake) driver.Store { return shared{doting{f}} }},
		"a store without a watch":   {false, func(f *fake) driver.Store { return polled{shared{f}} }},
		"a watch that is not to be": {false, func(f *fake) driver.Store { return shared{f} }},
	} {
		t.Run(name, func(t *testing.T) {
			statetest.Run(t, statetest.Harness{Push: c.push, Fresh: func(*testing.T) statetest.Store {
				f := new(fake)
				if !c.push {
					f.onWatch = func(context.Context) error { return driver.ErrNoWatch }
				}
				return statetest.Store{
					Open: func(*testing.T) state.Backend {
						return driver.New(c.of(f), driver.Config{Name: "fakestate", Probe: 100 * time.Millisecond})
					},
					Put: func(_ *testing.T, data []byte) {
						f.mu.Lock()
						defer f.mu.Unlock()
						f.set(data)
					},
					Looks: func() int { return f.times("read") },
				}
			}})
		})
	}
}

// TestNoChangeIsLostWhileWatchesComeAndGo is a storm of changes, under watches that are lost, cannot be had, or take
// their time: whoever follows sees the last document, and never goes back.
func TestNoChangeIsLostWhileWatchesComeAndGo(t *testing.T) {
	const changes, followers = 400, 8
	f := new(fake)
	lost := errors.New("lost")
	var attempts atomic.Int64
	f.onWatch = func(context.Context) error {
		if attempts.Add(1)%3 == 0 {
			return errors.New("not now")
		}
		return nil
	}
	b := driver.New(f, driver.Config{Name: "fakestate", Probe: 1}) // nanosecond: it probes and leaves all the time
	defer b.Close()
	ctx := t.Context()
	var all sync.WaitGroup
	failed := make(chan error, followers)
	for range followers {
		all.Go(func() {
			rev, at := state.Unseen, uint64(0)
			for at < changes {
				doc, _, err := b.Next(ctx, rev)
				switch n, _ := driver.Number(doc.Rev); {
				case errors.Is(err, lost), errors.Is(err, state.ErrUnchanged):
				case err != nil:
					failed <- err
					return
				case n < at:
					failed <- fmt.Errorf("after document %d came %d", at, n)
					return
				default:
					rev, at = doc.Rev, n
				}
			}
		})
	}
	rev := state.None
	for n := range changes {
		var err error
		if rev, err = b.Save(ctx, rev, fmt.Append(nil, n)); err != nil {
			t.Fatal(err)
		}
		if n%10 == 0 {
			f.tell(state.Doc{}, lost)
		}
	}
	all.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
}
