package pgstate

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/recess-go/recess/core/state"
)

func TestADocumentIsReadWholeIfItIsNotTooLarge(t *testing.T) {
	if limit := strconv.Itoa(state.MaxSize + 1); !strings.Contains(readSQL, limit) || !strings.Contains(replaceSQL, limit) {
		t.Errorf("it is not read up to %s characters", limit)
	}
}

func TestTablesAreNamedInQuotes(t *testing.T) {
	long := strings.Repeat("x", 53)
	for table, want := range map[string]string{
		"":             `"recess" "recess_instances" "recess"`,
		"recess":       `"recess" "recess_instances" "recess"`,
		"ops.recess":   `"ops"."recess" "ops"."recess_instances" "recess"`,
		"User":         `"User" "User_instances" "User"`,
		"MyApp._table": `"MyApp"."_table" "MyApp"."_table_instances" "_table"`,
		long:           `"` + long + `" "` + long + `_instances" "` + long + `"`,
	} {
		got, err := Config{Table: table}.tables()
		if text := got.documents + " " + got.instances + " " + got.channel; err != nil || text != want {
			t.Errorf("%q: %s, %v, want %s", table, text, err, want)
		}
	}
}

func TestAConfigThatMakesNoSenseIsRefused(t *testing.T) {
	pool := unused(t)
	for what, c := range map[string]Config{
		"a quote":                   {Table: `a"b`},
		"a semicolon":               {Table: "a;drop"},
		"a blank":                   {Table: "a b"},
		"a digit first":             {Table: "1a"},
		"a dash":                    {Table: "a-b"},
		"a database":                {Table: "a.b.c"},
		"no schema":                 {Table: ".b"},
		"no table":                  {Table: "a."},
		"a long table":              {Table: strings.Repeat("x", 54)},
		"a long schema":             {Table: strings.Repeat("x", 64) + ".t"},
		"a schema with a quote":     {Table: `a".t`},
		"a letter outside of ASCII": {Table: "tür"},
		"a name with a blank":       {Name: "a b"},
		"a timeout below zero":      {Timeout: -time.Second},
		"a probe below zero":        {Probe: -1},
	} {
		if _, err := New(pool, c); err == nil || !strings.HasPrefix(err.Error(), "pgstate: new: ") {
			t.Errorf("%s: New says %v", what, err)
		}
		if _, err := Schema(c); err == nil {
			t.Errorf("%s: Schema makes one", what)
		}
		if err := Migrate(t.Context(), pool, c); err == nil {
			t.Errorf("%s: Migrate does", what)
		}
	}
	if _, err := New(nil, Config{}); err == nil {
		t.Error("a nil pool is taken")
	}
}

// unused is a pool that nobody uses.
func unused(t *testing.T) *pgxpool.Pool {
	t.Helper()
	plain(t)
	pool, err := pgxpool.New(t.Context(), "postgres://app:hunter2@127.0.0.1:1/shop?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func TestTheSchemaNamesTheTablesOfItsConfig(t *testing.T) {
	zero, err := Schema(Config{})
	if err != nil || zero != schema {
		t.Errorf("the zero Config has another schema than schema.sql: %v", err)
	}
	other, err := Schema(Config{Table: "ops.pause"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`create table if not exists "ops"."pause" (`, `create table if not exists "ops"."pause_instances" (`,
		`create or replace function "ops"."pause_changed"()`, `trigger "pause_changed" before insert or update or delete on "ops"."pause"`,
		`trigger "pause_emptied" after truncate on "ops"."pause"`, `execute function "ops"."pause_changed"()`, `comment on table "ops"."pause"`,
	} {
		if !strings.Contains(other, want) {
			t.Errorf("there is no %s in\n%s", want, other)
		}
	}
	if strings.Contains(other, `"recess`) {
		t.Errorf("a name of the zero Config is left in\n%s", other)
	}
	b, err := New(unused(t), Config{Table: "ops.pause"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Schema() != other {
		t.Error("a backend has another schema than its Config")
	}
}
