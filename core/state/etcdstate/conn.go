package etcdstate

import (
	"context"
	"errors"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
)

// prompt is a client's connection for calls that fail when no connection can be made, and say why. By itself clientv3
// waits for one until the deadline, and then says no more than that it has passed.
type prompt struct{ *grpc.ClientConn }

func promptly(options []grpc.CallOption) []grpc.CallOption {
	return append(options[:len(options):len(options)], grpc.WaitForReady(false))
}

// Invoke implements [grpc.ClientConnInterface].
func (p prompt) Invoke(ctx context.Context, method string, in, out any, options ...grpc.CallOption) error {
	return p.ClientConn.Invoke(ctx, method, in, out, promptly(options)...)
}

// NewStream implements [grpc.ClientConnInterface].
func (p prompt) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, options ...grpc.CallOption) (grpc.ClientStream, error) {
	return p.ClientConn.NewStream(ctx, desc, method, promptly(options)...)
}

// writes are the calls that change something.
var writes = []string{pb.KV_Put_FullMethodName, pb.KV_Txn_FullMethodName, pb.KV_DeleteRange_FullMethodName, pb.Lease_LeaseGrant_FullMethodName}

// noRepeats is a [grpc.UnaryClientInterceptor]: it keeps clientv3 from sending a write again whose answer says that it
// was cancelled, or too late, while the caller waits for it. Something on the way says that, and etcd may have carried the
// write out: sent again it would meet its own change, as if it were somebody else's.
func noRepeats(ctx context.Context, method string, in, out any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	err := invoke(ctx, method, in, out, conn, options...)
	code := status.Code(err)
	if code != codes.Canceled && code != codes.DeadlineExceeded || !slices.Contains(writes, method) {
		return err
	}
	if deadline, bounded := ctx.Deadline(); bounded && time.Until(deadline) < clocksApart {
		<-ctx.Done() // the server, who knows the deadline too, has seen it a moment earlier
	}
	if ctx.Err() != nil {
		return err
	}
	return status.Error(codes.Unknown, status.Convert(err).Message())
}

// clocksApart is how far apart a client and a server may end a call whose time is up.
const clocksApart = 100 * time.Millisecond

// requireLeader has a member that has lost its leader refuse the call, where it would let it wait for one.
func requireLeader(ctx context.Context) context.Context { return clientv3.WithRequireLeader(ctx) }

// The pauses between calls while there is no leader. An election takes a second or two.
const (
	firstPause = 25 * time.Millisecond
	lastPause  = 400 * time.Millisecond
)

// led does something that needs a leader, or that learners do not do. A member that has refused it has done nothing: it
// is asked of the next one, again and again until there is a leader or the context ends.
func (s *store) led(ctx context.Context, do func(context.Context) error) error {
	s.recover(ctx)
	began := time.Now()
	err := s.untilLed(ctx, do)
	if err == nil || errors.As(rpctypes.Error(err), new(rpctypes.EtcdError)) {
		s.met.Store(true)
	}
	if errors.Is(err, context.DeadlineExceeded) && time.Since(began) >= s.patience {
		s.reconnect(began)
	}
	return err
}

func (s *store) untilLed(ctx context.Context, do func(context.Context) error) error {
	var refusal error
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := clientv3.ContextError(ctx, do(requireLeader(ctx)))
		switch {
		case errors.Is(err, rpctypes.ErrNoLeader), errors.Is(err, rpctypes.ErrLeaderChanged):
		case errors.Is(err, errLearner) && len(s.endpoints) > 1:
		case refusal != nil && ctx.Err() != nil:
			return refusal
		default:
			return err
		}
		refusal = err
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return refusal
		}
	}
}

// errLearner is a learner's refusal.
var errLearner = rpctypes.Error(rpctypes.ErrGRPCNotSupportedForLearner)

// recover has our own client try again at once, where no connection could be made so far, and gives it a moment: a server
// that is back is not to be called dead until gRPC's next attempt, and how often is asked is up to who asks.
func (s *store) recover(ctx context.Context) {
	if !s.owned || !s.unreachable() {
		return
	}
	conn := s.client.ActiveConnection()
	s.mu.Lock() // gRPC goes through its connections without a lock, which reconnect changes (v1.83.2, ClientConn.ResetConnectBackoff)
	conn.ResetConnectBackoff()
	s.mu.Unlock()
	patience := recovery
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(deadline)/2)
	}
	moment, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn.WaitForStateChange(moment, connectivity.TransientFailure)
}

// unreachable reports that there is no connection, since the last attempt to make one failed.
func (s *store) unreachable() bool {
	return s.client.ActiveConnection().GetState() == connectivity.TransientFailure
}

// recovery is how long a call waits for a connection that could not be made when it was last tried: half of its time at
// most. gRPC does not say that an attempt has begun, nor that it failed too, so a server that is down costs all of it.
const recovery = time.Second

// reconnect has new connections made for what is called from now on, since a call that began at some time was not
// answered: what does not answer may be a dead connection, over which the next call would go too. What is under way
// keeps the connections that there are. A client that is not ours is left alone.
func (s *store) reconnect(began time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.owned || began.Before(s.reconnected) {
		return
	}
	s.client.SetEndpoints()
	s.client.SetEndpoints(s.endpoints...)
	s.reconnected = time.Now()
}
