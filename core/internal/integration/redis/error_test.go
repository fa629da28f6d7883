package redis_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/redisstate"
)

// TestWhatAServerRefusesIsExplained uses a server that refuses one thing at a time. The module's own tests have more of
// such answers.
func TestWhatAServerRefusesIsExplained(t *testing.T) {
	server := servers.RedisWith(t)
	admin := rigs.RedisClient(t, server.Addr)
	configure := func(name, value string) func(t *testing.T) {
		return func(t *testing.T) {
			was := admin.ConfigGet(t.Context(), name).Val()[name]
			must.Do(t, admin.ConfigSet(t.Context(), name, value).Err())
			t.Cleanup(func() { _ = rigs.RedisClient(t, server.Addr).ConfigSet(t.Context(), name, was).Err() })
		}
	}
	read := func(t *testing.T, b *redisstate.Backend) error { _, err := state.Read(t.Context(), b); return err }
	save := func(t *testing.T, b *redisstate.Backend) error {
		_, err := b.Save(t.Context(), state.None, []byte("a document"))
		return err
	}
	watch := func(t *testing.T, b *redisstate.Backend) error {
		_, _, err := b.Next(t.Context(), state.None)
		return err
	}
	announce := func(t *testing.T, b *redisstate.Backend) error {
		_, err := b.Announce(t.Context(), "web-1", nil, time.Minute)
		return err
	}
	nothing := func(*testing.T) {}
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T)
		url     string
		do      func(t *testing.T, b *redisstate.Backend) error
		want    string
	}{
		{"a wrong password", nothing, "redis://mallory:hunter2@" + server.Addr, watch, "it refuses the user or the password"},
		{"a database that is not there", nothing, "redis://" + server.Addr + "/99", read, "it has no database of this number"},
		{"a string in the document's place", func(t *testing.T) {
			must.Do(t, admin.Set(t.Context(), "taken", "x", 0).Err())
		}, "redis://" + server.Addr + "?key=taken", read, "the key holds something else"},
		{"a list in the document's place, to save", func(t *testing.T) {
			must.Do(t, admin.RPush(t.Context(), "listed", "x").Err())
		}, "redis://" + server.Addr + "?key=listed", save, "the key holds something else"},
		{"a string in the index's place", func(t *testing.T) {
			must.Do(t, admin.Set(t.Context(), "{taken}:instances", "x", 0).Err())
		}, "redis://" + server.Addr + "?key=taken", announce, "the key holds something else"},
		{"full memory", configure("maxmemory", "1000"), "redis://" + server.Addr, save, "maxmemory"},
		{"too few replicas", configure("min-replicas-to-write", "1"), "redis://" + server.Addr, save, "min-replicas-to-write"},
		{"a cluster that is none", nothing, "redis+cluster://" + server.Addr, read, "write redis: in place of redis+cluster:"},
		{"no place for one more client", configure("maxclients", "1"), "redis://" + server.Addr, read, "maxclients"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.prepare(t)
			err := c.do(t, open(t, c.url))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "mallory") {
				t.Errorf("the error tells who it was: %v", err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %v", err)
			}
		})
	}
}

func TestAReplicaIsReadOnly(t *testing.T) {
	master := servers.RedisWith(t)
	replica := servers.RedisReplica(t, master)
	rev := must.Save(t, open(t, "redis://"+master.Addr), state.None, "a document")
	b := open(t, "redis://"+replica.Addr)
	must.Become(t, "the replica has the document", func() bool { doc, err := state.Read(t.Context(), b); return err == nil && doc.Rev == rev })
	_, err := b.Save(t.Context(), rev, []byte("another"))
	if !errors.Is(err, state.ErrReadOnly) || !strings.Contains(err.Error(), "redis+sentinel:") {
		t.Errorf("Save: %v", err)
	}
}

func TestANodeOfAClusterIsNoSingleServer(t *testing.T) {
	_, hosts, _ := cluster(t, 0)
	moved := 0
	for _, host := range strings.Split(hosts, ",") {
		if _, err := state.Read(t.Context(), open(t, "redis://"+host)); err != nil {
			moved++
			if !strings.Contains(err.Error(), "write redis+cluster: in place of redis:") {
				t.Error(err)
			}
		}
	}
	if moved != 2 {
		t.Errorf("%d of 3 nodes do not have the document's slot", moved)
	}
}

func TestAClientThatCannotBeUsedIsRefused(t *testing.T) {
	heedful := redis.Options{ContextTimeoutEnabled: true}
	var none *redis.Client
	var noCluster *redis.ClusterClient
	single := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true})
	defer single.Close()
	pipeliner, err := single.AutoPipeline()
	must.Do(t, err)
	for _, c := range []struct {
		name   string
		client redis.UniversalClient
		config redisstate.Config
		want   string
	}{
		{"none", nil, redisstate.Config{}, "the client is nil"},
		{"a nil client", none, redisstate.Config{}, "the client is nil"},
		{"a nil cluster client", noCluster, redisstate.Config{}, "the client is nil"},
		{"a client without deadlines", redis.NewClient(&redis.Options{}), redisstate.Config{}, "ContextTimeoutEnabled"},
		{"a cluster client without deadlines", redis.NewClusterClient(&redis.ClusterOptions{}), redisstate.Config{}, "ContextTimeoutEnabled"},
		{"a client of replicas", redis.NewClusterClient(&redis.ClusterOptions{ContextTimeoutEnabled: true, RouteByLatency: true}), redisstate.Config{}, "reads from replicas"},
		{"a ring", redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}, ContextTimeoutEnabled: true}), redisstate.Config{}, "Ring"},
		{"a pipeliner", pipeliner, redisstate.Config{}, "*redis.AutoPipeliner is not supported"},
		{"a negative timeout", redis.NewClient(&heedful), redisstate.Config{Timeout: -1}, "timeout"},
		{"a negative probe", redis.NewClient(&heedful), redisstate.Config{Probe: -1}, "probe"},
		{"half a hash tag", redis.NewClient(&heedful), redisstate.Config{Key: "a{b"}, "hash tag"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := redisstate.New(c.client, c.config)
			if err == nil || b != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("New: %v, want %q", err, c.want)
			}
			if c.client != nil && c.client != none && c.client != noCluster {
				_ = c.client.Close()
			}
		})
	}
}

func TestTheCallersClosedClientIsNamed(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true})
	b, err := redisstate.New(client, redisstate.Config{})
	must.Do(t, err)
	defer b.Close()
	must.Do(t, client.Close())
	if _, err := state.Read(t.Context(), b); err == nil || !strings.Contains(err.Error(), "its client was closed") {
		t.Errorf("Read: %v", err)
	}
}
