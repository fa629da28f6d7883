package postgres_test

import (
	"context"
	"errors"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/proxy"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/pgstate"
)

// goroutines returns the stacks in which a function of the backend or of its client stands.
func goroutines() (stacks []string) {
	var text strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&text, 2)
	for stack := range strings.SplitSeq(text.String(), "\n\n") {
		for _, pkg := range append(rigs.PostgresPackages, "recess/core/state/pgstate.", "recess/core/state/driver.") {
			if strings.Contains(stack, pkg) {
				stacks = append(stacks, stack)
				break
			}
		}
	}
	return stacks
}

func awaitCalm(t *testing.T, limit int) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second) // pgx's own clean-up would take 15
	for len(goroutines()) > limit {
		if time.Now().After(deadline) {
			t.Fatalf("goroutines stay behind:\n%s", strings.Join(goroutines(), "\n\n"))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestAFrozenServerHoldsNobodyUp is fault F5: every call ends by its deadline, over a connection that is there and over a
// new one, and so does Close. Nothing stays behind.
func TestAFrozenServerHoldsNobodyUp(t *testing.T) {
	server := start(t)
	before := len(goroutines())
	for _, kind := range []string{"warm", "cold"} {
		url := rigs.PostgresURL(server.Addr, "timeout=300ms&probe=200ms&application_name="+kind)
		b, err := state.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		var waiter <-chan answer
		if kind == "warm" {
			waiter = waiting(t.Context(), b, must.Read(t, b).Rev)
			awaitListener(t, server.Addr, kind)
		}
		server.Freeze(t)
		must.End(t, "every call", func() {
			for method, err := range each(t.Context(), b.(*pgstate.Backend)) {
				must.Refuse(t, kind+": "+method, err, context.DeadlineExceeded)
			}
		})
		if waiter != nil {
			must.Refuse(t, "the waiter", must.Receive(t, "the waiter", waiter).err, nil, "sign of life")
		}
		began := time.Now()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 5*time.Second { // pgx's own clean-up would take 15
			t.Errorf("%s: Close took %v", kind, took)
		}
		awaitCalm(t, before)
		server.Thaw(t)
	}
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	server := start(t)
	pool := poolOf(t, superURL(server.Addr), nil)
	before := len(goroutines())
	b := open(t, rigs.PostgresURL(server.Addr, listens+"closes&timeout=1h"))
	rev := must.Save(t, b, state.None, "x")
	waiter := waiting(t.Context(), b, rev)
	awaitListener(t, server.Addr, "closes")
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "lock table recess, recess_instances"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan map[string]error)
	go func() { ended <- each(context.Background(), b) }()
	must.Become(t, "a call waits for the lock", func() bool {
		return rigs.PostgresNumber(t, server.Addr, "select count(*) from pg_stat_activity where application_name = 'closes' and wait_event_type = 'Lock'") > 0
	})
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	for method, err := range must.Receive(t, "the calls", ended) {
		must.Refuse(t, method, err, state.ErrClosed)
	}
	must.Refuse(t, "the waiter", must.Receive(t, "the waiter", waiter).err, state.ErrClosed)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	must.Become(t, "no connection is left", func() bool {
		return rigs.PostgresNumber(t, server.Addr, "select count(*) from pg_stat_activity where application_name = 'closes'") == 0
	})
	awaitCalm(t, before)
}

// TestANotificationThatIsLostInAGapIsHealedByTheNextLook is fault F7: the connection that listens is ended, and the change
// made while nobody listens.
func TestANotificationThatIsLostInAGapIsHealedByTheNextLook(t *testing.T) {
	server := start(t)
	b := open(t, rigs.PostgresURL(server.Addr, listens+"gap"))
	rev := must.Save(t, b, state.None, "one")
	got := waiting(t.Context(), b, rev)
	pid := awaitListener(t, server.Addr, "gap")
	rigs.Postgres(t, server.Addr, "select pg_terminate_backend($1, 10000)", pid)
	must.Refuse(t, "the waiter", must.Receive(t, "the waiter", got).err, nil, "watch was lost", "57P01")

	rigs.PostgresPut(t, server.Addr, "recess", []byte("two"))
	doc, _, err := b.Next(t.Context(), rev)
	if err != nil || string(doc.Data) != "two" {
		t.Fatalf("the next look has %q, %v", doc.Data, err)
	}
	got = waiting(t.Context(), b, doc.Rev)
	if again := awaitListener(t, server.Addr, "gap"); again == pid {
		t.Error("the ended connection listens")
	}
	rigs.PostgresPut(t, server.Addr, "recess", []byte("three"))
	if answer := must.Receive(t, "the waiter", got); answer.err != nil || string(answer.doc.Data) != "three" {
		t.Errorf("the waiter got %q, %v", answer.doc.Data, answer.err)
	}
}

// TestAfterTheLinksFrozeTheNextLooksGetNewConnections is fault F3, with a full pool: its connections went the same way as
// the one that gave no sign of life, and are not tried one after the other.
func TestAfterTheLinksFrozeTheNextLooksGetNewConnections(t *testing.T) {
	server := start(t)
	link := proxy.New(t, server.Addr)
	b := open(t, rigs.PostgresURL(link.Addr, "timeout=1s&probe=300ms&application_name=frozen"))
	rev := must.Save(t, b, state.None, "one")
	fill(t, server, b)
	got := waiting(t.Context(), b, rev)
	awaitListener(t, server.Addr, "frozen")
	link.Freeze()
	rigs.PostgresPut(t, server.Addr, "recess", []byte("two"))
	must.Refuse(t, "the waiter", must.Receive(t, "the waiter", got).err, nil, "sign of life")
	doc, _, err := b.Next(t.Context(), rev)
	if err != nil || string(doc.Data) != "two" {
		t.Errorf("the next look has %q, %v", doc.Data, err)
	}
	link.Cut()
}

// TestNobodyComesBackWhoseLinkIsCutUntilTheNextLook is for fault F16: a fleet must not come back at once to say that its
// links are cut. Its engines look again at intervals of their own.
func TestNobodyComesBackWhoseLinkIsCutUntilTheNextLook(t *testing.T) {
	server := start(t)
	link := proxy.New(t, server.Addr)
	before := len(goroutines())
	b := open(t, rigs.PostgresURL(link.Addr, listens+"cut"))
	atRest := len(goroutines())
	rev := must.Save(t, b, state.None, "one")
	for range 10 {
		got := waiting(t.Context(), b, rev)
		awaitListener(t, server.Addr, "cut")
		links := len(link.Arrived())
		link.Cut()
		must.Refuse(t, "the waiter", must.Receive(t, "the waiter", got).err, nil, "watch was lost")
		awaitCalm(t, atRest) // all that pgx does in the background is done
		if came := len(link.Arrived()) - links; came != 0 {
			t.Errorf("%d links came in", came)
		}
		must.Become(t, "the server has noticed", func() bool {
			return rigs.PostgresNumber(t, server.Addr, "select count(*) from pg_stat_activity where application_name = 'cut'") == 0
		})
	}
	works(t, b, b)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	awaitCalm(t, before)
}

// fill has the pool make all of its connections.
func fill(t *testing.T, server *servers.Server, b *pgstate.Backend) {
	t.Helper()
	tx, err := poolOf(t, superURL(server.Addr), nil).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "lock table recess, recess_instances"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := state.Read(t.Context(), b); err != nil {
				t.Error(err)
			}
		})
	}
	must.Become(t, "all wait for the lock", func() bool {
		return rigs.PostgresNumber(t, server.Addr, "select count(*) from pg_stat_activity where wait_event_type = 'Lock'") == 4
	})
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	all.Wait()
}

// TestExpiredInstancesAreRemovedByThoseWhoAnnounce, a few at a time, and those of other documents are not.
func TestExpiredInstancesAreRemovedByThoseWhoAnnounce(t *testing.T) {
	server := start(t)
	b := open(t, rigs.PostgresURL(server.Addr, ""))
	works(t, b, b) // it announces web-1, and knows by then that it may prepare its statements
	rigs.Postgres(t, server.Addr, `insert into recess_instances select document, 'web-' || n, '', now() - interval '1 second'
		from generate_series(2, 501) as n, unnest(array['recess', 'other']) as document`)
	if _, err := b.Announce(t.Context(), "lives", nil, time.Hour); err != nil {
		t.Fatal(err)
	}
	if there, err := b.Instances(t.Context()); err != nil || len(there) != 2 {
		t.Errorf("expired instances are there: %v, %v", there, err)
	}
	rows := func(document string) int {
		return rigs.PostgresNumber(t, server.Addr, "select count(*) from recess_instances where name = $1", document)
	}
	must.Become(t, "they are gone", func() bool {
		if _, err := b.Announce(t.Context(), "web-1", []byte("x"), time.Hour); err != nil {
			t.Fatal(err)
		}
		return rows("recess") <= 2
	})
	if n := rows("other"); n != 500 {
		t.Errorf("of another document's instances %d are left", n)
	}
	if there, err := b.Instances(t.Context()); err != nil || len(there) != 2 || there[0].ID != "lives" || there[1].ID != "web-1" {
		t.Errorf("there are %v, %v", there, err)
	}
}

// TestARestartedServerIsFollowedAgain is fault F1, a power cut.
func TestARestartedServerIsFollowedAgain(t *testing.T) {
	server := start(t)
	b := open(t, rigs.PostgresURL(server.Addr, listens+"cut"))
	rev := must.Save(t, b, state.None, "one")
	got := waiting(t.Context(), b, rev)
	awaitListener(t, server.Addr, "cut")
	server.Kill(t)
	if answer := must.Receive(t, "the waiter", got); answer.err == nil || errors.Is(answer.err, state.ErrUnchanged) {
		t.Errorf("the waiter got %q, %v", answer.doc.Rev, answer.err)
	}
	_, err := state.Read(t.Context(), b)
	must.Refuse(t, "Read", err, nil, "connection refused")
	server.Start(t)
	if doc := must.Read(t, b); doc.Rev != rev {
		t.Errorf("the document is revision %q, want %q", doc.Rev, rev)
	}
	works(t, b, b)
}

// TestASavedDocumentSurvivesAPowerCut also where the database is set up to answer before it has written.
func TestASavedDocumentSurvivesAPowerCut(t *testing.T) {
	config := rigs.PostgresConfig()
	config.Settings["synchronous_commit"], config.Settings["wal_writer_delay"] = "off", "10s"
	server := servers.Postgres(t, config)
	rev := state.None
	for _, text := range []string{"one", "two"} { // both ways to save
		b := open(t, rigs.PostgresURL(server.Addr, "")) // none of its connections is older than the server
		rev = must.Save(t, b, rev, text)
		server.Kill(t)
		server.Start(t)
		if doc := must.Read(t, open(t, rigs.PostgresURL(server.Addr, ""))); string(doc.Data) != text || doc.Rev != rev {
			t.Fatalf("the document is %q, revision %q, want %q, %q", doc.Data, doc.Rev, text, rev)
		}
	}
}
