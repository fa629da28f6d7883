package propagation

import (
	"context"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/recess-go/recess/core/internal/integration/rigs"
)

func init() { bares["redis"] = bareRedis }

// bareRedis sets a key and publishes it, in one script.
func bareRedis(b *testing.B, rig rigs.Rig) *bare {
	script := redis.NewScript(`redis.call('SET', KEYS[1], ARGV[1]) return redis.call('PUBLISH', KEYS[1], ARGV[1])`)
	connect := func() *redis.Client {
		client := redis.NewClient(&redis.Options{Addr: rig.Server.Addr})
		b.Cleanup(func() { _ = client.Close() })
		return client
	}
	a := new(bare)
	for i := range a.heard {
		heard := make(chan int, 1)
		a.heard[i] = heard
		sub := connect().Subscribe(b.Context(), "bare")
		b.Cleanup(func() { _ = sub.Close() })
		if _, err := sub.Receive(b.Context()); err != nil {
			b.Fatal(err)
		}
		go func() {
			for message := range sub.Channel() {
				n, _ := strconv.Atoi(message.Payload)
				heard <- n
			}
		}()
	}
	writer := connect()
	a.publish = func(ctx context.Context, n int) error { return script.Run(ctx, writer, []string{"bare"}, n).Err() }
	return a
}
