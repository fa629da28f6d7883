package sqlstate

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/recess-go/recess/core/state"
)

// Announce implements [state.Presence], on the clock that [Dialect].Clock tells. Now and then it removes the rows of
// instances that have gone without a word.
func (b *Backend) Announce(ctx context.Context, id string, data []byte, ttl time.Duration) (at time.Time, err error) {
	err = b.Call(ctx, "announce", func(ctx context.Context) error {
		if err := state.CheckAnnouncement(id, data, ttl); err != nil {
			return err
		}
		if err := checkText("announcement", data); err != nil {
			return err
		}
		if at, err = b.store.announce(ctx, id, data, ttl); err == nil {
			b.store.sweep(ctx)
		}
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	return at, nil
}

// Withdraw implements [state.Presence].
func (b *Backend) Withdraw(ctx context.Context, id string) error {
	return b.Call(ctx, "withdraw", func(ctx context.Context) error {
		_, err := b.store.exec(ctx, b.store.texts.withdraw, id)
		return err
	})
}

// Instances implements [state.Presence].
func (b *Backend) Instances(ctx context.Context) (instances []state.Instance, err error) {
	err = b.Call(ctx, "instances", func(ctx context.Context) error {
		instances, err = b.store.instances(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return instances, nil
}

// announce renews the instance's row or, if there is none, makes it. If somebody else does so at the same time, or the
// row is swept away in between, that is done once more.
func (s *store) announce(ctx context.Context, id string, data []byte, ttl time.Duration) (time.Time, error) {
	var err error
	for range 3 {
		var renewed int64
		expires := ttl.Microseconds() // from the moment at which the database carries out the statement
		if s.config.Dialect.Clock == "" {
			expires = time.Now().Add(ttl).UnixMicro()
		}
		if renewed, err = s.exec(ctx, s.texts.renew, expires, string(data), id); err != nil {
			return time.Time{}, err
		}
		if renewed == 0 {
			_, err = s.exec(ctx, s.texts.join, expires, string(data), id)
		}
		if !errors.Is(err, errDuplicate) {
			break
		}
	}
	if err != nil {
		return time.Time{}, err
	}
	return s.time(ctx, id)
}

// time tells the time of the clock that counts. The database is asked for it beside a row that is there, since "select"
// without "from" is not known to every database.
func (s *store) time(ctx context.Context, id string) (time.Time, error) {
	if s.config.Dialect.Clock == "" {
		return time.Now(), nil
	}
	var now int64
	err := s.try(ctx, func() error { return s.db.QueryRowContext(ctx, s.texts.clock, id).Scan(&now) })
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil // it was withdrawn meanwhile: nobody asks for the time
	}
	if err != nil {
		return time.Time{}, err
	}
	return time.UnixMicro(now), nil
}

// now is the argument of a statement that compares with the time, unless the database has a clock of its own.
func (s *store) now() []any {
	if s.config.Dialect.Clock != "" {
		return nil
	}
	return []any{time.Now().UnixMicro()}
}

func (s *store) instances(ctx context.Context) (instances []state.Instance, err error) {
	err = s.query(ctx, func() { instances = nil }, func(scan func(...any) error) error {
		var i state.Instance
		err := scan(&i.ID, &i.Data)
		instances = append(instances, i)
		return err
	}, s.texts.list, s.now()...)
	slices.SortFunc(instances, func(a, b state.Instance) int { return strings.Compare(a.ID, b.ID) })
	return instances, err
}

// sweepEvery is how often each backend looks for instances that have expired. They count for nothing from the moment at
// which they expire; removing them only keeps the table small.
const sweepEvery = time.Minute

// sweep removes expired instances, at the first announcement and then once a minute. Each is removed by its key and only
// if it has still expired: it locks no row of an instance that lives. An error is nobody's trouble: the next sweep comes.
func (s *store) sweep(ctx context.Context) {
	if !s.sweepIsDue(time.Now()) {
		return
	}
	var ids []string
	_ = s.query(ctx, func() { ids = nil }, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	}, s.texts.expired, s.now()...)
	for _, id := range ids {
		if _, err := s.exec(ctx, s.texts.sweep, append([]any{id}, s.now()...)...); err != nil {
			return
		}
	}
}

func (s *store) sweepIsDue(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.swept.IsZero() && now.Sub(s.swept) < sweepEvery {
		return false
	}
	s.swept = now
	return true
}
