package sqlstate_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/recess-go/recess/core/state/sqlstate"
)

// A database answers statements as a test says. It is a driver and its own connector.
type database struct {
	// answer is asked for each statement: rows, or how many were changed.
	answer func(text string, args []driver.Value) (answer, error)

	mu    sync.Mutex
	heard []string
	open  int // connections
}

type answer struct {
	rows    [][]driver.Value
	changed int64
	untold  bool // the driver does not tell how many rows were changed
}

func (d *database) Connect(context.Context) (driver.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open++
	return &conn{d}, nil
}

func (d *database) Driver() driver.Driver            { return d }
func (d *database) Open(string) (driver.Conn, error) { return d.Connect(context.Background()) }
func (d *database) texts() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.heard...)
}

func (d *database) say(text string, args []driver.Value) (answer, error) {
	d.mu.Lock()
	d.heard = append(d.heard, text)
	d.mu.Unlock()
	return d.answer(text, args)
}

type conn struct{ *database }

func (c *conn) Prepare(text string) (driver.Stmt, error) { return &stmt{c, text}, nil }
func (c *conn) Begin() (driver.Tx, error)                { return nil, errors.New("a transaction was begun") }

func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	return nil
}

type stmt struct {
	*conn
	text string
}

func (s *stmt) Close() error  { return nil }
func (s *stmt) NumInput() int { return -1 }
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	a, err := s.say(s.text, args)
	if a.untold {
		return driver.ResultNoRows, err
	}
	return driver.RowsAffected(a.changed), err
}

func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	a, err := s.say(s.text, args)
	return &rows{left: a.rows}, err
}

type rows struct {
	left [][]driver.Value
}

func (r *rows) Columns() []string {
	if len(r.left) == 0 {
		return []string{"a", "b"}
	}
	return make([]string, len(r.left[0]))
}
func (r *rows) Close() error { return nil }
func (r *rows) Next(row []driver.Value) error {
	if len(r.left) == 0 {
		return io.EOF
	}
	copy(row, r.left[0])
	r.left = r.left[1:]
	return nil
}

// over returns a backend over a database that answers as a test says.
func over(t *testing.T, config sqlstate.Config, say func(text string, args []driver.Value) (answer, error)) (*sqlstate.Backend, *database) {
	t.Helper()
	d := &database{answer: say}
	db := sql.OpenDB(d)
	b, err := sqlstate.New(db, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(b.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return b, d
}
