package sqlstate_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/sqlstate"
)

var dollars = sqlstate.Dialect{
	Name: "dollars", Placeholder: func(n int) string { return fmt.Sprintf("$%d", n) }, Clock: "clock()",
	Key: "KEY", Number: "NUMBER", Text: "TEXT", Options: " WITH OPTIONS",
	Same: func(column, parameter string) string { return "same(" + column + ", " + parameter + ")" },
}

func TestAConfigThatCannotWorkIsRefused(t *testing.T) {
	db := sql.OpenDB(&database{})
	defer db.Close()
	for says, config := range map[string]sqlstate.Config{
		"which database the driver": {},
		`table: "a b"`:              {Dialect: dollars, Table: "a b"},
		`table: "a.b.c"`:            {Dialect: dollars, Table: "a.b.c"},
		`table: "1"`:                {Dialect: dollars, Table: "1"},
		`table: "a;"`:               {Dialect: dollars, Table: "a;"},
		`name: "A"`:                 {Dialect: dollars, Name: "A"},
		`name: "it's"`:              {Dialect: dollars, Name: "it's"},
		"timeout: -1s":              {Dialect: dollars, Timeout: -time.Second},
	} {
		if b, err := sqlstate.New(db, config); err == nil || b != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want %q", config, err, says)
		}
	}
	if _, err := sqlstate.New(nil, sqlstate.Config{}); err == nil {
		t.Error("no database was accepted")
	}
}

// TestTheStatementsAreStandardSQL shows each of them, in a dialect in which everything is special.
func TestTheStatementsAreStandardSQL(t *testing.T) {
	var row [][]driver.Value
	renewed := int64(0)
	b, d := over(t, sqlstate.Config{Dialect: dollars, Table: "ops.state", Name: "shop"}, func(text string, _ []driver.Value) (answer, error) {
		switch {
		case strings.HasPrefix(text, "SELECT rev"):
			return answer{rows: row}, nil
		case strings.HasPrefix(text, "SELECT clock"):
			return answer{rows: [][]driver.Value{{int64(1_000_000_000_000_000)}}}, nil
		case strings.Contains(text, "expires > clock()"):
			return answer{rows: [][]driver.Value{{"web-2", "b"}, {"web-1", "a"}}}, nil
		case strings.Contains(text, "expires <="):
			return answer{rows: [][]driver.Value{{"dead"}}, changed: 1}, nil
		case strings.Contains(text, "1 = 0"):
			return answer{}, errors.New("no such table")
		case strings.HasPrefix(text, "UPDATE ops.state_instances"):
			return answer{changed: renewed}, nil
		}
		return answer{changed: 1}, nil
	})
	if _, err := b.Save(t.Context(), state.None, []byte("one")); err != nil {
		t.Error(err)
	}
	row = [][]driver.Value{{int64(1), "one"}}
	rev := mustRead(t, b).Rev
	if _, err := b.Save(t.Context(), rev, []byte("two")); err != nil {
		t.Error(err)
	}
	at, err := b.Announce(t.Context(), "web-1", nil, time.Minute)
	if want := time.Unix(1_000_000_000, 0); err != nil || !at.Equal(want) {
		t.Errorf("the time is %v, want %v: %v", at, want, err)
	}
	if err := b.Withdraw(t.Context(), "web-1"); err != nil {
		t.Error(err)
	}
	there, err := b.Instances(t.Context())
	if err != nil || len(there) != 2 || there[0].ID != "web-1" || string(there[0].Data) != "a" || there[1].ID != "web-2" {
		t.Errorf("there is %q: %v", there, err)
	}
	if err := b.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	want := []string{
		"SELECT rev, document FROM ops.state WHERE name = 'shop'",
		"INSERT INTO ops.state (name, rev, document) VALUES ('shop', $1, $2)",
		"SELECT rev, document FROM ops.state WHERE name = 'shop'",
		"SELECT rev, document FROM ops.state WHERE name = 'shop'",
		"UPDATE ops.state SET rev = $1, document = $2 WHERE name = 'shop' AND rev = $3 AND same(document, $4)",
		"UPDATE ops.state_instances SET expires = clock() + $1, report = $2 WHERE name = 'shop' AND id = $3",
		"INSERT INTO ops.state_instances (expires, report, id, name) VALUES (clock() + $1, $2, $3, 'shop')",
		"SELECT clock() FROM ops.state_instances WHERE name = 'shop' AND id = $1",
		"SELECT id FROM ops.state_instances WHERE name = 'shop' AND expires <= clock()",
		"DELETE FROM ops.state_instances WHERE name = 'shop' AND id = $1 AND expires <= clock()",
		"DELETE FROM ops.state_instances WHERE name = 'shop' AND id = $1",
		"SELECT id, report FROM ops.state_instances WHERE name = 'shop' AND expires > clock()",
		"SELECT name, rev, document FROM ops.state WHERE 1 = 0",
		"CREATE TABLE ops.state (name KEY NOT NULL, rev NUMBER DEFAULT 0 NOT NULL, document TEXT NOT NULL, PRIMARY KEY (name)) WITH OPTIONS",
		"SELECT name, id, expires, report FROM ops.state_instances WHERE 1 = 0",
		"CREATE TABLE ops.state_instances (name KEY NOT NULL, id KEY NOT NULL, expires NUMBER NOT NULL, report TEXT NOT NULL, PRIMARY KEY (name, id)) WITH OPTIONS",
	}
	if got := d.texts(); !reflect.DeepEqual(got, want) {
		t.Errorf("the statements were\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestMigratingWhatIsThereOnlyLooks: it needs no right to make anything, and takes no lock.
func TestMigratingWhatIsThereOnlyLooks(t *testing.T) {
	b, d := over(t, sqlstate.Config{Dialect: dollars}, func(string, []driver.Value) (answer, error) { return answer{}, nil })
	if err := b.Migrate(t.Context()); err != nil {
		t.Error(err)
	}
	want := []string{"SELECT name, rev, document FROM recess WHERE 1 = 0", "SELECT name, id, expires, report FROM recess_instances WHERE 1 = 0"}
	if got := d.texts(); !reflect.DeepEqual(got, want) {
		t.Errorf("the statements were %q, want %q", got, want)
	}
}

func mustRead(t *testing.T, b state.Backend) state.Doc {
	t.Helper()
	doc, err := state.Read(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestAnInsertThatFailsIsAConflictOnlyOverADuplicate: a connection that is lost while the answer is awaited leaves open
// whose row it is that is there then.
func TestAnInsertThatFailsIsAConflictOnlyOverADuplicate(t *testing.T) {
	for text, conflict := range map[string]bool{
		"duplicate key value violates unique constraint": true,
		"ORA-00001: unique constraint violated":          true,
		"invalid connection":                             false,
		"unexpected EOF":                                 false,
	} {
		b, _ := over(t, sqlstate.Config{Dialect: dollars}, func(statement string, _ []driver.Value) (answer, error) {
			if strings.HasPrefix(statement, "INSERT") {
				return answer{}, errors.New(text)
			}
			return answer{}, nil
		})
		_, err := b.Save(t.Context(), state.None, []byte("x"))
		if errors.Is(err, state.ErrConflict) != conflict || err == nil {
			t.Errorf("%q became %v", text, err)
		}
	}
}

// TestADriverThatDoesNotTellWhatItChanged cannot carry a compare-and-swap.
func TestADriverThatDoesNotTellWhatItChanged(t *testing.T) {
	b, _ := over(t, sqlstate.Config{Dialect: dollars}, func(string, []driver.Value) (answer, error) { return answer{untold: true}, nil })
	_, err := b.Save(t.Context(), state.None, []byte("x"))
	if err == nil || !strings.Contains(err.Error(), "cannot be used") {
		t.Errorf("Save: %v", err)
	}
}

// errBusy is an error after which another attempt may succeed.
var errBusy = errors.New("busy")

func busyDialect() sqlstate.Dialect {
	d := dollars
	d.Explain = func(err error) sqlstate.Meaning {
		if errors.Is(err, errBusy) {
			return sqlstate.Meaning{Kind: sqlstate.Again, Advice: "wait"}
		}
		return sqlstate.Meaning{}
	}
	return d
}

func TestABusyDatabaseIsAskedAgainWhileThereIsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := 20
		b, d := over(t, sqlstate.Config{Dialect: busyDialect(), Timeout: time.Second}, func(string, []driver.Value) (answer, error) {
			if busy--; busy > 0 {
				return answer{}, errBusy
			}
			return answer{}, nil
		})
		if _, err := state.Read(t.Context(), b); err != nil || len(d.texts()) != 20 {
			t.Errorf("after %d attempts: %v", len(d.texts()), err)
		}
		busy = 1 << 30
		began := time.Now()
		_, err := state.Read(t.Context(), b)
		if !errors.Is(err, errBusy) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "wait") || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if n := len(d.texts()); n < 50 || n > 1000 {
			t.Errorf("in a second it was asked %d times", n)
		}
	})
}

// TestNothingIsRepeatedThatCouldOutliveItsCaller: the server may hold a statement up for two seconds, waiting for locks.
func TestNothingIsRepeatedThatCouldOutliveItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b, _ := over(t, sqlstate.Config{Dialect: busyDialect(), Timeout: 4 * time.Second}, func(string, []driver.Value) (answer, error) {
			if time.Since(began) > 2*time.Second {
				t.Errorf("it was asked again after %v", time.Since(began))
			}
			return answer{}, errBusy
		})
		b.Own(2 * time.Second)
		if _, err := state.Read(t.Context(), b); !errors.Is(err, errBusy) {
			t.Error(err)
		}
	})
}

func TestAChangeWithoutAnAnswerMayBeSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := "UPDATE"
		b, _ := over(t, sqlstate.Config{Dialect: dollars, Timeout: time.Second}, func(statement string, _ []driver.Value) (answer, error) {
			if strings.HasPrefix(statement, slow) {
				time.Sleep(2 * time.Second)
				return answer{}, context.DeadlineExceeded
			}
			return answer{rows: [][]driver.Value{{int64(1), []byte("x")}}}, nil
		})
		doc, err := state.Read(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Save(t.Context(), doc.Rev, []byte("y")); err == nil || !strings.Contains(err.Error(), "may be saved or not") {
			t.Errorf("a change that was not answered: %v", err)
		}
		slow = "SELECT"
		if _, err := b.Save(t.Context(), doc.Rev, []byte("y")); err == nil || strings.Contains(err.Error(), "may be saved or not") {
			t.Errorf("a change of which nothing was sent: %v", err)
		}
	})
}

// TestAServerThatHasBecomeAReplicaIsLeft: the next change goes over a new connection, to what the host's name means then.
func TestAServerThatHasBecomeAReplicaIsLeft(t *testing.T) {
	for _, owned := range []bool{true, false} {
		b, d := over(t, sqlstate.Config{Dialect: sqlstate.MySQL}, func(statement string, _ []driver.Value) (answer, error) {
			if strings.HasPrefix(statement, "INSERT") {
				return answer{}, &MySQLError{1290, "read-only"}
			}
			return answer{}, nil
		})
		if owned {
			b.Own(0)
		}
		if _, err := b.Save(t.Context(), state.None, []byte("x")); !errors.Is(err, state.ErrReadOnly) {
			t.Error(err)
		}
		d.mu.Lock()
		open := d.open
		d.mu.Unlock()
		if (open == 0) != owned {
			t.Errorf("its own database: %v; %d connections stay", owned, open)
		}
	}
}

// TestWhyItIsBusyIsToldWhenTheTimeIsUp, and not alone that the last attempt was cut short.
func TestWhyItIsBusyIsToldWhenTheTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		b, _ := over(t, sqlstate.Config{Dialect: busyDialect(), Timeout: time.Second}, func(string, []driver.Value) (answer, error) {
			if asked++; asked == 1 {
				return answer{}, errBusy
			}
			time.Sleep(2 * time.Second)
			return answer{}, errors.New("interrupted")
		})
		_, err := state.Read(t.Context(), b)
		if !errors.Is(err, errBusy) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "interrupted") || asked != 2 {
			t.Errorf("after %d attempts: %v", asked, err)
		}
	})
}

// TestExpiredInstancesAreRemovedOnceAMinute, at the first announcement and at the first after each minute.
func TestExpiredInstancesAreRemovedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d := over(t, sqlstate.Config{Dialect: dollars}, func(text string, _ []driver.Value) (answer, error) {
			if strings.HasPrefix(text, "SELECT clock") {
				return answer{rows: [][]driver.Value{{int64(1)}}}, nil
			}
			return answer{changed: 1}, nil
		})
		for second := range 130 {
			if _, err := b.Announce(t.Context(), "web-1", nil, time.Minute); err != nil {
				t.Fatalf("second %d: %v", second, err)
			}
			time.Sleep(time.Second)
		}
		sweeps := 0
		for _, text := range d.texts() {
			if strings.HasPrefix(text, "SELECT id FROM") {
				sweeps++
			}
		}
		if sweeps != 3 {
			t.Errorf("in 130 seconds it was looked for expired instances %d times, want 3", sweeps)
		}
	})
}

// TestClosingLeavesTheCallersDatabaseOpen, and a transaction is never begun (the database would refuse).
func TestClosingLeavesTheCallersDatabaseOpen(t *testing.T) {
	d := &database{answer: func(string, []driver.Value) (answer, error) { return answer{}, nil }}
	db := sql.OpenDB(d)
	b, err := sqlstate.New(db, sqlstate.Config{Dialect: dollars})
	if err != nil {
		t.Fatal(err)
	}
	mustRead(t, b)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Errorf("the database: %v", err)
	}
	if err := db.Close(); err != nil || d.open != 0 {
		t.Errorf("%d connections are left: %v", d.open, err)
	}
	_, err = state.Read(t.Context(), b)
	if !errors.Is(err, state.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// The drivers' errors, as far as they are looked at: the type's name and a field, or a method.
type (
	MySQLError struct {
		Number  uint16
		Message string
	}
	modernc struct{ code int }
	ncruces struct{ code uint16 }
	Error   struct { // mattn's
		Code, ExtendedCode int
	}
)

func (e *MySQLError) Error() string     { return fmt.Sprintf("Error %d: %s", e.Number, e.Message) }
func (e *modernc) Error() string        { return "modernc" }
func (e *modernc) Code() int            { return e.code }
func (e *ncruces) Error() string        { return "ncruces" }
func (e *ncruces) ExtendedCode() uint16 { return e.code }
func (e Error) Error() string           { return "no such table: recess" }

func TestErrorsAreExplained(t *testing.T) {
	mysqlError := func(number uint16) error { return &MySQLError{number, "Zugriff auf 'secret'@'host' verweigert"} }
	mysql := sqlstate.MySQL.Explain
	sqlite := sqlstate.SQLite.Explain
	for what, c := range map[string]struct {
		got    sqlstate.Meaning
		kind   sqlstate.Kind
		advice string
	}{
		"a deadlock":             {mysql(mysqlError(1213)), sqlstate.Again, "deadlock"},
		"group replication":      {mysql(mysqlError(3101)), sqlstate.Again, "deadlock"},
		"a duplicate":            {mysql(mysqlError(1062)), sqlstate.Duplicate, ""},
		"a missing table":        {mysql(mysqlError(1146)), sqlstate.Missing, ""},
		"no right":               {mysql(mysqlError(1142)), sqlstate.Denied, "SELECT, INSERT"},
		"--read-only":            {mysql(mysqlError(1290)), sqlstate.ReadOnly, "primary"},
		"read-only mode":         {mysql(mysqlError(1836)), sqlstate.ReadOnly, "primary"},
		"read-only transaction":  {mysql(mysqlError(1792)), sqlstate.ReadOnly, "primary"},
		"a lock":                 {mysql(mysqlError(1205)), sqlstate.Other, "processlist"},
		"a full disk":            {mysql(mysqlError(1021)), sqlstate.Other, "make room"},
		"a node on its own":      {mysql(mysqlError(1047)), sqlstate.Other, "Galera"},
		"a wrong password":       {mysql(mysqlError(1045)), sqlstate.Other, "password"},
		"an error like another":  {mysql(mysqlError(1064)), sqlstate.Other, ""},
		"one that is wrapped":    {mysql(fmt.Errorf("wrapped: %w", mysqlError(1213))), sqlstate.Again, "deadlock"},
		"a lost connection":      {mysql(errors.New("invalid connection")), sqlstate.Other, "not known"},
		"a bad certificate":      {mysql(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), sqlstate.Other, "RegisterTLSConfig"},
		"an error of the system": {mysql(fs.ErrPermission), sqlstate.Other, ""},

		"modernc: busy":                {sqlite(&modernc{5}), sqlstate.Again, "locked"},
		"modernc: busy recovery":       {sqlite(fmt.Errorf("wrapped: %w", &modernc{261})), sqlstate.Again, "locked"},
		"modernc: a primary key":       {sqlite(&modernc{1555}), sqlstate.Duplicate, ""},
		"modernc: read-only":           {sqlite(&modernc{1544}), sqlstate.ReadOnly, "writable"},
		"modernc: full":                {sqlite(&modernc{13}), sqlstate.Other, "make room"},
		"modernc: an I/O error":        {sqlite(&modernc{266}), sqlstate.Other, "local disk"},
		"modernc: corrupt":             {sqlite(&modernc{11}), sqlstate.Other, "backup"},
		"modernc: cannot open":         {sqlite(&modernc{14}), sqlstate.Other, "directory"},
		"modernc: another error":       {sqlite(&modernc{1}), sqlstate.Other, ""},
		"ncruces: busy":                {sqlite(&ncruces{5}), sqlstate.Again, "locked"},
		"mattn: busy":                  {sqlite(Error{5, 5}), sqlstate.Again, "locked"},
		"mattn: no table":              {sqlite(Error{1, 1}), sqlstate.Missing, ""},
		"mattn: a primary key":         {sqlite(&Error{19, 1555}), sqlstate.Duplicate, ""},
		"no file":                      {sqlite(&fs.PathError{Op: "stat", Path: "x", Err: fs.ErrNotExist}), sqlstate.Missing, "recess migrate"},
		"an error that is no SQLite's": {sqlite(errors.New("x")), sqlstate.Other, ""},
	} {
		if c.got.Kind != c.kind || !strings.Contains(c.got.Advice, c.advice) || c.advice == "" && c.got.Advice != "" {
			t.Errorf("%s: %+v, want kind %d and %q", what, c.got, c.kind, c.advice)
		}
		if strings.Contains(c.got.Words, "secret") {
			t.Errorf("%s tells the user: %s", what, c.got.Words)
		}
	}
	if got := mysql(mysqlError(1045)).Words; got != "Error 1045: Zugriff auf '…'@'host' verweigert" {
		t.Errorf("the words are %q", got)
	}
	if got := mysql(&MySQLError{1226, "User 'secret' has exceeded the 'max_questions' resource"}).Words; got != "error 1226" {
		t.Errorf("the words are %q", got)
	}
}
