package postgres_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
)

func TestByHand(t *testing.T) {
	onOneServer(t, []test{
		{"a change by hand is told at once", changesAreTold},
		{"a document is shown by psql as it was saved", psqlShowsWhatWasSaved},
		{"a save over a change by hand is a conflict", changesAreConflicts},
		{"a document that is far too large is noticed and replaced", hugeDocument},
		{"a notification of anybody else changes nothing", forgedNotifications},
		{"what is told while it is read is read again", toldWhileReading},
		{"another application's change is not looked at", othersAreNotLookedAt},
		{"a document is kept in a database of another encoding", otherEncodings},
	})
}

// changesAreTold makes each change with psql while somebody waits, who then has what psql shows.
func changesAreTold(t *testing.T, server *servers.Server) {
	b := open(t, rigs.PostgresURL(server.Addr, listens+"hand"))
	other := open(t, rigs.PostgresURL(server.Addr, "name=other"))
	must.Save(t, other, state.None, "of another application")
	seen := make(map[state.Rev]string)
	for _, c := range []struct{ sql, want string }{
		{`insert into recess (name, document) values ('recess', '{"version":1}')`, `{"version":1}`},
		{`update recess set document = 'nonsense, "quoted"' where name = 'recess'`, `nonsense, "quoted"`},
		{`update recess set document = '{"version":1}' where name = 'recess'`, `{"version":1}`}, // as before, and yet a change
		{`update recess set document = 'with a number', rev = 40 where name = 'recess'`, "with a number"},
		{`update recess set document = 'with an older number', rev = 2 where name = 'recess'`, "with an older number"},
		{`delete from recess where name = 'recess'`, ""},
		{`insert into recess (name, document) values ('recess', 'again')`, "again"},
		{`update recess set name = 'elsewhere' where name = 'recess'`, ""},
		{`update recess set name = 'recess' where name = 'elsewhere'`, "again"},
		{`truncate recess`, ""},
		{`merge into recess using (select 'recess' as name) as new on recess.name = new.name
			when matched then update set document = 'merged' when not matched then insert (name, document) values ('recess', 'merged')`, "merged"},
	} {
		rev := must.Read(t, b).Rev
		got := waiting(t.Context(), b, rev)
		awaitListener(t, server.Addr, "hand")
		psql(t, server.Addr, "-c", c.sql)
		answer := must.Receive(t, c.sql, got)
		if answer.err != nil || string(answer.doc.Data) != c.want || answer.doc.Rev == rev {
			t.Errorf("%s: the waiter got %q, revision %q after %q, %v", c.sql, answer.doc.Data, answer.doc.Rev, rev, answer.err)
		}
		if shown := psql(t, server.Addr, "-c", "select document from recess where name = 'recess'"); shown != c.want {
			t.Errorf("%s: psql shows %q", c.sql, shown)
		}
		if before, again := seen[answer.doc.Rev]; again && before != c.want {
			t.Errorf("%s: %q and %q share the revision %q", c.sql, before, c.want, answer.doc.Rev)
		}
		seen[answer.doc.Rev] = c.want
	}
}

func psqlShowsWhatWasSaved(t *testing.T, server *servers.Server) {
	b := open(t, rigs.PostgresURL(server.Addr, ""))
	text := `{"version":1,"epoch":1,"revision":7,"windows":[{"id":"a","mode":"full","messages":{"de":"Wartung – gleich zurück 🛠"}}]}`
	rev := must.Save(t, b, state.None, "x")
	between := psql(t, server.Addr, "-c", "select now()")
	must.Save(t, b, rev, text)
	if shown := psql(t, server.Addr, "-c", "select name, rev, document from recess"); shown != "recess|2|"+text {
		t.Errorf("psql shows %s", shown)
	}
	if shown := psql(t, server.Addr, "-c", "select changed_at between '"+between+"' and now() from recess"); shown != "t" {
		t.Error("changed_at is not when it was changed")
	}
	if shown := psql(t, server.Addr, "-c", "select jsonb_pretty(document::jsonb->'windows') from recess"); !strings.Contains(shown, `"mode": "full"`) {
		t.Errorf("as JSON it is %s", shown)
	}
	if _, err := b.Announce(t.Context(), "web-1", []byte(`{"host":"ä"}`), time.Hour); err != nil {
		t.Fatal(err)
	}
	if shown := psql(t, server.Addr, "-c", "select id, convert_from(report, 'UTF8') from recess_instances where expires_at > now()"); shown != `web-1|{"host":"ä"}` {
		t.Errorf("psql shows the instance %s", shown)
	}
}

// changesAreConflicts covers changes that the trigger did not count, too: the content is compared.
func changesAreConflicts(t *testing.T, server *servers.Server) {
	b := open(t, rigs.PostgresURL(server.Addr, ""))
	rev := must.Save(t, b, state.None, "before")
	for _, sql := range []string{
		"update recess set document = 'by hand'",
		"set session_replication_role = replica; update recess set document = 'by hand, unseen', rev = 1",
		"update recess set document = 'by hand'; update recess set document = 'before'",
		"update recess set document = 'before', rev = 1",
		"delete from recess; insert into recess (name, document) values ('recess', 'anew')",
		"delete from recess",
	} {
		rigs.Postgres(t, server.Addr, sql)
		_, err := b.Save(t.Context(), rev, []byte("after"))
		must.Refuse(t, sql, err, state.ErrConflict, string(rev))
		if doc := must.Read(t, b); string(doc.Data) == "after" || doc.Rev == rev {
			t.Errorf("%s: the document is %q, revision %q", sql, doc.Data, doc.Rev)
		}
	}
}

// toldWhileReading holds the reading of what was told up, in a view over the table, after it has seen what there is and
// for longer than a wait lasts.
func toldWhileReading(t *testing.T, server *servers.Server) {
	b := open(t, superURL(server.Addr)+"&table=slow.recess&"+listens+"slow")
	rigs.Postgres(t, server.Addr, "create schema slow")
	if err := b.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	rev := must.Save(t, b, state.None, "before")
	rigs.Postgres(t, server.Addr, `alter table slow.recess rename to kept; create view slow.recess as
		select name, rev, document from slow.kept where pg_advisory_xact_lock_shared(1) is not null`)
	got := waiting(t.Context(), b, rev)
	awaitListener(t, server.Addr, "slow")
	tx, err := poolOf(t, superURL(server.Addr), nil).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "select pg_advisory_xact_lock(1)"); err != nil {
		t.Fatal(err)
	}
	rigs.Postgres(t, server.Addr, "notify recess, 'recess'")
	must.Become(t, "it reads", func() bool {
		return rigs.PostgresNumber(t, server.Addr, `select count(*) from pg_stat_activity where application_name = 'slow'
			and wait_event_type = 'Lock' and query_start < now() - interval '300 milliseconds'`) == 1
	})
	rigs.Postgres(t, server.Addr, "update slow.kept set document = 'after'; notify recess, 'recess'")
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if answer := must.Receive(t, "the waiter", got); answer.err != nil || string(answer.doc.Data) != "after" {
		t.Errorf("the waiter got %q, %v", answer.doc.Data, answer.err)
	}
}

// hugeDocument is fault F17, a document of 50 MB: nobody has to hold it.
func hugeDocument(t *testing.T, server *servers.Server) {
	b := open(t, rigs.PostgresURL(server.Addr, ""))
	rigs.Postgres(t, server.Addr, "insert into recess (name, document) values ('recess', repeat('x', 50000000))")
	doc := must.Read(t, b)
	if len(doc.Data) <= state.MaxSize || len(doc.Data) > 2*state.MaxSize {
		t.Errorf("%d bytes were read", len(doc.Data))
	}
	if _, err := state.Decode(doc.Data); !errors.Is(err, state.ErrInvalid) {
		t.Errorf("it is taken for a document: %v", err)
	}
	rev := must.Save(t, b, doc.Rev, "repaired")
	if doc := must.Read(t, b); string(doc.Data) != "repaired" || doc.Rev != rev {
		t.Errorf("the document is %.100q", doc.Data)
	}
}

// forgedNotifications: everybody who may connect may notify.
func forgedNotifications(t *testing.T, server *servers.Server) {
	rigs.Postgres(t, server.Addr, "create user nobody")
	b := open(t, rigs.PostgresURL(server.Addr, listens+"forged"))
	rev := must.Save(t, b, state.None, "true")
	got := waiting(t.Context(), b, rev)
	awaitListener(t, server.Addr, "forged")
	before := rigs.PostgresLooks(t, server.Addr)
	psql(t, server.Addr, "-c", `set role nobody; notify recess, 'recess'; notify recess, 'recess 99 {"version":1}';
		notify recess, 'other'; notify recess; notify other, 'recess'`)
	must.Become(t, "it has looked what there is", func() bool { return rigs.PostgresLooks(t, server.Addr) > before })
	must.Save(t, b, rev, "still true")
	if answer := must.Receive(t, "the waiter", got); answer.err != nil || string(answer.doc.Data) != "still true" {
		t.Errorf("the waiter got %q, %v", answer.doc.Data, answer.err)
	}
}

// othersAreNotLookedAt: many can share a table.
func othersAreNotLookedAt(t *testing.T, server *servers.Server) {
	b := open(t, rigs.PostgresURL(server.Addr, ""))
	works(t, b, b) // from now on it listens
	rev := must.Read(t, b).Rev
	before := rigs.PostgresLooks(t, server.Addr)
	got := waiting(t.Context(), b, rev)
	for range 5 {
		rigs.Postgres(t, server.Addr, "insert into recess (name, document) values ('theirs', 'x') on conflict (name) do update set document = 'y'")
	}
	must.Save(t, b, rev, "ours, changed") // what is told comes in order
	if answer := must.Receive(t, "the waiter", got); answer.err != nil || string(answer.doc.Data) != "ours, changed" {
		t.Errorf("the waiter got %q, %v", answer.doc.Data, answer.err)
	}
	if looks := rigs.PostgresLooks(t, server.Addr) - before; looks < 1 || looks > 2 {
		t.Errorf("it looked %d times, want once at first, unless it was told just now, and once at its own change", looks)
	}
}

// otherEncodings byte for byte, or refused.
func otherEncodings(t *testing.T, server *servers.Server) {
	for _, c := range []struct {
		encoding string
		kept     []string
		refused  []string
	}{
		{"UTF8", []string{"Wartung zurück", "przerwa: łódź 🛠"}, []string{"\x00", "\xff"}},
		{"LATIN1", []string{"Wartung zurück", "plain"}, []string{"łódź", "\x00", "\xff"}},
		{"SQL_ASCII", []string{"Wartung zurück", "łódź 🛠"}, []string{"\x00", "\xff"}},
	} {
		t.Run(c.encoding, func(t *testing.T) {
			database := strings.ToLower(c.encoding)
			rigs.Postgres(t, server.Addr, "create database "+database+" template template0 encoding "+c.encoding+" lc_collate 'C' lc_ctype 'C'")
			// Clients of different encodings have the same revisions.
			url := "postgres://postgres@" + server.Addr + "/" + database + "?sslmode=disable"
			a, b := open(t, url), open(t, url+"&options=-c%20client_encoding%3DUTF8")
			if err := a.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			rev := state.None
			for i, text := range c.kept {
				writer, reader := a, b
				if i%2 == 1 {
					writer, reader = b, a
				}
				rev = must.Save(t, writer, rev, text)
				if doc := must.Read(t, reader); string(doc.Data) != text || doc.Rev != rev {
					t.Errorf("%q was read back as %q, revision %q as %q", text, doc.Data, rev, doc.Rev)
				}
			}
			for _, text := range c.refused {
				_, err := a.Save(t.Context(), rev, []byte(text))
				must.Refuse(t, text, err, state.ErrInexpressible, "UTF8")
				if doc := must.Read(t, a); doc.Rev != rev {
					t.Errorf("%q changed the document to %q", text, doc.Data)
				}
			}
		})
	}
}
