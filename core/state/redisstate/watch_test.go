package redisstate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

// watched subscribes to a fake, and returns the server's side of the connection too.
func watched(t *testing.T, f *fake) (*watch, net.Conn) {
	t.Helper()
	subscribed := make(chan net.Conn, 1)
	f.say(func(conn net.Conn, command []string) {
		switch strings.ToLower(command[0]) {
		case "subscribe":
			io.WriteString(conn, "*3\r\n$9\r\nsubscribe\r\n"+bulk(command[1])+":1\r\n")
			subscribed <- conn
		case "ping":
			io.WriteString(conn, "*2\r\n$4\r\npong\r\n"+bulk(command[1]))
		}
	})
	w, err := f.opened(t, "").store.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w.(*watch), <-subscribed
}

func published(text string) string {
	return "*3\r\n$7\r\nmessage\r\n" + bulk("{recess}:changes:0") + bulk(text)
}

func message(n int, text string) string { return string(revOf(fmt.Sprint(n), text)) + "\n" + text }

// brief is over at once, but not before the call has begun.
func brief(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestAMessageThatArrivesInPiecesIsWhole(t *testing.T) {
	w, server := watched(t, serve(t))
	text := published(message(7, strings.Repeat("x", 3000)))
	for cut := 1; cut < len(text); cut += 311 {
		io.WriteString(server, text[:cut])
		if doc, err := w.Wait(brief(t)); err == nil {
			t.Fatalf("half a message brought %q", doc.Rev)
		}
		io.WriteString(server, text[cut:])
		if doc, err := w.Wait(t.Context()); err != nil || len(doc.Data) != 3000 || doc.Rev != revOf("7", string(doc.Data)) {
			t.Fatalf("cut at %d: %d bytes, %v", cut, len(doc.Data), err)
		}
	}
}

func TestAMessageThatArrivesDuringAPingIsKept(t *testing.T) {
	f := serve(t)
	w, _ := watched(t, f)
	f.say(func(conn net.Conn, command []string) {
		io.WriteString(conn, published(message(1, "first"))+published(message(2, "second")))
		io.WriteString(conn, "*2\r\n$4\r\npong\r\n"+bulk("of another ping"))
		io.WriteString(conn, "*2\r\n$4\r\npong\r\n"+bulk(command[1]))
	})
	for range 3 {
		if err := w.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		if doc, err := w.Wait(t.Context()); err != nil || string(doc.Data) != "second" {
			t.Fatalf("%q, %v", doc.Data, err)
		}
	}
}

func TestAPingNeedsItsOwnPong(t *testing.T) {
	f := serve(t)
	w, _ := watched(t, f)
	f.say(func(conn net.Conn, _ []string) { io.WriteString(conn, "*2\r\n$4\r\npong\r\n"+bulk("of another ping")) })
	if err := w.Ping(brief(t)); err == nil || !strings.Contains(err.Error(), "PING") {
		t.Errorf("Ping: %v", err)
	}
}

func TestWhatHoldsNoDocumentIsAHint(t *testing.T) {
	w, server := watched(t, serve(t))
	for _, text := range []string{
		"", "look", "\n", string(revOf("7", "x")), "7-0000\nx", "7\nx", string(revOf("7", "x")) + "\ny",
		"007" + string(revOf("7", "x"))[1:] + "\nx",
	} {
		io.WriteString(server, published(text))
		if doc, err := w.Wait(t.Context()); err != nil || doc.Rev != state.None || doc.Data != nil {
			t.Errorf("%q brought %q, %v", text, doc.Rev, err)
		}
	}
	io.WriteString(server, published(message(0, "of no save"))) // by hand, but right
	if doc, err := w.Wait(t.Context()); err != nil || doc.Rev[:2] != "0-" {
		t.Errorf("%q, %v", doc.Rev, err)
	}
}

func TestAWatchEndsWithItsSubscription(t *testing.T) {
	for name, end := range map[string]func(w *watch, server net.Conn){
		"the server closes it": func(_ *watch, server net.Conn) { server.Close() },
		"the server ends it": func(_ *watch, server net.Conn) {
			io.WriteString(server, "*3\r\n$11\r\nunsubscribe\r\n$1\r\nx\r\n:0\r\n")
		},
		"the server makes no sense":      func(_ *watch, server net.Conn) { io.WriteString(server, "?\r\n") },
		"the server answers an error":    func(_ *watch, server net.Conn) { io.WriteString(server, "-ERR no\r\n") },
		"the watch is closed":            func(w *watch, _ net.Conn) { w.Close() },
		"the watch is closed, and again": func(w *watch, _ net.Conn) { w.Close(); w.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			w, server := watched(t, serve(t))
			end(w, server)
			if _, err := w.Wait(t.Context()); err == nil || errors.Is(err, context.Canceled) {
				t.Errorf("Wait: %v", err)
			}
			if err := w.Ping(t.Context()); err == nil || errors.Is(err, context.Canceled) {
				t.Errorf("Ping: %v", err)
			}
		})
	}
}

// TestASubscriptionIsNotThereBeforeTheServerSaysSo keeps the answer back.
func TestASubscriptionIsNotThereBeforeTheServerSaysSo(t *testing.T) {
	f := serve(t)
	for name, answer := range map[string]string{
		"no answer":              "",
		"no answer of this kind": "*2\r\n$4\r\npong\r\n$0\r\n\r\n",
		"a refusal":              "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n",
	} {
		f.say(func(conn net.Conn, _ []string) { io.WriteString(conn, answer) })
		if w, err := f.opened(t, "").store.Watch(brief(t)); err == nil || w != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
