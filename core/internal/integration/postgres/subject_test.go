package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/pgstate"
)

// patience is how long something that must happen may take.
const patience = 30 * time.Second

// start starts a server with the tables, and the user "recess" with the rights that are documented.
func start(t *testing.T) *servers.Server {
	t.Helper()
	return servers.Postgres(t, rigs.PostgresConfig())
}

// onOneServer runs tests one after the other, each on empty tables.
func onOneServer(t *testing.T, tests []test) {
	server := start(t)
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			rigs.Postgres(t, server.Addr, "truncate recess, recess_instances")
			c.run(t, server)
		})
	}
}

type test struct {
	name string
	run  func(t *testing.T, server *servers.Server)
}

// open opens a backend by its URL.
func open(t *testing.T, stateURL string) *pgstate.Backend {
	t.Helper()
	b, err := state.Open(t.Context(), stateURL)
	if err != nil {
		t.Fatal(err)
	}
	return closing(t, b.(*pgstate.Backend))
}

// over makes a backend over a pool of the caller's, which the test keeps.
func over(t *testing.T, pool *pgxpool.Pool, config pgstate.Config) *pgstate.Backend {
	t.Helper()
	b, err := pgstate.New(pool, config)
	if err != nil {
		t.Fatal(err)
	}
	return closing(t, b)
}

func closing(t *testing.T, b *pgstate.Backend) *pgstate.Backend {
	t.Helper()
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func poolOf(t *testing.T, connString string, change func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(connString)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(config)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func superURL(addr string) string { return "postgres://postgres@" + addr + "/postgres?sslmode=disable" }

// An answer is what Next returned.
type answer struct {
	doc  state.Doc
	wait time.Duration
	err  error
}

// waiting calls Next in the background.
func waiting(ctx context.Context, b state.Backend, since state.Rev) <-chan answer {
	got := make(chan answer, 1)
	go func() {
		doc, wait, err := b.Next(ctx, since)
		got <- answer{doc, wait, err}
	}()
	return got
}

// listens is the parameter that gives a backend's connections a name, and has the one that listens soon do nothing but
// ping; and awaitListener returns the process id of that one.
const listens = "probe=100ms&application_name="

func awaitListener(t *testing.T, addr, name string) (pid int) {
	t.Helper()
	must.Become(t, name+" listens", func() bool {
		pid = rigs.PostgresNumber(t, addr, `select coalesce(max(pid), 0) from pg_stat_activity where application_name = $1 and query = '-- ping'`, name)
		return pid != 0
	})
	return pid
}
