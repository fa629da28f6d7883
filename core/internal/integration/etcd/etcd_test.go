// Package etcd_test is what is special about keeping the state in etcd, over real clusters.
package etcd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/etcdstate"
	"github.com/recess-go/recess/core/state/statetest"
)

// patience is how long something that must happen may take on a machine that has much else to do.
const patience = 60 * time.Second

func open(t testing.TB, stateURL string) *etcdstate.Backend {
	t.Helper()
	b, err := state.Open(t.Context(), stateURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b.(*etcdstate.Backend)
}

// by is how an operator connects.
func by(server *servers.Server) clientv3.Config {
	return clientv3.Config{Endpoints: []string{server.Addr}}
}

// document returns a document that can be told from others.
func document(n int) []byte {
	return fmt.Appendf(nil, `{"version":1,"history":[{"by":{"name":"%d"}}]}`, n)
}

// follow returns the first document of another revision, as an engine sees it: errors and ends of the wait are for
// asking again. Between two looks it pauses as shortly as an engine may.
func follow(t testing.TB, b state.Backend, since state.Rev) state.Doc {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last error
	for ctx.Err() == nil {
		doc, _, err := b.Next(ctx, since)
		if err == nil {
			return doc
		}
		last = err
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	t.Fatalf("no other revision than %q: %v", since, last)
	return state.Doc{}
}

// following follows in the background, from a moment on at which it has looked and waits.
func following(t testing.TB, b state.Backend, since state.Rev) <-chan state.Doc {
	t.Helper()
	told := make(chan state.Doc, 1)
	go func() { told <- follow(t, b, since) }()
	return told
}

func TestTheBackendKeepsItsPromises(t *testing.T) {
	statetest.Run(t, rigs.New(t, "etcd").Harness)
}

func TestABackendOnTheCallersClientKeepsItsPromises(t *testing.T) {
	server := servers.Etcd(t)
	client := rigs.EtcdClient(t, by(server))
	harness := rigs.EtcdHarness(by(server), func(t *testing.T, key string) state.Backend {
		b, err := etcdstate.New(client, etcdstate.Config{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
	harness.Packages = nil // the client stays, and so do its goroutines
	statetest.Run(t, harness)
}

func TestAnOperatorSeesTheDocumentAndReplacesItByHand(t *testing.T) {
	server := servers.Etcd(t)
	b := open(t, "etcd://"+server.Addr)
	rev := must.Save(t, b, state.None, document(1))
	seen, err := rigs.EtcdClient(t, by(server)).Get(t.Context(), "recess")
	if err != nil || len(seen.Kvs) != 1 || !bytes.Equal(seen.Kvs[0].Value, document(1)) {
		t.Errorf("the operator sees %v, %v", seen, err)
	}
	told := following(t, b, rev)
	rigs.EtcdPut(t, by(server), "recess", document(2))
	if doc := <-told; !bytes.Equal(doc.Data, document(2)) {
		t.Errorf("the follower sees %q", doc.Data)
	}
	if _, err := b.Save(t.Context(), rev, document(3)); !errors.Is(err, state.ErrConflict) {
		t.Errorf("a save over what the operator has replaced: %v", err)
	}
}

func TestADocumentThatIsDeletedAndMadeAgainIsAnotherOne(t *testing.T) {
	server := servers.Etcd(t)
	b := open(t, "etcd://"+server.Addr)
	first := must.Save(t, b, state.None, document(1))
	told := following(t, b, first)
	rigs.EtcdPut(t, by(server), "recess", nil)
	if doc := <-told; doc.Rev != state.None || doc.Data != nil {
		t.Errorf("after the deletion: %q %q", doc.Rev, doc.Data)
	}
	told = following(t, b, state.None)
	rigs.EtcdPut(t, by(server), "recess", document(1))
	if doc := <-told; doc.Rev == first || !bytes.Equal(doc.Data, document(1)) {
		t.Errorf("made again with the same content: %q, the first was %q", doc.Rev, first)
	}
	if _, err := b.Save(t.Context(), first, document(2)); !errors.Is(err, state.ErrConflict) {
		t.Errorf("a save over the deleted one: %v", err)
	}
}

func TestSeveralApplicationsShareACluster(t *testing.T) {
	server := servers.Etcd(t)
	shop, blog := open(t, "etcd://"+server.Addr+"?key=%2Fapps%2Fshop"), open(t, "etcd://"+server.Addr+"?key=%2Fapps%2Fblog")
	must.Save(t, shop, state.None, document(1))
	if doc, err := state.Read(t.Context(), blog); err != nil || doc.Rev != state.None {
		t.Errorf("the other one's document: %q, %v", doc.Data, err)
	}
	must.Save(t, blog, state.None, document(2))
	seen, err := rigs.EtcdClient(t, by(server)).Get(t.Context(), "/apps/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil || len(seen.Kvs) != 2 {
		t.Errorf("the operator sees %v, %v", seen, err)
	}
}
