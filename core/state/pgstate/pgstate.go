// Package pgstate keeps the state in a table of a PostgreSQL database, and is told of changes by LISTEN.
//
//	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
//	backend, err := pgstate.New(pool, pgstate.Config{Name: "shop"})
//
// Importing it makes the schemes postgres and postgresql known to [state.Open], with a connection pool of the backend's
// own: "postgres://user:password@host/database?sslmode=verify-full&name=shop". See [Config] for its own parameters; the
// others are those of libpq, and so are the environment variables (PGPASSWORD, PGSSLMODE) and ~/.pgpass.
//
// The tables are made by [Migrate], "recess migrate" or the SQL of [Schema], never by itself. A backend holds one
// connection that listens, outside the pool, and takes one from the pool for as long as each read or write lasts.
// Through a pooler that shares connections among transactions, such as PgBouncer in its transaction mode, it works too:
// nobody can listen there, so the backend is polled.
package pgstate

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

var (
	_ state.Backend  = (*Backend)(nil)
	_ state.Presence = (*Backend)(nil)
	_ state.Migrator = (*Backend)(nil)
)

// Config says where the document is kept. The zero Config is that of a URL without parameters. The parameter in
// brackets is the same in a URL.
type Config struct {
	// Table is the table of all documents [table]: "recess" if empty. "schema.table" is in that schema, a table without
	// one where the connection's search_path finds it. Letters, digits and '_' are allowed, exactly as in the database.
	// The instances are in the table of the same name with "_instances" added.
	Table string
	// Name is the row of this document [name], so that applications can share a table: "recess" if empty.
	Name string
	// NoWatch has the document polled, without a connection that listens [watch=off].
	NoWatch bool
	// Timeout bounds each call to the server [timeout]: driver.DefaultTimeout if 0.
	Timeout time.Duration
	// Probe is after how much silence the server has to show that it is there [probe]: driver.DefaultProbe if 0.
	Probe time.Duration
}

// A Backend is a [state.Backend] in PostgreSQL.
type Backend struct {
	*driver.Backend
	store *store
}

// New returns a backend over a pool, which the caller keeps and closes after the backend. Of the pool's configuration
// the connection that listens takes the server, the credentials (BeforeConnect is called, AfterConnect is not) and TLS.
func New(pool *pgxpool.Pool, config Config) (*Backend, error) {
	if pool == nil {
		return nil, errors.New("pgstate: new: the pool is nil")
	}
	tables, err := config.tables()
	if err != nil {
		return nil, fmt.Errorf("pgstate: new: %w", err)
	}
	return over(&store{pool: pool, tables: tables, config: config, way: new(way)}), nil
}

// over returns a backend over a store whose configuration has been checked.
func over(s *store) *Backend {
	s.config.Timeout = cmp.Or(s.config.Timeout, driver.DefaultTimeout)
	s.config.Probe = cmp.Or(s.config.Probe, driver.DefaultProbe)
	shared := driver.Config{Name: "pgstate", Timeout: s.config.Timeout, Probe: s.config.Probe}
	if s.config.NoWatch {
		return &Backend{driver.New(s, shared), s}
	}
	return &Backend{driver.New(&listener{s}, shared), s}
}
