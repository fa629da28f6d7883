package fleet

import (
	"context"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state/redisstate"
)

func init() {
	stores["redis"] = func(b *testing.B) store {
		var mu sync.Mutex
		clients := make(map[string]*redis.Client)
		b.Cleanup(func() {
			for _, client := range clients {
				_ = client.Close()
			}
		})
		return store{
			addr: servers.Redis(b).Addr,
			open: func(addr string) backend {
				mu.Lock()
				defer mu.Unlock()
				if clients[addr] == nil {
					clients[addr] = redis.NewClient(&redis.Options{Addr: addr, PoolSize: 20, ContextTimeoutEnabled: true})
				}
				made, err := redisstate.New(clients[addr], redisstate.Config{})
				if err != nil {
					b.Fatal(err)
				}
				context.AfterFunc(b.Context(), func() { _ = made.Close() })
				return made
			},
		}
	}
}
