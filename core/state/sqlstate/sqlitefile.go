package sqlstate

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/recess-go/recess/core/state"
)

func openSQLite(_ context.Context, rest string) (state.Backend, error) {
	path, config, err := parseSQLite(rest)
	if err == nil {
		path, err = filepath.Abs(path) // the working directory may change
	}
	if err != nil {
		return nil, fmt.Errorf("sqlstate: open: %w", err)
	}
	file := &sqliteFile{path: path}
	if file.driver, err = sqliteDriver(); err != nil {
		return nil, fmt.Errorf("sqlstate: open: %w", err)
	}
	db := sql.OpenDB(file)
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(idleConns)
	b, err := own(db, config)
	if err != nil {
		return nil, err
	}
	b.store.prepare = func(ctx context.Context) error { return b.store.create(ctx, file) }
	return b, nil
}

// sqliteDriver returns the driver that is linked into the program. The names are those under which modernc's, and
// mattn's or ncruces', are registered.
func sqliteDriver() (driver.Driver, error) {
	for _, name := range []string{"sqlite", "sqlite3"} {
		if !slices.Contains(sql.Drivers(), name) {
			continue
		}
		db, err := sql.Open(name, "") // opens nothing: it is the way to a driver by its name
		if err != nil {
			return nil, fmt.Errorf("the driver %q: %w", name, err)
		}
		d := db.Driver()
		return d, db.Close()
	}
	return nil, errors.New(`no driver for SQLite is linked into this program: import _ "modernc.org/sqlite" (or _ "github.com/mattn/go-sqlite3", with cgo)`)
}

// parseSQLite reads what follows "sqlite:": PATH, ///PATH or //localhost/PATH, as filestate does, and the query.
func parseSQLite(rest string) (path string, config Config, err error) {
	rest, query, _ := strings.Cut(rest, "?")
	if strings.Contains(rest, "#") || strings.Contains(query, "#") {
		return "", Config{}, errors.New("a '#' in a state URL must be written %23")
	}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		host, _, found := strings.Cut(after, "/")
		if !found || host != "" && !strings.EqualFold(host, "localhost") {
			return "", Config{}, errors.New("after // comes a host, and files of other hosts cannot be opened: write sqlite:PATH or sqlite:///PATH")
		}
		rest = after[len(host):]
	}
	if path, err = url.PathUnescape(rest); err != nil {
		return "", Config{}, errors.New("the path: a '%' must be written %25")
	}
	if drive := strings.TrimPrefix(path, "/"); filepath.VolumeName(drive) != "" {
		path = drive // sqlite:///C:/recess.db
	}
	switch {
	case path == "":
		return "", Config{}, errors.New("which file? write it as in sqlite:recess.db")
	case strings.Contains(path, ":memory:"):
		return "", Config{}, errors.New("a database in memory would be one of its own for each connection, and end with it: write memory: for a state in memory")
	case strings.HasPrefix(path, "file:"):
		return "", Config{}, errors.New("write the path itself, without file: and parameters, as in sqlite:recess.db")
	case strings.ContainsRune(path, 0):
		return "", Config{}, errors.New("a path holds no NUL")
	case os.IsPathSeparator(path[len(path)-1]):
		return "", Config{}, errors.New("the path ends with a separator: name a file")
	}
	_, config, err = parseQuery(query)
	config.Dialect = SQLite
	return filepath.FromSlash(path), config, err
}

// A sqliteFile is a [driver.Connector]: it opens a file that is there, in the same way with every driver.
type sqliteFile struct {
	path   string
	driver driver.Driver
	create bool // make the file if it is not there
}

// Driver implements [driver.Connector].
func (f *sqliteFile) Driver() driver.Driver { return f.driver }

// pragmas of each connection. With synchronous EXTRA a change is on the disk, and so is its file name, before it is
// acknowledged, whatever the file's journal mode is. Locks are not waited for here but in store.try, which knows the
// context.
var pragmas = []string{"PRAGMA busy_timeout = 0", "PRAGMA synchronous = EXTRA"}

// Connect implements [driver.Connector].
func (f *sqliteFile) Connect(context.Context) (driver.Conn, error) {
	mode := "rw"
	if f.create {
		mode = "rwc"
	}
	before, err := os.Stat(f.path)
	switch {
	case err != nil && (!f.create || !errors.Is(err, fs.ErrNotExist)):
		return nil, err
	case err == nil && !before.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file", f.path)
	}
	path := filepath.ToSlash(f.path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/recess.db
	}
	conn, err := f.driver.Open((&url.URL{Scheme: "file", Path: path, RawQuery: "mode=" + mode}).String())
	if err != nil {
		return nil, err
	}
	for _, pragma := range pragmas {
		if err := do(conn, pragma); err != nil {
			_ = conn.Close() // the first error is the one to tell
			return nil, err
		}
	}
	return &sqliteConn{conn, f.path, before}, nil
}

func do(conn driver.Conn, text string) error {
	statement, err := conn.Prepare(text)
	if err != nil {
		return err
	}
	_, err = statement.Exec(nil) //nolint:staticcheck // every driver has it; the newer one is optional
	return cmp.Or(err, statement.Close())
}

// A sqliteConn is a connection to the file that was at a path. Once another file is there, because somebody has put a
// backup in its place, the connection would go on reading the file that is gone: it is not used any more.
type sqliteConn struct {
	driver.Conn
	path   string
	opened fs.FileInfo
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c *sqliteConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if conn, ok := c.Conn.(driver.ConnPrepareContext); ok {
		return conn.PrepareContext(ctx, query)
	}
	return c.Prepare(query)
}

// ResetSession implements [driver.SessionResetter]: database/sql calls it before a connection is used again.
func (c *sqliteConn) ResetSession(ctx context.Context) error {
	now, err := os.Stat(c.path)
	if err != nil || !os.SameFile(now, c.opened) {
		return driver.ErrBadConn
	}
	if conn, ok := c.Conn.(driver.SessionResetter); ok {
		return conn.ResetSession(ctx)
	}
	return nil
}

// IsValid implements [driver.Validator].
func (c *sqliteConn) IsValid() bool {
	conn, ok := c.Conn.(driver.Validator)
	return !ok || conn.IsValid()
}

// create makes the file, with a write-ahead log, in which nobody who reads waits for a writer. A file that has tables
// keeps the journal that it has.
func (s *store) create(ctx context.Context, file *sqliteFile) error {
	db := sql.OpenDB(&sqliteFile{path: file.path, driver: file.driver, create: true})
	err := s.try(ctx, func() error {
		var tables int
		if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_master").Scan(&tables); err != nil || tables > 0 {
			return err
		}
		_, err := db.ExecContext(ctx, "PRAGMA journal_mode = WAL")
		return err
	})
	return cmp.Or(err, db.Close())
}
