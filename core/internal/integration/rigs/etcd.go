package rigs

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
	"github.com/recess-go/recess/core/state/etcdstate"
	"github.com/recess-go/recess/core/state/statetest"
)

func init() { register("etcd", newEtcd) }

func newEtcd(t testing.TB) Rig {
	server := servers.Etcd(t)
	admin := clientv3.Config{Endpoints: []string{server.Addr}}
	url := func(addr string) string { return "etcd://" + addr }
	harness := EtcdHarness(admin, func(t *testing.T, key string) state.Backend {
		t.Helper()
		return open(t, url(server.Addr)+"?key="+key)
	})
	fresh := harness.Fresh
	harness.Fresh = func(t *testing.T) statetest.Store {
		store := fresh(t)
		store.Looks = func() int { return etcdReads(t, server.Addr) }
		return store
	}
	return Rig{
		Server:  server,
		URL:     url,
		Open:    func(t testing.TB, addr string) state.Backend { t.Helper(); return open(t, url(addr)) },
		Put:     func(t testing.TB, data []byte) { t.Helper(); EtcdPut(t, admin, etcdstate.DefaultKey, data) },
		Notice:  2 * driver.DefaultProbe,
		Harness: harness,
	}
}

// EtcdHarness is how the conformance suite sees backends in etcd, each under a key of its own. What is done past them is
// done by the operator, on connections of his own.
func EtcdHarness(operator clientv3.Config, make func(t *testing.T, key string) state.Backend) statetest.Harness {
	return statetest.Harness{
		Push:     true,
		Presence: true,
		Resident: true, // a gRPC connection is never without goroutines
		Packages: []string{
			"go.etcd.io/etcd/client/v3", "google.golang.org/grpc", "google.golang.org/grpc/internal/transport",
			"google.golang.org/grpc/internal/grpcsync",
		},
		Fresh: func(*testing.T) statetest.Store {
			key := freshKey()
			return statetest.Store{
				Open: func(t *testing.T) state.Backend { t.Helper(); return make(t, key) },
				Put:  func(t *testing.T, data []byte) { t.Helper(); EtcdPut(t, operator, key, data) },
			}
		},
	}
}

// EtcdClient returns a client for what an operator does with etcdctl. It ends with the test.
func EtcdClient(t testing.TB, config clientv3.Config) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(etcdstate.ClientConfig(config))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// EtcdPut writes a key as an operator would; nil data removes it.
func EtcdPut(t testing.TB, operator clientv3.Config, key string, data []byte) {
	t.Helper()
	client, err := clientv3.New(etcdstate.ClientConfig(operator))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if data == nil {
		_, err = client.Delete(context.Background(), key)
	} else {
		_, err = client.Put(context.Background(), key, string(data))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// etcdReads is how often a server was asked for keys since it started.
func etcdReads(t testing.TB, addr string) int {
	t.Helper()
	answer, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	reads, lines := 0, bufio.NewScanner(answer.Body)
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, "grpc_server_started_total{") || !strings.Contains(line, `grpc_method="Range"`) {
			continue
		}
		if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' '):], &reads); err != nil {
			t.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return reads
}
