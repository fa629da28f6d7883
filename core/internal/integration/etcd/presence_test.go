package etcd_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state/etcdstate"
)

func announce(t *testing.T, b *etcdstate.Backend, id, data string, ttl time.Duration) {
	t.Helper()
	at, err := b.Announce(t.Context(), id, []byte(data), ttl)
	if err != nil {
		t.Fatal(err)
	}
	if !at.IsZero() {
		t.Errorf("etcd told the time: %v", at)
	}
}

func withdraw(t *testing.T, b *etcdstate.Backend, id string) {
	t.Helper()
	if err := b.Withdraw(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

func leases(t *testing.T, client *clientv3.Client) []clientv3.LeaseStatus {
	t.Helper()
	all, err := client.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all.Leases
}

func TestAnInstanceHoldsOneLeaseHoweverOftenItIsAnnouncedAndByWhom(t *testing.T) {
	server := servers.Etcd(t)
	client := rigs.EtcdClient(t, by(server))
	a, b := open(t, "etcd://"+server.Addr), open(t, "etcd://"+server.Addr)
	one := func(when string) {
		t.Helper()
		if n := len(leases(t, client)); n != 1 {
			t.Errorf("%s there are %d leases", when, n)
		}
	}
	for n := range 100 {
		announce(t, a, "web-1", fmt.Sprint(n), time.Hour)
	}
	one("after 100 announcements")
	announce(t, a, "web-1", "longer", 2*time.Hour)
	one("after one that lasts longer")
	announce(t, b, "web-1", "other", time.Hour)
	one("after one by another process")
	announce(t, a, "web-1", "back", 2*time.Hour)
	one("after the first one's next")
	if got := must.List(t, b); got != "web-1=back" {
		t.Errorf("the instances are %q", got)
	}
	withdraw(t, b, "web-1")
	if n := len(leases(t, client)); n != 0 {
		t.Errorf("after it was withdrawn by another process, %d leases are left", n)
	}
	announce(t, a, "web-1", "again", 2*time.Hour)
	one("after it is announced again")
	withdraw(t, a, "web-1")
	if n := len(leases(t, client)); n != 0 {
		t.Errorf("after it was withdrawn, %d leases are left", n)
	}
}

func TestALeaseThatHoldsSomethingElseIsNotRevoked(t *testing.T) {
	server := servers.Etcd(t)
	client := rigs.EtcdClient(t, by(server))
	foreign, err := client.Grant(t.Context(), 3600)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"recess/instances/web-1", "recess/instances/web-2", "precious"} {
		if _, err := client.Put(t.Context(), key, "by hand", clientv3.WithLease(foreign.ID)); err != nil {
			t.Fatal(err)
		}
	}
	b := open(t, "etcd://"+server.Addr)
	announce(t, b, "web-1", "mine", time.Hour)
	withdraw(t, b, "web-2")
	if got := must.List(t, b); got != "web-1=mine" {
		t.Errorf("the instances are %q", got)
	}
	if kept, err := client.Get(t.Context(), "precious"); err != nil || kept.Count != 1 {
		t.Errorf("what else was on the lease: %v, %v", kept, err)
	}
}

func TestAnnouncementsSurviveARestartOfTheServer(t *testing.T) {
	server := servers.Etcd(t)
	b := open(t, "etcd://"+server.Addr)
	announce(t, b, "web-1", "before", time.Hour)
	server.Kill(t)
	server.Start(t)
	if got := must.List(t, b); got != "web-1=before" {
		t.Errorf("the instances are %q", got)
	}
	announce(t, b, "web-1", "after", time.Hour) // on the same lease, over a new stream
	if n := len(leases(t, rigs.EtcdClient(t, by(server)))); n != 1 {
		t.Errorf("there are %d leases", n)
	}
	server.Kill(t)
	server.Wipe(t)
	server.Start(t)
	announce(t, b, "web-1", "wiped", time.Hour) // its lease is gone
	if got := must.List(t, b); got != "web-1=wiped" {
		t.Errorf("the instances are %q", got)
	}
}

// The time for which a server is down is not counted, and neither is what a lease had used up before.
func TestALeaseHasItsWholeTimeAgainAfterTheServerWasDown(t *testing.T) {
	const ttl, used, down = 60 * time.Second, 2 * time.Second, 3 * time.Second
	server := servers.Etcd(t)
	b := open(t, "etcd://"+server.Addr)
	announce(t, b, "web-1", "", ttl)
	wait(t, used)
	server.Kill(t)
	wait(t, down)
	began := time.Now()
	server.Start(t)
	client := rigs.EtcdClient(t, by(server))
	left, err := client.TimeToLive(t.Context(), leases(t, client)[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("of %v, %v was left %v after the start", ttl, time.Duration(left.TTL)*time.Second, time.Since(began))
	if runs := time.Duration(left.TTL+1)*time.Second + time.Since(began); runs < ttl {
		t.Errorf("the lease lasts for %v after the start, want at least %v", runs, ttl)
	}
}

// wait lets time pass on the server's clock. Nothing is true because of it.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}
