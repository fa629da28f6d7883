package mariadb_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/sqlstate"
	"github.com/recess-go/recess/core/state/statetest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if !testing.Verbose() { // the driver tells the world of each connection that it lost
		if err := mysql.SetLogger(log.New(io.Discard, "", 0)); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func TestConformanceByURL(t *testing.T) {
	statetest.Run(t, rigs.New(t, "mariadb").Harness)
}

// TestConformanceOnTheCallersDatabase is by a user with the documented grants, with all that the driver does by default:
// it prepares each statement at the server.
func TestConformanceOnTheCallersDatabase(t *testing.T) {
	rig := rigs.New(t, "mariadb")
	var looks atomic.Int64
	db := told(t, rig.Server, func(text string) {
		if strings.HasPrefix(text, "SELECT rev") {
			looks.Add(1)
		}
	})
	rig.Harness.Packages = nil // their goroutines are the caller's
	rig.Harness.Fresh = func(*testing.T) statetest.Store {
		store := on(rig, db, sqlstate.Config{Name: newName()})
		store.Looks = func() int { return int(looks.Load()) }
		return store
	}
	statetest.Run(t, rig.Harness)
	if looks.Load() == 0 {
		t.Error("no look was counted")
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Errorf("the backends closed the caller's database: %v", err)
	}
}

// TestConformanceOfADialectThatIsFilledIn: nothing is known of this database but the types of its columns.
func TestConformanceOfADialectThatIsFilledIn(t *testing.T) {
	rig := rigs.New(t, "mariadb")
	db := root(t, rig.Server)
	config := sqlstate.Config{
		Table: "others",
		Dialect: sqlstate.Dialect{
			Name: "any database", Key: "VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin", Text: "LONGBLOB",
		},
	}
	b, err := sqlstate.New(db, config)
	if err == nil {
		err = b.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	rig.Harness.Packages = nil
	rig.Harness.Fresh = func(*testing.T) statetest.Store {
		config.Name = newName()
		store := on(rig, db, config)
		store.Put = nil // it writes to another table
		return store
	}
	statetest.Run(t, rig.Harness)
}

// on is a place of its own in the caller's database.
func on(rig rigs.Rig, db *sql.DB, config sqlstate.Config) statetest.Store {
	return statetest.Store{
		Open: func(t *testing.T) state.Backend {
			t.Helper()
			b, err := sqlstate.New(db, config)
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		Put: func(t *testing.T, data []byte) { t.Helper(); rigs.MariaDBPut(t, rig.Server.Addr, config.Name, data) },
	}
}

var named atomic.Int64

// newName returns the name of a document that no other test has.
func newName() string { return fmt.Sprintf("mine-%d", named.Add(1)) }

// told returns the database as the user of a service sees it, and tells of each statement before it is carried out.
func told(t testing.TB, server *servers.Server, tell func(text string)) *sql.DB {
	t.Helper()
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr, config.DBName = "recess", rigs.MariaDBPassword, "tcp", server.Addr, "recess"
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(rigs.Statements{Connector: connector, Tell: tell})
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// database returns the database as the user of a service sees it, with more parameters of the driver.
func database(t testing.TB, server *servers.Server, more string) *sql.DB {
	t.Helper()
	return connect(t, "recess:"+rigs.MariaDBPassword+"@tcp("+server.Addr+")/recess?"+more)
}

// root returns the database as its administrator sees it.
func root(t testing.TB, server *servers.Server) *sql.DB {
	t.Helper()
	return connect(t, "admin@tcp("+server.Addr+")/recess")
}

func connect(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// run carries out statements as the administrator.
func run(t testing.TB, server *servers.Server, statements ...string) {
	t.Helper()
	db := root(t, server)
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// number returns what a query returns, which is a number.
func number(t testing.TB, server *servers.Server, query string) (n int) {
	t.Helper()
	db := root(t, server)
	defer db.Close()
	if err := db.QueryRowContext(context.Background(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

type backend interface {
	state.Backend
	state.Presence
	state.Migrator
}

// open opens a state URL for as long as the test runs.
func open(t testing.TB, stateURL string) backend {
	t.Helper()
	b, err := state.Open(context.Background(), stateURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b.(backend)
}

// refused asserts that an error wraps another, nil for none in particular, says some words, and tells no secret.
func refused(t testing.TB, what string, err, wraps error, says ...string) {
	t.Helper()
	must.Refuse(t, what, err, wraps, append(says, "sqlstate: ")...)
	if err == nil {
		return
	}
	for _, secret := range []string{rigs.MariaDBPassword, "p@ss", "w%2Fo", "hunter2"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error tells the password: %v", what, err)
		}
	}
	if strings.Contains(err.Error(), "'recess'@") || strings.Contains(err.Error(), "someone") {
		t.Errorf("%s: the error tells the user: %v", what, err)
	}
}
