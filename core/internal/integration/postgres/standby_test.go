package postgres_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/proxy"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
)

// TestAStandby is a server that follows another: it can be read and not listened to, until it takes over.
func TestAStandby(t *testing.T) {
	config := rigs.PostgresConfig()
	primary := servers.Postgres(t, config)
	config.StandbyOf, config.SetUp = primary.Addr, nil
	standby := servers.Postgres(t, config)

	writer := open(t, rigs.PostgresURL(primary.Addr, ""))
	reader := open(t, rigs.PostgresURL(standby.Addr, "probe=100ms"))
	both := rigs.PostgresURL(standby.Addr+","+primary.Addr, "probe=100ms")
	either := open(t, both)
	rev := must.Save(t, writer, state.None, "one")
	must.Become(t, "the standby has it", func() bool { return must.Read(t, reader).Rev == rev })

	_, err := reader.Save(t.Context(), rev, []byte("two"))
	must.Refuse(t, "Save", err, state.ErrReadOnly, "standby", "primary", "25006")
	_, wait, err := reader.Next(t.Context(), rev)
	must.Refuse(t, "Next", err, state.ErrUnchanged, "polled", "25006")
	if wait <= 0 {
		t.Error("Next does not say when to ask for a watch again")
	}
	must.Refuse(t, "Migrate to the standby, where all is there", errors.Join(reader.Migrate(t.Context()), errors.New("nothing")), nil, "nothing")

	t.Run("of several hosts the primary is taken, whatever their order", func(t *testing.T) {
		works(t, either, either)
		if doc := must.Read(t, writer); string(doc.Data) != "told" {
			t.Errorf("the primary has %q", doc.Data)
		}
	})

	t.Run("a standby that takes over is followed and written", func(t *testing.T) {
		rev := must.Read(t, writer).Rev
		must.Become(t, "the standby has it", func() bool { return must.Read(t, reader).Rev == rev })
		primary.Kill(t)
		if n := rigs.PostgresNumber(t, standby.Addr, "select pg_promote()::int"); n != 1 {
			t.Fatal("the standby does not take over")
		}
		must.Become(t, "the backend with both hosts has found it", func() bool {
			_, err := state.Read(t.Context(), either)
			return err == nil
		})
		for {
			got := waiting(t.Context(), reader, rev)
			if rev, err = either.Save(t.Context(), rev, []byte("after")); err != nil {
				t.Fatal(err)
			}
			answer := must.Receive(t, "the follower", got)
			if errors.Is(answer.err, state.ErrUnchanged) { // it had just looked, and polls for a little while still
				if answer.doc = must.Read(t, reader); answer.doc.Rev != rev {
					t.Fatalf("the follower reads revision %q, want %q", answer.doc.Rev, rev)
				}
				continue
			}
			if answer.err != nil || answer.doc.Rev != rev {
				t.Fatalf("the follower got revision %q, want %q: %v", answer.doc.Rev, rev, answer.err)
			}
			return
		}
	})
}

// TestAConnectionToWhatWasThePrimaryIsGivenUp: an address leads to another server after a failover, as that of a load
// balancer does, and the connections that there are still lead to the old one.
func TestAConnectionToWhatWasThePrimaryIsGivenUp(t *testing.T) {
	server := start(t)
	link := proxy.New(t, server.Addr)
	b := open(t, rigs.PostgresURL(link.Addr, ""))
	rev := must.Save(t, b, state.None, "one")
	rigs.Postgres(t, server.Addr, "alter system set default_transaction_read_only = on")
	rigs.Postgres(t, server.Addr, "select pg_reload_conf()")
	must.Become(t, "the server takes no changes", func() bool {
		var err error
		rev, err = b.Save(t.Context(), rev, []byte("x"+string(rev)))
		if err != nil {
			must.Refuse(t, "Save", err, state.ErrReadOnly)
		}
		return err != nil
	})
	arrived := len(link.Arrived())
	doc := must.Read(t, b)
	if !strings.HasPrefix(string(doc.Data), "x") && string(doc.Data) != "one" {
		t.Errorf("the document is %q", doc.Data)
	}
	if len(link.Arrived()) == arrived {
		t.Error("it keeps to the connection of which it knows that it leads nowhere")
	}
}

// TestAHostThatSwallowsEverythingIsPassedOver: it stands first in the URL, takes connections, and never says a word. The
// second one gets what it needs of each call's time, and so does the watch.
func TestAHostThatSwallowsEverythingIsPassedOver(t *testing.T) {
	server := start(t)
	silent := proxy.New(t, server.Addr)
	silent.FreezeAll()
	b := open(t, rigs.PostgresURL(silent.Addr+","+server.Addr, listens+"second"))
	rev := must.Save(t, b, state.None, "one")
	got := waiting(t.Context(), b, rev)
	awaitListener(t, server.Addr, "second")
	must.Save(t, open(t, rigs.PostgresURL(server.Addr, "")), rev, "two")
	if answer := must.Receive(t, "the waiter", got); string(answer.doc.Data) != "two" {
		t.Errorf("the waiter got %q, %v", answer.doc.Data, answer.err)
	}
}
