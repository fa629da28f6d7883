package postgres_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/pgstate"
)

// psql runs statements as an operator does, and returns what it prints.
func psql(t *testing.T, addr string, arg ...string) string {
	t.Helper()
	path, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("LEFT OUT: psql is not installed (Debian's package postgresql-client brings it)")
	}
	cmd := exec.Command(path, append([]string{"-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", superURL(addr)}, arg...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestMigration(t *testing.T) {
	server := servers.Postgres(t, servers.PostgresConfig{}) // without the tables
	addr := server.Addr
	rigs.Postgres(t, addr, "create user recess")

	t.Run("a missing table says how to make it", func(t *testing.T) {
		b := open(t, superURL(addr))
		words := []string{`"recess"`, "recess migrate", "pgstate.Migrate", "SQLSTATE 42P01"}
		_, err := state.Read(t.Context(), b)
		must.Refuse(t, "Next", err, nil, words...)
		_, _, err = b.Next(t.Context(), "1-0123456789abcdef")
		must.Refuse(t, "Next since a revision", err, nil, words...)
		_, err = b.Save(t.Context(), state.None, []byte("x"))
		must.Refuse(t, "Save", err, nil, words...)
		if errors.Is(err, state.ErrReadOnly) || strings.Contains(err.Error(), "saved or not") {
			t.Errorf("Save: %v", err)
		}
		_, err = b.Announce(t.Context(), "web-1", nil, state.MinTTL)
		must.Refuse(t, "Announce", err, nil, words...)
		must.Refuse(t, "Withdraw", b.Withdraw(t.Context(), "web-1"), nil, words...)
		_, err = b.Instances(t.Context())
		must.Refuse(t, "Instances", err, nil, words...)
	})

	t.Run("a user who may not make a table is told so", func(t *testing.T) {
		b := open(t, rigs.PostgresURL(addr, ""))
		must.Refuse(t, "Migrate", b.Migrate(t.Context()), nil, "migrate", "SQLSTATE 42501")
	})

	t.Run("many processes migrate at once", func(t *testing.T) {
		rigs.Postgres(t, addr, "create schema at_once")
		var all sync.WaitGroup
		errs := make([]error, 10)
		backends := make([]*pgstate.Backend, len(errs))
		for i := range backends {
			backends[i] = open(t, superURL(addr)+"&table=at_once.recess")
		}
		for i, b := range backends {
			all.Go(func() { errs[i] = b.Migrate(t.Context()) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		works(t, backends[0], backends[1])
	})

	t.Run("Migrate takes the caller's pool", func(t *testing.T) {
		pool := poolOf(t, superURL(addr), nil)
		config := pgstate.Config{Table: "own"}
		for range 2 {
			if err := pgstate.Migrate(t.Context(), pool, config); err != nil {
				t.Fatal(err)
			}
		}
		works(t, over(t, pool, config), over(t, pool, config))
	})

	t.Run("Migrate works through a pooler that shares connections", func(t *testing.T) {
		pooler := servers.PgBouncer(t, addr, "transaction")
		b := open(t, superURL(pooler.Addr)+"&table=pooled")
		for range 2 {
			if err := b.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		direct := open(t, superURL(addr)+"&table=pooled")
		works(t, b, direct)
	})

	t.Run("again it changes nothing, locks nothing and needs no right", func(t *testing.T) {
		b := open(t, superURL(addr)+"&table=again")
		if err := b.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		must.Save(t, b, state.None, "kept")
		rigs.Postgres(t, addr, "grant select on again, again_instances to recess")
		before := psql(t, addr, "-c", "select xmin, * from pg_trigger where tgrelid = 'again'::regclass order by oid")
		lender := poolOf(t, superURL(addr), nil)
		tx, err := lender.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback(t.Context())
		if _, err := tx.Exec(t.Context(), "update again set document = 'held'"); err != nil { // no trigger can be made meanwhile
			t.Fatal(err)
		}
		for _, url := range []string{superURL(addr), rigs.PostgresURL(addr, "")} {
			if err := open(t, url+"&table=again").Migrate(t.Context()); err != nil {
				t.Errorf("again: %v", err)
			}
		}
		if after := psql(t, addr, "-c", "select xmin, * from pg_trigger where tgrelid = 'again'::regclass order by oid"); after != before {
			t.Errorf("the triggers were\n%s\nand are\n%s", before, after)
		}
		if doc := must.Read(t, b); string(doc.Data) != "kept" {
			t.Errorf("the document is %q", doc.Data)
		}
	})

	t.Run("what was taken away is made again", func(t *testing.T) {
		for i, what := range []string{
			"drop table mended_%d_instances", "drop trigger mended_%[1]d_changed on mended_%[1]d",
			"drop trigger mended_%[1]d_emptied on mended_%[1]d", "alter table mended_%[1]d disable trigger mended_%[1]d_changed",
		} {
			url := superURL(addr) + fmt.Sprintf("&table=mended_%d", i)
			a, b := open(t, url), open(t, url)
			if err := a.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			rigs.Postgres(t, addr, fmt.Sprintf(what, i))
			if err := a.Migrate(t.Context()); err != nil {
				t.Fatalf("after %s: %v", what, err)
			}
			works(t, a, b)
		}
	})

	t.Run("a table of somebody else is left as it is", func(t *testing.T) {
		rigs.Postgres(t, addr, "create table theirs (name text, document text)")
		b := open(t, superURL(addr)+"&table=theirs")
		must.Refuse(t, "Migrate", b.Migrate(t.Context()), nil, `"theirs"`, "parameter table", "SQLSTATE 42703")
		for _, left := range []string{"select count(*) from pg_trigger where tgrelid = 'theirs'::regclass", "select count(*) from pg_class where relname = 'theirs_instances'"} {
			if n := rigs.PostgresNumber(t, addr, left); n != 0 {
				t.Errorf("%s: %d", left, n)
			}
		}
		_, err := state.Read(t.Context(), b)
		must.Refuse(t, "Next", err, nil, "parameter table")
	})

	t.Run("the schema is SQL for psql", func(t *testing.T) {
		rigs.Postgres(t, addr, `create schema "By Hand"; create schema "ByHand"`)
		config := pgstate.Config{Table: "ByHand.User"} // a mixed-case schema, and a keyword
		text, err := pgstate.Schema(config)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "schema.sql")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			psql(t, addr, "-f", file)
		}
		url := superURL(addr) + "&table=ByHand.User"
		a, b := open(t, url), open(t, url)
		if err := a.Migrate(t.Context()); err != nil {
			t.Error(err)
		}
		works(t, a, b)
	})

	t.Run("tables without a schema are found by the search_path", func(t *testing.T) {
		rigs.Postgres(t, addr, "create schema first; create schema second")
		for _, schema := range []string{"first", "second"} {
			if err := open(t, superURL(addr)+"&search_path="+schema).Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		first, second := open(t, superURL(addr)+"&search_path=first"), open(t, superURL(addr)+"&options=-c%20search_path%3Dsecond")
		must.Save(t, first, state.None, "one")
		must.Save(t, second, state.None, "two")
		for schema, want := range map[string]string{"first": "one", "second": "two"} {
			if doc := must.Read(t, open(t, superURL(addr)+"&table="+schema+".recess")); string(doc.Data) != want {
				t.Errorf("%s: the document is %q", schema, doc.Data)
			}
		}
	})
}

// works asserts that one handle is told of what the other saves, and that both see an instance.
func works(t *testing.T, a, b *pgstate.Backend) {
	t.Helper()
	got := waiting(t.Context(), b, must.Read(t, b).Rev)
	must.Save(t, a, must.Read(t, a).Rev, "told")
	if answer := must.Receive(t, "the waiter", got); answer.err != nil || string(answer.doc.Data) != "told" {
		t.Errorf("the waiter got %q, %v", answer.doc.Data, answer.err)
	}
	if _, err := a.Announce(t.Context(), "web-1", []byte("x"), state.MinTTL*60); err != nil {
		t.Error(err)
	}
	if there, err := b.Instances(t.Context()); err != nil || len(there) != 1 {
		t.Errorf("the instances are %v, %v", there, err)
	}
}
