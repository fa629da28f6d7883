package memstate

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/recess-go/recess/core/state"
)

var _ state.Presence = (*Backend)(nil)

// An announcement is what an instance said of itself, and until when that counts.
type announcement struct {
	data    []byte
	expires time.Time
}

// Announce implements [state.Presence], on this process's clock.
func (b *Backend) Announce(_ context.Context, id string, data []byte, ttl time.Duration) (time.Time, error) {
	if b.closed() {
		return time.Time{}, fmt.Errorf("memstate: announce: %w", state.ErrClosed)
	}
	if err := state.CheckAnnouncement(id, data, ttl); err != nil {
		return time.Time{}, fmt.Errorf("memstate: announce: %w", err)
	}
	s := b.store
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.there[id] = announcement{bytes.Clone(data), now.Add(ttl)}
	return now, nil
}

// Withdraw implements [state.Presence].
func (b *Backend) Withdraw(_ context.Context, id string) error {
	if b.closed() {
		return fmt.Errorf("memstate: withdraw: %w", state.ErrClosed)
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	delete(b.store.there, id)
	return nil
}

// Instances implements [state.Presence].
func (b *Backend) Instances(context.Context) ([]state.Instance, error) {
	if b.closed() {
		return nil, fmt.Errorf("memstate: instances: %w", state.ErrClosed)
	}
	s := b.store
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(s.there, func(_ string, a announcement) bool { return !now.Before(a.expires) })
	var instances []state.Instance
	for _, id := range slices.Sorted(maps.Keys(s.there)) {
		instances = append(instances, state.Instance{ID: id, Data: s.there[id].data})
	}
	return instances, nil
}
