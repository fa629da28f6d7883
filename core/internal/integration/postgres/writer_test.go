package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/proxy"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/pgstate"
)

func TestWriters(t *testing.T) {
	onOneServer(t, []test{
		{"a save that waits for a lock ends and is forgotten", waitingForALock},
		{"a caller's earlier deadline ends a save", earlierDeadline},
		{"in a stricter isolation exactly one writer wins", stricterIsolation},
		{"a save whose answer is lost is not repeated", answerIsLost},
		{"a pool without a free connection is named", poolIsEmpty},
		{"the listener takes what the pool is made of", callersPool},
		{"a save that reaches nobody is not in doubt", nobodyReached},
	})
}

// waitingForALock: what was given up must not happen later, when the lock is free.
func waitingForALock(t *testing.T, server *servers.Server) {
	b := open(t, rigs.PostgresURL(server.Addr, "timeout=1s&application_name=waits"))
	rev := must.Save(t, b, state.None, "before")
	pool := poolOf(t, superURL(server.Addr), nil)
	for what, lock := range map[string]string{
		"the row":   "select * from recess where name = 'recess' for update",
		"the table": "lock table recess in share mode",
	} {
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), lock); err != nil {
			t.Fatal(err)
		}
		must.End(t, "Save while "+what+" is locked", func() {
			_, err = b.Save(t.Context(), rev, []byte("after"))
		})
		must.Refuse(t, what, err, context.DeadlineExceeded)
		if what == "the row" {
			must.Refuse(t, what, err, context.DeadlineExceeded, "pg_locks", "SQLSTATE 55P03")
			if strings.Contains(err.Error(), "saved or not") {
				t.Errorf("a refused Save is in doubt: %v", err)
			}
		}
		if doc := must.Read(t, b); doc.Rev != rev { // readers wait for nobody
			t.Errorf("%s: the document is %q", what, doc.Data)
		}
		must.Become(t, "nobody waits for the lock any more", func() bool {
			return rigs.PostgresNumber(t, server.Addr, "select count(*) from pg_stat_activity where application_name = 'waits' and wait_event_type = 'Lock'") == 0
		})
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		if doc := must.Read(t, b); doc.Rev != rev {
			t.Errorf("%s: after all, the document is %q", what, doc.Data)
		}
	}
	must.Save(t, b, rev, "after")
}

// earlierDeadline: the deadline that counts is the earlier one.
func earlierDeadline(t *testing.T, server *servers.Server) {
	b := open(t, rigs.PostgresURL(server.Addr, "timeout=1h"))
	rev := must.Save(t, b, state.None, "before")
	tx, err := poolOf(t, superURL(server.Addr), nil).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), "select * from recess for update"); err != nil {
		t.Fatal(err)
	}
	must.End(t, "Save with a deadline", func() {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err = b.Save(ctx, rev, []byte("after"))
	})
	must.Refuse(t, "Save", err, context.DeadlineExceeded)
}

// stricterIsolation: a database may have a default other than read committed.
func stricterIsolation(t *testing.T, server *servers.Server) {
	for _, level := range []string{"repeatable%20read", "serializable"} {
		t.Run(level, func(t *testing.T) {
			const writers, each = 8, 5
			url := rigs.PostgresURL(server.Addr, "name="+level[:4]+"&options=-c%20default_transaction_isolation%3D"+strings.ReplaceAll(level, "%20", "%5C%20"))
			var all sync.WaitGroup
			errs := make([]error, writers)
			for w := range writers {
				b := open(t, url)
				all.Go(func() { errs[w] = countUp(t.Context(), b, each) })
			}
			all.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			if doc := must.Read(t, open(t, url)); string(doc.Data) != strconv.Itoa(writers*each) {
				t.Errorf("the document is %q after %d changes", doc.Data, writers*each)
			}
		})
	}
}

// countUp adds one so often, with as many attempts as it takes. It announces itself after each.
func countUp(ctx context.Context, b *pgstate.Backend, times int) error {
	for won := 0; won < times; {
		doc, err := state.Read(ctx, b)
		if err != nil {
			return err
		}
		n, _ := strconv.Atoi(string(doc.Data))
		switch _, err := b.Save(ctx, doc.Rev, []byte(strconv.Itoa(n+1))); {
		case err == nil:
			won++
		case !errors.Is(err, state.ErrConflict):
			return err
		}
		if _, err := b.Announce(ctx, "web-1", doc.Data, time.Minute); err != nil {
			return err
		}
	}
	return nil
}

// answerIsLost: it may be saved, as here, or not, and that is what it says.
func answerIsLost(t *testing.T, server *servers.Server) {
	link := proxy.New(t, server.Addr)
	b := open(t, rigs.PostgresURL(link.Addr, "timeout=2s"))
	direct := open(t, rigs.PostgresURL(server.Addr, ""))
	rev := must.Save(t, b, state.None, "one")
	answered := func(piece []byte) bool { return bytes.Contains(piece, []byte("UPDATE 1")) }

	lost := link.Drop(answered)
	_, err := b.Save(t.Context(), rev, []byte("two"))
	must.Receive(t, "the answer's loss", lost)
	must.Refuse(t, "Save without an answer", err, context.DeadlineExceeded, "saved or not", "read it")
	doc := must.Read(t, direct)
	if string(doc.Data) != "two" || !strings.HasPrefix(string(doc.Rev), "2-") {
		t.Fatalf("the document is %q, revision %q", doc.Data, doc.Rev)
	}

	lost = link.Drop(answered)
	go func() { <-lost; link.Cut() }()
	_, err = b.Save(t.Context(), doc.Rev, []byte("three"))
	must.Refuse(t, "Save whose connection was cut", err, nil, "saved or not")
	doc = must.Read(t, direct)
	if string(doc.Data) != "three" || !strings.HasPrefix(string(doc.Rev), "3-") {
		t.Fatalf("the document is %q, revision %q", doc.Data, doc.Rev)
	}
	if got := must.Read(t, b); got.Rev != doc.Rev { // and it goes on
		t.Errorf("it reads revision %q, want %q", got.Rev, doc.Rev)
	}
}

func nobodyReached(t *testing.T, server *servers.Server) {
	b := open(t, rigs.PostgresURL(server.Addr, ""))
	server.Kill(t)
	_, err := b.Save(t.Context(), state.None, []byte("x"))
	must.Refuse(t, "Save", err, nil, "connection refused")
	if strings.Contains(err.Error(), "saved or not") {
		t.Errorf("it is in doubt: %v", err)
	}
}

func poolIsEmpty(t *testing.T, server *servers.Server) {
	pool := poolOf(t, rigs.PostgresURL(server.Addr, "pool_max_conns=1"), nil)
	b := over(t, pool, pgstate.Config{Timeout: 200 * time.Millisecond})
	busy, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = state.Read(t.Context(), b)
	must.Refuse(t, "Next", err, context.DeadlineExceeded, "all 1 connections of the pool")
	_, err = b.Save(t.Context(), state.None, []byte("x"))
	must.Refuse(t, "Save", err, context.DeadlineExceeded, "all 1 connections of the pool")
	if strings.Contains(err.Error(), "saved or not") {
		t.Errorf("it is in doubt: %v", err)
	}
	busy.Release()
	must.Save(t, b, state.None, "x")
}

// callersPool but is none of its connections, and nothing that the caller does with
// notifications, waits and statements of his own is in its way.
func callersPool(t *testing.T, server *servers.Server) {
	var asked, prepared sync.Map
	url := rigs.PostgresURL(server.Addr, "pool_max_conns=1&statement_cache_capacity=0&default_query_exec_mode=simple_protocol&application_name=caller")
	pool := poolOf(t, url, callersOwn(&asked, &prepared))
	b := over(t, pool, pgstate.Config{Probe: 100 * time.Millisecond})
	rev := must.Save(t, b, state.None, "one")
	for _, text := range []string{"two", "three"} {
		got := waiting(t.Context(), b, rev)
		awaitListener(t, server.Addr, "caller")
		rev = must.Save(t, b, rev, text)
		if answer := must.Receive(t, "the waiter", got); answer.err != nil || string(answer.doc.Data) != text || answer.doc.Rev != rev {
			t.Fatalf("the waiter got %q, %v", answer.doc.Data, answer.err)
		}
	}
	count := func(m *sync.Map) (n int) { m.Range(func(any, any) bool { n++; return true }); return n }
	if count(&asked) != 2 || count(&prepared) != 1 {
		t.Errorf("BeforeConnect was called %d times and AfterConnect %d times, want both connections and the pool's", count(&asked), count(&prepared))
	}
}

func callersOwn(asked, prepared *sync.Map) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) {
		c.ConnConfig.Password = "stale"
		c.ConnConfig.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) {}
		c.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
			return &pgconn.CancelRequestContextWatcherHandler{Conn: conn}
		}
		c.BeforeConnect = func(_ context.Context, config *pgx.ConnConfig) error {
			asked.Store(config, true)
			config.Password = "fresh"
			return nil
		}
		c.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
			prepared.Store(conn, true)
			return nil
		}
	}
}
