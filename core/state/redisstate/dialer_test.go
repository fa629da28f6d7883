package redisstate

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/recess-go/recess/core/state"
)

// TestCloseEndsConnectionsThatAreBeingMade has a server that never takes part in TLS, and a deadline of which no test
// sees the end.
func TestCloseEndsConnectionsThatAreBeingMade(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	b := opened(t, true, "//"+listener.Addr().String()+"?timeout=1h")
	ctx, cancel := context.WithCancel(t.Context())
	read := make(chan error, 1)
	go func() {
		_, err := state.Read(ctx, b)
		read <- err
	}()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	if err := <-read; err == nil {
		t.Error("Read found a document")
	}
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Errorf("the connection is still there: %v", err)
	}
}

// TestASubscriptionThatComesTooLateIsEnded answers when nobody waits for it any more.
func TestASubscriptionThatComesTooLateIsEnded(t *testing.T) {
	f := serve(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	f.say(func(conn net.Conn, command []string) {
		if strings.EqualFold(command[0], "subscribe") {
			close(asked)
			<-answer
			io.WriteString(conn, "*3\r\n$9\r\nsubscribe\r\n"+bulk(command[1])+":1\r\n")
		}
	})
	b := f.opened(t, "?timeout=1h")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := b.store.Watch(ctx); err == nil {
		t.Error("a watch was made for nobody")
	}
	close(answer)
	f.awaitClosed(t)
}

// TestAConnectionThatCouldNotBeMadeIsUsedByNobodyElse: go-redis dials in the background, and keeps for others what its
// caller has not waited for.
func TestAConnectionThatCouldNotBeMadeIsUsedByNobodyElse(t *testing.T) {
	f := serve(t)
	dialing, fail := make(chan struct{}), make(chan struct{})
	first := true
	target := target{Config: Config{Timeout: time.Hour}}
	options := target.options(newDialer(nil))
	options.Addr, options.DialTimeout, options.PoolSize = f.addr, time.Hour, 1
	own := options.Dialer
	options.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if !first {
			return own(ctx, network, addr)
		}
		first = false
		close(dialing)
		<-fail
		return stillborn{noConnection(errors.New("no route to host"))}, nil
	}
	client := redis.NewClient(&options)
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-dialing
		cancel()
	}()
	if err := client.Ping(ctx).Err(); err == nil {
		t.Fatal("a ping without a connection")
	}
	close(fail)
	for deadline := time.Now().Add(patience); client.PoolStats().IdleConns == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the connection that nobody waited for was not kept: this test tests nothing")
		}
	}
	f.say(func(conn net.Conn, _ []string) { io.WriteString(conn, "+PONG\r\n") })
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("a server that is back: %v", err)
	}
}

// TestASaveThatWasNotSentIsNotInDoubt: the server takes connections, and says nothing on them.
func TestASaveThatWasNotSentIsNotInDoubt(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	b := opened(t, false, "//"+silent.Addr().String()+"?timeout=100ms")
	_, err = b.Save(t.Context(), state.None, []byte("x"))
	if err == nil || strings.Contains(err.Error(), "may have been saved") {
		t.Errorf("nothing was sent: %v", err)
	}
	f := serve(t)
	f.say(func(net.Conn, []string) {})
	_, err = f.opened(t, "?timeout=100ms").Save(t.Context(), state.None, []byte("x"))
	if err == nil || !strings.Contains(err.Error(), "may have been saved") {
		t.Errorf("it was sent, and not answered: %v", err)
	}
}

func TestALetterIsSentOrRecalled(t *testing.T) {
	sent, back := &letter{text: "x"}, &letter{text: "x"}
	if text, err := sent.MarshalBinary(); err != nil || string(text) != "x" || sent.recall() {
		t.Errorf("%q, %v: it was sent, and recalled", text, err)
	}
	if text, err := sent.MarshalBinary(); err != nil || string(text) != "x" {
		t.Errorf("%q, %v: it is sent again, since the server did not know the script", text, err)
	}
	for range 2 {
		if !back.recall() {
			t.Error("it was not recalled")
		}
	}
	if text, err := back.MarshalBinary(); err == nil {
		t.Errorf("it was recalled, and %q sent", text)
	}
}
