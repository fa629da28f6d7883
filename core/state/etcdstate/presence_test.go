package etcdstate

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// renewing answers every renewal.
func renewing(stream pb.Lease_LeaseKeepAliveServer) error { return answering(stream, math.MaxInt, 60) }

// answering answers so many renewals, with this time to live, and then breaks.
func answering(stream pb.Lease_LeaseKeepAliveServer, times int, ttl int64) error {
	for range times {
		in, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := stream.Send(&pb.LeaseKeepAliveResponse{Header: &pb.ResponseHeader{}, ID: in.ID, TTL: ttl}); err != nil {
			return err
		}
	}
	return status.Error(codes.Unavailable, "broken")
}

func announcing(t *testing.T, f *fake) *Backend {
	t.Helper()
	b := over(f.serve(t).client(t), Config{Timeout: patience}, true)
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func announce(t *testing.T, b *Backend, ttl time.Duration) {
	t.Helper()
	if _, err := b.Announce(t.Context(), "web-1", []byte("x"), ttl); err != nil {
		t.Fatal(err)
	}
}

func TestAnInstanceKeepsItsLeaseAndRenewsItOverOneStream(t *testing.T) {
	f := &fake{onRenew: renewing}
	var leases []int64
	f.onPut = func(in *pb.PutRequest) (*pb.PutResponse, error) {
		leases = append(leases, in.Lease)
		return &pb.PutResponse{Header: &pb.ResponseHeader{}}, nil
	}
	b := announcing(t, f)
	for range 5 {
		announce(t, b, 35*time.Second)
	}
	if f.times("grant") != 1 || f.times("keepalive") != 1 || !slices.Equal(leases, []int64{1, 1, 1, 1, 1}) {
		t.Errorf("leases %v, %v", leases, f.order())
	}
	announce(t, b, 70*time.Second) // which the lease does not last for
	if f.times("grant") != 2 || leases[5] != 2 {
		t.Errorf("leases %v, %v", leases, f.order())
	}
}

// The lease's time begins after the announcement is written, so that it lasts no shorter than asked.
func TestTheLeaseIsRenewedAfterTheAnnouncementIsWritten(t *testing.T) {
	f := &fake{}
	f.onRenew = func(stream pb.Lease_LeaseKeepAliveServer) error {
		if f.times("put") == 0 {
			t.Error("renewed before there was anything to keep")
		}
		return renewing(stream)
	}
	announce(t, announcing(t, f), time.Second)
	if !slices.Equal(f.order(), []string{"grant", "put", "keepalive"}) {
		t.Error(f.order())
	}
}

func TestALeaseThatIsGoneIsReplaced(t *testing.T) {
	t.Run("before the announcement is written", func(t *testing.T) {
		f := &fake{onRenew: renewing}
		f.onPut = func(in *pb.PutRequest) (*pb.PutResponse, error) {
			if in.Lease == 1 && f.times("put") > 1 {
				return nil, rpctypes.ErrGRPCLeaseNotFound
			}
			return &pb.PutResponse{Header: &pb.ResponseHeader{}}, nil
		}
		b := announcing(t, f)
		announce(t, b, time.Second)
		announce(t, b, time.Second)
		if f.times("grant") != 2 || f.times("put") != 3 {
			t.Error(f.order())
		}
	})
	t.Run("before it is renewed", func(t *testing.T) {
		f := &fake{}
		f.onRenew = func(stream pb.Lease_LeaseKeepAliveServer) error {
			if err := answering(stream, 1, 0); status.Code(err) != codes.Unavailable {
				return err
			}
			return renewing(stream)
		}
		announce(t, announcing(t, f), time.Second)
		if f.times("grant") != 2 || f.times("put") != 2 || f.times("keepalive") != 1 {
			t.Error(f.order())
		}
	})
}

func TestAStreamOfRenewalsThatBrokeIsReplacedOnce(t *testing.T) {
	f := &fake{onRenew: func(stream pb.Lease_LeaseKeepAliveServer) error { return answering(stream, 1, 60) }}
	b := announcing(t, f)
	for range 3 {
		announce(t, b, time.Second)
	}
	if f.times("keepalive") != 3 || f.times("grant") != 1 {
		t.Error(f.order())
	}
	f = &fake{onRenew: func(stream pb.Lease_LeaseKeepAliveServer) error { return answering(stream, 0, 60) }}
	if _, err := announcing(t, f).Announce(t.Context(), "web-1", nil, time.Second); err == nil || f.times("keepalive") != 1 {
		t.Errorf("over streams that do nothing but break: %v, %v", err, f.order())
	}
}

// An answer that came too late would be taken for that to the next renewal.
func TestAStreamWhoseAnswerIsLateIsNotUsedAgain(t *testing.T) {
	f := &fake{}
	f.onRenew = func(stream pb.Lease_LeaseKeepAliveServer) error {
		if f.times("keepalive") == 1 {
			return untilGone(stream)
		}
		return renewing(stream)
	}
	b := announcing(t, f)
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := b.Announce(short, "web-1", nil, time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without an answer: %v", err)
	}
	announce(t, b, time.Second)
	if f.times("keepalive") != 2 {
		t.Error(f.order())
	}
}

func TestAnnouncementsOfOneBackendTakeTurnsAndStillEndWithTheirContext(t *testing.T) {
	waits := make(chan struct{})
	b := announcing(t, &fake{onRenew: func(stream pb.Lease_LeaseKeepAliveServer) error { close(waits); return untilGone(stream) }})
	long, end := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { _, err := b.Announce(long, "web-1", nil, time.Second); first <- err }()
	<-waits
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := b.Withdraw(short, "web-1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Withdraw: %v", err)
	}
	end()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("Announce: %v", err)
	}
}

func TestATimeToLiveIsCountedInWholeSecondsAndNeverShorter(t *testing.T) {
	for ttl, want := range map[time.Duration]int64{
		time.Second: 1, time.Second + 1: 2, 1500 * time.Millisecond: 2, 35 * time.Second: 35,
		math.MaxInt64: 9000000000, // all that etcd takes, 285 years
	} {
		if got := seconds(ttl); got != want {
			t.Errorf("%v is %d seconds, want %d", ttl, got, want)
		}
	}
}
