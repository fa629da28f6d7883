package sqlstate_test

import (
	"fmt"
	"strconv"

	"github.com/recess-go/recess/core/state/sqlstate"
)

// A dialect for PostgreSQL through database/sql. (Package pgstate does better: it is told of changes.)
func ExampleDialect() {
	postgres := sqlstate.Dialect{
		Name:        "PostgreSQL",
		Placeholder: func(n int) string { return "$" + strconv.Itoa(n) },
		Clock:       "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
	}
	// db, err := sql.Open("pgx", url)
	// backend, err := sqlstate.New(db, sqlstate.Config{Dialect: postgres})
	fmt.Println(postgres.Name, postgres.Placeholder(3))
	// Output: PostgreSQL $3
}
