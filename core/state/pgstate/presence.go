package pgstate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/recess-go/recess/core/state"
)

const (
	announceSQL = `insert into %s as kept (name, id, report, expires_at)
		values ($1, $2, $3, clock_timestamp() + $4 * interval '1 microsecond')
		on conflict (name, id) do update set report = excluded.report, expires_at = excluded.expires_at
		returning clock_timestamp()`
	withdrawSQL  = `delete from %s where name = $1 and id = $2`
	instancesSQL = `select id, report from %s where name = $1 and expires_at > now() order by id`
	// sweepSQL waits for nobody, so that two who sweep cannot wait for each other.
	sweepSQL = `delete from %s as kept using (select name, id from %[1]s where name = $1 and expires_at < now()
		limit 1000 for update skip locked) as gone where kept.name = gone.name and kept.id = gone.id`
)

// sweepers is how many announcements share one look for expired ones. An expired row disturbs nobody.
const sweepers = 50

// Announce implements [state.Presence], on the server's clock. One announcement in some dozens removes what has expired.
func (b *Backend) Announce(ctx context.Context, id string, data []byte, ttl time.Duration) (at time.Time, err error) {
	err = b.Call(ctx, "announce", func(ctx context.Context) error {
		if err := state.CheckAnnouncement(id, data, ttl); err != nil {
			return err
		}
		at, err = b.store.announce(ctx, id, data, ttl)
		return err
	})
	return at, err
}

func (s *store) announce(ctx context.Context, id string, data []byte, ttl time.Duration) (at time.Time, err error) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Release()
	report := append([]byte{}, data...) // a nil slice would be null
	micros := (ttl + time.Microsecond - 1).Microseconds()
	err = untilSerial(ctx, func() error {
		return conn.QueryRow(ctx, s.presenceSQL(announceSQL), s.often(), s.name, id, report, micros).Scan(&at)
	})
	if err != nil {
		return time.Time{}, s.explain(err)
	}
	if rand.N(sweepers) == 0 {
		_, _ = conn.Exec(ctx, s.presenceSQL(sweepSQL), oneTrip, s.name) // who was announced is; another one will sweep
	}
	return at, nil
}

// Withdraw implements [state.Presence].
func (b *Backend) Withdraw(ctx context.Context, id string) error {
	s := b.store
	return b.Call(ctx, "withdraw", func(ctx context.Context) error {
		conn, err := s.acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		return s.explain(untilSerial(ctx, func() error {
			_, err := conn.Exec(ctx, s.presenceSQL(withdrawSQL), oneTrip, s.name, id)
			return err
		}))
	})
}

// Instances implements [state.Presence].
func (b *Backend) Instances(ctx context.Context) (instances []state.Instance, err error) {
	s := b.store
	err = b.Call(ctx, "instances", func(ctx context.Context) error {
		conn, err := s.acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		rows, err := conn.Query(ctx, s.presenceSQL(instancesSQL), oneTrip, s.name)
		if err == nil {
			instances, err = pgx.CollectRows(rows, pgx.RowToStructByPos[state.Instance])
		}
		return s.explain(err)
	})
	if err != nil {
		return nil, err
	}
	return instances, nil
}

func (s *store) presenceSQL(text string) string { return fmt.Sprintf(text, s.instances) }
