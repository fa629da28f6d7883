package statetest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/recess-go/recess/core/state"
)

// A flawedFleet is who has announced itself at a flawedStore.
type flawedFleet struct {
	there map[string]flawedInstance
	asked int
}

type flawedInstance struct {
	data    []byte
	expires time.Time
}

func newFlawedFleet() *flawedFleet { return &flawedFleet{there: make(map[string]flawedInstance)} }

func (f *flawed) Announce(_ context.Context, id string, data []byte, ttl time.Duration) (time.Time, error) {
	if f.closed() && !f.is("announces after Close") {
		return time.Time{}, state.ErrClosed
	}
	if err := state.CheckAnnouncement(id, data, ttl); err != nil && !f.is("takes any announcement") {
		return time.Time{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	i := flawedInstance{bytes.Clone(data), now.Add(ttl)}
	was, again := f.fleet.there[id]
	switch {
	case f.is("keeps what was said first") && again:
		i.data = was.data
	case f.is("keeps short announcements only"):
		i.data = i.data[:min(len(i.data), state.MaxSize)]
	case f.is("does not renew") && again:
		i.expires = was.expires
	case f.is("expires at once") && ttl < lasting:
		i.expires = now
	}
	if !f.is("forgets who announced itself") {
		f.fleet.there[id] = i
	}
	f.notice()
	f.fleet.asked++
	switch {
	case f.is("turns its clock back"):
		return now.Add(-time.Duration(f.fleet.asked) * time.Minute), nil
	case f.is("tells the time now and then") && f.fleet.asked%2 == 1:
		return time.Time{}, nil
	}
	return now, nil
}

// notice is what must not happen to the document when somebody is announced. The lock is held.
func (f *flawed) notice() {
	switch {
	case f.is("numbers the document anew at an announcement") && f.saves > 0:
		f.saves++
		f.doc.Rev = state.Rev(strconv.Itoa(f.saves))
	case f.is("looks again at an announcement"), f.is("answers at an announcement"):
		f.hinted = true
		close(f.changed)
		f.changed = make(chan struct{})
	}
}

// unhint reports whether an announcement came since the last time that it was asked.
func (f *flawed) unhint() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.hinted
	f.hinted = false
	return was
}

func (f *flawed) Withdraw(_ context.Context, id string) error {
	if f.closed() && !f.is("announces after Close") {
		return state.ErrClosed
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, there := f.fleet.there[id]
	switch {
	case f.is("withdraws nobody"):
	case f.is("withdraws everybody"):
		clear(f.fleet.there)
	case f.is("fails to withdraw who is not there") && !there:
		return errors.New("nobody is called that")
	default:
		delete(f.fleet.there, id)
	}
	return nil
}

func (f *flawed) Instances(context.Context) ([]state.Instance, error) {
	if f.closed() && !f.is("announces after Close") {
		return nil, state.ErrClosed
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now, before := time.Now(), len(f.fleet.there)
	if !f.is("never expires") {
		maps.DeleteFunc(f.fleet.there, func(_ string, i flawedInstance) bool { return !now.Before(i.expires) })
	}
	if f.is("expires everybody together") && len(f.fleet.there) < before {
		clear(f.fleet.there)
	}
	ids := slices.Sorted(maps.Keys(f.fleet.there))
	switch {
	case f.is("lists in any order"):
		slices.Reverse(ids)
	case f.is("lists one page"):
		ids = ids[:min(len(ids), 256)]
	}
	var instances []state.Instance
	for _, id := range ids {
		instances = append(instances, state.Instance{ID: id, Data: f.fleet.there[id].data})
	}
	return instances, nil
}
