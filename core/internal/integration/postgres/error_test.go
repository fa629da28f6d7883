package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/pgstate"
)

const password = "hunter2"

// each calls every method of a backend at once and returns what each answers.
func each(ctx context.Context, b *pgstate.Backend) map[string]error {
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		errs = make(map[string]error)
	)
	for method, call := range map[string]func() error{
		"Read":      func() error { _, err := state.Read(ctx, b); return err },
		"Next":      func() error { _, _, err := b.Next(ctx, "1-0123456789abcdef"); return err },
		"Save":      func() error { _, err := b.Save(ctx, state.None, []byte("x")); return err },
		"Announce":  func() error { _, err := b.Announce(ctx, "web-1", nil, time.Hour); return err },
		"Withdraw":  func() error { return b.Withdraw(ctx, "web-1") },
		"Instances": func() error { _, err := b.Instances(ctx); return err },
		"Migrate":   func() error { return b.Migrate(ctx) },
	} {
		all.Go(func() {
			err := call()
			mu.Lock()
			defer mu.Unlock()
			errs[method] = err
		})
	}
	all.Wait()
	return errs
}

// secretless asserts that an error hands out the password in no way, and is a line of a log.
func secretless(t *testing.T, what string, err error) {
	t.Helper()
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: the error is of several lines: %v", what, err)
	}
	var whole *pgconn.ConnectError
	if errors.As(err, &whole) {
		t.Errorf("%s: the error brings the connection's configuration along, with its password", what)
	}
	for queue := []error{err}; len(queue) > 0; queue = queue[1:] {
		e := queue[0]
		for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
			if text := fmt.Sprintf(verb, e); strings.Contains(text, password) {
				t.Errorf("%s: by %s an error says %s", what, verb, text)
			}
		}
		switch e := any(e).(type) {
		case interface{ Unwrap() error }:
			if inner := e.Unwrap(); inner != nil {
				queue = append(queue, inner)
			}
		case interface{ Unwrap() []error }:
			queue = append(queue, e.Unwrap()...)
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	config := rigs.PostgresConfig()
	config.Settings["ssl"] = "off"
	config.Rules = []string{"host all locked 127.0.0.1/32 scram-sha-256", "host all banned 127.0.0.1/32 reject"}
	server := servers.Postgres(t, config)
	rigs.Postgres(t, server.Addr, "create user locked password '"+password+"' in role recess; create user banned password '"+password+"'; create user limited connection limit 1 in role recess")
	url := func(user, database string) string {
		return "postgres://" + user + ":" + password + "@" + server.Addr + "/" + database
	}
	dead := "127.0.0.1:1"
	for _, c := range []struct {
		name, url string
		words     []string
	}{
		{"a wrong password", strings.Replace(url("locked", "postgres"), password, "x"+password, 1), []string{"refuses the password", "28P01"}},
		{"no password", "postgres://locked@" + server.Addr + "/postgres", []string{"password"}},
		{"a user who is not let in", url("banned", "postgres"), []string{"pg_hba.conf", "28000"}},
		{"a user whom there is not", url("ghost", "postgres"), []string{"28000", "ghost"}},
		{"a database that there is not", url("postgres", "ghost"), []string{"no such database", "3D000"}},
		{"a schema that there is not", url("postgres", "postgres") + "?table=ghost.recess", []string{"3F000|42P01"}},
		{"nobody at the address", "postgres://locked:" + password + "@" + dead + "/postgres", []string{"connection refused"}},
		{"several addresses, and nobody there", "postgres://locked:" + password + "@" + dead + "," + dead + "/postgres", []string{"connection refused"}},
		{"a server without TLS", url("locked", "postgres") + "?sslmode=require", []string{"takes no TLS", "sslmode"}},
		{"a name that nobody has", "postgres://locked:" + password + "@ghost.invalid/postgres?timeout=20s", []string{"ghost.invalid"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for method, err := range each(t.Context(), open(t, c.url)) {
				if c.name == "a schema that there is not" && method == "Migrate" {
					must.Refuse(t, method, err, nil, "ghost")
					continue
				}
				for _, word := range c.words {
					one, or, _ := strings.Cut(word, "|")
					if err == nil || !strings.Contains(err.Error(), one) && (or == "" || !strings.Contains(err.Error(), or)) {
						t.Errorf("%s: %v, want something about %s", method, err, word)
					}
				}
				if err != nil {
					secretless(t, method, err)
				}
			}
		})
	}

	t.Run("the right password works", func(t *testing.T) {
		works(t, open(t, url("locked", "postgres")), open(t, url("locked", "postgres")))
		t.Setenv("PGPASSWORD", password)
		bare := "postgres://locked@" + server.Addr + "/postgres"
		works(t, open(t, bare), open(t, bare))
	})

	t.Run("a password that is made for each connection works for the listener too", func(t *testing.T) {
		pool := poolOf(t, "postgres://locked@"+server.Addr+"/postgres", func(c *pgxpool.Config) {
			c.BeforeConnect = func(_ context.Context, config *pgx.ConnConfig) error {
				config.Password = password
				return nil
			}
		})
		works(t, over(t, pool, pgstate.Config{}), over(t, pool, pgstate.Config{}))

		lost := errors.New("the vault is closed")
		pool = poolOf(t, "postgres://locked@"+server.Addr+"/postgres", func(c *pgxpool.Config) {
			c.BeforeConnect = func(context.Context, *pgx.ConnConfig) error { return lost }
		})
		for method, err := range each(t.Context(), over(t, pool, pgstate.Config{})) {
			must.Refuse(t, method, err, lost)
		}
	})

	t.Run("a server without a free connection", func(t *testing.T) {
		busy := open(t, url("limited", "postgres"))
		rev := must.Read(t, busy).Rev
		_, err := state.Read(t.Context(), open(t, url("limited", "postgres")))
		must.Refuse(t, "Read", err, nil, "max_connections", "53300")
		// The one that it has is the pool's: it is polled until there is one more.
		_, _, err = busy.Next(t.Context(), rev)
		must.Refuse(t, "Next", err, state.ErrUnchanged, "polled", "53300")
	})

	t.Run("a statement_timeout that is too short", func(t *testing.T) {
		b := open(t, url("postgres", "postgres")+"?options=-c%20statement_timeout%3D100ms")
		tx, err := poolOf(t, superURL(server.Addr), nil).Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback(t.Context())
		if _, err := tx.Exec(t.Context(), "lock table recess"); err != nil {
			t.Fatal(err)
		}
		_, err = state.Read(t.Context(), b)
		must.Refuse(t, "Read", err, nil, "statement_timeout", "57014")
	})

	t.Run("a server that only takes reads", func(t *testing.T) {
		b := open(t, rigs.PostgresURL(server.Addr, "options=-c%20default_transaction_read_only%3Don"))
		rev := must.Read(t, b).Rev
		_, err := b.Save(t.Context(), rev, []byte("x"))
		must.Refuse(t, "Save", err, state.ErrReadOnly, "primary", "25006")
		if must.Read(t, b).Rev != rev {
			t.Error("the document was changed")
		}
		got := waiting(t.Context(), b, rev)
		must.Save(t, open(t, rigs.PostgresURL(server.Addr, "")), rev, "told")
		if answer := must.Receive(t, "the waiter", got); answer.err != nil || string(answer.doc.Data) != "told" {
			t.Errorf("the waiter got %q, %v", answer.doc.Data, answer.err)
		}
	})
}

// TestEachDocumentedRightIsNeeded: that they are enough is what the rig's user shows in the conformance suite.
func TestEachDocumentedRightIsNeeded(t *testing.T) {
	server := start(t)
	b := open(t, rigs.PostgresURL(server.Addr, ""))
	must.Save(t, b, state.None, "x")
	for _, c := range []struct {
		right string
		fails []string
	}{
		{"select on recess", []string{"Read", "Next", "Save", "Replace"}},
		{"insert on recess", []string{"Save"}},
		{"update on recess", []string{"Replace"}},
		{"select on recess_instances", []string{"Announce", "Withdraw", "Instances"}},
		{"insert on recess_instances", []string{"Announce"}},
		{"update on recess_instances", []string{"Announce"}},
		{"delete on recess_instances", []string{"Withdraw"}},
	} {
		rigs.Postgres(t, server.Addr, "revoke "+c.right+" from recess")
		errs := each(t.Context(), b)
		rev := state.Rev("1-0123456789abcdef") // nobody's, so that nothing is changed
		_, errs["Replace"] = b.Save(t.Context(), rev, []byte("y"))
		for method, err := range errs {
			denied := err != nil && strings.Contains(err.Error(), "42501")
			if denied != slices.Contains(c.fails, method) && method != "Migrate" {
				t.Errorf("without %s, %s says %v", c.right, method, err)
			}
			if denied && !strings.Contains(err.Error(), "select, insert and update on") {
				t.Errorf("without %s, %s does not say what is needed: %v", c.right, method, err)
			}
			if denied && errors.Is(err, state.ErrReadOnly) != (method == "Save" || method == "Replace") {
				t.Errorf("without %s, %s wraps ErrReadOnly or should: %v", c.right, method, err)
			}
		}
		rigs.Postgres(t, server.Addr, "grant "+c.right+" to recess")
	}
	works(t, b, b)
}

func TestAUserWhoMayOnlyReadIsToldOfChanges(t *testing.T) {
	server := start(t)
	rigs.Postgres(t, server.Addr, "create user reader; grant select on recess to reader")
	writer := open(t, rigs.PostgresURL(server.Addr, ""))
	reader := open(t, strings.Replace(rigs.PostgresURL(server.Addr, ""), "recess@", "reader@", 1))
	rev := must.Save(t, writer, state.None, "one")
	got := waiting(t.Context(), reader, rev)
	rev = must.Save(t, writer, rev, "two")
	if answer := must.Receive(t, "the waiter", got); answer.err != nil || answer.doc.Rev != rev {
		t.Errorf("the waiter got revision %q, %v", answer.doc.Rev, answer.err)
	}
	_, err := reader.Save(t.Context(), rev, []byte("three"))
	must.Refuse(t, "Save", err, state.ErrReadOnly, "42501")
}
