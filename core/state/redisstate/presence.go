package redisstate

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/recess-go/recess/core/state"
)

//go:embed announce.lua
var announceSource string

var announceScript = newScript(announceSource)

// Announce implements [state.Presence], on the server's clock.
func (b *Backend) Announce(ctx context.Context, id string, data []byte, ttl time.Duration) (at time.Time, err error) {
	if err := state.CheckAnnouncement(id, data, ttl); err != nil {
		return time.Time{}, fmt.Errorf("redisstate: announce: %w", err)
	}
	report := string(data)                            // a copy: an attempt that was given up may still be sending
	ms := (ttl + time.Millisecond - 1).Milliseconds() // never shorter than asked
	err = b.call(ctx, "announce", func(ctx context.Context, s *store) error {
		answer, err := s.eval(ctx, announceScript, []string{s.keys.index, s.keys.report + id}, id, report, ms)
		if err == nil {
			at, err = timeOf(answer)
		}
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	return at, nil
}

// timeOf reads an answer to TIME: seconds and microseconds.
func timeOf(answer any) (time.Time, error) {
	if parts := texts(answer); len(parts) == 2 {
		seconds, err := strconv.ParseInt(parts[0], 10, 64)
		micros, errToo := strconv.ParseInt(parts[1], 10, 64)
		if err == nil && errToo == nil {
			return time.Unix(seconds, micros*1000), nil
		}
	}
	return time.Time{}, unexpected("TIME", answer)
}

// Withdraw implements [state.Presence].
func (b *Backend) Withdraw(ctx context.Context, id string) error {
	return b.call(ctx, "withdraw", func(ctx context.Context, s *store) error {
		if _, err := s.do(ctx, "zrem", s.keys.index, id); err != nil {
			return err
		}
		_, err := s.do(ctx, "del", s.keys.report+id)
		return err
	})
}

// Instances implements [state.Presence]: one round trip for the index, and one for each few megabytes of reports. The
// index may still have instances whose report has expired.
func (b *Backend) Instances(ctx context.Context) (instances []state.Instance, err error) {
	err = b.call(ctx, "instances", func(ctx context.Context, s *store) error {
		answer, err := s.do(ctx, "zrange", s.keys.index, 0, -1)
		if err != nil {
			return err
		}
		ids := texts(answer)
		slices.Sort(ids)
		instances, err = s.reports(ctx, ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	return instances, nil
}

// Reports are asked for in portions of about this many bytes, or of firstPortion while nothing is known of their size:
// the server makes an answer whole before it sends it.
const (
	portion      = 8 << 20
	firstPortion = 200
)

// reports returns what the instances say, without those that are gone.
func (s *store) reports(ctx context.Context, ids []string) (instances []state.Instance, err error) {
	bytes, most := 0, firstPortion
	for len(ids) > 0 {
		some := ids[:min(most, len(ids))]
		ids = ids[len(some):]
		args := []any{"mget"}
		for _, id := range some {
			args = append(args, s.keys.report+id)
		}
		answer, err := s.do(ctx, args...)
		if err != nil {
			return nil, err
		}
		values, ok := answer.([]any)
		if !ok || len(values) != len(some) {
			return nil, unexpected("MGET", answer)
		}
		for i, value := range values {
			if text, there := value.(string); there {
				instances = append(instances, state.Instance{ID: some[i], Data: []byte(text)})
				bytes += len(text)
			}
		}
		most = max(firstPortion/10, portion/(bytes/max(len(instances), 1)+1))
	}
	return instances, nil
}

// call does something on the store that may be done twice.
func (b *Backend) call(ctx context.Context, operation string, do func(context.Context, *store) error) error {
	return b.Call(ctx, operation, func(ctx context.Context) error {
		err := b.store.twice(ctx, func(ctx context.Context) error { return do(ctx, b.store) })
		return b.store.explain(err)
	})
}

// texts returns the strings of an array.
func texts(answer any) []string {
	values, _ := answer.([]any)
	found := make([]string, 0, len(values))
	for _, value := range values {
		found = append(found, fmt.Sprint(value))
	}
	return found
}
