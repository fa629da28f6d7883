package sqlstate

import (
	"cmp"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// A Dialect is what differs between databases. [MySQL] and [SQLite] are there; for another database fill one in. The
// statements are plain standard SQL (select, insert, update, delete, create table) but for what stands here, one at a
// time and without transactions. The database must have a driver for database/sql that tells how many rows a statement
// changed; everything else is what every database has.
type Dialect struct {
	// Name is the database's, for errors. It must not be empty.
	Name string
	// Placeholder returns how the n-th parameter of a statement is written, from 1. Nil: "?", whatever the number.
	Placeholder func(n int) string

	// Key is the type of a column that holds a name of up to 128 ASCII characters. It must tell upper from lower case.
	// "VARCHAR(128)" if empty.
	Key string
	// Number is the type of a column that holds a signed number of 64 bits. "BIGINT" if empty.
	Number string
	// Text is the type of a column that holds up to [state.MaxReport] bytes of UTF-8. "TEXT" if empty.
	Text string
	// Options stands after the closing parenthesis of each create table.
	Options string

	// Same returns a condition that holds if and only if a column of type Text has the bytes of a parameter. A plain
	// comparison, which a nil Same makes, is wrong where a database takes "on" and "ON" or "on " for equal.
	Same func(column, parameter string) string
	// Clock is an expression for the time of the database's clock: a number of type Number, the microseconds since 1970
	// UTC. Empty: the clock of each process counts, so that theirs must agree.
	Clock string

	// Explain says what an error of the driver means. Nil: nothing is known about them but how they tell of a duplicate
	// key, for which the words "duplicate" and "unique" are taken.
	Explain func(err error) Meaning

	// read and write bring the bytes of a text out of a column and into it, whatever the connection's character set is.
	read, write func(expression string) string
}

// A Meaning is what an error of a database comes to.
type Meaning struct {
	Kind Kind
	// Advice is what an operator can do: a sentence without a full stop, "" if there is nothing to say.
	Advice string
	// Words replaces the error's text, where that has something in it that nobody should read. "" leaves it.
	Words string
}

// A Kind is a class of errors that are treated alike.
type Kind int

const (
	// Other is an error like any other.
	Other Kind = iota
	// Again says that nothing was changed, and that the same statement may succeed later: a lock, a deadlock. It is
	// repeated until the call's time is up.
	Again
	// Duplicate says that a row with this key is there.
	Duplicate
	// Missing says that a table, or what it is in, is not there.
	Missing
	// Denied says that this user has no right to do this.
	Denied
	// ReadOnly says that nobody can change this database here.
	ReadOnly
)

// dialectOf knows the drivers' packages: the name under which a driver is registered says nothing of what it speaks.
func dialectOf(d driver.Driver) (Dialect, error) {
	t := reflect.TypeOf(d)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch pkg := t.PkgPath(); {
	case strings.HasPrefix(pkg, "github.com/go-sql-driver/mysql"):
		return MySQL, nil
	case strings.HasPrefix(pkg, "modernc.org/sqlite"), strings.HasPrefix(pkg, "github.com/mattn/go-sqlite3"),
		strings.HasPrefix(pkg, "github.com/ncruces/go-sqlite3"):
		return SQLite, nil
	default:
		return Dialect{}, fmt.Errorf("which database the driver %s speaks to is not known: set Config.Dialect, with its Name", t)
	}
}

// bind writes a statement's parameters, which are "?" in ours, as the database wants them.
func (d Dialect) bind(text string) string {
	if d.Placeholder == nil {
		return text
	}
	var bound strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(text, "?")
		bound.WriteString(before)
		if !found {
			return bound.String()
		}
		bound.WriteString(d.Placeholder(n))
		text = after
	}
}

func (d Dialect) same(column string) string {
	if d.Same == nil {
		return column + " = ?"
	}
	return d.Same(column, "?")
}

// types returns the types of the columns.
func (d Dialect) types() (key, number, text string) {
	return cmp.Or(d.Key, "VARCHAR(128)"), cmp.Or(d.Number, "BIGINT"), cmp.Or(d.Text, "TEXT")
}

// as is what read or write makes of an expression.
func as(way func(string) string, expression string) string {
	if way == nil {
		return expression
	}
	return way(expression)
}

func (d Dialect) explain(err error) Meaning {
	if d.Explain != nil {
		return d.Explain(err)
	}
	text := strings.ToLower(err.Error())
	if strings.Contains(text, "duplicate") || strings.Contains(text, "unique") {
		return Meaning{Kind: Duplicate}
	}
	return Meaning{}
}

// codeOf returns the number that a driver's error has in a field, somewhere in the chain of errors: what errors.As would
// find if the type could be named here.
func codeOf(err error, typeName, field string) (int, bool) {
	for ; err != nil; err = errors.Unwrap(err) {
		v := reflect.ValueOf(err)
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct || v.Type().Name() != typeName {
			continue
		}
		switch code := v.FieldByName(field); {
		case code.CanInt():
			return int(code.Int()), true
		case code.CanUint():
			return int(code.Uint()), true
		}
	}
	return 0, false
}
