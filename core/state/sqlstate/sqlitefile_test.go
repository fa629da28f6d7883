package sqlstate_test

import (
	"database/sql"
	"database/sql/driver"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/state"
)

// TestAnSQLiteDriverIsFoundByItsName, and each of its connections is set up before it is used.
func TestAnSQLiteDriverIsFoundByItsName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.db")
	d := &database{answer: func(string, []driver.Value) (answer, error) { return answer{}, nil }}
	if !slices.Contains(sql.Drivers(), "sqlite3") { // not at the second of several runs
		_, err := state.Open(t.Context(), "sqlite:"+path)
		if err == nil || !strings.Contains(err.Error(), `import _ "modernc.org/sqlite"`) {
			t.Errorf("without a driver: %v", err)
		}
		sql.Register("sqlite3", &registered)
	}
	registered.database = d
	b, err := state.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := state.Read(t.Context(), b); err == nil || len(registered.names) != 0 {
		t.Errorf("without a file %q was opened: %v", registered.names, err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mustRead(t, b)
	want := []string{"PRAGMA busy_timeout = 0", "PRAGMA synchronous = EXTRA", "SELECT rev, document FROM recess WHERE name = 'recess'"}
	if got := d.texts(); !slices.Equal(got, want) {
		t.Errorf("the statements were %q, want %q", got, want)
	}
	if name := "file://" + filepath.ToSlash(path) + "?mode=rw"; !slices.Equal(registered.names, []string{name}) {
		t.Errorf("opened was %q, want %q", registered.names, name)
	}
	registered.names = nil
}

// registered is a driver that tells what it was asked to open.
var registered opener

type opener struct {
	*database
	names []string
}

func (o *opener) Open(name string) (driver.Conn, error) {
	o.names = append(o.names, name)
	return o.database.Open(name)
}
