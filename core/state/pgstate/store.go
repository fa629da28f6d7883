package pgstate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// oneTrip has a statement sent without preparing it first: in one round trip, and so that a pooler which shares
// connections among transactions has nothing to remember.
const oneTrip = pgx.QueryExecModeExec

// A store is the row of one document. It implements [driver.Store].
type store struct {
	pool *pgxpool.Pool
	own  *dialer // makes the pool's connections, if the pool is the backend's own; else nil
	tables
	config Config
	way    *way        // of the pool; if that is the backend's own, its dialer's
	keeps  atomic.Bool // the pool may keep statements prepared, says a watch
}

// often is how to send a statement that comes again and again: prepared where no pooler stands in between. Who polls on
// purpose may do so for one that cannot be told from the server, and has nothing prepared.
func (s *store) often() pgx.QueryExecMode {
	if s.keeps.Load() && s.way.met.Load() == direct {
		return pgx.QueryExecModeCacheStatement
	}
	return oneTrip
}

// The document is kept as text, for people, and travels as the bytes of its UTF-8, whatever the encodings of the
// database and of the connection. Of one that is too long by any measure, written by hand, the beginning is enough to see
// that it is.
const (
	inBytes   = `convert_to(left(kept.document, 262145), 'UTF8')` // state.MaxSize + 1
	readSQL   = `select rev, ` + inBytes + ` from %s as kept where name = $1`
	createSQL = `insert into %s as kept (name, document) select $1, convert_from($2, 'UTF8')
		where ` + settings + ` on conflict (name) do nothing returning kept.rev`
	replaceSQL = `update %s as kept set document = convert_from($2, 'UTF8'), rev = kept.rev + 1
		where name = $1 and ` + settings + ` and kept.rev = $4
		and encode(substr(sha256(` + inBytes + `), 1, 8), 'hex') = $5 returning kept.rev`
	// settings hold for a change alone: it waits for a lock for so long, and is on the disk when it is answered.
	settings = `set_config('lock_timeout', $3, true) <> ''
		and (current_setting('synchronous_commit') <> 'off' or set_config('synchronous_commit', 'on', true) <> '')`
)

func (s *store) sql(text string) string { return fmt.Sprintf(text, s.documents) }

// Read implements [driver.Store].
func (s *store) Read(ctx context.Context) (state.Doc, error) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return state.Doc{}, err
	}
	defer conn.Release()
	doc, err := document(ctx, conn.Conn(), s.sql(readSQL), s.often(), s.name)
	return doc, s.explain(err)
}

// document asks readSQL, written out or prepared.
func document(ctx context.Context, conn *pgx.Conn, sql string, args ...any) (state.Doc, error) {
	var (
		n    int64
		data []byte
	)
	err := untilSerial(ctx, func() error { return conn.QueryRow(ctx, sql, args...).Scan(&n, &data) })
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return state.Doc{}, nil
	case err != nil:
		return state.Doc{}, err
	}
	return state.Doc{Rev: driver.Numbered(uint64(n), data), Data: data}, nil
}

// Save implements [driver.Store]: one statement, which is a transaction of its own. The trigger tells of it.
func (s *store) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	number, isNumber := driver.Number(old)
	if !isNumber {
		return state.None, fmt.Errorf("%w: %q is no revision of this store", state.ErrConflict, old)
	}
	conn, err := s.acquire(ctx)
	if err != nil {
		return state.None, err
	}
	defer conn.Release()
	sql, args := createSQL, []any{oneTrip, s.name, data, patience(ctx)}
	if old != state.None {
		_, sum, _ := strings.Cut(string(old), "-")
		sql, args = replaceSQL, append(args, int64(number), sum)
	}
	var n int64
	err = untilSerial(ctx, func() error { return conn.QueryRow(ctx, s.sql(sql), args...).Scan(&n) })
	switch {
	case err == nil:
		return driver.Numbered(uint64(n), data), nil
	case errors.Is(err, pgx.ErrNoRows) && old == state.None:
		return state.None, fmt.Errorf("%w: there is one already", state.ErrConflict)
	case errors.Is(err, pgx.ErrNoRows):
		return state.None, fmt.Errorf("%w: revision %s is no longer current", state.ErrConflict, old)
	}
	return state.None, doubt(err, s.explainSave(err))
}

// patience is for how long the server may wait for somebody else's lock, as its setting lock_timeout. It ends before
// the caller's own, so that the server says what it waited for and forgets the statement: cut off by its client it would
// carry it out once the lock is free.
func patience(ctx context.Context) string {
	limit := time.Duration(math.MaxInt32) * time.Millisecond
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)*9/10)
	}
	return strconv.FormatInt(max(limit.Milliseconds(), 1), 10)
}

// untilSerial does it again for as long as the server undoes it for the sake of another transaction, as it does in the
// isolation levels above read committed.
func untilSerial(ctx context.Context, do func() error) error {
	for {
		err := do()
		undone := code(err) == "40001" || code(err) == "40P01"
		if !undone || ctx.Err() != nil {
			return err
		}
	}
}

// doubt adds to an explained error that the server may have done what it was asked to, unless it certainly has not: it
// has refused it, or nothing was sent.
func doubt(err, explained error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.SeverityUnlocalized == "ERROR" || pgconn.SafeToRetry(err) {
		return explained
	}
	return fmt.Errorf("the answer is missing, so that the document may be saved or not: read it before you save again: %w", explained)
}

// acquire takes a connection from the pool.
func (s *store) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	conn, err := s.pool.Acquire(ctx)
	if err == nil {
		return conn, nil
	}
	if stat := s.pool.Stat(); ctx.Err() != nil && stat.AcquiredConns() >= stat.MaxConns() {
		return nil, fmt.Errorf("all %d connections of the pool were in use: make it larger, or use them for shorter: %w", stat.MaxConns(), err)
	}
	return nil, s.explain(err)
}

// Close implements [driver.Store].
func (s *store) Close() error {
	if s.own == nil {
		return nil
	}
	defer time.AfterFunc(farewell, s.own.Cut).Stop()
	s.pool.Close()
	return nil
}

// farewell is for how long a server that does not answer may hold up Close.
const farewell = 500 * time.Millisecond
