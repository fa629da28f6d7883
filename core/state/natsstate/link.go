package natsstate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// A link is the way to the server: over a client that was handed in, or over one that the backend makes itself when it
// is first used, and once more should that be closed for good.
type link struct {
	dial func(*link) (*nats.Conn, error) // nil for a client that was handed in
	to   string                          // the servers, for errors

	patience time.Duration // of the backend's own client with a server that does not answer

	ctx   context.Context // ends with the backend
	stop  context.CancelFunc
	calls sync.WaitGroup // what may be waiting for the client

	mu      sync.Mutex
	client  *client
	trouble error // why the last attempt to connect failed
}

// A client is one that is there, or is being made.
type client struct {
	made chan struct{} // closed when it is
	conn *nats.Conn
	err  error
}

func newLink() *link {
	l := &link{}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

func handedIn(conn *nats.Conn) *link {
	l := newLink()
	l.client = &client{conn: conn, made: make(chan struct{})}
	close(l.client.made)
	return l
}

// within returns what do returns, or the context's error soon after that has ended: while it connects, nats.go holds a
// lock that most of its methods wait for. What comes too late is dropped.
func within[T any](ctx context.Context, l *link, do func(context.Context) (T, error), drop func(T)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	result, left := make(chan outcome), make(chan struct{})
	defer close(left)
	l.calls.Go(func() {
		value, err := do(ctx)
		select {
		case result <- outcome{value, err}:
		case <-left:
			if err == nil {
				drop(value)
			}
		}
	})
	select {
	case o := <-result:
		return o.value, o.err
	case <-ctx.Done():
	}
	select {
	case o := <-result: // it knows better what it was waiting for
		return o.value, o.err
	case <-time.After(grace):
		var none T
		return none, l.unconnected(ctx, nil)
	}
}

// grace is how long a call whose context has ended may take to say what it was waiting for.
const grace = 50 * time.Millisecond

// twice does something over a connection and, if that is lost, over the next, unless it is not known what came of it.
func twice[T any](ctx context.Context, l *link, do func(context.Context, *session) (T, error)) (T, error) {
	for again := false; ; again = true {
		value, err := over(ctx, l, do)
		if again || !errors.Is(err, errLost) || errors.As(err, new(unsure)) {
			return value, err
		}
	}
}

// over does something over a connection.
func over[T any](ctx context.Context, l *link, do func(context.Context, *session) (T, error)) (T, error) {
	return within(ctx, l, func(ctx context.Context) (T, error) {
		on, err := l.use(ctx)
		if err != nil {
			var none T
			return none, err
		}
		defer on.release()
		return do(ctx, on)
	}, func(T) {})
}

// use returns the client, connected. The caller releases it.
func (l *link) use(ctx context.Context) (*session, error) {
	conn, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	for {
		// Listen, then look: a connection that breaks from now on is noticed.
		s := &session{link: l, conn: conn, down: conn.StatusChanged(nats.RECONNECTING, nats.CLOSED)}
		if conn.Status() == nats.CONNECTED {
			return s, nil
		}
		s.release()
		if err := l.await(ctx, conn); err != nil {
			return nil, err
		}
	}
}

// get returns the client, connected or not.
func (l *link) get(ctx context.Context) (*nats.Conn, error) {
	l.mu.Lock()
	c := l.client
	if c == nil {
		c = &client{made: make(chan struct{})}
		l.client = c
		l.calls.Go(func() { l.make(c) })
	}
	l.mu.Unlock()
	select {
	case <-c.made:
		return c.conn, c.err
	case <-ctx.Done():
		return nil, l.unconnected(ctx, nil)
	}
}

func (l *link) make(c *client) {
	c.conn, c.err = l.dial(l)
	switch {
	case c.err != nil:
		l.forget()
	case l.ctx.Err() != nil:
		c.conn.Close()
	}
	close(c.made)
}

// forget has the next call make another client.
func (l *link) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client = nil
}

// await returns when the client may be connected, or what keeps it from ever being.
func (l *link) await(ctx context.Context, conn *nats.Conn) error {
	changed := conn.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.CLOSED)
	defer conn.RemoveStatusListener(changed)
	for {
		status, last := conn.Status(), conn.LastError()
		switch {
		case status == nats.CONNECTED:
			return nil
		case status == nats.CLOSED:
			return l.unconnected(ctx, errors.Join(errClientClosed, last))
		case settled(last):
			return l.unconnected(ctx, last)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return l.unconnected(ctx, last)
		}
	}
}

var errClientClosed = errors.New("the client is closed")

// settled reports whether trying again can hardly help.
func settled(err error) bool {
	return refusedLogin(err) || refusedTLS(err) || errors.Is(err, nats.ErrSecureConnWanted)
}

// unconnected is the error of a call that got no connection.
func (l *link) unconnected(ctx context.Context, why error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if why == nil || errors.Is(why, nats.ErrPermissionViolation) {
		l.mu.Lock()
		why = l.trouble
		l.mu.Unlock()
	}
	where := "the client is not connected"
	if l.dial != nil {
		where = "not connected to " + l.to
	}
	if why == nil {
		return fmt.Errorf("%s%w", where, errUnconnected)
	}
	return fmt.Errorf("%s: %w%w", where, explain(why), errUnconnected)
}

// errUnconnected marks the errors of calls that got no connection, or lost it and could not be told so in time.
var errUnconnected = unconnected{}

type unconnected struct{}

func (unconnected) Error() string { return "" }

// close ends the client if it is the backend's own, and returns when nothing waits for it any more.
func (l *link) close() {
	l.stop()
	if l.dial != nil {
		l.mu.Lock()
		c := l.client
		l.mu.Unlock()
		if c != nil {
			<-c.made
			if c.conn != nil {
				c.conn.Close()
			}
		}
	}
	l.calls.Wait()
}

// ownOptions are those of a client that is the backend's own, but for where it connects to and as whom.
func (l *link) ownOptions(timeout time.Duration) nats.Options {
	o := nats.GetDefaultOptions()
	o.Name = "recess"
	o.Timeout = min(timeout, 2*time.Second)
	o.SkipHostLookup = true // the dialer does that too, and ends with the backend
	o.CustomDialer = dialer{l.ctx, o.Timeout}
	o.RetryOnFailedConnect = true
	o.MaxReconnect = -1
	o.IgnoreAuthErrorAbort = true // who may come in can change
	o.CustomReconnectDelayCB = reconnectDelay
	o.ReconnectBufSize = -1 // what cannot be sent now fails now
	// When the third ping is due and two are unanswered, the connection is dead: that is after twice the patience.
	o.PingInterval, o.MaxPingsOut = l.patience*2/3, 2
	o.FlusherTimeout = timeout
	o.NoCallbacksAfterClientClose = true
	o.AsyncErrorCB = func(*nats.Conn, *nats.Subscription, error) {} // each call says what concerns it
	o.ReconnectErrCB = func(_ *nats.Conn, err error) { l.troubled(err) }
	o.ConnectedCB = func(*nats.Conn) { l.troubled(nil) }
	o.ReconnectedCB = func(*nats.Conn) { l.troubled(nil) }
	o.ClosedCB = func(*nats.Conn) { l.forget() } // the server has said something that nats.go takes for final
	return o
}

// troubled takes down why an attempt to connect failed; nil is one that did not.
func (l *link) troubled(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trouble = why
}

// A dialer makes connections that end with the backend, at the latest.
type dialer struct {
	ctx     context.Context
	timeout time.Duration
}

// Dial implements [nats.CustomDialer].
func (d dialer) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(d.ctx, d.timeout)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &mortal{raw, context.AfterFunc(d.ctx, func() { _ = raw.Close() })}, nil
}

// A mortal is a connection that ends with the backend.
type mortal struct {
	net.Conn
	spare func() bool
}

func (m *mortal) Close() error {
	m.spare()
	return m.Conn.Close()
}
