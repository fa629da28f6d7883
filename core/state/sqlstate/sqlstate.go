// Package sqlstate keeps the state in a table of an SQL database, through database/sql: MySQL and MariaDB, SQLite, and
// any other that a [Dialect] describes. It imports no driver; the application chooses and imports one:
//
//	import (
//		_ "github.com/go-sql-driver/mysql" // for mysql: and mariadb:
//		_ "modernc.org/sqlite"             // for sqlite:, or _ "github.com/mattn/go-sqlite3"
//
//		_ "github.com/recess-go/recess/core/state/sqlstate"
//	)
//
// Its state URLs are "mysql://USER:PASSWORD@HOST:PORT/DATABASE" (or mariadb:) and "sqlite:PATH"; a character of the user,
// the password or the path that means something in a URL is percent-encoded. Both take the parameters
//
//	name     which document of the table: many applications can share one. "recess" if left out
//	table    the table, or SCHEMA.TABLE. "recess" if left out
//	timeout  bounds every call, as in 500ms. 4s if left out
//
// and mysql: takes those that [MySQL] names. The tables must be there: [Backend.Migrate], or "recess migrate", makes them.
//
// A row is a document: its name, a number that counts its changes, and the document's text. Whoever changes the text by
// hand need not touch the number: every instance notices, and nobody overwrites it without having seen it. A database
// cannot tell of changes, so instances poll: each look is one statement, which sees what was committed last.
package sqlstate

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// Config says where in the database the state is. The zero Config is the document "recess" of the table "recess".
type Config struct {
	// Dialect is the database's language. One without a name is found out from the driver of the *sql.DB.
	Dialect Dialect
	// Table holds the documents: letters, digits and underscores, with a schema before it or not ("ops.recess"). The
	// instances that follow them are in a second table, with "_instances" after its name. "recess" if empty.
	Table string
	// Name is which document of the table is this one, see [state.CheckName]. "recess" if empty.
	Name string
	// Timeout bounds every call, the wait for a connection included: [driver.DefaultTimeout] if 0.
	Timeout time.Duration
}

// A Backend is a [state.Backend], [state.Presence] and [state.Migrator] on a database.
type Backend struct {
	*driver.Backend
	store *store
}

var (
	_ state.Presence = (*Backend)(nil)
	_ state.Migrator = (*Backend)(nil)
)

// New returns a backend on a database that the caller keeps and closes. It does not ask the database anything yet.
//
// The connections must commit each statement by itself, as they do unless somebody set autocommit to 0: in a
// transaction that stays open a look would see the past. On MySQL, a lock_wait_timeout and innodb_lock_wait_timeout
// below [Config].Timeout keep the server from carrying out a change that was given up; on SQLite, an acknowledged change
// survives a power cut with "pragma synchronous" FULL or EXTRA. A state URL brings all of that with it.
func New(db *sql.DB, config Config) (*Backend, error) {
	if db == nil {
		return nil, errors.New("sqlstate: there is no database: New needs a *sql.DB")
	}
	if config.Dialect.Name == "" {
		var err error
		if config.Dialect, err = dialectOf(db.Driver()); err != nil {
			return nil, fmt.Errorf("sqlstate: %w", err)
		}
	}
	config, err := config.filled()
	if err != nil {
		return nil, fmt.Errorf("sqlstate: %w", err)
	}
	s := &store{db: db, config: config, texts: textsOf(config), turn: make(chan struct{}, 1)}
	return &Backend{driver.New(s, driver.Config{Name: "sqlstate", Timeout: config.Timeout}), s}, nil
}

// tableShape is what needs no quotes in any database, so that the statements can be written without. The name must leave
// room for "_instances" within MySQL's 64 characters.
var tableShape = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]{0,53}\.)?[A-Za-z_][A-Za-z0-9_]{0,53}$`)

// filled returns the Config with its defaults, or what is wrong with it.
func (c Config) filled() (Config, error) {
	c.Table, c.Name = cmp.Or(c.Table, "recess"), cmp.Or(c.Name, "recess")
	if !tableShape.MatchString(c.Table) {
		return c, fmt.Errorf("table: %.80q: use TABLE or SCHEMA.TABLE, each 1 to 54 letters, digits and underscores, no digit first", c.Table)
	}
	if c.Timeout < 0 {
		return c, fmt.Errorf("timeout: %s is less than nothing", c.Timeout)
	}
	return c, state.CheckName("name", c.Name)
}

// Migrate makes the two tables, and an SQLite file that is missing. What is there stays as it is, and where both tables
// are there it needs no right to make any. It may run in several processes at once.
func (b *Backend) Migrate(ctx context.Context) error {
	return b.Call(ctx, "migrate", b.store.migrate)
}
