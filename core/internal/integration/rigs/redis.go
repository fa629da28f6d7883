package rigs

import (
	"context"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
	_ "github.com/recess-go/recess/core/state/redisstate" // brings redis:
	"github.com/recess-go/recess/core/state/statetest"
)

func init() { register("redis", newRedis) }

func newRedis(t testing.TB) Rig {
	server := servers.Redis(t)
	admin := RedisClient(t, server.Addr)
	url := func(addr string) string { return "redis://" + addr + "/0" }
	return Rig{
		Server: server,
		URL:    url,
		Open:   func(t testing.TB, addr string) state.Backend { t.Helper(); return open(t, url(addr)) },
		Put:    func(t testing.TB, data []byte) { t.Helper(); RedisPut(t, admin, "recess", data) },
		Notice: 2 * driver.DefaultProbe,
		Harness: RedisHarness(admin, func(t *testing.T, key string) state.Backend {
			t.Helper()
			return open(t, url(server.Addr)+"?key="+key)
		}),
	}
}

// RedisHarness is how the conformance suite sees backends in Redis, each under a key of its own.
func RedisHarness(admin redis.UniversalClient, make func(t *testing.T, key string) state.Backend) statetest.Harness {
	return statetest.Harness{
		Push:     true,
		Presence: true,
		Resident: true, // the subscription stays for a probe after the last waiter
		Packages: []string{"github.com/redis/go-redis/v9"},
		Fresh: func(*testing.T) statetest.Store {
			key := freshKey()
			return statetest.Store{
				Open:  func(t *testing.T) state.Backend { t.Helper(); return make(t, key) },
				Put:   func(t *testing.T, data []byte) { t.Helper(); RedisPut(t, admin, key, data) },
				Looks: func() int { return RedisCalls(admin, "hmget") },
			}
		},
	}
}

// RedisClient returns a client for what an operator does with redis-cli. It is patient with a loaded machine.
func RedisClient(t testing.TB, addr string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: 20 * time.Second})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// RedisPut writes the document as an operator would; nil data removes it.
func RedisPut(t testing.TB, admin redis.UniversalClient, key string, data []byte) {
	t.Helper()
	var err error
	if data == nil {
		err = admin.Del(context.Background(), key).Err()
	} else {
		err = admin.HSet(context.Background(), key, "document", data).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// RedisCalls returns how often the servers have run a command, -1 if they do not say.
func RedisCalls(admin redis.UniversalClient, command string) int {
	pattern := regexp.MustCompile(`(?m)^cmdstat_` + regexp.QuoteMeta(command) + `:calls=(\d+),`)
	var calls atomic.Int64
	count := func(ctx context.Context, client *redis.Client) error {
		text, err := client.Info(ctx, "commandstats").Result()
		if found := pattern.FindStringSubmatch(text); found != nil {
			n, _ := strconv.Atoi(found[1])
			calls.Add(int64(n))
		}
		return err
	}
	var err error
	switch client := admin.(type) {
	case *redis.ClusterClient:
		err = client.ForEachMaster(context.Background(), count)
	case *redis.Client:
		err = count(context.Background(), client)
	}
	if err != nil {
		return -1
	}
	return int(calls.Load())
}
