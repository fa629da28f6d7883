package pgstate

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
)

// A dialer makes connections that it can end at once. pgx ends one that broke in the background: over another connection
// it asks the server to cancel what the broken one did, and waits for 15 seconds for a server that does not answer. Close
// must not wait for that.
type dialer struct {
	dial pgconn.DialFunc

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

var errCut = errors.New("no more connections are made")

func newDialer(dial pgconn.DialFunc) *dialer {
	ctx, stop := context.WithCancel(context.Background())
	return &dialer{dial: dial, ctx: ctx, stop: stop, conns: make(map[*dialed]bool)}
}

// Dial is a [pgconn.DialFunc].
func (d *dialer) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if d.ctx.Err() != nil {
		return nil, errCut
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
