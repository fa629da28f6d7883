package fleet

import (
	"context"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state/pgstate"
)

func init() {
	stores["postgres"] = func(b *testing.B) store {
		var mu sync.Mutex
		pools := make(map[string]*pgxpool.Pool)
		return store{
			addr: servers.Postgres(b, rigs.PostgresConfig()).Addr,
			open: func(addr string) backend {
				mu.Lock()
				defer mu.Unlock()
				if pools[addr] == nil {
					config, err := pgxpool.ParseConfig(rigs.PostgresURL(addr, "pool_max_conns=20"))
					if err != nil {
						b.Fatal(err)
					}
					pool, err := pgxpool.NewWithConfig(context.Background(), config)
					if err != nil {
						b.Fatal(err)
					}
					pools[addr] = pool
				}
				made, err := pgstate.New(pools[addr], pgstate.Config{})
				if err != nil {
					b.Fatal(err)
				}
				context.AfterFunc(b.Context(), func() { _ = made.Close() })
				return made
			},
		}
	}
}
