package statetest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

// lasting is the ttl of announcements that no test sees the end of.
const lasting = time.Hour

// passing is the ttl of an announcement whose end is awaited. Some stores count in seconds.
var passing = 2 * time.Second

// presence is the Presence that a backend must have to be asked these questions.
func presence(b state.Backend) state.Presence { return b.(state.Presence) }

func announce(t *testing.T, b state.Backend, id, data string, ttl time.Duration) time.Time {
	t.Helper()
	at, err := presence(b).Announce(t.Context(), id, []byte(data), ttl)
	if err != nil {
		t.Fatalf("Announce %q: %v", id, err)
	}
	return at
}

// there returns the instances as "id=data" words.
func there(t *testing.T, b state.Backend) string {
	t.Helper()
	instances, err := presence(b).Instances(t.Context())
	if err != nil {
		t.Fatalf("Instances: %v", err)
	}
	var words []string
	for _, i := range instances {
		words = append(words, i.ID+"="+string(i.Data))
	}
	return strings.Join(words, " ")
}

func wantThere(t *testing.T, b state.Backend, want string) {
	t.Helper()
	if got := there(t, b); got != want {
		t.Errorf("the instances are %q, want %q", got, want)
	}
}

func announcedIsThere(t *testing.T, s *subject) {
	a, b := s.handle(t), s.handle(t)
	wantThere(t, b, "")
	announce(t, a, "web-2", "zwei", lasting)
	announce(t, b, "web-1", "eins", lasting)
	wantThere(t, a, "web-1=eins web-2=zwei")
	announce(t, b, "web-2", "two", lasting)
	announce(t, b, "Web.3_x", "", lasting)
	wantThere(t, b, "Web.3_x= web-1=eins web-2=two")

	other := s.Fresh(t).Open(t)
	defer other.Close()
	wantThere(t, other, "")
}

func withdrawnIsGone(t *testing.T, s *subject) {
	a, b := s.handle(t), s.handle(t)
	announce(t, a, "web-1", "eins", lasting)
	announce(t, a, "web-2", "zwei", lasting)
	for range 2 { // the second time it is not there, which is no error
		if err := presence(b).Withdraw(t.Context(), "web-1"); err != nil {
			t.Errorf("Withdraw: %v", err)
		}
	}
	wantThere(t, a, "web-2=zwei")
	announce(t, a, "web-1", "again", lasting)
	wantThere(t, b, "web-1=again web-2=zwei")
}

// expiredIsGone is fault F21, a member that died: its announcement ends by the store's clock, and nobody else's does.
func expiredIsGone(t *testing.T, s *subject) {
	a, b := s.handle(t), s.handle(t)
	began := time.Now()
	announce(t, a, "dies", "soon", passing)
	announce(t, a, "lives", "on", lasting)
	announce(t, a, "renewed", "first", passing)
	announce(t, a, "renewed", "second", lasting)
	for there(t, b) != "lives=on renewed=second" {
		if time.Since(began) > patience {
			t.Fatalf("after %v the instances are %q", patience, there(t, b))
		}
		pause(t.Context(), 20*time.Millisecond)
	}
	const tick = 10 * time.Millisecond // a kernel gives files the time of its last tick
	if lived := time.Since(began); lived < passing-tick {
		t.Errorf("an announcement for %v was gone after %v", passing, lived)
	}
	announce(t, b, "dies", "is back", lasting)
	wantThere(t, a, "dies=is back lives=on renewed=second")
}

// pause lets a store that counts in seconds rest between two questions. Nothing is true because of it.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func announcingChangesNoDocument(t *testing.T, s *subject) {
	b := s.handle(t)
	rev := state.None
	if !s.ReadOnly {
		rev = s.write(t, b, 1)
	}
	announce(t, b, "web-1", "eins", lasting)
	if s.Push {
		s.waitsInVain(t, b, rev, func() {}) // until nothing more is told of what was written
		looks := s.waitsInVain(t, b, rev, func() {
			announce(t, b, "web-2", "zwei", lasting)
			if err := presence(b).Withdraw(t.Context(), "web-1"); err != nil {
				t.Errorf("Withdraw: %v", err)
			}
		})
		if looks > 1 {
			t.Errorf("while instances came and went, one Next looked %d times", looks)
		}
	}
	if doc := read(t, b); doc.Rev != rev {
		t.Errorf("an announcement changed the revision from %q to %q", rev, doc.Rev)
	}
}

func announcementsAreChecked(t *testing.T, s *subject) {
	b := s.handle(t)
	for _, c := range []struct {
		id   string
		size int
		ttl  time.Duration
	}{
		{"", 1, lasting},
		{strings.Repeat("x", state.MaxInstance+1), 1, lasting},
		{"a/b", 1, lasting},
		{"a b", 1, lasting},
		{"ä", 1, lasting},
		{"*", 1, lasting},
		{"web-1", state.MaxReport + 1, lasting},
		{"web-1", 1, state.MinTTL - 1},
		{"web-1", 1, -lasting},
	} {
		if _, err := presence(b).Announce(t.Context(), c.id, make([]byte, c.size), c.ttl); err == nil {
			t.Errorf("Announce of %.20q with %d bytes for %v is no error", c.id, c.size, c.ttl)
		}
	}
	wantThere(t, b, "")
	whole := bytes.Repeat([]byte("x"), state.MaxReport)
	id := strings.Repeat("x", state.MaxInstance)
	announce(t, b, id, string(whole), lasting)
	wantThere(t, b, id+"="+string(whole))
}

// storeTellsTime compares the times that a store tells with each other: nothing else is known of its clock.
func storeTellsTime(t *testing.T, s *subject) {
	a, b := s.handle(t), s.handle(t)
	first := announce(t, a, "web-1", "eins", lasting)
	second := announce(t, b, "web-2", "zwei", lasting)
	switch {
	case first.IsZero() && second.IsZero():
	case first.IsZero() || second.Before(first) || second.Sub(first) > patience:
		t.Errorf("the store's time was %v, and then %v", first, second)
	}
}

func closedPresence(t *testing.T, s *subject) {
	b := s.Open(t)
	announce(t, b, "web-1", "eins", lasting)
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	_, err := presence(b).Announce(t.Context(), "web-1", nil, lasting)
	wantErr(t, "Announce after Close", err, state.ErrClosed)
	wantErr(t, "Withdraw after Close", presence(b).Withdraw(t.Context(), "web-1"), state.ErrClosed)
	_, err = presence(b).Instances(t.Context())
	wantErr(t, "Instances after Close", err, state.ErrClosed)
	wantThere(t, s.handle(t), "web-1=eins") // closing is not leaving
}

// manyAnnounceAtOnce is for the race detector, and for stores whose lists are more than one page long.
func manyAnnounceAtOnce(t *testing.T, s *subject) {
	const many = 300
	handles := []state.Backend{s.handle(t), s.handle(t), s.handle(t)}
	var found faults
	soon(t, "the announcements", func() bool {
		wait := make(chan struct{})
		for _, b := range handles {
			go func() {
				defer func() { wait <- struct{}{} }()
				for n := range many {
					if _, err := presence(b).Announce(t.Context(), fmt.Sprintf("web-%04d", n), []byte("x"), lasting); err != nil {
						found.add("Announce: %w", err)
						return
					}
				}
			}()
		}
		for range handles {
			<-wait
		}
		return true
	})
	found.report(t)
	instances, err := presence(handles[0]).Instances(t.Context())
	if err != nil || len(instances) != many {
		t.Fatalf("%d instances are there, want %d: %v", len(instances), many, err)
	}
	for n, i := range instances {
		if want := fmt.Sprintf("web-%04d", n); i.ID != want || string(i.Data) != "x" {
			t.Fatalf("instance %d is %q with %q, want %q", n, i.ID, i.Data, want)
		}
	}
}
