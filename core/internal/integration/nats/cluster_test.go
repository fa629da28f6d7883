package nats_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/statetest"
)

// cluster starts three servers that keep three replicas of the buckets. It returns them, and their hosts as a URL has
// them.
func cluster(t *testing.T) (members []*servers.Server, hosts string) {
	t.Helper()
	members = servers.NATSCluster(t, servers.NATSConfig{SetUp: func(ctx context.Context, addr string) error {
		return rigs.NATSBuckets(ctx, addr+"?replicas=3")
	}})
	var addrs []string
	for _, member := range members {
		addrs = append(addrs, member.Addr)
	}
	return members, strings.Join(addrs, ",")
}

func TestABackendInAClusterConforms(t *testing.T) {
	_, hosts := cluster(t)
	statetest.Run(t, statetest.Harness{
		Push: true, Presence: true, Resident: true, Packages: rigs.NATSPackages,
		Fresh: func(t *testing.T) statetest.Store {
			key := state.NewID()
			return statetest.Store{Open: func(t *testing.T) state.Backend {
				b, err := state.Open(context.Background(), "nats://"+hosts+"?key="+key)
				must.Do(t, err)
				return b
			}}
		},
	})
}

// TestOneChainOfRevisionsSurvivesTheLossOfAnyServer kills each server in turn while two writers count the document up.
func TestOneChainOfRevisionsSurvivesTheLossOfAnyServer(t *testing.T) {
	t.Parallel()
	members, hosts := cluster(t)
	b := open(t, "nats://"+hosts)
	must.Save(t, b, state.None, "0")
	f := follow(t, open(t, "nats://"+hosts))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var (
		writers sync.WaitGroup
		mu      sync.Mutex
		won     = make(map[string]int) // how often each document was saved
	)
	for range 2 {
		writer := open(t, "nats://"+hosts)
		writers.Go(func() {
			for ctx.Err() == nil {
				doc, err := state.Read(ctx, writer)
				if err != nil {
					continue
				}
				next := fmt.Sprint(len(doc.Data)) + strings.Repeat(".", len(doc.Data))
				_, err = writer.Save(ctx, doc.Rev, []byte(next))
				switch {
				case err == nil:
					mu.Lock()
					won[next]++
					mu.Unlock()
				case !errors.Is(err, state.ErrConflict):
					pause(ctx, 50*time.Millisecond)
				}
			}
		})
	}
	saved := func() int { mu.Lock(); defer mu.Unlock(); return len(won) }
	for n, member := range members {
		before := saved()
		must.Become(t, "documents are saved by three servers", func() bool { return saved() > before+5 })
		member.Kill(t)
		before = saved()
		must.Become(t, fmt.Sprintf("documents are saved without server %d", n), func() bool { return saved() > before+5 })
		member.Start(t)
		must.Become(t, "all replicas are there again", func() bool { return whole(t, hosts) })
	}
	cancel()
	writers.Wait()
	for document, times := range won {
		if times > 1 {
			t.Errorf("document %.10s was saved %d times", document, times)
		}
	}
	must.Become(t, "the follower sees the last document", func() bool { // what was sent before the end may come after it
		last := must.Read(t, b)
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.doc.Rev == last.Rev
	})
}

// whole reports whether the bucket has all of its replicas, and they are not behind.
func whole(t *testing.T, hosts string) bool {
	t.Helper()
	conn, err := nats.Connect(hosts, nats.Timeout(10*time.Second))
	if err != nil {
		return false
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	must.Do(t, err)
	stream, err := js.Stream(t.Context(), "KV_recess")
	if err != nil {
		return false
	}
	c := stream.CachedInfo().Cluster
	if c == nil || c.Leader == "" || len(c.Replicas) != 2 {
		return false
	}
	for _, replica := range c.Replicas {
		if !replica.Current || replica.Offline {
			return false
		}
	}
	return true
}

// TestAClusterWithoutAMajorityIsSaidToHaveNoLeader, and is followed again when it has one.
func TestAClusterWithoutAMajorityIsSaidToHaveNoLeader(t *testing.T) {
	t.Parallel()
	members, hosts := cluster(t)
	b := open(t, "nats://"+hosts)
	rev := must.Save(t, b, state.None, "first")
	f := follow(t, open(t, "nats://"+hosts))
	f.sees(t, "first")
	members[0].Kill(t)
	members[1].Kill(t)
	must.Become(t, "the missing leader is named", func() bool {
		_, err := state.Read(t.Context(), b)
		return err != nil && (strings.Contains(err.Error(), "leader") || strings.Contains(err.Error(), "servers up"))
	})
	if _, err := b.Save(t.Context(), rev, []byte("vain")); err == nil || errors.Is(err, state.ErrConflict) {
		t.Errorf("Save without a majority: %v", err)
	}
	members[0].Start(t)
	must.Become(t, "the document is there again", func() bool {
		doc, err := state.Read(t.Context(), b)
		return err == nil && (string(doc.Data) == "first" || string(doc.Data) == "vain") // what failed may have been done
	})
	must.Become(t, "a document is saved", func() bool {
		doc, err := state.Read(t.Context(), b)
		if err == nil {
			_, err = b.Save(t.Context(), doc.Rev, []byte("second"))
		}
		return err == nil
	})
	f.sees(t, "second")
}
