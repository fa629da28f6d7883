package redis_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
)

func TestTenThousandInstancesAreListedInAFewRoundTrips(t *testing.T) {
	const many = 10_000
	server := servers.RedisWith(t)
	admin := rigs.RedisClient(t, server.Addr)
	b := open(t, "redis://"+server.Addr+"?timeout=1m")
	report := []byte(strings.Repeat("x", 1000))
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for n := worker; n < many; n += 8 {
				if _, err := b.Announce(t.Context(), fmt.Sprintf("web-%05d", n), report, time.Hour); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	must.Do(t, admin.MSet(t.Context(), noise(many)...).Err()) // of others, which is not looked at
	before := rigs.RedisCalls(admin, "mget")
	began := time.Now()
	instances, err := b.Instances(t.Context())
	t.Logf("%d instances in %v", len(instances), time.Since(began))
	if err != nil || len(instances) != many {
		t.Fatalf("%d instances: %v", len(instances), err)
	}
	for n, i := range instances {
		if want := fmt.Sprintf("web-%05d", n); i.ID != want || len(i.Data) != len(report) {
			t.Fatalf("instance %d is %q with %d bytes", n, i.ID, len(i.Data))
		}
	}
	if trips := rigs.RedisCalls(admin, "mget") - before; trips > 4 {
		t.Errorf("it took %d round trips", trips)
	}
	if scans := rigs.RedisCalls(admin, "scan") + rigs.RedisCalls(admin, "keys"); scans > 0 {
		t.Errorf("the whole database was looked through %d times", scans)
	}
}

func noise(n int) (pairs []any) {
	for i := range n {
		pairs = append(pairs, fmt.Sprint("other:", i), i)
	}
	return pairs
}

// TestLargeReportsAreNotAskedForAllAtOnce: Redis makes an answer whole before it sends it.
func TestLargeReportsAreNotAskedForAllAtOnce(t *testing.T) {
	const many = 300
	server := servers.RedisWith(t)
	admin := rigs.RedisClient(t, server.Addr)
	b := open(t, "redis://"+server.Addr+"?timeout=1m")
	for n := range many {
		_, err := b.Announce(t.Context(), fmt.Sprintf("web-%05d", n), make([]byte, state.MaxReport), time.Hour)
		must.Do(t, err)
	}
	before := rigs.RedisCalls(admin, "mget")
	instances, err := b.Instances(t.Context())
	if err != nil || len(instances) != many {
		t.Fatalf("%d instances: %v", len(instances), err)
	}
	if trips := rigs.RedisCalls(admin, "mget") - before; trips < 1+(many-200)/20 {
		t.Errorf("%d instances of %d bytes came in %d answers", many, state.MaxReport, trips)
	}
}

// TestNothingStaysOfInstancesThatAreGone is about those that nobody asks for any more.
func TestNothingStaysOfInstancesThatAreGone(t *testing.T) {
	server := servers.RedisWith(t)
	admin := rigs.RedisClient(t, server.Addr)
	b := open(t, "redis://"+server.Addr)
	for n := range 10 {
		_, err := b.Announce(t.Context(), fmt.Sprint("web-", n), nil, time.Second)
		must.Do(t, err)
	}
	must.Become(t, "the database is empty", func() bool { n, err := admin.DBSize(t.Context()).Result(); return err == nil && n == 0 })
}

// TestTheDeadLeaveTheIndexThoughOthersLive announces one instance again and again beside those that died.
func TestTheDeadLeaveTheIndexThoughOthersLive(t *testing.T) {
	server := servers.RedisWith(t)
	admin := rigs.RedisClient(t, server.Addr)
	b := open(t, "redis://"+server.Addr)
	announce := func(id string, ttl time.Duration) {
		t.Helper()
		_, err := b.Announce(t.Context(), id, nil, ttl)
		must.Do(t, err)
	}
	announce("lives", time.Hour)
	for n := range 10 {
		announce(fmt.Sprint("dies-", n), time.Second)
	}
	if ttl := admin.PTTL(t.Context(), "{recess}:instances").Val(); ttl < 59*time.Minute {
		t.Errorf("the index ends in %v, before an instance does", ttl)
	}
	must.Become(t, "the dead are gone", func() bool {
		announce("lives", time.Hour)
		return admin.ZCard(t.Context(), "{recess}:instances").Val() == 1
	})
}

// TestAnnouncementsEndByTheServersClock compares with the server's TIME.
func TestAnnouncementsEndByTheServersClock(t *testing.T) {
	server := servers.RedisWith(t)
	admin := rigs.RedisClient(t, server.Addr)
	b := open(t, "redis://"+server.Addr)
	before := admin.Time(t.Context()).Val()
	at, err := b.Announce(t.Context(), "web-1", nil, time.Minute)
	must.Do(t, err)
	after := admin.Time(t.Context()).Val()
	if at.Before(before) || at.After(after) {
		t.Errorf("the server's time was between %v and %v, and not %v", before, after, at)
	}
	ends := admin.Do(t.Context(), "pexpiretime", "{recess}:instance:web-1").Val().(int64)
	if want := at.Add(time.Minute).UnixMilli(); ends < want || ends > want+1000 {
		t.Errorf("it ends at %d, want %d", ends, want)
	}
}
