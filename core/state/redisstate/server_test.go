package redisstate

import (
	"bufio"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fake is a server that says what a test tells it to: answers that a real one gives in rare moments only.
type fake struct {
	addr string

	mu     sync.Mutex
	answer func(conn net.Conn, command []string) // in place of the usual answers; nil for these
	heard  [][]string                            // commands, but HELLO
	conns  int                                   // that are open
}

// serve starts a fake, which answers PING and whatever sets up a connection.
func serve(t *testing.T) *fake {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{addr: listener.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				f.count(1)
				defer f.count(-1)
				f.talk(conn)
			})
		}
	})
	t.Cleanup(running.Wait)
	t.Cleanup(func() { listener.Close() })
	return f
}

func (f *fake) say(answer func(conn net.Conn, command []string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer, f.heard = answer, nil
}

// commands returns what was sent since the last say.
func (f *fake) commands() [][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.heard
}

func (f *fake) count(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns += n
}

// awaitClosed waits until nobody is connected.
func (f *fake) awaitClosed(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		f.mu.Lock()
		conns := f.conns
		f.mu.Unlock()
		if conns == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are still open", conns)
		}
	}
}

// patience is how long what must happen may take on a slow machine.
const patience = 20 * time.Second

func (f *fake) talk(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		command, err := receive(in)
		if err != nil {
			return
		}
		name := strings.ToLower(command[0])
		f.mu.Lock()
		answer := f.answer
		if name != "hello" {
			f.heard = append(f.heard, command)
		}
		f.mu.Unlock()
		switch {
		case name == "hello":
			io.WriteString(conn, "*0\r\n")
		case answer != nil:
			answer(conn, command)
		case name == "ping":
			io.WriteString(conn, "*2\r\n$4\r\npong\r\n"+bulk(command[1]))
		case name == "subscribe":
			io.WriteString(conn, "*3\r\n$9\r\nsubscribe\r\n"+bulk(command[1])+":1\r\n")
		default:
			io.WriteString(conn, "-ERR unknown command\r\n")
		}
	}
}

// receive reads one command.
func receive(in *bufio.Reader) (command []string, err error) {
	n, err := number(in, '*')
	for range n {
		var size int
		if size, err = number(in, '$'); err != nil {
			break
		}
		text := make([]byte, size+2)
		if _, err = io.ReadFull(in, text); err != nil {
			break
		}
		command = append(command, string(text[:size]))
	}
	return command, err
}

func number(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil || line[0] != kind {
		return 0, io.ErrUnexpectedEOF
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

func bulk(text string) string { return "$" + strconv.Itoa(len(text)) + "\r\n" + text + "\r\n" }

// opened opens a backend on the fake.
func (f *fake) opened(t *testing.T, query string) *Backend {
	t.Helper()
	return opened(t, false, "//user:hunter2@"+f.addr+query)
}

func opened(t *testing.T, secure bool, rest string) *Backend {
	t.Helper()
	target, err := parse(single, secure, rest)
	if err != nil {
		t.Fatal(err)
	}
	b := target.open()
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}
