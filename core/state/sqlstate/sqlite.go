package sqlstate

import (
	"errors"
	"io/fs"
	"strings"
)

// SQLite is the language of SQLite, through modernc.org/sqlite, github.com/mattn/go-sqlite3 or
// github.com/ncruces/go-sqlite3. All processes are on one machine, so its clock is theirs.
var SQLite = Dialect{
	Name: "SQLite",
	Key:  "TEXT",
	Same: func(column, parameter string) string {
		return "CAST(" + column + " AS BLOB) = CAST(" + parameter + " AS BLOB)"
	},
	Explain: explainSQLite,
}

// sqliteCode returns SQLite's result code: modernc's and ncruces' errors have methods for it, mattn's has fields.
func sqliteCode(err error) (int, bool) {
	var modernc interface{ Code() int }
	if errors.As(err, &modernc) {
		return modernc.Code(), true
	}
	var ncruces interface{ ExtendedCode() uint16 }
	if errors.As(err, &ncruces) {
		return int(ncruces.ExtendedCode()), true
	}
	return codeOf(err, "Error", "ExtendedCode")
}

// explainSQLite goes by https://www.sqlite.org/rescode.html.
func explainSQLite(err error) Meaning {
	if errors.Is(err, fs.ErrNotExist) {
		return Meaning{Missing, `make the file with "recess migrate", once, or correct its path`, ""}
	}
	code, ok := sqliteCode(err)
	if !ok {
		return Meaning{}
	}
	switch code & 0xff {
	case 1: // SQLITE_ERROR, of which only the text says more
		switch text := err.Error(); {
		case strings.Contains(text, "no such table"):
			return Meaning{Kind: Missing}
		case strings.Contains(text, "no such column"):
			return Meaning{Advice: `the table has other columns than "recess migrate" makes: is it another program's?`}
		}
	case 5, 6: // SQLITE_BUSY, SQLITE_LOCKED
		return Meaning{Kind: Again, Advice: "another process has held the file locked all the time: look for a transaction that does not end, or an open sqlite3 shell"}
	case 8: // SQLITE_READONLY
		return Meaning{Kind: ReadOnly, Advice: "the file and its directory must be writable by this user, on a file system that can be written"}
	case 10: // SQLITE_IOERR
		return Meaning{Advice: "the file system fails, or does not do what a local one does: keep the file on a local disk"}
	case 11, 26: // SQLITE_CORRUPT, SQLITE_NOTADB
		return Meaning{Advice: "this is no sound SQLite file: check the path, or put a backup in its place"}
	case 13: // SQLITE_FULL
		return Meaning{Advice: "make room on the file's disk: the old state is untouched"}
	case 14: // SQLITE_CANTOPEN
		return Meaning{Advice: "the file must be readable by this user, and its directory must be there and, for a file with a write-ahead log, be writable"}
	case 19: // SQLITE_CONSTRAINT
		return Meaning{Kind: Duplicate}
	}
	return Meaning{}
}
