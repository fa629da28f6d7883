package rigs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"testing"

	_ "github.com/go-sql-driver/mysql" // the driver of both

	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
	_ "github.com/recess-go/recess/core/state/sqlstate" // brings mysql: and mariadb:
	"github.com/recess-go/recess/core/state/statetest"
)

func init() { register("mariadb", newMariaDB) }

// MariaDBPassword is the password of the user "recess": it holds what means something in a URL or to the driver.
const MariaDBPassword = `p@ss:w/o?r#d%2F&=+(tcp)'"\ ä`

// MariaDBGrants are what the user of a service needs, as the documentation says: to follow the state, change it and
// announce instances.
var MariaDBGrants = []string{
	"GRANT SELECT, INSERT, UPDATE ON recess.recess TO recess@'%'",
	"GRANT SELECT, INSERT, UPDATE, DELETE ON recess.recess_instances TO recess@'%'",
}

func newMariaDB(t testing.TB) Rig {
	server := servers.MariaDB(t, setUpMariaDB, "--max-connections=2400") // a backend holds up to four
	stateURL := func(addr, name string) string { return MariaDBURL("recess", addr) + "?name=" + name }
	return Rig{
		Server: server,
		URL:    func(addr string) string { return stateURL(addr, "recess") },
		Open:   func(t testing.TB, addr string) state.Backend { t.Helper(); return open(t, stateURL(addr, "recess")) },
		Put:    func(t testing.TB, data []byte) { t.Helper(); MariaDBPut(t, server.Addr, "recess", data) },
		Notice: driver.DefaultTimeout,
		Harness: statetest.Harness{
			Presence: true,
			Resident: true, // a pool of connections
			Packages: []string{"database/sql", "github.com/go-sql-driver/mysql"},
			Fresh: func(t *testing.T) statetest.Store {
				name := freshKey()
				return statetest.Store{
					Open:  func(t *testing.T) state.Backend { t.Helper(); return open(t, stateURL(server.Addr, name)) },
					Put:   func(t *testing.T, data []byte) { t.Helper(); MariaDBPut(t, server.Addr, name, data) },
					Looks: func() int { return MariaDBStatus(t, server.Addr, "Com_select") },
				}
			},
		},
	}
}

// setUpMariaDB makes the tables, and the user "recess" with the rights that are documented.
func setUpMariaDB(ctx context.Context, addr string) error {
	backend, err := state.Open(ctx, MariaDBURL("admin", addr))
	if err != nil {
		return err
	}
	defer func() { _ = backend.Close() }()
	if err := backend.(state.Migrator).Migrate(ctx); err != nil {
		return err
	}
	db, err := sql.Open("mysql", "admin@tcp("+addr+")/recess?interpolateParams=true")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(ctx, "CREATE USER IF NOT EXISTS recess@'%' IDENTIFIED BY ?", MariaDBPassword)
	for _, grant := range MariaDBGrants {
		if err == nil {
			_, err = db.ExecContext(ctx, grant)
		}
	}
	return err
}

// MariaDBURL is the state URL of a user's document at an address.
func MariaDBURL(user, addr string) string {
	if user == "recess" {
		user = url.UserPassword(user, MariaDBPassword).String()
	}
	return "mariadb://" + user + "@" + addr + "/recess"
}

// mariaDB returns the database as its administrator sees it. It ends with the call of use.
func mariaDB(t testing.TB, addr string, use func(db *sql.DB) error) {
	t.Helper()
	db, err := sql.Open("mysql", "admin@tcp("+addr+")/recess")
	if err == nil {
		err = errors.Join(use(db), db.Close())
	}
	if err != nil {
		t.Fatalf("mariadb: %v", err)
	}
}

// MariaDBPut writes the document as an operator would, who leaves its number alone; nil data removes it.
func MariaDBPut(t testing.TB, addr, name string, data []byte) {
	t.Helper()
	mariaDB(t, addr, func(db *sql.DB) error {
		if data == nil {
			_, err := db.ExecContext(context.Background(), "DELETE FROM recess WHERE name = ?", name)
			return err
		}
		_, err := db.ExecContext(context.Background(),
			"INSERT INTO recess (name, document) VALUES (?, ?) ON DUPLICATE KEY UPDATE document = VALUES(document)", name, string(data))
		return err
	})
}

// MariaDBStatus returns one of the server's counters.
func MariaDBStatus(t testing.TB, addr, counter string) (n int) {
	t.Helper()
	mariaDB(t, addr, func(db *sql.DB) error {
		var name string
		err := db.QueryRowContext(context.Background(), fmt.Sprintf("SHOW GLOBAL STATUS LIKE '%s'", counter)).Scan(&name, &n)
		return err
	})
	return n
}
