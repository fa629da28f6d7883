package pgstate

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A dialer makes connections that it can end at once. pgx ends one that broke in the background: over another connection
// it asks the server to cancel what the broken one did, and waits for 15 seconds for a server that does not answer. Close
// must not wait for that.
type dialer struct {
	dial pgconn.DialFunc
	way  *way

	ctx  context.Context // ends with Suffice or Cut
	stop context.CancelFunc

	mu    sync.Mutex
	conns map[*dialed]bool // nil after Cut
}

// A dialed is one of a dialer's connections.
type dialed struct {
	net.Conn
	dialer *dialer
}

var (
	errCut      = errors.New("no more connections are made")
	errNoCancel = errors.New("nothing is cancelled through a pooler")
)

// A way leads to the server. Whether a pooler stands in it is found out by each connection, and not known before.
type way struct{ met atomic.Int32 }

const (
	direct = 1 + iota // nothing stands in between
	pooled            // there is a pooler, or there may be one
)

// meet reports whether the other end of a connection is the server itself: a pooler has made up the process id that it
// gave.
func (w *way) meet(ctx context.Context, conn *pgx.Conn) (isDirect bool, err error) {
	var pid uint32
	if err := conn.QueryRow(ctx, "select pg_backend_pid()", oneTrip).Scan(&pid); err != nil {
		return false, err
	}
	if pid != conn.PgConn().PID() {
		w.met.Store(pooled)
		return false, nil
	}
	w.met.Store(direct)
	return true, nil
}

// connecting is the key of contexts in which pgx makes a connection. It dials without, to cancel what another one does.
type connecting struct{}

// A tracer is told by pgx when it makes a connection.
type tracer struct{}

// TraceConnectStart implements [pgx.ConnectTracer].
func (tracer) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	return context.WithValue(ctx, connecting{}, true)
}

// TraceConnectEnd implements [pgx.ConnectTracer].
func (tracer) TraceConnectEnd(context.Context, pgx.TraceConnectEndData) {}

// TraceQueryStart implements [pgx.QueryTracer], which every tracer must.
func (tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func newDialer(dial pgconn.DialFunc) *dialer {
	ctx, stop := context.WithCancel(context.Background())
	return &dialer{dial: dial, way: new(way), ctx: ctx, stop: stop, conns: make(map[*dialed]bool)}
}

// Dial is a [pgconn.DialFunc].
func (d *dialer) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if d.ctx.Err() != nil {
		return nil, errCut
	}
	if d.way.met.Load() == pooled && ctx.Value(connecting{}) == nil {
		return nil, errNoCancel
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()
	conn, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	made := &dialed{conn, d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns == nil {
		_ = conn.Close() // it is not needed any more
		return nil, errCut
	}
	d.conns[made] = true
	return made, nil
}

// Meet is a pool's AfterConnect. It finds out whether a pooler stands before the server: through one, nothing is cancelled.
// A request to cancel that crosses with something else from the server ends PgBouncer 1.18, for all its clients ("server
// in bad state: 11").
func (d *dialer) Meet(ctx context.Context, conn *pgx.Conn) error {
	_, err := d.way.meet(ctx, conn)
	return err
}

// Suffice makes no more connections.
func (d *dialer) Suffice() { d.stop() }

// Cut closes all connections and makes no more.
func (d *dialer) Cut() {
	d.stop()
	d.mu.Lock()
	conns := d.conns
	d.conns = nil
	d.mu.Unlock()
	for conn := range conns {
		_ = conn.Conn.Close() // without a word to the server, so that nothing can hold it up
	}
}

// Close implements [net.Conn].
func (c *dialed) Close() error {
	c.dialer.mu.Lock()
	delete(c.dialer.conns, c)
	c.dialer.mu.Unlock()
	return c.Conn.Close()
}
