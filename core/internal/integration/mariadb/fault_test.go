package mariadb_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/state"
)

// each calls every method of a backend at once and returns what each answers.
func each(ctx context.Context, b backend) map[string]error {
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		errs = make(map[string]error)
	)
	for method, call := range map[string]func() error{
		"Next":      func() error { _, _, err := b.Next(ctx, state.Unseen); return err },
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

// TestAFrozenServerHoldsNobodyUp is fault F5: every call ends by its deadline, over a connection that is there and over
// one that has to be made, and so does Close. Nothing stays behind.
func TestAFrozenServerHoldsNobodyUp(t *testing.T) {
	rig := rigs.New(t, "mariadb")
	before := goleak.IgnoreCurrent()
	warm, err := state.Open(t.Context(), rig.URL(rig.Server.Addr)+"&timeout=3s")
	if err != nil {
		t.Fatal(err)
	}
	cold, err := state.Open(t.Context(), rig.URL(rig.Server.Addr)+"&timeout=3s")
	if err != nil {
		t.Fatal(err)
	}
	must.Read(t, warm)
	rig.Server.Freeze(t)
	for what, b := range map[string]state.Backend{"a connection that is there": warm, "a new connection": cold} {
		must.End(t, what, func() {
			for method, err := range each(t.Context(), b.(backend)) {
				refused(t, method+" over "+what, err, context.DeadlineExceeded)
			}
		})
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err = cold.Next(short, state.Unseen)
	refused(t, "Next with an earlier deadline", err, context.DeadlineExceeded)
	must.End(t, "Close", func() {
		for _, b := range []state.Backend{warm, cold} {
			if err := b.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
	rig.Server.Thaw(t)
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	must.Read(t, open(t, rig.URL(rig.Server.Addr)))
}

// TestWhatWasAcknowledgedSurvivesAKilledServer is fault F1, and the same backend finds its way back.
func TestWhatWasAcknowledgedSurvivesAKilledServer(t *testing.T) {
	rig := rigs.New(t, "mariadb")
	b := open(t, rig.URL(rig.Server.Addr))
	rev := state.None
	for n := range 3 {
		text := fmt.Sprintf("document %d", n)
		rev = must.Save(t, b, rev, text)
		rig.Server.Kill(t)
		_, _, err := b.Next(t.Context(), rev)
		refused(t, "Next without a server", err, nil)
		rig.Server.Start(t)
		if doc := must.Read(t, b); string(doc.Data) != text || doc.Rev != rev {
			t.Errorf("after the restart the document is %q, revision %q, want %q, %q", doc.Data, doc.Rev, text, rev)
		}
	}
}

// TestWhatWasSeenSurvivesAKilledServer: some count up, others look on, and the server is killed in between. What was seen
// must not be taken back, whether its writer was answered or not.
func TestWhatWasSeenSurvivesAKilledServer(t *testing.T) {
	rig := rigs.New(t, "mariadb")
	var backends [12]state.Backend
	for i := range backends {
		backends[i] = open(t, rig.URL(rig.Server.Addr))
	}
	numberOf := func(doc state.Doc) (n int64) {
		_, _ = fmt.Sscan(string(doc.Data), &n)
		return n
	}
	for round := range 4 {
		var (
			all  sync.WaitGroup
			last atomic.Int64 // the largest number that anybody saw
			some = make(chan struct{})
		)
		enough := sync.OnceFunc(func() { close(some) })
		began := numberOf(must.Read(t, backends[0]))
		for i, b := range backends {
			all.Go(func() {
				for {
					doc, err := state.Read(t.Context(), b)
					if err != nil {
						return
					}
					n := numberOf(doc)
					for seen := last.Load(); n > seen && !last.CompareAndSwap(seen, n); seen = last.Load() {
						continue
					}
					if n > began+60 {
						enough()
					}
					if i%3 > 0 {
						continue // it only looks
					}
					if _, err := b.Save(t.Context(), doc.Rev, fmt.Append(nil, n+1)); err != nil && !errors.Is(err, state.ErrConflict) {
						return
					}
				}
			})
		}
		must.End(t, "seeing some changes", func() { <-some })
		rig.Server.Kill(t)
		must.End(t, "the end of the calls", all.Wait)
		rig.Server.Start(t)
		if n := numberOf(must.Read(t, backends[0])); n < last.Load() {
			t.Errorf("round %d: number %d was seen, and %d is there", round, last.Load(), n)
		}
	}
}

// connectionsEnded: an administrator, or wait_timeout, ends those that are idle.
func connectionsEnded(t *testing.T, rig rigs.Rig) {
	b := open(t, rig.URL(rig.Server.Addr))
	for range 5 {
		must.Read(t, b)
		run(t, rig.Server, "KILL HARD USER recess@'%'")
		for number(t, rig.Server, "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'recess'") > 0 {
			continue
		}
		must.Read(t, b)
	}
}

// deadlocked: the server has carried nothing out then. A trigger says so as often as it should.
func deadlocked(t *testing.T, rig rigs.Rig) {
	b := open(t, rig.URL(rig.Server.Addr)+"&timeout=3s")
	rev := must.Save(t, b, state.None, "before")
	for _, number := range []int{1213, 3101} {
		trigger := func(times int) {
			run(t, rig.Server, "DROP TRIGGER IF EXISTS deadlock", fmt.Sprintf(`CREATE TRIGGER deadlock BEFORE UPDATE ON recess FOR EACH ROW BEGIN
				SET @fallen = COALESCE(@fallen, 0) + 1;
				IF @fallen <= %d THEN SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = %d, MESSAGE_TEXT = 'Deadlock found'; END IF;
			END`, times, number))
			run(t, rig.Server, "KILL HARD USER recess@'%'") // each connection counts for itself
		}
		trigger(3)
		text := fmt.Sprintf("after %d", number)
		rev = must.Save(t, b, rev, text)
		if doc := must.Read(t, b); string(doc.Data) != text || doc.Rev != rev {
			t.Errorf("the document is %q, want %q", doc.Data, text)
		}
		trigger(1_000_000)
		_, err := b.Save(t.Context(), rev, []byte("never"))
		refused(t, "Save, when it never ends", err, nil, fmt.Sprint(number), "deadlocked")
		run(t, rig.Server, "DROP TRIGGER deadlock")
	}
}

// givenUp: a transaction, or an alter table, holds the lock for longer than a call
// lasts. The server must not make the change once the lock is free, when everybody believes that it failed.
func givenUp(t *testing.T, rig rigs.Rig) {
	b := open(t, rig.URL(rig.Server.Addr)+"&timeout=3s")
	rev := must.Save(t, b, state.None, "before")
	for _, hold := range []string{"SELECT * FROM recess FOR UPDATE", "LOCK TABLES recess READ"} {
		db := root(t, rig.Server)
		holder, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{"START TRANSACTION", hold} {
			if _, err := holder.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		_, err = b.Save(t.Context(), rev, []byte("late"))
		refused(t, "Save under "+hold, err, nil, "Error 1205", "show full processlist")
		must.End(t, "what the server has still to do", func() {
			for number(t, rig.Server, "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'recess' AND command <> 'Sleep'") > 0 {
				continue
			}
		})
		for _, statement := range []string{"ROLLBACK", "UNLOCK TABLES"} {
			if _, err := holder.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		_ = db.Close()
		if doc := must.Read(t, b); string(doc.Data) != "before" {
			t.Errorf("%s: the document is %q", hold, doc.Data)
		}
	}
}

// noAutocommit: with autocommit off, a look would begin a transaction that never sees a change.
func noAutocommit(t *testing.T, rig rigs.Rig) {
	run(t, rig.Server, "SET GLOBAL autocommit = 0", "SET GLOBAL tx_isolation = 'SERIALIZABLE'")
	defer run(t, rig.Server, "SET GLOBAL autocommit = 1", "SET GLOBAL tx_isolation = 'REPEATABLE-READ'")
	a, b := open(t, rig.URL(rig.Server.Addr)), open(t, rig.URL(rig.Server.Addr))
	rev := state.None
	for n := range 4 {
		for _, pair := range [][2]backend{{a, b}, {b, a}} {
			text := fmt.Sprintf("document %d", n)
			must.Read(t, pair[1])
			rev = must.Save(t, pair[0], rev, text)
			if doc := must.Read(t, pair[1]); doc.Rev != rev {
				t.Fatalf("%s is not seen: %q", text, doc.Data)
			}
		}
	}
}

func readOnlyServer(t *testing.T, rig rigs.Rig) {
	b := open(t, rig.URL(rig.Server.Addr))
	rev := must.Save(t, b, state.None, "before")
	run(t, rig.Server, "SET GLOBAL read_only = 1")
	if doc := must.Read(t, b); doc.Rev != rev {
		t.Errorf("the document is %q", doc.Data)
	}
	_, err := b.Save(t.Context(), rev, []byte("after"))
	refused(t, "Save", err, state.ErrReadOnly, "Error 1290", "write to the primary server")
	_, err = b.Announce(t.Context(), "web-1", nil, time.Hour)
	refused(t, "Announce", err, state.ErrReadOnly, "Error 1290")
	run(t, rig.Server, "SET GLOBAL read_only = 0")
	must.Save(t, b, rev, "after")
}

// toldApart: who cannot log in is told why, and nobody is told a user or a password.
func toldApart(t *testing.T, rig rigs.Rig) {
	addr := rig.Server.Addr
	run(t, rig.Server,
		"CREATE USER someone@'%' IDENTIFIED BY 'hunter2'",
		"CREATE USER `someone else`@'%' IDENTIFIED BY 'hunter2' ACCOUNT LOCK",
		"CREATE USER someonewith@'%' IDENTIFIED BY 'hunter2' PASSWORD EXPIRE",
		"CREATE USER someonebusy@'%' IDENTIFIED BY 'hunter2' WITH MAX_QUERIES_PER_HOUR 1",
		"GRANT SELECT ON recess.recess TO someonebusy@'%'",
		"GRANT SELECT ON recess.recess TO someonewith@'%'",
		"GRANT SELECT ON recess.recess TO `someone else`@'%'")
	for _, c := range []struct{ what, url, says string }{
		{"a wrong password", "mysql://someone:hunter2wrong@" + addr + "/recess", "Error 1045|check the user, the password"},
		{"a user who is not there", "mysql://someoneelse:hunter2@" + addr + "/recess", "Error 1045|check the user, the password"},
		{"a user without rights", "mysql://someone:hunter2@" + addr + "/recess", "Error 1044|no right to use this database"},
		{"a database that is not there", "mysql://admin@" + addr + "/absent", "Error 1049|make the database first"},
		{"a locked account", "mysql://someone%20else:hunter2@" + addr + "/recess", "Error 4151|account unlock"},
		{"an expired password", "mysql://someonewith:hunter2@" + addr + "/recess", "Error 18|alter user"},
		{"a user with a limit", "mysql://someonebusy:hunter2@" + addr + "/recess", "error 1226|the user's limit"},
		{"TLS, which the server has not", "mysql://admin@" + addr + "/recess?tls=true", "TLS requested|ssl_cert"},
		{"a server that is not there", "mysql://someone:hunter2@127.0.0.1:1/recess", "connection refused"},
	} {
		_, err := state.Read(t.Context(), open(t, c.url))
		refused(t, c.what, err, nil, strings.Split(c.says, "|")...)
	}
	fullServer(t, rig)
}

func fullServer(t *testing.T, rig rigs.Rig) {
	db := root(t, rig.Server)
	limit := func(n int) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), "SET GLOBAL max_connections = ?", n); err != nil {
			t.Fatal(err)
		}
	}
	limit(10)
	defer limit(151)
	others := database(t, rig.Server, "")
	must.End(t, "filling the server", func() {
		for { // until nobody hangs up any more, who makes room
			conn, err := others.Conn(t.Context())
			if err == nil {
				t.Cleanup(func() { _ = conn.Close() })
				continue
			}
			if _, err = state.Read(t.Context(), open(t, rig.URL(rig.Server.Addr))); err != nil {
				refused(t, "a full server", err, nil, "Error 1040", "max_connections")
				return
			}
		}
	})
}
