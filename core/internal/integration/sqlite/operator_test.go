package sqlite_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/sqlstate"
)

// TestAChangeByHandIsSeenAndNotOverwritten: the operator changes the text, as a text or as the bytes of a file, and
// leaves the number alone.
func TestAChangeByHandIsSeenAndNotOverwritten(t *testing.T) {
	path := migrated(t)
	b := open(t, "sqlite:"+path)
	rev := must.Save(t, b, state.None, "on")
	for expression, want := range map[string]string{
		"'ON'": "ON", "'on '": "on ", "CAST('by file' AS BLOB)": "by file", "'ön'": "ön", "1": "1", "''": "",
	} {
		by(t, path, "UPDATE recess SET document = "+expression)
		doc := must.Read(t, b)
		if string(doc.Data) != want || doc.Rev == rev {
			t.Errorf("after %s the document is %q, revision %q after %q", expression, doc.Data, doc.Rev, rev)
		}
		_, err := b.Save(t.Context(), rev, []byte("lost"))
		refused(t, "Save over what was there before "+expression, err, state.ErrConflict)
		if now := must.Read(t, b); string(now.Data) != want || now.Rev != doc.Rev {
			t.Errorf("%s was overwritten: %q", expression, now.Data)
		}
		rev = must.Save(t, b, doc.Rev, "on")
	}
	by(t, path, "UPDATE recess SET rev = 0")
	_, err := b.Save(t.Context(), rev, []byte("lost"))
	refused(t, "Save over another number", err, state.ErrConflict)
	by(t, path, "DELETE FROM recess")
	if doc := must.Read(t, b); doc.Rev != state.None {
		t.Errorf("after the removal the document is %q", doc.Data)
	}
	by(t, path, "INSERT INTO recess (name, document) VALUES ('recess', 'again')")
	must.Save(t, b, must.Read(t, b).Rev, "on")
	by(t, path, "UPDATE recess SET rev = 'many'")
	_, err = state.Read(t.Context(), b)
	refused(t, "Next over a number that is none", err, nil, "many")
}

// TestAChangeBetweenLookAndWriteIsNotOverwritten has the operator's change fall between the two statements of a Save.
func TestAChangeBetweenLookAndWriteIsNotOverwritten(t *testing.T) {
	for _, text := range []string{"on ", "on", "ON ", "other"} {
		path := migrated(t)
		connector, err := sqlite.NewConnector(path)
		must.Do(t, err)
		meddle := func(string) {}
		db := sql.OpenDB(rigs.Statements{Connector: connector, Tell: func(statement string) { meddle(statement) }})
		defer db.Close()
		b, err := sqlstate.New(db, sqlstate.Config{})
		must.Do(t, err)
		rev := must.Save(t, b, state.None, "on ")
		meddled := 0
		meddle = func(statement string) {
			if strings.HasPrefix(statement, "UPDATE recess SET") {
				meddled++
				put(t, path, text)
			}
		}
		_, err = b.Save(t.Context(), rev, []byte("saved"))
		want := text
		if text == "on " {
			want = "saved" // nothing was changed
			must.Do(t, err)
		} else {
			refused(t, fmt.Sprintf("Save, while %q was written", text), err, state.ErrConflict)
		}
		if doc := must.Read(t, b); string(doc.Data) != want || meddled != 1 {
			t.Errorf("after %q the document is %q; %d changes came in between", text, doc.Data, meddled)
		}
	}
}

// TestTheShellOfSQLite does what the documentation shows.
func TestTheShellOfSQLite(t *testing.T) {
	shell, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("LEFT OUT: sqlite3 is not installed (Debian's package sqlite3 brings it)")
	}
	path := migrated(t)
	b := open(t, "sqlite:"+path)
	sqlite3 := func(command string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), shell, path, command).CombinedOutput()
		if err != nil {
			t.Fatalf("sqlite3 %q: %v: %s", command, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	rev := must.Save(t, b, state.None, `{"version":1}`)
	if got := sqlite3("select name, rev, document from recess"); got != `recess|1|{"version":1}` {
		t.Errorf("the shell shows %q", got)
	}
	backup := filepath.Join(t.TempDir(), "backup.db")
	sqlite3(".backup " + backup)
	rev = must.Save(t, b, rev, `{"version":1,"epoch":2}`)
	sqlite3(`update recess set document = '{"version":1,"epoch":3}'`)
	if doc := must.Read(t, b); string(doc.Data) != `{"version":1,"epoch":3}` || doc.Rev == rev {
		t.Errorf("after the change by hand the document is %q", doc.Data)
	}
	sqlite3(".restore " + backup)
	if doc := must.Read(t, b); string(doc.Data) != `{"version":1}` {
		t.Errorf("after the restore the document is %q", doc.Data)
	}
	sqlite3("update recess set document = readfile('" + writeFile(t, "by file") + "')")
	doc := must.Read(t, b)
	if string(doc.Data) != "by file" {
		t.Errorf("after the change from a file the document is %q", doc.Data)
	}
	must.Save(t, b, doc.Rev, "on")
	sqlite3("delete from recess")
	if doc := must.Read(t, b); doc.Rev != state.None {
		t.Errorf("after the removal the document is %q", doc.Data)
	}
	if _, err := b.Announce(t.Context(), "web-1", nil, time.Hour); err != nil {
		t.Error(err)
	}
	if got := sqlite3("select id, datetime(expires / 1000000, 'unixepoch') > datetime('now') from recess_instances"); got != "web-1|1" {
		t.Errorf("the shell shows the instances %q", got)
	}
}

func writeFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "document")
	must.Do(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// TestMigratingMakesTheFileAndNothingElseDoes: a path that is misspelt must not become a database that nobody follows.
func TestMigratingMakesTheFileAndNothingElseDoes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "recess.db")
	b := open(t, "sqlite:"+path)
	_, err := state.Read(t.Context(), b)
	refused(t, "Next without a file", err, fs.ErrNotExist, path, "recess migrate")
	_, err = b.Save(t.Context(), state.None, []byte("x"))
	refused(t, "Save without a file", err, fs.ErrNotExist, "recess migrate")
	_, err = b.Announce(t.Context(), "web-1", nil, time.Hour)
	refused(t, "Announce without a file", err, fs.ErrNotExist, "recess migrate")
	if made := files(t, dir); len(made) != 0 {
		t.Errorf("there is %v now", made)
	}
	must.Do(t, os.WriteFile(path, nil, 0o600))
	_, err = state.Read(t.Context(), b)
	refused(t, "Next without tables", err, nil, "no such table", "recess migrate")
	for range 2 {
		must.Do(t, b.Migrate(t.Context()))
	}
	must.Save(t, b, state.None, "kept")
	must.Do(t, b.Migrate(t.Context()))
	if doc := must.Read(t, b); string(doc.Data) != "kept" {
		t.Errorf("the document is %q", doc.Data)
	}
	if mode := by(t, path, "PRAGMA journal_mode"); mode != "wal" {
		t.Errorf("the journal's mode is %q", mode)
	}
	refused(t, "a directory that is not there", open(t, "sqlite:"+filepath.Join(dir, "absent", "recess.db")).Migrate(t.Context()), nil, "its directory must be there")
}

// TestAnApplicationsDatabaseKeepsItsJournal: the tables are added to what is there.
func TestAnApplicationsDatabaseKeepsItsJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	by(t, path, "CREATE TABLE orders (id INTEGER)")
	b := open(t, "sqlite:"+path+"?table=ops_recess&name=shop")
	must.Do(t, b.Migrate(t.Context()))
	must.Save(t, b, state.None, "on")
	if mode := by(t, path, "PRAGMA journal_mode"); mode != "delete" {
		t.Errorf("the journal's mode is %q", mode)
	}
	if got := by(t, path, "SELECT document FROM ops_recess WHERE name = 'shop'"); got != "on" {
		t.Errorf("the document is %q", got)
	}
	by(t, path, "CREATE TABLE foreign_one (name TEXT)")
	refused(t, "a table of another program", open(t, "sqlite:"+path+"?table=foreign_one").Migrate(t.Context()), nil, "another program's")
}

func TestManyMigrateAtOnce(t *testing.T) {
	for range 5 {
		path := filepath.Join(t.TempDir(), "recess.db")
		var (
			all  sync.WaitGroup
			errs [8]error
		)
		for i := range errs {
			b := open(t, fmt.Sprintf("sqlite:%s?name=n%d", path, i))
			all.Go(func() {
				if errs[i] = b.Migrate(t.Context()); errs[i] == nil {
					_, errs[i] = b.Save(t.Context(), state.None, []byte("there"))
				}
			})
		}
		all.Wait()
		must.Do(t, errors.Join(errs[:]...))
		if n := by(t, path, "SELECT COUNT(*) FROM recess"); n != "8" {
			t.Errorf("%s documents are there", n)
		}
	}
}

// TestEveryPathCanBeWrittenIntoAURL, and means the same after the working directory has changed.
func TestEveryPathCanBeWrittenIntoAURL(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for written, name := range map[string]string{
		"recess.db": "recess.db", "./a%20b.db": "a b.db", "what%3Fmode=memory.db": "what?mode=memory.db", "50%25.db": "50%.db",
		"%23.db": "#.db", "ä.db": "ä.db", "a&b=c.db": "a&b=c.db", "a;b.db": "a;b.db", "a+b.db": "a+b.db", "back\\slash.db": "back\\slash.db",
		"//localhost" + dir + "/host.db": "host.db", "//" + dir + "/two.db": "two.db", "sub:1.db": "sub:1.db",
	} {
		b := open(t, "sqlite:"+written)
		must.Do(t, b.Migrate(t.Context()))
		must.Save(t, b, state.None, name)
		t.Chdir(os.TempDir())
		if doc := must.Read(t, b); string(doc.Data) != name {
			t.Errorf("%s: the document is %q", written, doc.Data)
		}
		t.Chdir(dir)
		if got := by(t, "file:"+strings.NewReplacer("%", "%25", "?", "%3F", "#", "%23").Replace(name), "SELECT document FROM recess"); got != name {
			t.Errorf("%s: the file %q has the document %q", written, name, got)
		}
	}
}

// TestAnAcknowledgedChangeIsOnTheDisk: each connection has synchronous EXTRA, without which a power cut can take it back.
func TestAnAcknowledgedChangeIsOnTheDisk(t *testing.T) {
	path := migrated(t)
	var (
		mu    sync.Mutex
		conns []sqlite.ExecQuerierContext
		on    atomic.Bool
	)
	sqlite.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		if on.Load() {
			conns = append(conns, conn)
		}
		return nil
	})
	b := open(t, "sqlite:"+path)
	on.Store(true)
	must.Save(t, b, state.None, "on")
	on.Store(false)
	mu.Lock()
	defer mu.Unlock()
	if len(conns) == 0 {
		t.Fatal("no connection was made")
	}
	for _, conn := range conns {
		if got := pragma(t, conn, "synchronous"); got != 3 {
			t.Errorf("synchronous is %d, want 3, EXTRA", got)
		}
	}
}

func pragma(t *testing.T, conn sqlite.ExecQuerierContext, name string) int64 {
	t.Helper()
	rows, err := conn.QueryContext(context.Background(), "PRAGMA "+name, nil)
	must.Do(t, err)
	defer rows.Close()
	row := make([]driver.Value, 1)
	must.Do(t, rows.Next(row))
	n, _ := row[0].(int64)
	return n
}
