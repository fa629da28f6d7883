package redis_test

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/redisstate"
	"github.com/recess-go/recess/core/state/statetest"
)

func TestABackendFromAURLConforms(t *testing.T) {
	statetest.Run(t, rigs.New(t, "redis").Harness)
}

// TestABackendOverTheCallersClientConforms uses a client as it comes, which speaks RESP3 and sends again what failed, and
// lets it cache what it has read.
func TestABackendOverTheCallersClientConforms(t *testing.T) {
	server := servers.Redis(t)
	client := redis.NewClient(&redis.Options{
		Addr: server.Addr, ContextTimeoutEnabled: true, ClientSideCacheConfig: &redis.ClientSideCacheConfig{},
	})
	defer client.Close()
	statetest.Run(t, rigs.RedisHarness(rigs.RedisClient(t, server.Addr), func(t *testing.T, key string) state.Backend {
		b, err := redisstate.New(client, redisstate.Config{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}))
}

func TestABackendInAClusterConforms(t *testing.T) {
	_, hosts, admin := cluster(t, 0)
	statetest.Run(t, rigs.RedisHarness(admin, func(t *testing.T, key string) state.Backend {
		return open(t, "redis+cluster://"+hosts+"?key="+key)
	}))
}

// cluster starts a cluster and returns its hosts as a URL has them.
func cluster(t *testing.T, replicas int) (nodes []*servers.Server, hosts string, admin *redis.ClusterClient) {
	t.Helper()
	nodes = servers.RedisCluster(t, replicas)
	var addrs []string
	for _, node := range nodes {
		addrs = append(addrs, node.Addr)
	}
	admin = redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs})
	t.Cleanup(func() { _ = admin.Close() })
	return nodes, strings.Join(addrs, ","), admin
}

// open opens a backend, which the test closes, or else its end does.
func open(t *testing.T, stateURL string) *redisstate.Backend {
	t.Helper()
	b, err := state.Open(t.Context(), stateURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b.(*redisstate.Backend)
}
