package rigs

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
	_ "github.com/recess-go/recess/core/state/natsstate" // brings nats:
	"github.com/recess-go/recess/core/state/statetest"
)

func init() { register("nats", newNATS) }

// NATSPackages are where the goroutines of a client run.
var NATSPackages = []string{"github.com/nats-io/nats.go"}

func newNATS(t testing.TB) Rig {
	server := servers.NATS(t, servers.NATSConfig{SetUp: NATSBuckets})
	url := func(addr string) string { return "nats://" + addr }
	return Rig{
		Server:  server,
		URL:     url,
		Open:    func(t testing.TB, addr string) state.Backend { t.Helper(); return open(t, url(addr)) },
		Put:     func(t testing.TB, data []byte) { t.Helper(); NATSPut(t, server.Addr, "recess", data) },
		Notice:  2 * driver.DefaultProbe,
		Harness: NATSHarness(t, server.Addr),
	}
}

// NATSHarness is how the conformance suite sees backends on a server that has the buckets.
func NATSHarness(t testing.TB, addr string) statetest.Harness {
	return statetest.Harness{
		Push:     true,
		Presence: true,
		Resident: true, // the client's
		Packages: NATSPackages,
		Fresh: func(t *testing.T) statetest.Store {
			key := freshKey()
			return statetest.Store{
				Open:  func(t *testing.T) state.Backend { t.Helper(); return open(t, "nats://"+addr+"?key="+key) },
				Put:   func(t *testing.T, data []byte) { t.Helper(); NATSPut(t, addr, key, data) },
				Looks: NATSLooks(t, addr, key),
			}
		},
	}
}

// NATSBuckets makes the buckets, as an operator does with "recess migrate".
func NATSBuckets(ctx context.Context, addr string) error {
	backend, err := state.Open(ctx, "nats://"+addr)
	if err != nil {
		return err
	}
	defer backend.Close()
	return backend.(state.Migrator).Migrate(ctx)
}

// NATSClient returns a client of NATS' own, as an operator has one. It ends with the test.
func NATSClient(t testing.TB, addr string, options ...nats.Option) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect("nats://"+addr, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// NATSPut writes a key as an operator would; nil data removes it.
func NATSPut(t testing.TB, addr, key string, data []byte) {
	t.Helper()
	js := NATSClient(t, addr)
	defer js.Conn().Close()
	bucket, err := js.KeyValue(context.Background(), "recess")
	switch {
	case err != nil:
	case data == nil:
		err = bucket.Delete(context.Background(), key)
	default:
		_, err = bucket.Put(context.Background(), key, data)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// NATSLooks counts how often the document was read from now on: it listens to the requests for it.
func NATSLooks(t testing.TB, addr, key string) func() int {
	t.Helper()
	var looks atomic.Int64
	conn := NATSClient(t, addr).Conn()
	_, err := conn.Subscribe("$JS.API.STREAM.MSG.GET.KV_recess", func(m *nats.Msg) {
		if bytes.Contains(m.Data, []byte(`"$KV.recess.`+key+`"`)) {
			looks.Add(1)
		}
	})
	if err = errors.Join(err, conn.Flush()); err != nil {
		t.Fatal(err)
	}
	return func() int {
		heard := make(chan struct{})
		if err := errors.Join(conn.Flush(), conn.Barrier(func() { close(heard) })); err != nil {
			t.Fatal(err)
		}
		<-heard // all that came before
		return int(looks.Load())
	}
}
