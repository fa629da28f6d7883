package etcdstate

import (
	"context"
	"errors"
	"io"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// renewals keeps leases alive, over one stream: clientv3's KeepAliveOnce makes one for each renewal, and where
// authentication is on, every new stream costs the cluster a password check and a write. Its methods are called one at
// a time.
type renewals struct {
	leases pb.LeaseClient
	stream pb.Lease_LeaseKeepAliveClient // nil while there is none
	end    context.CancelFunc            // ends the stream; nil while there is none
}

// renew starts a lease's time anew, and reports false if the lease is gone.
func (r *renewals) renew(ctx context.Context, lease int64) (bool, error) {
	kept := r.stream != nil
	alive, err := r.ask(ctx, lease)
	if err != nil && kept && ctx.Err() == nil {
		alive, err = r.ask(ctx, lease) // the stream has broken since the last renewal
	}
	return alive, err
}

// ask keeps the stream for the next time, unless it failed or did not answer in time.
func (r *renewals) ask(ctx context.Context, lease int64) (bool, error) {
	var life context.Context
	if r.stream == nil {
		life, r.end = context.WithCancel(context.WithoutCancel(ctx))
	}
	defer context.AfterFunc(ctx, r.end)()
	alive, err := r.exchange(life, lease)
	if err != nil {
		r.close()
	}
	return alive, err
}

func (r *renewals) exchange(life context.Context, lease int64) (alive bool, err error) {
	if r.stream == nil {
		if r.stream, err = r.leases.LeaseKeepAlive(life); err != nil {
			return false, err
		}
	}
	if err := r.stream.Send(&pb.LeaseKeepAliveRequest{ID: lease}); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	answer, err := r.stream.Recv() // which says why, if the stream has ended
	return err == nil && answer.TTL > 0, err
}

func (r *renewals) close() {
	if r.end != nil {
		r.end()
	}
	r.stream, r.end = nil, nil
}
