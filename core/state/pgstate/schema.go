package pgstate

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// schema is the SQL for the tables of the zero Config, whose names stand in it in quotes.
//
//go:embed schema.sql
var schema string

// migrations is the advisory lock that whoever migrates holds, "recess" in bytes: "create … if not exists" alone fails
// when two sessions do it at once.
const migrations = 0x726563657373

// Schema returns the SQL that [Migrate] runs, for who makes the tables by other means: psql, or a tool that keeps
// migrations. Running it again changes nothing.
func Schema(config Config) (string, error) {
	tables, err := config.tables()
	if err != nil {
		return "", fmt.Errorf("pgstate: schema: %w", err)
	}
	return tables.schema(), nil
}

func (t tables) schema() string {
	prefix := strings.TrimSuffix(t.documents, t.channel)
	table := strings.Trim(t.channel, `"`)
	return strings.NewReplacer(
		`"recess"`, t.documents,
		`"recess_instances"`, t.instances,
		`function "recess_changed"`, "function "+prefix+quoted(table+"_changed"),
		`"recess_changed"`, quoted(table+"_changed"),
		`"recess_emptied"`, quoted(table+"_emptied"),
	).Replace(schema)
}

// Migrate makes the tables, the triggers and their function, in one transaction. Where all is there it changes nothing,
// locks nothing and needs no right to make anything. It may run in several processes at once. Where a table of the same
// name is no table of Recess, it fails and leaves it as it is.
func Migrate(ctx context.Context, pool *pgxpool.Pool, config Config) error {
	b, err := New(pool, config)
	if err != nil {
		return err
	}
	return errors.Join(b.Migrate(ctx), b.Close())
}

// Migrate implements [state.Migrator].
func (b *Backend) Migrate(ctx context.Context) error {
	return b.Call(ctx, "migrate", b.store.migrate)
}

// Schema returns the SQL that Migrate runs.
func (b *Backend) Schema() string { return b.store.schema() }

// The question whether all is there, and the one whether it is Recess's: it fails if not.
const (
	isMigrated = `select to_regclass($2) is not null and 2 = (select count(*) from pg_catalog.pg_trigger
		where tgrelid = to_regclass($1) and tgname in ($3, $4) and tgenabled <> 'D')`
	isRecess = `select name, rev, document, changed_at from %s where false;
		select name, id, report, expires_at from %s where false`
)

func (s *store) migrate(ctx context.Context) error {
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", oneTrip, int64(migrations)); err != nil {
			return err
		}
		var done bool
		table := strings.Trim(s.channel, `"`)
		err := tx.QueryRow(ctx, isMigrated, oneTrip, s.documents, s.instances, table+"_changed", table+"_emptied").Scan(&done)
		if err != nil {
			return err
		}
		if !done {
			if _, err := tx.Exec(ctx, s.schema()); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, fmt.Sprintf(isRecess, s.documents, s.instances))
		return err
	})
	return s.explain(err)
}
