package shop

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
)

func TestASessionLastsUntilItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSessions()
		cookie, err := s.Begin("root")
		if err != nil {
			t.Fatal(err)
		}
		if cookie.MaxAge != int(sessionLife/time.Second) || !cookie.HttpOnly || cookie.Path != "/" {
			t.Errorf("the cookie is %s", cookie)
		}
		time.Sleep(sessionLife - time.Second)
		if u := s.User(cookie.Value); u.Name != "root" || !u.Superuser || u.Staff {
			t.Errorf("a second before the end: %+v", u)
		}
		time.Sleep(2 * time.Second)
		if u := s.User(cookie.Value); u.Authenticated {
			t.Errorf("a second after the end: %+v", u)
		}
	})
}

func TestAnEndedSessionStaysEndedAndIsForgottenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSessions()
		first, _ := s.Begin("alice")
		second, _ := s.Begin("alice")
		if gone := s.End(first.Value); gone.MaxAge >= 0 || gone.Value != "" || gone.Path != first.Path {
			t.Errorf("the cookie that ends it is %s", gone)
		}
		s.End("alice.99999999999.id.forged")
		if s.User(first.Value).Authenticated || !s.User(second.Value).Authenticated {
			t.Error("the wrong session was ended")
		}
		time.Sleep(sessionLife + time.Second)
		s.End(second.Value)
		if len(s.ended) != 1 {
			t.Errorf("%d ended sessions are remembered, want 1", len(s.ended))
		}
	})
}

func TestASessionOfAnotherProcessIsNone(t *testing.T) {
	cookie, err := newSessions().Begin("root")
	if err != nil {
		t.Fatal(err)
	}
	if u := newSessions().User(cookie.Value); u.Authenticated {
		t.Errorf("it is %+v here", u)
	}
}

func TestOnlyTheNewestOrdersAreKept(t *testing.T) {
	var o Orders
	for range maxOrders + 5 {
		if _, err := o.Add(nil); err != nil {
			t.Fatal(err)
		}
	}
	list := o.List().Orders
	if len(list) != maxOrders || list[0].ID != 6 || list[len(list)-1].ID != maxOrders+5 {
		t.Errorf("%d orders, %v to %v", len(list), list[0], list[len(list)-1])
	}
	list[0].ID = 0
	if o.List().Orders[0].ID != 6 {
		t.Error("the list is the shop's own")
	}
	if _, err := o.Add([]byte(`{"item":"yacht"}`)); !errors.Is(err, errOrder) {
		t.Errorf("an order for a yacht: %v", err)
	}
}

func TestSlowForReadsWhatASlowRequestAsksFor(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 2 * time.Second, "0s": 0, "1500ms": 1500 * time.Millisecond, "1m": time.Minute, "100h": time.Minute} {
		if got, err := SlowFor(text); err != nil || got != want {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"2", "-1s", "soon"} {
		if _, err := SlowFor(text); !errors.Is(err, errSlow) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestWaitGivesUpWithTheClientOrTheProcess(t *testing.T) {
	for name, c := range map[string]struct {
		client, process time.Duration // when it goes
		want            bool
	}{
		"nobody goes":                         {time.Hour, time.Hour, true},
		"the client goes":                     {time.Second, time.Hour, false},
		"the process ends":                    {time.Hour, time.Second, false},
		"the client goes when all was waited": {3 * time.Second, time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, cancelClient := context.WithTimeout(t.Context(), c.client)
				defer cancelClient()
				ending, cancelEnding := context.WithTimeout(t.Context(), c.process)
				defer cancelEnding()
				s := &Shop{Ending: ending}
				if got := s.Wait(client, 2*time.Second); got != c.want {
					t.Errorf("it waited to the end: %t, want %t", got, c.want)
				}
			})
		})
	}
}

func TestEventsTickEachSecondUntilTheShopCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closing, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		var sent bytes.Buffer
		flushed := 0
		(&Shop{Closing: closing}).Events(t.Context(), &sent, func() error { flushed++; return nil })
		const want = "event: tick\ndata: 1\n\nevent: tick\ndata: 2\n\nevent: tick\ndata: 3\n\nevent: bye\ndata: the shop restarts\n\n"
		if sent.String() != want || flushed != 4 {
			t.Errorf("flushed %d times\n%s", flushed, sent.String())
		}
	})
}

func TestEventsEndWhenTheClientIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, leave := context.WithCancel(t.Context())
		leave()
		s := &Shop{Closing: t.Context()}
		s.Events(client, io.Discard, func() error { return nil })
		s.Events(t.Context(), io.Discard, func() error { return net.ErrClosed })
	})
}

func TestSameSite(t *testing.T) {
	for _, c := range []struct {
		origin, host string
		want         bool
	}{
		{"", "shop.example", true},
		{"https://shop.example", "shop.example", true},
		{"http://127.0.0.1:8080", "127.0.0.1:8080", true},
		{"https://evil.example", "shop.example", false},
		{"https://shop.example.evil.example", "shop.example", false},
		{"https://shop.example:444", "shop.example", false},
		{"http://evil@shop.example", "shop.example", false},
		{"null", "shop.example", false},
		{"://", "shop.example", false},
	} {
		if got := SameSite(c.origin, c.host); got != c.want {
			t.Errorf("a page of %q on %q: %t, want %t", c.origin, c.host, got, c.want)
		}
	}
}

func TestGoodbyesAreSaidAtOnceAndWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a bubble finds what waits for ever
		var g goodbyes
		var said atomic.Int32
		forget := g.add(func() { t.Error("a forgotten goodbye was said") })
		forget()
		first, second := make(chan struct{}), make(chan struct{})
		g.add(func() { close(first); <-second; said.Add(1) }) // each ends only if the other runs beside it
		g.add(func() { close(second); <-first; said.Add(1) })
		g.say()
		if said.Load() != 2 {
			t.Errorf("%d goodbyes were said, want 2", said.Load())
		}
		late := make(chan struct{})
		g.add(func() { close(late) })
		<-late
	})
}

func TestTheBannerSaysWhatRuns(t *testing.T) {
	end := time.Date(2026, 11, 21, 14, 0, 0, 0, time.UTC)
	start := end.Add(-time.Hour)
	for name, c := range map[string]struct {
		m    *recess.Maintenance
		says []string
	}{
		"nothing":       {nil, nil},
		"planned":       {&recess.Maintenance{Planned: true, Mode: state.Full, StartsAt: start, EndsAt: end}, []string{"Maintenance is planned from", "21 November 2026, 13:00", " to ", "14:00"}},
		"planned, open": {&recess.Maintenance{Planned: true, Mode: state.Full, StartsAt: start}, []string{"planned from", "13:00 UTC</time>.</strong>"}},
		"announced":     {&recess.Maintenance{Announced: true, Mode: state.Announce, Message: "Busy <today>"}, []string{"Busy &lt;today&gt;"}},
		"let in":        {&recess.Maintenance{Active: true, Allowed: true, Mode: state.Full, EndsAt: end}, []string{"recess-allowed", "you were let in", "end: <time"}},
		"read-only":     {&recess.Maintenance{Active: true, Mode: state.ReadOnly, Scope: "checkout"}, []string{"look around", "This concerns <bdi>checkout</bdi> only."}},
		"another mode":  {&recess.Maintenance{Active: true, Mode: state.Hold}, []string{"Maintenance is running."}},
	} {
		t.Run(name, func(t *testing.T) {
			var page bytes.Buffer
			if err := Templates().ExecuteTemplate(&page, "shop.html", ViewFor(recess.User{}, c.m, "de")); err != nil {
				t.Fatal(err)
			}
			if banner := strings.Contains(page.String(), `role="status"`); banner != (c.m != nil) {
				t.Errorf("there is a banner: %t", banner)
			}
			for _, text := range c.says {
				if !strings.Contains(page.String(), text) {
					t.Errorf("the page does not say %q", text)
				}
			}
		})
	}
}

// slowServer is a server whose requests never end by themselves.
type slowServer struct{ closed chan struct{} }

func (s *slowServer) Serve(net.Listener) error           { <-s.closed; return nil }
func (s *slowServer) Shutdown(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
func (s *slowServer) Close() error                       { close(s.closed); return nil }

func TestAfterTheGraceRequestsAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var log bytes.Buffer
		var shop *Shop
		stdout, lines := io.Pipe()
		defer stdout.Close()
		go func() {
			_, _ = stdout.Read(make([]byte, 100))
			cancel()
		}()
		began := time.Now()
		err := Run(ctx, []string{"-addr", "127.0.0.1:0"}, []string{"RECESS_MODE=off"}, lines, &log, func(s *Shop) (Server, error) {
			shop = s
			return &slowServer{make(chan struct{})}, nil
		})
		if err != nil || !strings.Contains(log.String(), "requests were cut") {
			t.Errorf("error %v, log\n%s", err, log.String())
		}
		if shop.Closing.Err() == nil || shop.Ending.Err() == nil || time.Since(began) != grace {
			t.Errorf("closing %v, ending %v after %s", shop.Closing.Err(), shop.Ending.Err(), time.Since(began))
		}
	})
}

func TestAnApplicationThatCannotBeBuiltEndsTheStart(t *testing.T) {
	errBuild := errors.New("no gate")
	err := Run(t.Context(), []string{"-addr", "127.0.0.1:0"}, []string{"RECESS_STATE=memory:"}, io.Discard, io.Discard,
		func(*Shop) (Server, error) { return nil, errBuild })
	if !errors.Is(err, errBuild) {
		t.Errorf("error %v, want %v", err, errBuild)
	}
}
