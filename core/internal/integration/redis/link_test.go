package redis_test

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/proxy"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/redisstate"
)

const channel = "{recess}:changes:0"

// burst leaves as many idle connections behind as a backend keeps.
func burst(t *testing.T, b state.Backend) {
	t.Helper()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := state.Read(t.Context(), b); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestALookAfterTheLinksFrozeGetsANewConnection is fault F3, with many idle connections that all are dead: the second
// attempt of the same look must not meet another one of them.
func TestALookAfterTheLinksFrozeGetsANewConnection(t *testing.T) {
	server := servers.Redis(t)
	for name, use := range map[string]func(b state.Backend, rev state.Rev) error{
		"to read": func(b state.Backend, _ state.Rev) error { _, err := state.Read(t.Context(), b); return err },
		"to save": func(b state.Backend, rev state.Rev) error {
			_, err := b.Save(t.Context(), rev, []byte("again"))
			return err
		},
		"to announce": func(b state.Backend, _ state.Rev) error {
			_, err := b.(state.Presence).Announce(t.Context(), "web-1", nil, time.Minute)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			link := proxy.New(t, server.Addr)
			b := open(t, "redis://"+link.Addr+"?timeout=3s")
			rev := must.Save(t, b, must.Read(t, b).Rev, "a document")
			burst(t, b)
			if open := link.Open(); open < 2 {
				t.Fatalf("there are %d connections", open)
			}
			link.Freeze()
			if err := use(b, rev); err != nil {
				t.Errorf("the first call after the freeze: %v", err)
			}
		})
	}
}

// TestTheLookAfterALostWatchDoesNotTryDeadConnections gives an attempt a minute, for which no test waits: the watch, which
// has found out, must have told.
func TestTheLookAfterALostWatchDoesNotTryDeadConnections(t *testing.T) {
	server := servers.Redis(t)
	link := proxy.New(t, server.Addr)
	b := open(t, "redis://"+link.Addr+"?timeout=2m&probe=200ms")
	rev := must.Save(t, b, state.None, "first")
	burst(t, b)
	lost := make(chan error, 1)
	go func() {
		_, _, err := b.Next(t.Context(), rev)
		lost <- err
	}()
	must.Become(t, "the waiter waits", func() bool { return goroutines("driver.(*Backend).await(") == 1 })
	link.Freeze()
	select {
	case err := <-lost:
		if err == nil || !strings.Contains(err.Error(), "gave no sign of life") {
			t.Errorf("the waiter got %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the freeze went unnoticed")
	}
	looked := make(chan error, 1)
	go func() {
		_, err := state.Read(t.Context(), b)
		looked <- err
	}()
	select {
	case err := <-looked:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("the next look met a dead connection")
	}
}

// TestNobodySubscribesBehindTheDriversBack kills the subscription: what is subscribed anew without a look after it has
// missed changes.
func TestNobodySubscribesBehindTheDriversBack(t *testing.T) {
	for _, kind := range []string{"the backend's own client", "the caller's client"} {
		t.Run(kind, func(t *testing.T) {
			server := servers.Redis(t)
			admin := rigs.RedisClient(t, server.Addr)
			link := proxy.New(t, server.Addr)
			b := open(t, "redis://"+link.Addr)
			if kind == "the caller's client" {
				b = over(t, &redis.Options{Addr: link.Addr, ContextTimeoutEnabled: true}, redisstate.Config{})
			}
			rev := must.Save(t, b, state.None, "first")
			lost := make(chan error, 1)
			go func() {
				_, _, err := b.Next(t.Context(), rev)
				lost <- err
			}()
			awaitSubscribers(t, server.Addr, channel, 1)
			before := len(link.Arrived())
			if err := admin.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
				t.Fatal(err)
			}
			if err := <-lost; err == nil {
				t.Error("the waiter was told of a change")
			}
			if more := len(link.Arrived()) - before; more > 0 {
				t.Errorf("%d connections were made", more)
			}
			// What changed meanwhile is seen by the next look, which subscribes first.
			must.Save(t, open(t, "redis://"+server.Addr), rev, "second")
			doc, _, err := b.Next(t.Context(), rev)
			if err != nil || string(doc.Data) != "second" {
				t.Errorf("the next look: %q, %v", doc.Data, err)
			}
			awaitSubscribers(t, server.Addr, channel, 1)
		})
	}
}

// over returns a backend over a client of the test's own.
func over(t *testing.T, options *redis.Options, config redisstate.Config) *redisstate.Backend {
	t.Helper()
	client := redis.NewClient(options)
	b, err := redisstate.New(client, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// TestCallsAndCloseDoNotWaitForAFrozenServer is fault F5, with a deadline that no test sees the end of.
func TestCallsAndCloseDoNotWaitForAFrozenServer(t *testing.T) {
	for _, moment := range []string{"idle", "watching", "before the first call"} {
		t.Run(moment, func(t *testing.T) {
			server := servers.Redis(t)
			b := open(t, "redis://"+server.Addr+"?timeout=10m&probe=10m")
			before := goroutines()
			var rev state.Rev
			switch moment {
			case "idle":
				rev = must.Save(t, b, state.None, "a document")
			case "watching":
				rev = must.Save(t, b, state.None, "a document")
				waiting(t, b, rev, server.Addr, channel)
			}
			server.Freeze(t)
			defer server.Thaw(t)
			soon := func(what string, call func(ctx context.Context) error) {
				t.Helper()
				ctx, cancel := context.WithCancel(t.Context())
				result := make(chan error, 1)
				go func() { result <- call(ctx) }()
				time.AfterFunc(100*time.Millisecond, cancel) // it may be under way by then, or not
				select {
				case <-result:
				case <-time.After(patience):
					t.Fatalf("%s outlived its context", what)
				}
			}
			soon("Next", func(ctx context.Context) error { _, _, err := b.Next(ctx, rev); return err })
			soon("Read", func(ctx context.Context) error { _, err := state.Read(ctx, b); return err })
			soon("Save", func(ctx context.Context) error { _, err := b.Save(ctx, rev, nil); return err })
			soon("Instances", func(ctx context.Context) error { _, err := b.Instances(ctx); return err })
			soon("Close", func(context.Context) error { return b.Close() })
			must.Become(t, "no goroutine stays", func() bool { return goroutines() <= before })
		})
	}
}

// goroutines counts those in whose stack one of the names stands: of the client and of the backend, if there is none.
func goroutines(names ...string) (n int) {
	if names == nil {
		names = []string{"go-redis/v9", "/redisstate."}
	}
	var text strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&text, 2)
	for _, stack := range strings.Split(text.String(), "\n\n") {
		if slices.ContainsFunc(names, func(name string) bool { return strings.Contains(stack, name) }) {
			n++
		}
	}
	return n
}

// TestAServerThatIsDownIsNoNews: go-redis by itself writes to stderr at each look, and repeats the last failure to those
// who ask when the server is back already.
func TestAServerThatIsDownIsNoNews(t *testing.T) {
	said := new(log)
	redis.SetLogger(said)
	defer redis.SetLogger(quiet{})
	server := servers.Redis(t)
	before := goroutines()
	b := open(t, "redis://"+server.Addr)
	must.Save(t, b, state.None, "a document")
	server.Kill(t)
	for range 30 {
		_, err := state.Read(t.Context(), b)
		if err == nil || !strings.Contains(err.Error(), "connection refused") || errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("while the server is down: %v", err)
		}
	}
	server.Start(t)
	if doc := must.Read(t, b); string(doc.Data) != "a document" {
		t.Errorf("the document is %q", doc.Data)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	must.Become(t, "no goroutine stays", func() bool { return goroutines() <= before })
	if text := said.String(); text != "" {
		t.Errorf("go-redis said:\n%s", text)
	}
}

type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Printf(_ context.Context, format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.text, format+"\n", v...)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// TestAServerThatStartedAnewMeetsNoDeadConnection restarts the server under idle connections.
func TestAServerThatStartedAnewMeetsNoDeadConnection(t *testing.T) {
	server := servers.Redis(t)
	b := open(t, "redis://"+server.Addr)
	stale := must.Save(t, b, state.None, "first")
	rev := must.Save(t, b, stale, "second")
	burst(t, b)
	server.Kill(t)
	server.Start(t)
	// That an idle connection is dead shows before it is used: whether this one was a conflict leaves no doubt.
	if _, err := b.Save(t.Context(), stale, []byte("late")); !errors.Is(err, state.ErrConflict) {
		t.Errorf("saving over a stale revision: %v", err)
	}
	rev = must.Save(t, b, rev, "third")
	burst(t, b)
	if doc := must.Read(t, b); doc.Rev != rev {
		t.Errorf("the document is %s, want %s", doc.Rev, rev)
	}
}
