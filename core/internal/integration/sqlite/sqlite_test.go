package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/sqlstate"
	"github.com/recess-go/recess/core/state/statetest"
)

// patience is how long something that must happen may take.
const patience = time.Minute

// TestConformanceByURL gives each call as long as the suite has: its many writers take turns, each with a write to disk.
func TestConformanceByURL(t *testing.T) {
	statetest.Run(t, statetest.Harness{
		Presence: true, Resident: true, Packages: []string{"database/sql", "modernc.org/sqlite"},
		Fresh: func(t *testing.T) statetest.Store {
			path := filepath.Join(servers.Directory(t), "recess.db")
			b := openURL(t, "sqlite:"+path)
			must.Do(t, errors.Join(b.Migrate(context.Background()), b.Close()))
			return statetest.Store{
				Open: func(t *testing.T) state.Backend { t.Helper(); return openURL(t, "sqlite:"+path+"?timeout=20s") },
				Put:  func(t *testing.T, data []byte) { t.Helper(); put(t, path, string(data)) },
			}
		},
	})
}

// TestConformanceOnTheCallersDatabase is on connections with all that the driver does by default: nothing waits for a
// lock there, and the statements are counted. It is once in SQLite's language, and once in one that is filled in.
func TestConformanceOnTheCallersDatabase(t *testing.T) {
	dialects := map[string]sqlstate.Dialect{
		"its language": {},
		"one that is filled in": {
			Name: "any database", Text: "CLOB", Number: "BIGINT",
			Placeholder: func(n int) string { return fmt.Sprintf("?%d", n) },
			Clock:       "CAST((julianday('now') - 2440587.5) * 86400000 AS BIGINT) * 1000",
			Explain: func(err error) sqlstate.Meaning {
				if text := err.Error(); strings.Contains(text, "SQLITE_BUSY") {
					return sqlstate.Meaning{Kind: sqlstate.Again}
				} else if strings.Contains(text, "UNIQUE constraint") {
					return sqlstate.Meaning{Kind: sqlstate.Duplicate}
				} else if strings.Contains(text, "no such table") {
					return sqlstate.Meaning{Kind: sqlstate.Missing}
				}
				return sqlstate.Meaning{}
			},
		},
	}
	for name, dialect := range dialects {
		t.Run(name, func(t *testing.T) {
			var looks atomic.Int64
			statetest.Run(t, statetest.Harness{
				Presence: true, Resident: true,
				Fresh: func(t *testing.T) statetest.Store {
					path := filepath.Join(servers.Directory(t), "recess.db")
					connector, err := sqlite.NewConnector(path)
					must.Do(t, err)
					db := sql.OpenDB(rigs.Statements{Connector: connector, Tell: func(text string) {
						if strings.HasPrefix(text, "SELECT rev") {
							looks.Add(1)
						}
					}})
					t.Cleanup(func() { _ = db.Close() })
					open := func(t *testing.T) state.Backend {
						t.Helper()
						b, err := sqlstate.New(db, sqlstate.Config{Dialect: dialect, Timeout: patience})
						must.Do(t, err)
						return b
					}
					must.Do(t, open(t).(backend).Migrate(t.Context()))
					return statetest.Store{
						Open:  open,
						Put:   func(t *testing.T, data []byte) { t.Helper(); put(t, path, string(data)) },
						Looks: func() int { return int(looks.Load()) },
					}
				},
			})
			if looks.Load() == 0 {
				t.Error("no look was counted")
			}
		})
	}
}

type backend interface {
	state.Backend
	state.Presence
	state.Migrator
}

// migrated returns the path of a file with the tables and no document.
func migrated(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "recess.db")
	b := openURL(t, "sqlite:"+path)
	must.Do(t, errors.Join(b.Migrate(context.Background()), b.Close()))
	return path
}

func openURL(t testing.TB, stateURL string) backend {
	t.Helper()
	b, err := state.Open(context.Background(), stateURL)
	must.Do(t, err)
	return b.(backend)
}

// open opens a state URL for as long as the test runs.
func open(t testing.TB, stateURL string) backend {
	t.Helper()
	b := openURL(t, stateURL)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

// by carries out statements as an operator does with the sqlite3 shell, and returns what the last one returns, in words.
func by(t testing.TB, path string, statements ...string) string {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)")
	must.Do(t, err)
	defer db.Close()
	var words []string
	for _, statement := range statements {
		rows, err := db.QueryContext(context.Background(), statement)
		if err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		words = nil
		for rows.Next() {
			var word string
			must.Do(t, rows.Scan(&word))
			words = append(words, word)
		}
		must.Do(t, errors.Join(rows.Err(), rows.Close()))
	}
	return strings.Join(words, " ")
}

// put writes the document past the backend, as an operator would, who leaves its number alone.
func put(t testing.TB, path, text string) {
	t.Helper()
	by(t, path, fmt.Sprintf("INSERT INTO recess (name, document) VALUES ('recess', %s) ON CONFLICT DO UPDATE SET document = excluded.document", quote(text)))
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// refused asserts that an error wraps another, nil for none in particular, and says some words.
func refused(t testing.TB, what string, err, wraps error, says ...string) {
	t.Helper()
	must.Refuse(t, what, err, wraps, append(says, "sqlstate: ")...)
}

func files(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must.Do(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}
