package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
	"github.com/recess-go/recess/core/state/pgstate"
	"github.com/recess-go/recess/core/state/statetest"
)

// TestABackendConforms is also the test that the documented rights are enough: they are all that the rig's user has.
func TestABackendConforms(t *testing.T) {
	rig := rigs.New(t, "postgres")
	addr := rig.Server.Addr
	t.Run("from a URL", func(t *testing.T) { statetest.Run(t, rig.Harness) })

	t.Run("over the caller's pool", func(t *testing.T) {
		pool := poolOf(t, rigs.PostgresURL(addr, "pool_max_conns=8"), nil)
		harness := rig.Harness
		harness.Fresh = func(t *testing.T) statetest.Store {
			store, name := rig.Harness.Fresh(t), strings.ToLower(state.NewID())
			store.Put = func(t *testing.T, data []byte) { t.Helper(); rigs.PostgresPut(t, addr, name, data) }
			store.Open = func(t *testing.T) state.Backend {
				b, err := pgstate.New(pool, pgstate.Config{Name: name})
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			return store
		}
		statetest.Run(t, harness)
	})

	t.Run("through a pooler that shares connections", func(t *testing.T) {
		pooler := servers.PgBouncer(t, addr, "transaction")
		harness := rigs.PostgresHarness(addr, pooler.Addr, "probe=50ms") // for so long it listens whether it can
		harness.Push = false
		statetest.Run(t, harness)
	})
}

func TestThroughAPoolerThatSharesNoConnectionsChangesAreTold(t *testing.T) {
	server := start(t)
	pooler := servers.PgBouncer(t, server.Addr, "session")
	a, b := open(t, rigs.PostgresURL(server.Addr, "")), open(t, rigs.PostgresURL(pooler.Addr, ""))
	for range 2 {
		works(t, a, b)
	}
}

func TestAPoolerThatLosesNotificationsIsNoticedAndNamed(t *testing.T) {
	server := start(t)
	pooler := servers.PgBouncer(t, server.Addr, "transaction")
	url := rigs.PostgresURL(pooler.Addr, "probe=200ms")
	b := open(t, url)
	_, wait, err := b.Next(t.Context(), state.None)
	must.Refuse(t, "the first look", err, state.ErrUnchanged, "pool_mode = transaction", "watch=off")
	must.Refuse(t, "the first look", err, driver.ErrNoWatch)
	if wait != 0 {
		t.Errorf("it asks to be asked again after %v, and not when its caller likes", wait)
	}
	quiet := open(t, url+"&watch=off")
	if _, _, err := quiet.Next(t.Context(), state.None); !errors.Is(err, state.ErrUnchanged) || errors.Is(err, driver.ErrNoWatch) {
		t.Errorf("with watch=off: %v", err)
	}
}

func TestConnections(t *testing.T) {
	onOneServer(t, []test{
		{"with watch=off a direct connection is polled", watchOff},
		{"an idle backend holds two connections", idle},
	})
}

func watchOff(t *testing.T, server *servers.Server) {
	b := open(t, rigs.PostgresURL(server.Addr, "watch=off&application_name=polls"))
	rev := must.Save(t, b, state.None, "x")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, _, err := b.Next(ctx, rev); !errors.Is(err, state.ErrUnchanged) || ctx.Err() != nil {
		t.Errorf("Next: %v", err)
	}
	if n := rigs.PostgresNumber(t, server.Addr, "select count(*) from pg_stat_activity where application_name = 'polls'"); n != 1 {
		t.Errorf("it holds %d connections, want one", n)
	}
}

func idle(t *testing.T, server *servers.Server) {
	b := open(t, rigs.PostgresURL(server.Addr, listens+"idle"))
	rev := must.Save(t, b, state.None, "x")
	ctx, cancel := context.WithCancel(t.Context())
	got := waiting(ctx, b, rev)
	awaitListener(t, server.Addr, "idle")
	if n := rigs.PostgresNumber(t, server.Addr, "select count(*) from pg_stat_activity where application_name = 'idle'"); n != 2 {
		t.Errorf("it holds %d connections, want two", n)
	}
	cancel()
	must.Receive(t, "the end of the wait", got)
	must.Become(t, "the one that listened is closed, as nobody waits", func() bool {
		return rigs.PostgresNumber(t, server.Addr, "select count(*) from pg_stat_activity where application_name = 'idle'") == 1
	})
}
