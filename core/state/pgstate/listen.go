package pgstate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// A listener is a store that can tell of changes. It implements [driver.Watcher].
type listener struct{ *store }

// Newer implements [driver.Watcher].
func (*listener) Newer(a, b state.Rev) bool { return driver.NewerNumber(a, b) }

// Watch implements [driver.Watcher], over a connection of its own.
func (l *listener) Watch(ctx context.Context) (driver.Watch, error) {
	w := &watch{store: l.store, channel: strings.Trim(l.channel, `"`)}
	err := w.connect(ctx)
	if err == nil {
		if err = w.subscribe(ctx); err != nil {
			w.Close()
		}
	}
	if err != nil {
		return nil, l.explain(err)
	}
	return w, nil
}

// A watch is a connection that listens.
//
// What comes with a notification is no document: anybody who may connect to the database can send and hear them. The
// document is read, over this very connection, by who has the right to.
type watch struct {
	*store
	dialer  *dialer
	conn    *pgx.Conn
	channel string
	told    bool // of a change, since the last reading
}

func (w *watch) connect(ctx context.Context) error {
	pool := w.pool.Config()
	config := pool.ConnConfig
	if pool.BeforeConnect != nil {
		if err := pool.BeforeConnect(ctx, config); err != nil {
			return err
		}
	}
	w.dialer = newDialer(config.DialFunc)
	config.DialFunc = w.dialer.Dial
	config.OnNotification = w.hear
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()} // the end of a wait cancels nothing on the server
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	w.conn = conn
	w.dialer.Suffice() // when it breaks there is nothing to cancel, and a fleet would come back at once to say so
	return err
}

// hear is called for each notification, whatever the connection is doing then.
func (w *watch) hear(_ *pgconn.PgConn, n *pgconn.Notification) {
	if n.Channel == w.channel && (n.Payload == w.name || n.Payload == "") { // "": all rows at once
		w.told = true
	}
}

// reading is the name of the prepared readSQL.
const reading = "recess_read"

func (w *watch) subscribe(ctx context.Context) error {
	isDirect, err := w.way.meet(ctx, w.conn)
	if err != nil {
		return err
	}
	w.keeps.Store(w.conn.Config().StatementCacheCapacity > 0)
	if !isDirect {
		if err := w.rehearse(ctx); err != nil {
			return err
		}
	}
	if _, err := w.conn.Exec(ctx, "listen "+quoted(w.channel)); err != nil {
		return err
	}
	_, err = w.conn.Prepare(ctx, reading, w.sql(readSQL))
	return err
}

// rehearse finds out whether notifications arrive through whatever stands between here and the server: they do through a
// pooler that gives each client a connection of its own, and do not through one that shares them among transactions.
func (w *watch) rehearse(ctx context.Context) error {
	channel := w.channel
	defer func() { w.channel, w.told = channel, false }()
	w.channel = "recess_" + strings.ToLower(rand.Text())
	if _, err := w.conn.Exec(ctx, "listen "+quoted(w.channel)); err != nil {
		return err
	}
	if _, err := w.pool.Exec(ctx, "select pg_notify($1, '')", oneTrip, w.channel); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, w.config.Probe)
	defer cancel()
	var err error
	for !w.told && err == nil {
		err = w.conn.PgConn().WaitForNotification(waiting)
	}
	if err != nil && (ctx.Err() != nil || waiting.Err() == nil) {
		return err
	}
	if _, err := w.conn.Exec(ctx, "unlisten "+quoted(w.channel)); err != nil || w.told {
		return err
	}
	return fmt.Errorf("%w: notifications do not pass the pooler in front of the server, as through PgBouncer with pool_mode = transaction: "+
		"connect past the pooler to be told of changes, or add watch=off to the URL to poll on purpose", driver.ErrNoWatch)
}

// Wait implements [driver.Watch].
func (w *watch) Wait(ctx context.Context) (state.Doc, error) {
	for !w.told {
		switch err := w.conn.PgConn().WaitForNotification(ctx); {
		case err != nil && ctx.Err() != nil:
			return state.Doc{}, w.explain(err)
		case err != nil:
			return state.Doc{}, w.lost(err)
		}
	}
	w.told = false // before the reading: who is told during it reads again
	reader, cancel := w.finishing(ctx)
	defer cancel()
	doc, err := document(reader, w.conn, reading, w.name)
	if err != nil {
		w.told = true // what was told is still to be read
	}
	return doc, w.explain(err)
}

// finishing returns a context for reading what was told at the end of a wait: it lasts for a call's time more, unless
// the wait is not over but called off.
func (w *watch) finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	reader, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.config.Timeout)
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})
	return reader, func() { stop(); cancel() }
}

// Ping implements [driver.Watch] with an empty statement.
func (w *watch) Ping(ctx context.Context) error { return w.lost(w.conn.Ping(ctx)) }

// lost explains why the connection is lost, if it is. Those of the backend's own pool took the same way: trying one after
// the other takes its time where none answers, and where they were cut pgx would dial once for each to say so.
func (w *watch) lost(err error) error {
	if err != nil && w.own != nil {
		w.pool.Reset()
	}
	return w.explain(err)
}

// Close implements [driver.Watch].
func (w *watch) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), farewell/10)
	defer cancel()
	_ = w.conn.Close(ctx) // a goodbye, for which there is room on a connection that lives
	w.dialer.Cut()
	<-w.conn.PgConn().CleanupDone()
}
