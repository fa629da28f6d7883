package nats_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
)

func announce(t testing.TB, b state.Backend, id, data string, ttl time.Duration) time.Time {
	t.Helper()
	at, err := b.(state.Presence).Announce(t.Context(), id, []byte(data), ttl)
	if err != nil {
		t.Fatalf("Announce %s: %v", id, err)
	}
	return at
}

func TestALargeFleetIsListedWhole(t *testing.T) {
	t.Parallel()
	const many = 1500 // more than the server answers to one direct request
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	js := rigs.NATSClient(t, server.Addr)
	b := open(t, "nats://"+server.Addr)
	announce(t, b, "real.1", "x", time.Hour)
	for n := range many - 1 { // as Announce does, but without waiting for each
		_, err := js.PublishAsync(fmt.Sprintf("$KV.recess-instances.recess.web-%04d", n), []byte("x"), jetstream.WithMsgTTL(time.Hour))
		must.Do(t, err)
	}
	<-js.PublishAsyncComplete()
	instances, err := b.Instances(t.Context())
	if err != nil || len(instances) != many || instances[0].ID != "real.1" || instances[many-1].ID != fmt.Sprintf("web-%04d", many-2) {
		t.Errorf("%d instances are listed, want %d: %v", len(instances), many, err)
	}
}

// TestIDsAreKeptApart: a dot parts the names of NATS' subjects.
func TestIDsAreKeptApart(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	shop, eu := open(t, "nats://"+server.Addr+"?key=shop"), open(t, "nats://"+server.Addr+"?key=shop.eu")
	for n, id := range []string{".", "..", ".a", "a.", "a..b", "a.b", "a-b", "a_b", "eu.a", "A"} {
		announce(t, shop, id, fmt.Sprint(n), time.Hour)
	}
	announce(t, eu, "a", "eu", time.Hour)
	if got, want := must.List(t, shop), ".=0 ..=1 .a=2 A=9 a-b=6 a.=3 a..b=4 a.b=5 a_b=7 eu.a=8"; got != want {
		t.Errorf("the instances are %q, want %q", got, want)
	}
	if got := must.List(t, eu); got != "a=eu" {
		t.Errorf("the other document's instances are %q", got)
	}
	must.Do(t, shop.Withdraw(t.Context(), "a.b"))
	if got, want := must.List(t, shop), ".=0 ..=1 .a=2 A=9 a-b=6 a.=3 a..b=4 a_b=7 eu.a=8"; got != want {
		t.Errorf("after a.b withdrew the instances are %q, want %q", got, want)
	}
}

// TestInstancesExpireOverARestart is fault F21 with a server that dies too: its clock goes on.
func TestInstancesExpireOverARestart(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	b := open(t, "nats://"+server.Addr)
	announce(t, b, "stays", "x", time.Hour)
	announce(t, b, "goes", "x", 2*time.Second)
	server.Kill(t)
	server.Start(t)
	must.Become(t, "who did not announce itself again is gone", func() bool { return must.List(t, b) == "stays=x" })
}

// TestAnAnnouncementLastsAsLongAsAsked: the server counts in whole seconds.
func TestAnAnnouncementLastsAsLongAsAsked(t *testing.T) {
	t.Parallel()
	const ttl = 1900 * time.Millisecond
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	b := open(t, "nats://"+server.Addr)
	began := time.Now()
	announce(t, b, "web-1", "x", ttl)
	must.Become(t, "it expires", func() bool { return must.List(t, b) == "" })
	if lasted := time.Since(began); lasted < ttl {
		t.Errorf("it lasted %v", lasted)
	}
}

func TestWhoComesAndGoesLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	js := rigs.NATSClient(t, server.Addr)
	b := open(t, "nats://"+server.Addr)
	for n := range 20 {
		id := fmt.Sprintf("web-%d", n)
		announce(t, b, id, "x", time.Second)
		announce(t, b, id, "y", time.Second)
		if n%2 == 0 {
			must.Do(t, b.Withdraw(t.Context(), id))
		}
	}
	must.Do(t, b.Withdraw(t.Context(), "was-never-there"))
	must.Become(t, "no message is left", func() bool {
		stream, err := js.Stream(t.Context(), "KV_recess-instances")
		must.Do(t, err)
		return stream.CachedInfo().State.Msgs == 0
	})
}

func TestTheServersTimeIsTold(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{SetUp: rigs.NATSBuckets})
	b := open(t, "nats://"+server.Addr)
	before := time.Now()
	at := announce(t, b, "web-1", "x", time.Hour)
	if at.Before(before) || at.After(time.Now()) { // it is this machine's
		t.Errorf("the server's time was %v at %v", at, before)
	}
}

// TestABucketOfTheOperatorsOwnKeepsInstancesToo, though it may keep more than the last value: an announcement does not
// come back when the next one expires.
func TestABucketOfTheOperatorsOwnKeepsInstancesToo(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{})
	js := rigs.NATSClient(t, server.Addr)
	for bucket, ttl := range map[string]time.Duration{"recess-instances": time.Second, "shop-instances": 0} {
		_, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: bucket, History: 5, LimitMarkerTTL: ttl})
		must.Do(t, err)
	}
	b := open(t, "nats://"+server.Addr)
	announce(t, b, "web-1", "first", time.Hour)
	announce(t, b, "web-1", "second", time.Second)
	if got := must.List(t, b); got != "web-1=second" {
		t.Errorf("the instances are %q", got)
	}
	must.Become(t, "the second announcement expires", func() bool { return must.List(t, b) != "web-1=second" })
	if got := must.List(t, b); got != "" {
		t.Errorf("the instances are %q: the first announcement came back", got)
	}
	_, err := open(t, "nats://"+server.Addr+"?bucket=shop").Announce(t.Context(), "web-1", nil, time.Hour)
	if err == nil || !strings.Contains(err.Error(), "TTL of their own") {
		t.Errorf("Announce to a bucket without TTLs: %v", err)
	}
}

// TestAStateWithoutABucketOfInstancesIsFollowed: who made the bucket by hand may not care for the other.
func TestAStateWithoutABucketOfInstancesIsFollowed(t *testing.T) {
	t.Parallel()
	server := servers.NATS(t, servers.NATSConfig{})
	_, err := rigs.NATSClient(t, server.Addr).CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "recess"})
	must.Do(t, err)
	b := open(t, "nats://"+server.Addr)
	f := follow(t, b)
	replace(t, b, "first")
	f.sees(t, "first")
	if _, err := b.Announce(t.Context(), "web-1", nil, time.Hour); err == nil || errors.Is(err, state.ErrClosed) {
		t.Errorf("Announce: %v", err)
	}
}
