package pgstate

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// listen takes connections and never says a word.
func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

func dial(t *testing.T, d *dialer, to net.Listener) net.Conn {
	t.Helper()
	conn, err := d.Dial(t.Context(), "tcp", to.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestCutEndsEveryConnection(t *testing.T) {
	d, silent := newDialer(new(net.Dialer).DialContext), listen(t)
	ended := make(chan error)
	for range 2 {
		conn := dial(t, d, silent)
		go func() {
			_, err := io.Copy(io.Discard, conn)
			ended <- err
		}()
	}
	d.Cut()
	for range 2 {
		select {
		case err := <-ended:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("it ended with %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("a connection lives on")
		}
	}
	d.Cut() // twice is no fault
	if _, err := d.Dial(t.Context(), "tcp", silent.Addr().String()); err == nil {
		t.Error("a connection was made after Cut")
	}
}

func TestCutEndsADialThatIsUnderWay(t *testing.T) {
	dialing := make(chan struct{})
	d := newDialer(func(ctx context.Context, _, _ string) (net.Conn, error) {
		close(dialing)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	failed := make(chan error)
	go func() {
		_, err := d.Dial(t.Context(), "tcp", "")
		failed <- err
	}()
	<-dialing
	d.Cut()
	select {
	case err := <-failed:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it dials on")
	}
}

func TestADialThatCutDidNotReachInTimeLeavesNothingBehind(t *testing.T) {
	client, server := net.Pipe()
	var d *dialer
	d = newDialer(func(context.Context, string, string) (net.Conn, error) {
		d.Cut()
		return client, nil
	})
	if _, err := d.Dial(t.Context(), "tcp", ""); !errors.Is(err, errCut) {
		t.Error(err)
	}
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the connection is open: %v", err)
	}
}

func TestADialerThatMakesNoMoreKeepsWhatItHas(t *testing.T) {
	d, silent := newDialer(new(net.Dialer).DialContext), listen(t)
	conn := dial(t, d, silent)
	d.Suffice()
	if _, err := d.Dial(t.Context(), "tcp", silent.Addr().String()); !errors.Is(err, errCut) {
		t.Errorf("another: %v", err)
	}
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Errorf("the first: %v", err)
	}
	d.Cut()
	if _, err := conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the first, after Cut: %v", err)
	}
}

func TestADialerForgetsWhatIsClosed(t *testing.T) {
	d, silent := newDialer(new(net.Dialer).DialContext), listen(t)
	conn := dial(t, d, silent)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if len(d.conns) != 0 {
		t.Error("it is kept for as long as the backend")
	}
}

// TestNothingIsCancelledThroughAPooler: pgx dials with a context of its own to do that.
func TestNothingIsCancelledThroughAPooler(t *testing.T) {
	d, server := newDialer(new(net.Dialer).DialContext), listen(t)
	dial(t, d, server)
	d.way.met.Store(pooled)
	if _, err := d.Dial(t.Context(), "tcp", server.Addr().String()); !errors.Is(err, errNoCancel) {
		t.Errorf("a request to cancel: %v", err)
	}
	if _, err := d.Dial(tracer{}.TraceConnectStart(t.Context(), pgx.TraceConnectStartData{}), "tcp", server.Addr().String()); err != nil {
		t.Errorf("a connection: %v", err)
	}
}
