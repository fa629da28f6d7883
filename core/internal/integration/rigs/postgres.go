package rigs

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
	_ "github.com/recess-go/recess/core/state/pgstate" // brings postgres:
	"github.com/recess-go/recess/core/state/statetest"
)

func init() { register("postgres", newPostgres) }

// PostgresGrants are what the user of a service needs, as the documentation says: to follow the state, change it and
// announce instances.
var PostgresGrants = []string{
	"grant select, insert, update on recess to recess",
	"grant select, insert, update, delete on recess_instances to recess",
}

// PostgresPackages are where the goroutines of a backend run.
var PostgresPackages = []string{"github.com/jackc/pgx/v5", "github.com/jackc/puddle/v2"}

func newPostgres(t testing.TB) Rig {
	server := servers.Postgres(t, PostgresConfig())
	url := func(addr string) string { return PostgresURL(addr, "") }
	return Rig{
		Server:  server,
		URL:     url,
		Open:    func(t testing.TB, addr string) state.Backend { t.Helper(); return open(t, url(addr)) },
		Put:     func(t testing.TB, data []byte) { t.Helper(); PostgresPut(t, server.Addr, "recess", data) },
		Notice:  2 * driver.DefaultProbe,
		Harness: PostgresHarness(server.Addr, server.Addr, ""),
	}
}

// PostgresConfig is a server with room for a fleet, the tables, and the user "recess" with the rights that are documented.
func PostgresConfig() servers.PostgresConfig {
	return servers.PostgresConfig{
		MaxConnections: 2400, // a backend holds up to two at rest
		Settings:       map[string]string{"shared_preload_libraries": "pg_stat_statements"},
		SetUp:          setUpPostgres,
	}
}

// PostgresHarness is how the conformance suite sees backends that reach the server through an address, with more
// parameters in their URL.
func PostgresHarness(server, through, parameters string) statetest.Harness {
	return statetest.Harness{
		Push:     true,
		Presence: true,
		Resident: true, // the pool's
		Packages: PostgresPackages,
		Fresh: func(t *testing.T) statetest.Store {
			name := freshKey()
			return statetest.Store{
				Open: func(t *testing.T) state.Backend {
					t.Helper()
					return open(t, PostgresURL(through, "name="+name+"&"+parameters))
				},
				Put:   func(t *testing.T, data []byte) { t.Helper(); PostgresPut(t, server, name, data) },
				Looks: func() int { return PostgresLooks(t, server) },
			}
		},
	}
}

// PostgresURL is the state URL of the user "recess" at an address.
func PostgresURL(addr, parameters string) string {
	return strings.TrimSuffix("postgres://recess@"+addr+"/postgres?sslmode=disable&"+parameters, "&")
}

// setUpPostgres makes the tables, and the user "recess".
func setUpPostgres(ctx context.Context, addr string) error {
	backend, err := state.Open(ctx, "postgres://postgres@"+addr+"/postgres?sslmode=disable")
	if err != nil {
		return err
	}
	defer func() { _ = backend.Close() }()
	if err := backend.(state.Migrator).Migrate(ctx); err != nil {
		return err
	}
	return postgres(ctx, addr, func(conn *pgx.Conn) error {
		statements := append([]string{
			"create extension if not exists pg_stat_statements",
			"do $$ begin create user recess; exception when duplicate_object then null; end $$",
		}, PostgresGrants...)
		_, err := conn.Exec(ctx, strings.Join(statements, ";"))
		return err
	})
}

// postgres lends a connection of the superuser.
func postgres(ctx context.Context, addr string, use func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, "postgres://postgres@"+addr+"/postgres?sslmode=disable")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	return use(conn)
}

// Postgres has the superuser do something.
func Postgres(t testing.TB, addr, sql string, args ...any) {
	t.Helper()
	err := postgres(context.Background(), addr, func(conn *pgx.Conn) error {
		_, err := conn.Exec(context.Background(), sql, args...)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// PostgresNumber asks the superuser's question for a number.
func PostgresNumber(t testing.TB, addr, sql string, args ...any) (n int) {
	t.Helper()
	err := postgres(context.Background(), addr, func(conn *pgx.Conn) error {
		return conn.QueryRow(context.Background(), sql, args...).Scan(&n)
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// PostgresPut writes the document as an operator would, who leaves its number alone; nil data removes it.
func PostgresPut(t testing.TB, addr, name string, data []byte) {
	t.Helper()
	if data == nil {
		Postgres(t, addr, "delete from recess where name = $1", name)
		return
	}
	Postgres(t, addr, "insert into recess (name, document) values ($1, $2) on conflict (name) do update set document = excluded.document",
		name, string(data))
}

// PostgresLooks returns how often a document was read so far.
func PostgresLooks(t testing.TB, addr string) int {
	t.Helper()
	return PostgresNumber(t, addr, `select coalesce(sum(calls), 0) from pg_stat_statements where query like 'select rev, %document%'`)
}
