package redis_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/state"
)

// TestTheDocumentIsFoundWhileItsSlotMovesToAnotherNode stops in the middle of the move, where the old owner of the slot
// answers ASK, and again at its end, where it answers MOVED. The new owner knows none of the scripts. Who saves has the
// permissions that are documented.
func TestTheDocumentIsFoundWhileItsSlotMovesToAnotherNode(t *testing.T) {
	_, hosts, admin := cluster(t, 0)
	for _, host := range strings.Split(hosts, ",") {
		node := rigs.RedisClient(t, host)
		grant(t, node, "app", "recess", append(slices.Clone(all), inCluster...))
		grant(t, node, "stranger", "recess", append(slices.Clone(all), inCluster[0]))
	}
	b, watcher := open(t, "redis+cluster://app:secret@"+hosts), open(t, "redis+cluster://"+hosts)
	stranger := open(t, "redis+cluster://stranger:secret@"+hosts)
	rev := must.Save(t, b, state.None, "before")
	slot := admin.ClusterKeySlot(t.Context(), "recess").Val()
	if other := admin.ClusterKeySlot(t.Context(), "{recess}:instances").Val(); other != slot {
		t.Fatalf("the index stands in slot %d, and not in %d", other, slot)
	}

	owner, err := admin.MasterForKey(t.Context(), "recess")
	must.Do(t, err)
	var nodes []*redis.Client
	var to *redis.Client
	for _, host := range strings.Split(hosts, ",") {
		nodes = append(nodes, rigs.RedisClient(t, host))
		if host != owner.Options().Addr {
			to = nodes[len(nodes)-1]
		}
	}
	from := rigs.RedisClient(t, owner.Options().Addr)
	id := func(node *redis.Client) string { return node.Do(t.Context(), "cluster", "myid").Val().(string) }
	got := waiting(t, watcher, rev, from.Options().Addr, channel)

	must.Do(t, to.Do(t.Context(), "cluster", "setslot", slot, "importing", id(from)).Err())
	must.Do(t, from.Do(t.Context(), "cluster", "setslot", slot, "migrating", id(to)).Err())
	host, port, _ := strings.Cut(to.Options().Addr, ":")
	must.Do(t, from.Do(t.Context(), "migrate", host, port, "recess", 0, 5000).Err())
	if doc := must.Read(t, b); string(doc.Data) != "before" {
		t.Errorf("in the middle of the move the document is %q", doc.Data)
	}
	if _, err := state.Read(t.Context(), stranger); err == nil || !strings.Contains(err.Error(), "denies ASKING") {
		t.Errorf("without the permission for it: %v", err)
	}
	rev = must.Save(t, b, rev, "in the middle")
	if doc := must.Receive(t, "the waiter's answer", got); string(doc.Data) != "in the middle" { // the message crosses the cluster's bus
		t.Errorf("the waiter got %q", doc.Data)
	}

	for _, node := range append([]*redis.Client{to}, nodes...) {
		must.Do(t, node.Do(t.Context(), "cluster", "setslot", slot, "node", id(to)).Err())
	}
	rev = must.Save(t, b, rev, "after")
	if doc := must.Read(t, open(t, "redis+cluster://"+hosts)); doc.Rev != rev || string(doc.Data) != "after" {
		t.Errorf("after the move the document is %q", doc.Data)
	}
}

func TestTheDocumentIsFoundOnTheReplicaThatTookOver(t *testing.T) {
	nodes, hosts, admin := cluster(t, 1)
	a, b := open(t, "redis+cluster://"+hosts+"?probe=200ms&timeout=2s"), open(t, "redis+cluster://"+hosts+"?probe=200ms&timeout=2s")
	rev := must.Save(t, a, state.None, "before")
	owner, err := admin.MasterForKey(t.Context(), "recess")
	must.Do(t, err)
	got := waiting(t, b, rev, owner.Options().Addr, channel)
	must.Do(t, owner.Wait(t.Context(), 1, patience).Err())
	for _, node := range nodes {
		if node.Addr == owner.Options().Addr {
			node.Kill(t)
		}
	}
	keepSaving(t, a, "after")
	if doc := must.Receive(t, "the waiter's answer", got); string(doc.Data) != "after" {
		t.Errorf("the waiter got %q", doc.Data)
	}
}
