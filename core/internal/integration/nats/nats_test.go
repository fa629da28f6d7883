// Package nats_test has natsstate follow, change and lose documents on real NATS servers.
package nats_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/natsstate"
	"github.com/recess-go/recess/core/state/statetest"
)

// patience is the deadline for what must happen some time.
const patience = time.Minute

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given { // faults are waited out more than worked on
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func TestABackendFromAURLConforms(t *testing.T) {
	statetest.Run(t, rigs.New(t, "nats").Harness)
}

// TestABackendOverTheCallersClientConforms uses a client as it comes.
func TestABackendOverTheCallersClientConforms(t *testing.T) {
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	client := rigs.NATSClient(t, server.Addr).Conn()
	harness := rigs.NATSHarness(t, server.Addr)
	harness.Packages = nil // the client's stay
	fresh := harness.Fresh
	harness.Fresh = func(t *testing.T) statetest.Store {
		key := "callers." + state.NewID()
		store := fresh(t)
		store.Open = func(t *testing.T) state.Backend {
			b, err := natsstate.New(client, natsstate.Config{Key: key})
			must.Do(t, err)
			return b
		}
		store.Put = func(t *testing.T, data []byte) { rigs.NATSPut(t, server.Addr, key, data) }
		store.Looks = rigs.NATSLooks(t, server.Addr, key)
		return store
	}
	statetest.Run(t, harness)
	if !client.IsConnected() {
		t.Error("the caller's client is not connected any more")
	}
}

// open opens a backend by its URL. It ends with the test.
func open(t testing.TB, stateURL string) *natsstate.Backend {
	t.Helper()
	b, err := state.Open(t.Context(), stateURL)
	must.Do(t, err)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b.(*natsstate.Backend)
}

// replace saves over what is there.
func replace(t testing.TB, b state.Backend, text string) state.Rev {
	t.Helper()
	return must.Save(t, b, must.Read(t, b).Rev, text)
}

// pause lets the processor do something else between two questions. Nothing is true because of it.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// A follower follows a backend as an engine does, but that it looks at least every ten minutes: what it sees in time, it
// was told of.
type follower struct {
	ended chan struct{}

	mu    sync.Mutex
	doc   state.Doc
	err   error // the last one
	fails int
}

func follow(t testing.TB, b state.Backend) *follower {
	t.Helper()
	f := &follower{ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	go f.follow(ctx, b)
	t.Cleanup(func() { cancel(); <-f.ended })
	return f
}

func (f *follower) follow(ctx context.Context, b state.Backend) {
	defer close(f.ended)
	for rev := state.Unseen; ctx.Err() == nil; {
		asking, cancel := context.WithTimeout(ctx, 10*time.Minute)
		doc, wait, err := b.Next(asking, rev)
		cancel()
		f.mu.Lock()
		switch {
		case err == nil:
			rev, f.doc = doc.Rev, doc
		case errors.Is(err, state.ErrUnchanged):
		default:
			f.err, wait = err, 100*time.Millisecond
			f.fails++
		}
		f.mu.Unlock()
		pause(ctx, wait)
	}
}

// sees asserts that the follower comes to see a document; "" is none.
func (f *follower) sees(t testing.TB, text string) {
	t.Helper()
	must.Become(t, "the follower sees "+text, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return string(f.doc.Data) == text && (f.doc.Rev == state.None) == (text == "")
	})
}

func (f *follower) failed() (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fails, f.err
}

// consumers returns how many consumers a bucket has, -1 if there is no such bucket.
func consumers(t testing.TB, js jetstream.JetStream, bucket string) int {
	t.Helper()
	stream, err := js.Stream(t.Context(), "KV_"+bucket)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return -1
	}
	must.Do(t, err)
	return stream.CachedInfo().State.Consumers
}

// isWatched waits until exactly one consumer watches the bucket.
func isWatched(t testing.TB, js jetstream.JetStream, bucket string) {
	t.Helper()
	must.Become(t, "one consumer on "+bucket, func() bool { return consumers(t, js, bucket) == 1 })
}

// reconnecting are options of an operator's client that outlives its server's restarts.
var reconnecting = []nats.Option{nats.MaxReconnects(-1), nats.ReconnectWait(50 * time.Millisecond)}
