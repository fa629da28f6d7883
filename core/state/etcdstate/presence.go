package etcdstate

import (
	"context"
	"errors"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/recess-go/recess/core/state"
)

var _ state.Presence = (*Backend)(nil)

// Announce implements [state.Presence]. The announcement is a key on a lease: one lease for each instance, for as long
// as this backend announces it with the same ttl. etcd counts in seconds, rounds up, and grants at least one and a half
// election timeouts (2 seconds by default). It tells no time. After the cluster was down, or has elected a new leader,
// it counts the whole ttl again.
func (b *Backend) Announce(ctx context.Context, id string, data []byte, ttl time.Duration) (time.Time, error) {
	return time.Time{}, b.Call(ctx, "announce", func(ctx context.Context) error {
		if err := state.CheckAnnouncement(id, data, ttl); err != nil {
			return err
		}
		return b.presence.inTurn(ctx, func() error { return b.presence.announce(ctx, id, data, seconds(ttl)) })
	})
}

// Withdraw implements [state.Presence].
func (b *Backend) Withdraw(ctx context.Context, id string) error {
	return b.Call(ctx, "withdraw", func(ctx context.Context) error {
		return b.presence.inTurn(ctx, func() error { return b.presence.withdraw(ctx, id) })
	})
}

// Instances implements [state.Presence].
func (b *Backend) Instances(ctx context.Context) (instances []state.Instance, err error) {
	err = b.Call(ctx, "instances", func(ctx context.Context) error {
		instances, err = b.presence.instances(ctx)
		return err
	})
	return instances, err
}

// presence keeps announcements as keys of the store.
type presence struct {
	store  *store
	prefix string
	turn   chan struct{}    // full while a call announces or withdraws
	held   map[string]lease // by instance, those of this backend; guarded by turn
}

// A lease is how long a key stays that nobody renews.
type lease struct{ id, seconds int64 }

func newPresence(s *store) *presence {
	return &presence{store: s, prefix: s.key + "/instances/", turn: make(chan struct{}, 1), held: make(map[string]lease)}
}

// seconds is a ttl as etcd counts it.
func seconds(ttl time.Duration) int64 {
	whole := int64(ttl / time.Second)
	if ttl%time.Second > 0 {
		whole++
	}
	return min(whole, clientv3.MaxLeaseTTL)
}

// inTurn waits for its turn, and no longer than ctx.
func (p *presence) inTurn(ctx context.Context, do func() error) error {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
		return do()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *presence) announce(ctx context.Context, id string, data []byte, seconds int64) error {
	for {
		l := p.held[id]
		if l.seconds != seconds {
			granted, err := p.grant(ctx, seconds)
			if err != nil {
				return p.explain(err)
			}
			l = lease{granted, seconds}
			p.held[id] = l
		}
		kept, err := p.keep(ctx, p.prefix+id, data, l.id)
		if kept || err != nil {
			return p.explain(err)
		}
		delete(p.held, id) // the lease is gone: it has expired, or somebody else has withdrawn the instance
	}
}

func (p *presence) grant(ctx context.Context, seconds int64) (id int64, err error) {
	err = p.store.led(ctx, func(ctx context.Context) error {
		granted, err := p.store.leases.LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: seconds})
		id = granted.GetID()
		return err
	})
	return id, err
}

// keep writes a key on a lease, and then starts the lease's time. It reports false if the lease is gone.
func (p *presence) keep(ctx context.Context, key string, data []byte, lease int64) (kept bool, err error) {
	var written *clientv3.PutResponse
	err = p.store.led(ctx, func(ctx context.Context) error {
		written, err = p.store.kv.Put(ctx, key, string(data), clientv3.WithLease(clientv3.LeaseID(lease)), clientv3.WithPrevKV())
		return err
	})
	switch {
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	if before := written.PrevKv.GetLease(); before != lease {
		p.end(ctx, before)
	}
	err = p.store.led(ctx, func(ctx context.Context) error {
		kept, err = p.store.renewals.renew(ctx, lease)
		return err
	})
	return kept, err
}

func (p *presence) withdraw(ctx context.Context, id string) error {
	var deleted *clientv3.DeleteResponse
	err := p.store.led(ctx, func(ctx context.Context) (err error) {
		deleted, err = p.store.kv.Delete(ctx, p.prefix+id, clientv3.WithPrevKV())
		return err
	})
	if err != nil {
		return p.explain(err)
	}
	p.end(ctx, p.held[id].id)
	delete(p.held, id)
	for _, kv := range deleted.PrevKvs {
		p.end(ctx, kv.Lease)
	}
	return nil
}

// end revokes a lease that nothing is kept on any more. One that holds other keys is not ours, and one that cannot be
// revoked expires as it would have: no failure is worth telling.
func (p *presence) end(ctx context.Context, lease int64) {
	if lease == int64(clientv3.NoLease) {
		return
	}
	l, err := p.store.leases.LeaseTimeToLive(requireLeader(ctx), &pb.LeaseTimeToLiveRequest{ID: lease, Keys: true})
	if err == nil && l.TTL > 0 && len(l.Keys) == 0 {
		_, _ = p.store.leases.LeaseRevoke(requireLeader(ctx), &pb.LeaseRevokeRequest{ID: lease})
	}
}

// explain is the store's, for what is written to the instances' keys.
func (p *presence) explain(err error) error { return p.store.explain(err, "readwrite", p.prefix) }

// page is how many instances are read at once.
const page = 100

func (p *presence) instances(ctx context.Context) ([]state.Instance, error) {
	var instances []state.Instance
	all := clientv3.WithRange(clientv3.GetPrefixRangeEnd(p.prefix))
	for from := p.prefix; ; {
		found, err := p.store.get(ctx, from, all, clientv3.WithLimit(page))
		if err != nil {
			return nil, err
		}
		for _, kv := range found.Kvs {
			id := strings.TrimPrefix(string(kv.Key), p.prefix)
			instances = append(instances, state.Instance{ID: id, Data: kv.Value})
			from = string(kv.Key) + "\x00" // the least key after this one
		}
		if !found.More {
			return instances, nil
		}
	}
}
