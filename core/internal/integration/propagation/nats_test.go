package propagation

import (
	"context"
	"strconv"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/recess-go/recess/core/internal/integration/rigs"
)

func init() { bares["nats"] = bareNATS }

// bareNATS puts a key into a bucket that is watched.
func bareNATS(b *testing.B, rig rigs.Rig) *bare {
	bucket := func() jetstream.KeyValue {
		conn, err := nats.Connect("nats://" + rig.Server.Addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(conn.Close)
		js, err := jetstream.New(conn)
		if err != nil {
			b.Fatal(err)
		}
		kv, err := js.CreateOrUpdateKeyValue(b.Context(), jetstream.KeyValueConfig{Bucket: "bare"})
		if err != nil {
			b.Fatal(err)
		}
		return kv
	}
	a := new(bare)
	for i := range a.heard {
		heard := make(chan int, 1)
		a.heard[i] = heard
		watcher, err := bucket().Watch(b.Context(), "n", jetstream.UpdatesOnly())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = watcher.Stop() })
		go func() {
			for entry := range watcher.Updates() {
				if entry == nil {
					continue
				}
				n, _ := strconv.Atoi(string(entry.Value()))
				heard <- n
			}
		}()
	}
	writer := bucket()
	a.publish = func(ctx context.Context, n int) error {
		_, err := writer.Put(ctx, "n", []byte(strconv.Itoa(n)))
		return err
	}
	return a
}
