package redisstate

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

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
