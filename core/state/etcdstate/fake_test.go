package etcdstate

import (
	"cmp"
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/recess-go/recess/core/state/driver"
)

// patience is how long something that must happen may take.
const patience = 20 * time.Second

// A fake is a server that says what a test scripts: the answers of the real one that it gives too rarely to wait for.
type fake struct {
	pb.UnimplementedKVServer
	pb.UnimplementedWatchServer
	pb.UnimplementedLeaseServer

	addr string
	stop func()

	mu    sync.Mutex
	calls []string
	conns []net.Conn

	// What a call does. Nil answers that nothing is there.
	onRange func(*pb.RangeRequest) (*pb.RangeResponse, error)
	onTxn   func(*pb.TxnRequest) (*pb.TxnResponse, error)
	onPut   func(*pb.PutRequest) (*pb.PutResponse, error)
	onGrant func(*pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error)
	onWatch func(pb.Watch_WatchServer) error
	onRenew func(pb.Lease_LeaseKeepAliveServer) error
}

// serve starts the fake, again on the same address if it was stopped. It ends with the test.
func (f *fake) serve(t *testing.T) *fake {
	t.Helper()
	listener, err := net.Listen("tcp", cmp.Or(f.addr, "127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	f.addr = listener.Addr().String()
	server := grpc.NewServer()
	f.stop = server.Stop
	pb.RegisterKVServer(server, f)
	pb.RegisterWatchServer(server, f)
	pb.RegisterLeaseServer(server, f)
	go func() { _ = server.Serve(counting{listener, f}) }()
	t.Cleanup(server.Stop)
	return f
}

// counting takes down which connections come in.
type counting struct {
	net.Listener
	fake *fake
}

func (c counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.fake.mu.Lock()
		c.fake.conns = append(c.fake.conns, conn)
		c.fake.mu.Unlock()
	}
	return conn, err
}

func (f *fake) connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.conns)
}

func (f *fake) did(call string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
}

// times is how often a call was made.
func (f *fake) times(call string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c == call {
			n++
		}
	}
	return n
}

// order is the calls made so far.
func (f *fake) order() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *fake) Range(_ context.Context, in *pb.RangeRequest) (*pb.RangeResponse, error) {
	f.did("range")
	if f.onRange != nil {
		return f.onRange(in)
	}
	return &pb.RangeResponse{Header: &pb.ResponseHeader{}}, nil
}

func (f *fake) Txn(_ context.Context, in *pb.TxnRequest) (*pb.TxnResponse, error) {
	f.did("txn")
	if f.onTxn != nil {
		return f.onTxn(in)
	}
	return &pb.TxnResponse{Header: &pb.ResponseHeader{Revision: 2}, Succeeded: true}, nil
}

func (f *fake) Put(_ context.Context, in *pb.PutRequest) (*pb.PutResponse, error) {
	f.did("put")
	if f.onPut != nil {
		return f.onPut(in)
	}
	return &pb.PutResponse{Header: &pb.ResponseHeader{}}, nil
}

func (f *fake) LeaseGrant(_ context.Context, in *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	f.did("grant")
	if f.onGrant != nil {
		return f.onGrant(in)
	}
	return &pb.LeaseGrantResponse{Header: &pb.ResponseHeader{}, ID: int64(f.times("grant")), TTL: in.TTL}, nil
}

func (f *fake) LeaseKeepAlive(stream pb.Lease_LeaseKeepAliveServer) error {
	f.did("keepalive")
	return f.onRenew(stream)
}

func (f *fake) Watch(stream pb.Watch_WatchServer) error {
	f.did("watch")
	return f.onWatch(stream)
}

// client returns a client of the fake, as this package makes its own.
func (f *fake) client(t *testing.T) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(ClientConfig(clientv3.Config{Endpoints: []string{"http://" + f.addr}}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// store returns a store over the fake, which owns its client or does not.
func (f *fake) store(t *testing.T, owned bool) *store {
	t.Helper()
	s := newStore(f.client(t), Config{}, owned)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// soon is a context for what must happen.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// kv is a document as the server has it.
func kv(modRevision int64, value string) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{Key: []byte(DefaultKey), CreateRevision: 1, ModRevision: modRevision, Version: modRevision, Value: []byte(value)}
}

func found(kvs ...*mvccpb.KeyValue) *pb.RangeResponse {
	return &pb.RangeResponse{Header: &pb.ResponseHeader{}, Kvs: kvs, Count: int64(len(kvs))}
}

// created reads the request that makes a watch, and says that it is made.
func created(stream pb.Watch_WatchServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	return stream.Send(&pb.WatchResponse{Header: &pb.ResponseHeader{Revision: 1}, Created: true})
}

// alive answers a request for a sign of life.
func alive(stream pb.Watch_WatchServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	return stream.Send(&pb.WatchResponse{Header: &pb.ResponseHeader{Revision: 1}, WatchId: clientv3.InvalidWatchID})
}

func untilGone(stream grpc.ServerStream) error {
	<-stream.Context().Done()
	return stream.Context().Err()
}

var _ driver.Watch = (*watch)(nil)
