package pgstate

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/recess-go/recess/core/state"
)

// The limits of PostgreSQL's identifiers: a longer one is cut off in silence.
const (
	maxIdentifier = 63
	suffix        = "_instances"
)

// identifier is what a name needs no thought about quoting for. It is quoted all the same: it may be a keyword.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// tables are the names in the database, quoted for SQL, and the row in them.
type tables struct {
	documents, instances string
	channel              string // quoted: the table's name without its schema, as the trigger tells it
	name                 string
}

// tables checks what the configuration says, and fills in what it does not.
func (c Config) tables() (tables, error) {
	name := cmp.Or(c.Name, "recess")
	if err := state.CheckName("name", name); err != nil {
		return tables{}, err
	}
	if c.Timeout < 0 || c.Probe < 0 {
		return tables{}, errors.New("a timeout or a probe below 0 makes no sense")
	}
	table, prefix := cmp.Or(c.Table, "recess"), ""
	if schema, within, qualified := strings.Cut(table, "."); qualified {
		if err := checkIdentifier("the schema", schema, maxIdentifier); err != nil {
			return tables{}, err
		}
		table, prefix = within, quoted(schema)+"."
	}
	if err := checkIdentifier("the table", table, maxIdentifier-len(suffix)); err != nil {
		return tables{}, err
	}
	return tables{prefix + quoted(table), prefix + quoted(table+suffix), quoted(table), name}, nil
}

func checkIdentifier(what, name string, limit int) error {
	if !identifier.MatchString(name) || len(name) > limit {
		return fmt.Errorf("%s: %.80q: use 1 to %d letters, digits or '_', no digit first, and write SCHEMA.TABLE for a table in a schema",
			what, name, limit)
	}
	return nil
}

// quoted returns an identifier for SQL. It holds no quote itself.
func quoted(identifier string) string { return `"` + identifier + `"` }
