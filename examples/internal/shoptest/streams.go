package shoptest

import (
	"bufio"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/internal/shop"
)

func events(t *testing.T, launch Launcher) {
	s := Open(t, launch, map[string]string{"RECESS_GRACE": "1h"}) // whoever waits for the end of that waits too long
	spared := s.stream()
	spared.wants("data: 1")
	s.On(recess.Opening{Scope: "checkout"}) // it has nothing to do with that
	spared.wants("data: 2")
	s.On(recess.Opening{})
	spared.wants("event: bye", "data: "+shop.Maintenance)
	spared.ends()
	s.Wants(http.StatusServiceUnavailable, "GET /events")
	s.Off("checkout")

	last := s.stream()
	last.wants("data: 1")
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	last.wants("event: bye", "data: "+shop.Restarting)
	last.ends()
	if err := <-stopped; err != nil {
		t.Errorf("it did not end well: %v", err)
	}
	if strings.Contains(s.Log(), "requests were cut") {
		t.Errorf("the stream held the end up:\n%s", s.Log())
	}
}

// listener hears an event stream.
type listener struct {
	t        testing.TB
	response *http.Response
	lines    *bufio.Scanner
}

func (s *Site) stream() *listener {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.Base+"/events", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		s.t.Fatalf("%d %s, want an event stream", response.StatusCode, response.Header.Get("Content-Type"))
	}
	return &listener{s.t, response, bufio.NewScanner(response.Body)}
}

// wants waits for lines in this order.
func (l *listener) wants(lines ...string) {
	l.t.Helper()
	for _, want := range lines {
		for l.lines.Scan() && l.lines.Text() != want {
			continue
		}
		if l.lines.Text() != want {
			l.t.Fatalf("the stream ended before %q: %v", want, l.lines.Err())
		}
	}
}

// ends wants the stream to end in good order.
func (l *listener) ends() {
	l.t.Helper()
	for l.lines.Scan() {
		continue
	}
	if err := l.lines.Err(); err != nil {
		l.t.Errorf("the stream was cut: %v", err)
	}
}

func webSocket(t *testing.T, launch Launcher) {
	s := Open(t, launch, map[string]string{"RECESS_GRACE": "1h"})
	address := "ws" + strings.TrimPrefix(s.Base, "http") + "/ws"
	dial := func(origin string) (*websocket.Conn, int) {
		t.Helper()
		conn, response, err := websocket.Dial(t.Context(), address, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
		if err != nil {
			return nil, response.StatusCode
		}
		return conn, response.StatusCode
	}
	if _, status := dial("http://evil.example"); status != http.StatusForbidden {
		t.Errorf("another site's page: status %d, want 403", status)
	}
	conn, status := dial(s.Base)
	if conn == nil {
		t.Fatalf("status %d, want 101", status)
	}
	defer conn.CloseNow()
	echoes := func(conn *websocket.Conn, text string) {
		t.Helper()
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
		conn.SetReadLimit(shop.MaxMessage)
		if kind, got, err := conn.Read(t.Context()); err != nil || kind != websocket.MessageText || string(got) != text {
			t.Fatalf("%.20q came back as %.20q, error %v", text, got, err)
		}
	}
	for _, text := range []string{"hello", "", strings.Repeat("ü", shop.MaxMessage/2)} {
		echoes(conn, text)
	}
	closes := func(conn *websocket.Conn, why string) {
		t.Helper()
		_, _, err := conn.Read(t.Context())
		var closed websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != websocket.StatusServiceRestart || closed.Reason != why {
			t.Errorf("it was closed with %v, want 1012 and %q", err, why)
		}
	}
	s.On(recess.Opening{})
	closes(conn, shop.Maintenance)
	if _, status := dial(s.Base); status != http.StatusServiceUnavailable {
		t.Errorf("while the site is closed: status %d, want 503", status)
	}
	s.Off()
	last, status := dial(s.Base)
	if last == nil {
		t.Fatalf("open again: status %d, want 101", status)
	}
	defer last.CloseNow()
	echoes(last, "here") // the handshake is answered before the handler knows of the connection
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	closes(last, shop.Restarting)
	if err := <-stopped; err != nil {
		t.Errorf("it did not end well: %v", err)
	}
}
