// Package etcdstate keeps the state in etcd (version 3.4 or later), under one key. Its state URL is
//
//	etcd://USER:PASSWORD@HOST:2379,HOST:2379/?key=recess
//
// or etcds: for TLS. The user is left out where etcd asks for none; a port is 2379 unless it is given; characters that
// mean something in a URL are percent-encoded. Parameters, all optional:
//
//	key              the document's key: "recess"
//	timeout          how long a call to etcd may take: 4s
//	probe            after how much silence a watch must show that it lives: 2s
//	tls_ca           file: the certificate authority, in place of the system's
//	tls_cert         file: this client's certificate; read anew for each connection
//	tls_key          file: the certificate's key
//	tls_server_name  the name that the servers' certificates are for, in place of the host's
//	tls_skip_verify  true believes every server: never in production
//
// The value is the document, byte for byte, so that etcd's own tool shows and replaces it:
//
//	etcdctl get --print-value-only recess
//	etcdctl put recess < document.json
//
// Instances announce themselves under KEY/instances/ID, each key on a lease of its own.
//
// Reads are linearizable: they see every write that was acknowledged, whatever member answers. Changes arrive on a
// watch, with the document. A document that was saved is on the disks of most members. Without a leader nothing can be
// read or written.
package etcdstate

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// Config says where in etcd the state is. The zero Config is good for one application per cluster.
type Config struct {
	// Key is the document's key: DefaultKey if "". Instances are kept under Key + "/instances/". A namespace that the
	// client's KV was wrapped in does not apply: give the whole key.
	Key string
	// Timeout bounds every call: driver.DefaultTimeout if 0.
	Timeout time.Duration
	// Probe is after how much silence a watch must show that it lives: driver.DefaultProbe if 0.
	Probe time.Duration
}

// DefaultKey is the document's key unless [Config] names another.
const DefaultKey = "recess"

// A Backend is a [state.Backend] and [state.Presence] in etcd.
type Backend struct {
	*driver.Backend
	presence *presence
}

// New returns a backend over a client, which the caller keeps, and closes after the backend. A client that shall notice
// a dead connection is made with [ClientConfig]; with clientv3's defaults the backend notices that nothing answers,
// but goes on asking over the dead connection until the operating system gives it up, which may take a quarter of an hour.
func New(client *clientv3.Client, config Config) (*Backend, error) {
	if client == nil || client.ActiveConnection() == nil {
		return nil, errors.New("etcdstate: the backend needs a client that clientv3.New has made")
	}
	if err := checkKey(config.Key); err != nil {
		return nil, fmt.Errorf("etcdstate: %w", err)
	}
	return over(client, config, false), nil
}

// over returns a backend over a client that is its own, to close and to reconnect, or that is not.
func over(client *clientv3.Client, config Config, owned bool) *Backend {
	s := newStore(client, config, owned)
	return &Backend{
		Backend:  driver.New(s, driver.Config{Name: "etcdstate", Timeout: config.Timeout, Probe: config.Probe}),
		presence: newPresence(s),
	}
}

// checkKey refuses what nobody can type into etcdctl.
func checkKey(key string) error {
	if len(key) > 512 {
		return fmt.Errorf("the key has %d bytes, at most 512 are allowed", len(key))
	}
	if strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return fmt.Errorf("the key %q holds characters that cannot be printed", key)
	}
	return nil
}

// A store is the document in etcd. Its revision is the key's ModRevision, the number that the write has of all writes to
// the cluster, with the content.
type store struct {
	client    *clientv3.Client
	owned     bool // the client is the backend's own
	endpoints []string
	patience  time.Duration // after which a call that is not answered says something about the connection
	key       string
	kv        clientv3.KV
	leases    pb.LeaseClient
	watches   pb.WatchClient
	renewals  renewals
	met       atomic.Bool               // a server has answered before
	known     atomic.Pointer[state.Doc] // the document that was read, told or saved last; nil for none

	mu          sync.Mutex // of what changes the client's connections
	reconnected time.Time
}

var _ driver.Watcher = (*store)(nil)

func newStore(client *clientv3.Client, config Config, owned bool) *store {
	conn := prompt{client.ActiveConnection()}
	leases := pb.NewLeaseClient(conn)
	return &store{
		client: client, owned: owned, endpoints: client.Endpoints(),
		patience: min(cmp.Or(config.Timeout, driver.DefaultTimeout), cmp.Or(config.Probe, driver.DefaultProbe)),
		key:      cmp.Or(config.Key, DefaultKey),
		kv:       clientv3.NewKVFromKVClient(pb.NewKVClient(conn), client),
		leases:   leases,
		watches:  pb.NewWatchClient(conn),
		renewals: renewals{leases: leases},
	}
}

// Read implements [driver.Store].
func (s *store) Read(ctx context.Context) (state.Doc, error) {
	found, err := s.get(ctx, s.key)
	if err != nil || len(found.Kvs) == 0 {
		return state.Doc{}, err
	}
	doc := docOf(found.Kvs[0])
	s.known.Store(&doc)
	return doc, nil
}

// get reads. It is repeated once if the connection broke meanwhile: the next one is to another member, or a new one.
func (s *store) get(ctx context.Context, key string, options ...clientv3.OpOption) (found *clientv3.GetResponse, err error) {
	for range 2 {
		err = s.led(ctx, func(ctx context.Context) error {
			found, err = s.kv.Get(ctx, key, options...)
			return err
		})
		if !unavailable(err) || ctx.Err() != nil || s.unreachable() {
			break
		}
	}
	return found, s.explain(err, "read", key)
}

func docOf(kv *mvccpb.KeyValue) state.Doc {
	return state.Doc{Rev: driver.Numbered(uint64(kv.ModRevision), kv.Value), Data: kv.Value}
}

// Save implements [driver.Store]. The number alone does not name a document, since a store that was wiped or restored
// counts again, and etcd can compare a value, but not its hash: so the old document is sent along, and read first if it
// is not the one that was read, told or saved last.
func (s *store) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	doc, err := s.named(ctx, old)
	if err != nil {
		return state.None, err
	}
	number, _ := driver.Number(doc.Rev) // 0 is the ModRevision of a key that is not there
	unchanged := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(s.key), "=", int64(number))}
	if doc.Rev != state.None {
		unchanged = append(unchanged, clientv3.Compare(clientv3.Value(s.key), "=", string(doc.Data)))
	}
	var answer *clientv3.TxnResponse
	err = s.led(ctx, func(ctx context.Context) error {
		answer, err = s.kv.Txn(ctx).If(unchanged...).Then(clientv3.OpPut(s.key, string(data))).Commit()
		return err
	})
	switch {
	case errors.Is(err, rpctypes.ErrPermissionDenied), errors.Is(err, rpctypes.ErrNoSpace):
		return state.None, fmt.Errorf("%w: %w", state.ErrReadOnly, s.explain(err, "readwrite", s.key))
	case err != nil && (ctx.Err() != nil || inDoubt(err)):
		return state.None, fmt.Errorf("the answer is missing, so that the document may be saved or not: read it before you save again: %w",
			s.explain(err, "readwrite", s.key))
	case err != nil:
		return state.None, s.explain(err, "readwrite", s.key)
	case !answer.Succeeded:
		return state.None, state.ErrConflict
	}
	saved := state.Doc{Rev: driver.Numbered(uint64(answer.Header.Revision), data), Data: bytes.Clone(data)}
	s.known.Store(&saved)
	return saved.Rev, nil
}

// named returns the document of a revision, or a conflict if that is not the newest, as far as can be seen.
func (s *store) named(ctx context.Context, rev state.Rev) (state.Doc, error) {
	if rev == state.None {
		return state.Doc{}, nil
	}
	if known := s.known.Load(); known != nil && known.Rev == rev {
		return *known, nil
	}
	doc, err := s.Read(ctx)
	if err == nil && doc.Rev != rev {
		err = state.ErrConflict
	}
	return doc, err
}

// Newer implements [driver.Watcher].
func (s *store) Newer(a, b state.Rev) bool { return driver.NewerNumber(a, b) }

// Close implements [driver.Store].
func (s *store) Close() error {
	s.renewals.close()
	if s.owned {
		return s.client.Close()
	}
	return nil
}
