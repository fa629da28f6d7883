package redisstate

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A dialer makes the connections of a client that is the backend's own, and knows them.
type dialer struct {
	tls *tls.Config // nil for none

	ctx   context.Context // ends with the backend
	stop  context.CancelFunc
	epoch atomic.Uint64 // how often the connections were doubted

	mu   sync.Mutex
	open map[*conn]struct{} // nil after close
}

func newDialer(config *tls.Config) *dialer {
	ctx, stop := context.WithCancel(context.Background())
	return &dialer{tls: config, ctx: ctx, stop: stop, open: make(map[*conn]struct{})}
}

// dial is the Dialer of [redis.Options]. It never fails: a connection that could not be made says so when it is used.
// go-redis would write a failure to stderr at each look, and after some of them serve the last one to its callers while it
// tries on in the background, Close or not.
func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := d.connect(ctx, network, addr)
	if err != nil {
		return stillborn{noConnection(err)}, nil
	}
	return c, nil
}

func (d *dialer) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()
	c := &conn{dialer: d, epoch: d.epoch.Load()}
	socket, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c.Conn, c.socket = socket, socket
	if d.tls != nil {
		secure := tls.Client(socket, d.configFor(addr))
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = socket.Close()
			return nil, err
		}
		c.Conn, c.socket = secure, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil {
		_ = c.Conn.Close()
		return nil, net.ErrClosed
	}
	d.open[c] = struct{}{}
	return c, nil
}

// configFor is the TLS configuration for one server: its certificate must name the host that is connected to, unless
// the configuration says another name.
func (d *dialer) configFor(addr string) *tls.Config {
	if d.tls.ServerName != "" {
		return d.tls
	}
	config := d.tls.Clone()
	config.ServerName, _, _ = net.SplitHostPort(addr)
	return config
}

// doubt keeps the connections that there are from being used for another command. What is under way goes on.
func (d *dialer) doubt() { d.epoch.Add(1) }

// close ends all connections, and those that are being made.
func (d *dialer) close() {
	d.stop()
	d.mu.Lock()
	open := d.open
	d.open = nil
	d.mu.Unlock()
	for c := range open {
		_ = c.Conn.Close()
	}
}

// A conn is a connection that can be doubted.
type conn struct {
	net.Conn
	dialer *dialer
	epoch  uint64
	socket net.Conn // nil under TLS
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.dialer.mu.Lock()
	_, open := c.dialer.open[c]
	delete(c.dialer.open, c)
	c.dialer.mu.Unlock()
	if !open {
		return nil
	}
	return c.Conn.Close()
}

var errDoubted = errors.New("the connection is doubted")

// SyscallConn implements [syscall.Conn]. go-redis looks at a connection's socket before each use but the first; an error
// makes it take another connection.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	if c.epoch < c.dialer.epoch.Load() {
		return nil, errDoubted
	}
	if socket, ok := c.socket.(syscall.Conn); ok {
		return socket.SyscallConn()
	}
	return unseen{}, nil
}

// unseen stands for a socket that says nothing of its connection: what waits there under TLS may be no answer.
type unseen struct{ syscall.RawConn }

// Read implements [syscall.RawConn].
func (unseen) Read(func(fd uintptr) bool) error { return nil }

// A stillborn connection is one that could not be made.
type stillborn struct{ err error }

// SyscallConn implements [syscall.Conn]: whoever was to use it first has gone, and the next one is to dial anew.
func (s stillborn) SyscallConn() (syscall.RawConn, error) { return nil, s.err }

func (s stillborn) Read([]byte) (int, error)       { return 0, s.err }
func (s stillborn) Write([]byte) (int, error)      { return 0, s.err }
func (stillborn) Close() error                     { return nil }
func (stillborn) LocalAddr() net.Addr              { return nowhere{} }
func (stillborn) RemoteAddr() net.Addr             { return nowhere{} }
func (stillborn) SetDeadline(time.Time) error      { return nil }
func (stillborn) SetReadDeadline(time.Time) error  { return nil }
func (stillborn) SetWriteDeadline(time.Time) error { return nil }

type nowhere struct{}

func (nowhere) Network() string { return "none" }
func (nowhere) String() string  { return "none" }

// A dialError says that nothing was sent, since there was no connection.
type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

// noConnection makes a dialError, and another one around it: go-redis takes one layer off what a new connection says.
func noConnection(err error) error { return dialError{dialError{err}} }
