package shoptest

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/internal/shop"
)

func events(t *testing.T, launch Launcher) {
	s := Open(t, launch, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Base+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s, want an event stream", response.StatusCode, response.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(response.Body)
	want := func(text string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == text {
				return
			}
		}
		t.Fatalf("the stream ended before %q: %v", text, lines.Err())
	}
	want("data: 1")
	s.On(recess.Opening{}) // who is in stays in
	s.Wants(http.StatusServiceUnavailable, "GET /events")
	want("data: 2")
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	want("event: bye")
	if rest, err := io.ReadAll(response.Body); err != nil {
		t.Errorf("the stream was cut: %q, %v", rest, err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("it did not end well: %v", err)
	}
	if strings.Contains(s.Log(), "requests were cut") {
		t.Errorf("the stream held the end up:\n%s", s.Log())
	}
}

func webSocket(t *testing.T, launch Launcher) {
	s := Open(t, launch, nil)
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
	for _, text := range []string{"hello", "", strings.Repeat("ü", shop.MaxMessage/2)} {
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
		conn.SetReadLimit(shop.MaxMessage)
		if kind, got, err := conn.Read(t.Context()); err != nil || kind != websocket.MessageText || string(got) != text {
			t.Fatalf("%.20q came back as %.20q, error %v", text, got, err)
		}
	}
	s.On(recess.Opening{})
	if _, status := dial(s.Base); status != http.StatusServiceUnavailable {
		t.Errorf("while the site is closed: status %d, want 503", status)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	_, _, err := conn.Read(t.Context())
	if websocket.CloseStatus(err) != websocket.StatusServiceRestart {
		t.Errorf("it was closed with %v, want 1012", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("it did not end well: %v", err)
	}
}
