package mariadb_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/sqlstate"
)

// TestOnAServer runs what needs no fault on one server, each time with empty tables.
func TestOnAServer(t *testing.T) {
	rig := rigs.New(t, "mariadb")
	for _, c := range []struct {
		name string
		test func(t *testing.T, rig rigs.Rig)
	}{
		{"a change by hand is seen and not overwritten", changedByHand},
		{"a change by hand between look and write is not overwritten", changedInBetween},
		{"the document is text, whatever character set a connection has", documentIsText},
		{"what the documentation shows can be done by hand", doneByHand},
		{"each documented grant is needed", grantsAreNeeded},
		{"a user who may only read follows", readersFollow},
		{"migrating again changes nothing", migratedAgain},
		{"many migrate at once", manyMigrate},
		{"each look is one statement", oneStatement},
		{"instances are kept on the server's clock", serversClock},
		{"instances that are gone are removed", goneAreRemoved},

		{"connections that the server ended are replaced", connectionsEnded},
		{"a deadlock is tried again", deadlocked},
		{"a change that was given up is not carried out later", givenUp},
		{"a server that commits nothing by itself is followed", noAutocommit},
		{"a read-only server is followed and says so", readOnlyServer},
		{"what an operator must act on is told apart", toldApart},

		{"every password can be written into a URL", everyPassword},
		{"a unix socket takes the place of the host", unixSocket},
		{"a setting of Galera reaches the server", galeraSetting},
	} {
		run(t, rig.Server, "DELETE FROM recess", "DELETE FROM recess_instances")
		t.Run(c.name, func(t *testing.T) { c.test(t, rig) })
	}
}

// changedByHand: the operator changes the text and leaves the number alone. What a database
// may take for equal is changed here: the case of a letter, a space at the end.
func changedByHand(t *testing.T, rig rigs.Rig) {
	b := open(t, rig.URL(rig.Server.Addr))
	rev := must.Save(t, b, state.None, `{"version":1,"x":"on"}`)
	for _, text := range []string{`{"version":1,"x":"ON"}`, `{"version":1,"x":"ON"} `, `{"version":1,"x":"ÖN"}`, `{"version":1,"x":"on"}`} {
		rig.Put(t, []byte(text))
		doc := must.Read(t, b)
		if string(doc.Data) != text || doc.Rev == rev && text != `{"version":1,"x":"on"}` {
			t.Errorf("after %q the document is %q, revision %q after %q", text, doc.Data, doc.Rev, rev)
		}
		if doc.Rev != rev {
			_, err := b.Save(t.Context(), rev, []byte("lost"))
			refused(t, "Save over what was there before "+text, err, state.ErrConflict)
		}
		if doc := must.Read(t, b); string(doc.Data) != text {
			t.Errorf("%q was overwritten: %q", text, doc.Data)
		}
	}
	doc := must.Read(t, b)
	rev = must.Save(t, b, doc.Rev, "seen")
	run(t, rig.Server, "UPDATE recess SET rev = 0")
	if doc := must.Read(t, b); doc.Rev == rev {
		t.Errorf("another number is the same revision %q", rev)
	}
	_, err := b.Save(t.Context(), rev, []byte("lost"))
	refused(t, "Save over another number", err, state.ErrConflict)
}

// changedInBetween has the operator's change fall between the look and the write of a Save.
func changedInBetween(t *testing.T, rig rigs.Rig) {
	for _, text := range []string{"on ", "on", "ON ", "other"} {
		name := newName()
		meddle := func(string) {}
		b, err := sqlstate.New(told(t, rig.Server, func(statement string) { meddle(statement) }), sqlstate.Config{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		rev := must.Save(t, b, state.None, "on ")
		meddled := 0
		meddle = func(statement string) {
			if strings.HasPrefix(statement, "UPDATE recess SET") {
				meddled++
				rigs.MariaDBPut(t, rig.Server.Addr, name, []byte(text))
			}
		}
		_, err = b.Save(t.Context(), rev, []byte("saved"))
		want := text
		if text == "on " {
			want = "saved" // nothing was changed
			if err != nil {
				t.Errorf("Save over what did not change: %v", err)
			}
		} else {
			refused(t, fmt.Sprintf("Save, while %q was written", text), err, state.ErrConflict)
		}
		if doc := must.Read(t, b); string(doc.Data) != want || meddled != 1 {
			t.Errorf("after %q the document is %q; %d changes came in between", text, doc.Data, meddled)
		}
	}
}

// documentIsText: the server's JSON functions work on it, whatever character set a connection has.
func documentIsText(t *testing.T, rig rigs.Rig) {
	const text = `{"version":1,"message":"Wartung für 5 € 🚧","tail":" "}  `
	byURL := open(t, rig.URL(rig.Server.Addr))
	rev := state.None
	for _, charset := range []string{"latin1", "utf8mb4", "cp1251", "utf8mb4,latin1&collation=utf8mb4_german2_ci"} {
		b, err := sqlstate.New(database(t, rig.Server, "charset="+charset), sqlstate.Config{})
		if err != nil {
			t.Fatal(err)
		}
		for _, writer := range []state.Backend{b, byURL} {
			rev = must.Save(t, writer, rev, text)
			for _, reader := range []state.Backend{b, byURL} {
				if doc := must.Read(t, reader); string(doc.Data) != text || doc.Rev != rev {
					t.Errorf("%s: %q was read back as %q, revision %q as %q", charset, text, doc.Data, rev, doc.Rev)
				}
			}
			var message string
			err := root(t, rig.Server).QueryRowContext(t.Context(), "SELECT JSON_VALUE(document, '$.message') FROM recess").Scan(&message)
			if err != nil || message != "Wartung für 5 € 🚧" {
				t.Errorf("%s: the operator sees %q: %v", charset, message, err)
			}
		}
		if _, err := b.Announce(t.Context(), "web-1", []byte(text), time.Hour); err != nil {
			t.Error(err)
		}
		if there, err := byURL.Instances(t.Context()); err != nil || len(there) != 1 || string(there[0].Data) != text {
			t.Errorf("%s: announced %q, there is %q: %v", charset, text, there, err)
		}
	}
	_, err := byURL.Save(t.Context(), rev, []byte("\xff"))
	refused(t, "Save of what is no text", err, nil, "no UTF-8")
	_, err = byURL.Announce(t.Context(), "web-1", []byte("\xff"), time.Hour)
	refused(t, "Announce of what is no text", err, nil, "no UTF-8")
}

func doneByHand(t *testing.T, rig rigs.Rig) {
	b := open(t, rig.URL(rig.Server.Addr))
	rev := must.Save(t, b, state.None, `{"version":1}`)
	if _, err := b.Announce(t.Context(), "web-1", nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	db := root(t, rig.Server)
	var (
		number       int
		text, id     string
		inHalfAnHour bool
	)
	err := db.QueryRowContext(t.Context(), "select rev, document from recess where name = 'recess'").Scan(&number, &text)
	if err != nil || number != 1 || text != `{"version":1}` {
		t.Errorf("the operator sees %d, %q: %v", number, text, err)
	}
	err = db.QueryRowContext(t.Context(), "select id, from_unixtime(expires / 1000000) > now() + interval 30 minute from recess_instances").Scan(&id, &inHalfAnHour)
	if err != nil || id != "web-1" || !inHalfAnHour {
		t.Errorf("the operator sees the instance %q, %v: %v", id, inHalfAnHour, err)
	}
	run(t, rig.Server, `update recess set document = '{"version":1,"epoch":2}' where name = 'recess'`)
	if doc := must.Read(t, b); string(doc.Data) != `{"version":1,"epoch":2}` || doc.Rev == rev {
		t.Errorf("after the change by hand the document is %q", doc.Data)
	}
}

// grantsAreNeeded takes one right after the other away from the user of a service.
func grantsAreNeeded(t *testing.T, rig rigs.Rig) {
	run(t, rig.Server, "INSERT INTO recess_instances (name, id, expires, report) VALUES ('recess', 'gone', 0, '')")
	change := func(b backend) error {
		doc, err := state.Read(t.Context(), b)
		if err == nil {
			_, err = b.Save(t.Context(), doc.Rev, []byte("changed"))
		}
		return err
	}
	first := func(b backend) error {
		_, err := b.Save(t.Context(), state.None, []byte("first"))
		return err
	}
	announce := func(b backend) error {
		_, err := b.Announce(t.Context(), state.NewID(), nil, time.Hour)
		return err
	}
	fleet := func(b backend) error {
		_, err := b.Instances(t.Context())
		return err
	}
	withdraw := func(b backend) error { return b.Withdraw(t.Context(), "nobody") }
	for _, c := range []struct {
		right, table string
		do           func(b backend) error
		wraps        error
	}{
		{"SELECT", "recess", change, nil},
		{"INSERT", "recess", first, state.ErrReadOnly},
		{"UPDATE", "recess", change, state.ErrReadOnly},
		{"SELECT", "recess_instances", fleet, nil},
		{"INSERT", "recess_instances", announce, nil},
		{"UPDATE", "recess_instances", announce, nil},
		{"DELETE", "recess_instances", withdraw, nil},
	} {
		what := fmt.Sprintf("without %s on %s", c.right, c.table)
		run(t, rig.Server, "DELETE FROM recess")
		if strings.HasSuffix(what, "UPDATE on recess") {
			rig.Put(t, []byte("by hand"))
		}
		run(t, rig.Server, fmt.Sprintf("REVOKE %s ON recess.%s FROM recess@'%%'", c.right, c.table))
		refused(t, what, c.do(open(t, rig.URL(rig.Server.Addr))), c.wraps, "Error 1142", c.right+" command denied", "needs SELECT")
		run(t, rig.Server, fmt.Sprintf("GRANT %s ON recess.%s TO recess@'%%'", c.right, c.table))
		if err := c.do(open(t, rig.URL(rig.Server.Addr))); err != nil {
			t.Errorf("%s, granted again: %v", what, err)
		}
	}
}

// readersFollow, and is told that the state cannot be changed here.
func readersFollow(t *testing.T, rig rigs.Rig) {
	rig.Put(t, []byte("by hand"))
	run(t, rig.Server, "CREATE USER reader@'%' IDENTIFIED BY 'hunter2'", "GRANT SELECT ON recess.recess TO reader@'%'")
	b := open(t, "mysql://reader:hunter2@"+rig.Server.Addr+"/recess")
	doc := must.Read(t, b)
	if string(doc.Data) != "by hand" {
		t.Errorf("the document is %q", doc.Data)
	}
	_, err := b.Save(t.Context(), doc.Rev, []byte("changed"))
	refused(t, "Save", err, state.ErrReadOnly, "UPDATE command denied")
	refused(t, "Migrate", b.Migrate(t.Context()), nil, "SELECT command denied", "making the tables needs CREATE")
}

// migratedAgain, and needs no right that following does not.
func migratedAgain(t *testing.T, rig rigs.Rig) {
	b := open(t, rig.URL(rig.Server.Addr))
	must.Save(t, b, state.None, "kept")
	if err := b.Migrate(t.Context()); err != nil {
		t.Errorf("by a user who may not make tables: %v", err)
	}
	if doc := must.Read(t, b); string(doc.Data) != "kept" {
		t.Errorf("the document is %q", doc.Data)
	}
	refused(t, "tables that are not there, by a user who may not make them",
		open(t, rigs.MariaDBURL("recess", rig.Server.Addr)+"?table=absent").Migrate(t.Context()), nil, "Error 1142", "making the tables needs CREATE")
	missing := open(t, rigs.MariaDBURL("admin", rig.Server.Addr)+"?table=absent")
	_, err := state.Read(t.Context(), missing)
	refused(t, "Next without tables", err, nil, "Error 1146", "the table absent or its companion absent_instances is not there", "recess migrate")
	_, err = missing.Save(t.Context(), state.None, []byte("x"))
	refused(t, "Save without tables", err, nil, "recess migrate")
	_, err = missing.Announce(t.Context(), "web-1", nil, time.Hour)
	refused(t, "Announce without tables", err, nil, "recess migrate")
	run(t, rig.Server, "CREATE TABLE foreign_one (name VARCHAR(10), rev INT)")
	refused(t, "a table of another program", open(t, rigs.MariaDBURL("admin", rig.Server.Addr)+"?table=foreign_one").Migrate(t.Context()), nil,
		"Error 1054", "another program's")
}

func manyMigrate(t *testing.T, rig rigs.Rig) {
	for round := range 5 {
		var (
			all  sync.WaitGroup
			errs [8]error
		)
		for i := range errs {
			b := open(t, fmt.Sprintf("%s?table=fresh%d&name=n%d", rigs.MariaDBURL("admin", rig.Server.Addr), round, i))
			all.Go(func() {
				if errs[i] = b.Migrate(t.Context()); errs[i] == nil {
					_, errs[i] = b.Save(t.Context(), state.None, []byte("there"))
				}
			})
		}
		all.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			t.Error(err)
		}
	}
}

// oneStatement counts what the server is asked: a look is one, and nothing comes on its own.
func oneStatement(t *testing.T, rig rigs.Rig) {
	b := open(t, rig.URL(rig.Server.Addr))
	rev := must.Save(t, b, state.None, "there")
	db := root(t, rig.Server)
	questions := func() (n int) {
		var name string
		if err := db.QueryRowContext(t.Context(), "SHOW GLOBAL STATUS LIKE 'Questions'").Scan(&name, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := questions()
	for now := questions(); now != before+1; now = questions() { // others are still hanging up
		before = now
	}
	const looks = 20
	before = questions()
	for range looks {
		if _, _, err := b.Next(t.Context(), rev); !errors.Is(err, state.ErrUnchanged) {
			t.Fatal(err)
		}
	}
	if asked := questions() - before - 1; asked != looks {
		t.Errorf("%d looks were %d statements", looks, asked)
	}
}

// serversClock, and in no time zone.
func serversClock(t *testing.T, rig rigs.Rig) {
	then := time.Date(2001, 9, 9, 1, 46, 40, 0, time.UTC) // second 1,000,000,000
	past, err := sqlstate.New(database(t, rig.Server, "timestamp=1000000000&time_zone=%27%2B05%3A00%27"), sqlstate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	now := open(t, rig.URL(rig.Server.Addr))
	if at, err := past.Announce(t.Context(), "past", nil, time.Hour); err != nil || !at.Equal(then) {
		t.Errorf("the server's time is %v, want %v: %v", at, then, err)
	}
	if there, err := past.Instances(t.Context()); err != nil || len(there) != 1 {
		t.Errorf("in 2001 there is %v: %v", there, err)
	}
	if there, err := now.Instances(t.Context()); err != nil || len(there) != 0 {
		t.Errorf("today there is %v: %v", there, err)
	}
}

// goneAreRemoved at the first announcement of an instance, and not at each.
func goneAreRemoved(t *testing.T, rig rigs.Rig) {
	const dead = "INSERT INTO recess_instances (name, id, expires, report) VALUES ('recess', 'dead', 1, ''), ('other', 'dead', 1, '')"
	const count = "SELECT COUNT(*) FROM recess_instances"
	b := open(t, rig.URL(rig.Server.Addr))
	run(t, rig.Server, dead)
	announce := func() {
		t.Helper()
		if _, err := b.Announce(t.Context(), "lives", nil, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	announce()
	if n := number(t, rig.Server, count); n != 2 {
		t.Errorf("%d rows are there, want the living one and that of another document", n)
	}
	run(t, rig.Server, "DELETE FROM recess_instances WHERE id = 'dead'", dead)
	announce()
	if n := number(t, rig.Server, count); n != 3 {
		t.Errorf("%d rows are there: each announcement removes the dead", n)
	}
}
