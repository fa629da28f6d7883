package etcd_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/proxy"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/etcdstate"
)

func TestAServerThatIsKilledAndStartedKeepsWhatWasSaved(t *testing.T) {
	server := servers.Etcd(t)
	b := open(t, "etcd://"+server.Addr)
	rev := must.Save(t, b, state.None, document(1))
	told := following(t, b, rev)
	server.Kill(t)
	if _, err := state.Read(t.Context(), b); err == nil {
		t.Error("a server that is down was read")
	}
	server.Start(t)
	rigs.EtcdPut(t, by(server), "recess", document(2))
	if doc := <-told; !bytes.Equal(doc.Data, document(2)) {
		t.Errorf("the follower sees %q", doc.Data)
	}
	if _, err := b.Save(t.Context(), rev, document(3)); !errors.Is(err, state.ErrConflict) {
		t.Errorf("a save over what was replaced: %v", err)
	}
}

// The server that comes back counts from the beginning, under the same name, address and cluster id: its revisions are
// those of the old one.
func TestAServerThatWasWipedHasNoDocumentAndTakesNoneOfTheOldOnesRevisions(t *testing.T) {
	server := servers.Etcd(t)
	b := open(t, "etcd://"+server.Addr)
	old := must.Save(t, b, state.None, document(1))
	told := following(t, b, old)
	server.Kill(t)
	server.Wipe(t)
	server.Start(t)
	if doc := <-told; doc.Rev != state.None || doc.Data != nil {
		t.Errorf("after the wipe: %q %q", doc.Rev, doc.Data)
	}
	if _, err := b.Save(t.Context(), old, document(2)); !errors.Is(err, state.ErrConflict) {
		t.Errorf("a save over the lost document: %v", err)
	}
	rigs.EtcdPut(t, by(server), "recess", document(3))
	doc, _, err := b.Next(t.Context(), old)
	if err != nil || !bytes.Equal(doc.Data, document(3)) {
		t.Fatalf("the first document of the new store: %q, %v", doc.Data, err)
	}
	number := func(rev state.Rev) string { n, _, _ := strings.Cut(string(rev), "-"); return n }
	if number(doc.Rev) != number(old) {
		t.Fatalf("this test is for two documents of one number: %q and %q", old, doc.Rev)
	}
	if _, err := b.Save(t.Context(), old, document(2)); !errors.Is(err, state.ErrConflict) {
		t.Errorf("a save over the other document of this number: %v", err)
	}
	must.Save(t, b, doc.Rev, document(2))
}

func TestAFollowerSeesWhatWasWrittenAndCompactedWhileItWasAway(t *testing.T) {
	server := servers.Etcd(t)
	link := proxy.New(t, server.Addr)
	b := open(t, "etcd://"+link.Addr)
	rev := must.Save(t, b, state.None, document(1))
	told := following(t, b, rev)
	link.Refuse()
	link.Cut()
	client := rigs.EtcdClient(t, by(server))
	var last *clientv3.PutResponse
	for n := 2; n <= 20; n++ {
		var err error
		if last, err = client.Put(t.Context(), "recess", string(document(n))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.Compact(t.Context(), last.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	link.Heal()
	doc := <-told
	if !bytes.Equal(doc.Data, document(20)) {
		t.Errorf("the follower sees %q", doc.Data)
	}
	told = following(t, b, doc.Rev)
	rigs.EtcdPut(t, by(server), "recess", document(21))
	if doc := <-told; !bytes.Equal(doc.Data, document(21)) {
		t.Errorf("and then %q", doc.Data)
	}
}

// A watch that hears nothing is behind every compaction: that of a document that nobody changes most of all.
func TestCompactionEndsNoWatch(t *testing.T) {
	server := servers.Etcd(t)
	b := open(t, "etcd://"+server.Addr)
	rev := must.Save(t, b, state.None, document(1))
	waiting, done := context.WithTimeout(t.Context(), patience)
	defer done()
	told := make(chan error, 1)
	go func() {
		doc, _, err := b.Next(waiting, rev)
		if err == nil && !bytes.Equal(doc.Data, document(2)) {
			err = errors.New(string(doc.Data))
		}
		told <- err
	}()
	client := rigs.EtcdClient(t, by(server))
	for range 50 {
		written, err := client.Put(t.Context(), "something-else", "x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Compact(t.Context(), written.Header.Revision, clientv3.WithCompactPhysical()); err != nil {
			t.Fatal(err)
		}
	}
	rigs.EtcdPut(t, by(server), "recess", document(2))
	if err := <-told; err != nil {
		t.Errorf("the waiter got %v", err)
	}
}

// noticed is how long a backend, which has no document yet, took to see a change past a link that had just died.
func noticed(t *testing.T, b state.Backend, kill func(), change func()) time.Duration {
	t.Helper()
	told := following(t, b, state.None)
	change() // over the link that is about to die: now there is a watch
	doc := <-told
	told = following(t, b, doc.Rev)
	kill()
	began := time.Now()
	change()
	<-told
	return time.Since(began)
}

func TestAHalfOpenLinkIsNoticedAndReplaced(t *testing.T) {
	server := servers.Etcd(t)
	for name, open := range map[string]func(t *testing.T, key string, links []*proxy.Proxy) state.Backend{
		"of the backend's own client": func(t *testing.T, key string, links []*proxy.Proxy) state.Backend {
			return open(t, "etcd://"+links[0].Addr+"?key="+key)
		},
		"to one of two members": func(t *testing.T, key string, links []*proxy.Proxy) state.Backend {
			return open(t, "etcd://"+links[0].Addr+","+links[1].Addr+"?key="+key)
		},
		"of a client that was handed in": func(t *testing.T, key string, links []*proxy.Proxy) state.Backend {
			b, err := etcdstate.New(rigs.EtcdClient(t, clientv3.Config{Endpoints: []string{links[0].Addr}}), etcdstate.Config{Key: key})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = b.Close() })
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they wait, most of the time
			key := state.NewID()
			links := []*proxy.Proxy{proxy.New(t, server.Addr), proxy.New(t, server.Addr)}
			b := open(t, key, links)
			n := 0
			took := noticed(t, b, links[0].Freeze, func() { n++; rigs.EtcdPut(t, by(server), key, document(n)) })
			t.Logf("it took %v", took)
			// 4 seconds, or 13 where nobody but gRPC replaces the connection, and what a loaded machine adds.
			if took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestAfterCloseNothingRunsEvenOverADeadLink(t *testing.T) {
	server := servers.Etcd(t)
	link := proxy.New(t, server.Addr)
	before := goleak.IgnoreCurrent()
	b, err := state.Open(t.Context(), "etcd://"+link.Addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.(state.Presence).Announce(t.Context(), "web-1", nil, time.Minute); err != nil {
		t.Fatal(err)
	}
	moment, done := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer done()
	_, _, _ = b.Next(moment, state.None) // now there is a watch, for a probe longer
	link.Freeze()
	if _, err := state.Read(t.Context(), b); err == nil {
		t.Error("a dead link was read")
	}
	if _, err := state.Read(t.Context(), b); err != nil {
		t.Errorf("the link was not replaced: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	link.Close()
	goleak.VerifyNone(t, before)
}

func TestAFrozenServerIsNoticedAndSeenAgain(t *testing.T) {
	server := servers.Etcd(t)
	b := open(t, "etcd://"+server.Addr+"?timeout=1s&probe=500ms")
	rev := must.Save(t, b, state.None, document(1))
	server.Freeze(t)
	began := time.Now()
	if _, _, err := b.Next(t.Context(), rev); err == nil || errors.Is(err, state.ErrUnchanged) {
		t.Errorf("while the server is frozen: %v", err)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("that took %v", took)
	}
	server.Thaw(t)
	told := following(t, b, rev)
	rigs.EtcdPut(t, by(server), "recess", document(2))
	if doc := <-told; !bytes.Equal(doc.Data, document(2)) {
		t.Errorf("the follower sees %q", doc.Data)
	}
}
