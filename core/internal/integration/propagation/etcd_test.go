package propagation

import (
	"context"
	"strconv"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/recess-go/recess/core/internal/integration/rigs"
)

func init() { bares["etcd"] = bareEtcd }

// bareEtcd puts a key that is watched.
func bareEtcd(b *testing.B, rig rigs.Rig) *bare {
	connect := func() *clientv3.Client {
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{rig.Server.Addr}})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = client.Close() })
		return client
	}
	a := new(bare)
	for i := range a.heard {
		heard := make(chan int, 1)
		a.heard[i] = heard
		watch := connect().Watch(b.Context(), "bare", clientv3.WithCreatedNotify())
		if created := <-watch; !created.Created {
			b.Fatalf("the watch was not made: %v", created.Err())
		}
		go func() {
			for response := range watch {
				for _, event := range response.Events {
					n, _ := strconv.Atoi(string(event.Kv.Value))
					heard <- n
				}
			}
		}()
	}
	writer := connect()
	a.publish = func(ctx context.Context, n int) error {
		_, err := writer.Put(ctx, "bare", strconv.Itoa(n))
		return err
	}
	return a
}
