package etcdstate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

func TestSaveComparesTheDocumentAndNotOnlyItsNumber(t *testing.T) {
	var request *pb.TxnRequest
	f := (&fake{
		onRange: func(*pb.RangeRequest) (*pb.RangeResponse, error) { return found(kv(5, "five")), nil },
		onTxn: func(in *pb.TxnRequest) (*pb.TxnResponse, error) {
			request = in
			return &pb.TxnResponse{Header: &pb.ResponseHeader{Revision: 6}, Succeeded: true}, nil
		},
	}).serve(t)
	rev, err := f.store(t, true).Save(soon(t), driver.Numbered(5, []byte("five")), []byte("six"))
	if err != nil || rev != driver.Numbered(6, []byte("six")) {
		t.Fatalf("Save: %q, %v", rev, err)
	}
	compared := make(map[pb.Compare_CompareTarget]string)
	for _, c := range request.Compare {
		if string(c.Key) != DefaultKey || c.Result != pb.Compare_EQUAL {
			t.Errorf("compared: %v", c)
		}
		compared[c.Target] = c.String()
	}
	if !strings.Contains(compared[pb.Compare_MOD], "mod_revision:5") || !strings.Contains(compared[pb.Compare_VALUE], `"five"`) {
		t.Errorf("compared: %v", compared)
	}
}

// TestADocumentThatIsKnownIsNotReadAgainToBeReplaced: of each save one request is left.
func TestADocumentThatIsKnownIsNotReadAgainToBeReplaced(t *testing.T) {
	revision := int64(5)
	f := (&fake{
		onRange: five,
		onTxn: func(in *pb.TxnRequest) (*pb.TxnResponse, error) {
			if got, want := in.Compare[0].GetModRevision(), revision; got != want && len(in.Compare) > 1 {
				t.Errorf("compared with revision %d, want %d", got, want)
			}
			revision++
			return &pb.TxnResponse{Header: &pb.ResponseHeader{Revision: revision}, Succeeded: true}, nil
		},
	}).serve(t)
	s := f.store(t, true)
	if _, err := s.Save(soon(t), state.None, []byte("first")); err != nil { // there is nothing to compare with
		t.Fatal(err)
	}
	revision = 5
	doc, err := s.Read(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	rev := doc.Rev
	data := []byte("six")
	for range 3 {
		if rev, err = s.Save(soon(t), rev, data); err != nil {
			t.Fatal(err)
		}
		data[0]++ // the caller's own
	}
	if want := []string{"txn", "range", "txn", "txn", "txn"}; !slices.Equal(f.order(), want) {
		t.Errorf("%v, want %v", f.order(), want)
	}
}

func TestSaveOverAnotherDocumentOfTheSameNumberIsAConflict(t *testing.T) {
	f := (&fake{onRange: func(*pb.RangeRequest) (*pb.RangeResponse, error) { return found(kv(5, "another five")), nil }}).serve(t)
	_, err := f.store(t, true).Save(soon(t), driver.Numbered(5, []byte("five")), []byte("six"))
	if !errors.Is(err, state.ErrConflict) || f.times("txn") != 0 {
		t.Errorf("%v, %v", err, f.order())
	}
}

func TestAWriteThatFoundAChangeIsAConflict(t *testing.T) {
	f := (&fake{onTxn: func(*pb.TxnRequest) (*pb.TxnResponse, error) {
		return &pb.TxnResponse{Header: &pb.ResponseHeader{Revision: 6}}, nil
	}}).serve(t)
	if _, err := f.store(t, true).Save(soon(t), state.None, []byte("x")); !errors.Is(err, state.ErrConflict) {
		t.Errorf("Save: %v", err)
	}
}

// failing fails a few times and then does what it should.
func failing[In, Out any](times int, err error, then func(In) (Out, error)) func(In) (Out, error) {
	return func(in In) (out Out, _ error) {
		if times--; times >= 0 {
			return out, err
		}
		return then(in)
	}
}

func succeed(*pb.TxnRequest) (*pb.TxnResponse, error) {
	return &pb.TxnResponse{Header: &pb.ResponseHeader{Revision: 6}, Succeeded: true}, nil
}

func five(*pb.RangeRequest) (*pb.RangeResponse, error) { return found(kv(5, "five")), nil }

var fifth = driver.Numbered(5, []byte("five"))

func TestWhatIsRepeatedAndWhatIsNot(t *testing.T) {
	broken := status.Error(codes.Unavailable, "the connection broke")
	for name, c := range map[string]struct {
		reads, writes int // that fail
		err           error
		want          []string
		ok            bool
	}{
		"a read, until there is a leader":        {reads: 3, err: rpctypes.ErrGRPCNoLeader, want: []string{"range", "range", "range", "range", "txn"}, ok: true},
		"a read, while the leader changes":       {reads: 3, err: rpctypes.ErrGRPCLeaderChanged, want: []string{"range", "range", "range", "range", "txn"}, ok: true},
		"a read over a connection that broke":    {reads: 1, err: broken, want: []string{"range", "range", "txn"}, ok: true},
		"a read from a member that ends":         {reads: 1, err: rpctypes.ErrGRPCStopped, want: []string{"range", "range", "txn"}, ok: true},
		"not a read that fails again":            {reads: 2, err: broken, want: []string{"range", "range"}},
		"not a read that is not allowed":         {reads: 1, err: rpctypes.ErrGRPCPermissionDenied, want: []string{"range"}},
		"a write that a member refuses":          {writes: 2, err: rpctypes.ErrGRPCNoLeader, want: []string{"range", "txn", "txn", "txn"}, ok: true},
		"not a write over a broken connection":   {writes: 1, err: broken, want: []string{"range", "txn"}},
		"not a write to a member that ends":      {writes: 1, err: rpctypes.ErrGRPCStopped, want: []string{"range", "txn"}},
		"not a write that may have been written": {writes: 1, err: rpctypes.ErrGRPCTimeout, want: []string{"range", "txn"}},
		"not a write cancelled on the way":       {writes: 1, err: status.Error(codes.Canceled, "a proxy has ended it"), want: []string{"range", "txn"}},
		"not a write too late on the way":        {writes: 1, err: status.Error(codes.DeadlineExceeded, "too late"), want: []string{"range", "txn"}},
		"nothing that only one learner refuses":  {reads: 1, err: rpctypes.ErrGRPCNotSupportedForLearner, want: []string{"range"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := (&fake{onRange: failing(c.reads, c.err, five), onTxn: failing(c.writes, c.err, succeed)}).serve(t)
			_, err := f.store(t, true).Save(soon(t), fifth, []byte("x"))
			if (err == nil) != c.ok || !slices.Equal(f.order(), c.want) {
				t.Errorf("%v, %v, want %v", err, f.order(), c.want)
			}
		})
	}
}

func TestASaveThatWasSentAndNotAnsweredIsInDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		read, write error
		doubt       bool
	}{
		"a broken connection":    {write: status.Error(codes.Unavailable, "error reading from server: EOF"), doubt: true},
		"cancelled on the way":   {write: status.Error(codes.Canceled, "a proxy has ended it"), doubt: true},
		"no quorum in time":      {write: rpctypes.ErrGRPCTimeout, doubt: true},
		"a member that ends":     {write: rpctypes.ErrGRPCStopped, doubt: true},
		"too large":              {write: rpctypes.ErrGRPCRequestTooLarge},
		"not allowed":            {write: rpctypes.ErrGRPCPermissionDenied},
		"no room":                {write: rpctypes.ErrGRPCNoSpace},
		"a message too large":    {write: status.Error(codes.ResourceExhausted, "grpc: received message larger than max")},
		"a look that was broken": {read: status.Error(codes.Unavailable, "error reading from server: EOF")},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{onRange: five}
			if c.read != nil {
				f.onRange = func(*pb.RangeRequest) (*pb.RangeResponse, error) { return nil, c.read }
			}
			if c.write != nil {
				f.onTxn = func(*pb.TxnRequest) (*pb.TxnResponse, error) { return nil, c.write }
			}
			_, err := f.serve(t).store(t, true).Save(soon(t), fifth, []byte("x"))
			if err == nil || strings.Contains(err.Error(), "may be saved or not") != c.doubt {
				t.Errorf("in doubt should be %v: %v", c.doubt, err)
			}
			if err != nil && strings.Contains(err.Error(), "tls_cert") {
				t.Errorf("advice about TLS, where a connection broke that was there: %v", err)
			}
		})
	}
	if inDoubt(status.Error(codes.Unavailable, `connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`)) {
		t.Error("nothing was sent without a connection")
	}
}

func TestWhatALearnerRefusesIsAskedOfAnother(t *testing.T) {
	learner := (&fake{
		onRange: func(*pb.RangeRequest) (*pb.RangeResponse, error) { return nil, rpctypes.ErrGRPCNotSupportedForLearner },
		onWatch: func(pb.Watch_WatchServer) error { return rpctypes.ErrGRPCNotSupportedForLearner },
	}).serve(t)
	voter := (&fake{onWatch: quiet}).serve(t)
	client, err := clientv3.New(ClientConfig(clientv3.Config{Endpoints: []string{"http://" + learner.addr, "http://" + voter.addr}}))
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(client, Config{}, true)
	defer s.Close()
	for _, call := range []string{"range", "watch"} {
		for voter.times(call) == 0 || learner.times(call) == 0 { // until both were asked
			if _, err := s.Read(soon(t)); err != nil {
				t.Fatal(err)
			}
			watching(t, s).Close()
		}
	}
}

func TestWithoutALeaderTheReasonIsTold(t *testing.T) {
	silent := make(chan struct{})
	t.Cleanup(func() { close(silent) })
	for name, then := range map[string]func(){
		"every member refuses":          func() {},
		"one does not answer after all": func() { <-silent },
	} {
		f := &fake{}
		f.onRange = func(*pb.RangeRequest) (*pb.RangeResponse, error) {
			if f.times("range") > 2 {
				then()
			}
			return nil, rpctypes.ErrGRPCNoLeader
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := f.serve(t).store(t, true).Read(ctx); !errors.Is(err, rpctypes.ErrNoLeader) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryCallEndsWithItsContext(t *testing.T) {
	silent := make(chan struct{})
	t.Cleanup(func() { close(silent) })
	f := (&fake{
		onRange: func(*pb.RangeRequest) (*pb.RangeResponse, error) { <-silent; return found(), nil },
		onTxn:   func(*pb.TxnRequest) (*pb.TxnResponse, error) { <-silent; return &pb.TxnResponse{}, nil },
		onPut:   func(*pb.PutRequest) (*pb.PutResponse, error) { <-silent; return &pb.PutResponse{}, nil },
		onGrant: func(*pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
			<-silent
			return &pb.LeaseGrantResponse{}, nil
		},
		onWatch: func(pb.Watch_WatchServer) error { <-silent; return nil },
	}).serve(t)
	b := over(f.client(t), Config{Timeout: 50 * time.Millisecond}, true)
	defer b.Close()
	for name, call := range map[string]func() error{
		"Read":      func() error { _, err := state.Read(t.Context(), b); return err },
		"Next":      func() error { _, _, err := b.Next(t.Context(), state.None); return err },
		"Save":      func() error { _, err := b.Save(t.Context(), state.None, nil); return err },
		"Announce":  func() error { _, err := b.Announce(t.Context(), "web-1", nil, time.Second); return err },
		"Instances": func() error { _, err := b.Instances(t.Context()); return err },
	} {
		result := make(chan error, 1)
		go func() { result <- call() }()
		select {
		case err := <-result:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(patience):
			t.Fatalf("%s does not end", name)
		}
	}
}

func TestAServerThatIsDownIsNamedAtOnceAndWithTheReason(t *testing.T) {
	f := (&fake{}).serve(t)
	f.stop()
	b := over(f.client(t), Config{Timeout: patience}, true)
	defer b.Close()
	for name, call := range map[string]func(context.Context) error{
		"Read":      func(ctx context.Context) error { _, err := state.Read(ctx, b); return err },
		"Next":      func(ctx context.Context) error { _, _, err := b.Next(ctx, state.None); return err },
		"Save":      func(ctx context.Context) error { _, err := b.Save(ctx, state.None, nil); return err },
		"Announce":  func(ctx context.Context) error { _, err := b.Announce(ctx, "web-1", nil, time.Second); return err },
		"Withdraw":  func(ctx context.Context) error { return b.Withdraw(ctx, "web-1") },
		"Instances": func(ctx context.Context) error { _, err := b.Instances(ctx); return err },
	} {
		err := call(soon(t))
		if err == nil || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), f.addr+": dial tcp "+f.addr) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAServerThatIsBackIsReachedByTheNextCall(t *testing.T) {
	f := (&fake{}).serve(t)
	patient := grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: time.Hour, MaxDelay: time.Hour}})
	client, err := clientv3.New(ClientConfig(clientv3.Config{
		Endpoints: []string{"http://" + f.addr}, DialOptions: []grpc.DialOption{patient}, // gRPC by itself would not try again
	}))
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(client, Config{}, true)
	defer s.Close()
	f.stop()
	for range 3 {
		if _, err := s.Read(soon(t)); err == nil {
			t.Fatal("a server that is down was read")
		}
	}
	f.serve(t)
	if _, err := s.Save(soon(t), state.None, []byte("x")); err != nil {
		t.Error(err)
	}
}

func TestACallThatIsNotAnsweredHasOurOwnClientConnectAnew(t *testing.T) {
	const patience = 60 * time.Millisecond
	for name, c := range map[string]struct {
		owned bool
		waits time.Duration
		want  int
	}{
		"it waited, and the client is our own":     {true, 2 * patience, 2},
		"it waited, and the client was handed in":  {false, 2 * patience, 1},
		"its caller had no time to wait for it":    {true, patience / 6, 1},
		"it waited, although the timeout is short": {true, patience / 2, 2},
	} {
		t.Run(name, func(t *testing.T) {
			silent := make(chan struct{})
			defer close(silent)
			f := &fake{}
			f.onRange = func(*pb.RangeRequest) (*pb.RangeResponse, error) {
				if f.times("range") == 2 {
					<-silent
				}
				return found(), nil
			}
			config := Config{Probe: patience}
			if strings.Contains(name, "timeout") {
				config.Timeout = patience / 3
			}
			s := newStore(f.serve(t).client(t), config, c.owned)
			defer s.Close()
			if _, err := s.Read(soon(t)); err != nil {
				t.Fatal(err)
			}
			short, cancel := context.WithTimeout(t.Context(), c.waits)
			defer cancel()
			if _, err := s.Read(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("without an answer: %v", err)
			}
			if _, err := s.Read(soon(t)); err != nil || f.connections() != c.want {
				t.Errorf("the client has connected %d times, want %d: %v", f.connections(), c.want, err)
			}
		})
	}
}

func TestACallFromBeforeTheNewConnectionSaysNothingAboutIt(t *testing.T) {
	s := (&fake{}).serve(t).store(t, true)
	before := time.Now()
	s.reconnect(before)
	first := s.reconnected
	if s.reconnect(before); s.reconnected != first {
		t.Error("two calls that were not answered together had the client connect anew twice")
	}
	if s.reconnect(time.Now()); s.reconnected.Equal(first) {
		t.Error("a later call did not")
	}
}

func TestNewWantsAClientWithAConnection(t *testing.T) {
	for _, client := range []*clientv3.Client{nil, clientv3.NewCtxClient(t.Context())} {
		if _, err := New(client, Config{}); err == nil {
			t.Error("it was taken")
		}
	}
}

func TestNewRefusesAKeyThatNobodyCanType(t *testing.T) {
	client := (&fake{}).serve(t).client(t)
	for _, key := range []string{"a\x00", "a\nb", "\xff", strings.Repeat("x", 513)} {
		if _, err := New(client, Config{Key: key}); err == nil {
			t.Errorf("the key %.10q was taken", key)
		}
	}
	for _, key := range []string{"", "recess", "/apps/shop/recess", "läden/recess", "a b"} {
		b, err := New(client, Config{Key: key})
		if err != nil {
			t.Errorf("the key %q: %v", key, err)
			continue
		}
		_ = b.Close()
	}
}

func TestCloseLeavesAClientThatWasHandedInOpen(t *testing.T) {
	f := (&fake{}).serve(t)
	client := f.client(t)
	b, err := New(client, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.Read(soon(t), b); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := client.Get(soon(t), "x"); err != nil {
		t.Errorf("the client, after the backend: %v", err)
	}
}
