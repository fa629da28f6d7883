package mariadb_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/recess-go/recess/core/internal/integration/servers"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/statetest"
)

// TestConformanceOnAGaleraCluster has every other backend on another node. Of writers on two nodes the slower is told of
// a deadlock when it commits; with wsrep_sync_wait=1 each look sees what the other node has committed.
func TestConformanceOnAGaleraCluster(t *testing.T) {
	nodes := galera(t)
	if err := open(t, nodeURL(nodes[0], "recess")).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var opened atomic.Int64
	statetest.Run(t, statetest.Harness{
		Presence: true, Resident: true,
		Fresh: func(*testing.T) statetest.Store {
			name := newName()
			return statetest.Store{Open: func(t *testing.T) state.Backend {
				t.Helper()
				b, err := state.Open(t.Context(), nodeURL(nodes[opened.Add(1)%2], name))
				if err != nil {
					t.Fatal(err)
				}
				return b
			}}
		},
	})
	lost := 0
	for _, node := range nodes {
		for _, counter := range []string{"wsrep_local_cert_failures", "wsrep_local_bf_aborts"} {
			lost += number(t, node, "SELECT variable_value FROM information_schema.global_status WHERE variable_name = '"+counter+"'")
		}
	}
	if lost == 0 {
		t.Error("no two writers on two nodes have met")
	}
	t.Logf("%d statements were taken back for another node's", lost)
}

func nodeURL(node *servers.Server, name string) string {
	return "mysql://admin@" + node.Addr + "/recess?wsrep_sync_wait=1&name=" + name
}

// galera starts a cluster of two nodes.
func galera(t *testing.T) (nodes [2]*servers.Server) {
	const library = "/usr/lib/galera/libgalera_smm.so"
	if _, err := os.Stat(library); err != nil {
		t.Skip("LEFT OUT: Galera is not installed (Debian's package galera-4 brings it)")
	}
	name, address := "recess-"+strings.ToLower(state.NewID()), "gcomm://"
	for i := range nodes {
		listen := freePort(t)
		options := []string{
			"--binlog-format=ROW", "--innodb-autoinc-lock-mode=2", "--wsrep-on=ON", "--wsrep-provider=" + library,
			"--wsrep-cluster-name=" + name, "--wsrep-cluster-address=" + address, "--wsrep-node-address=127.0.0.1",
			"--wsrep-sst-method=rsync", "--wsrep-sst-receive-address=" + freePort(t),
			"--wsrep-provider-options=gmcast.listen_addr=tcp://" + listen + ";ist.recv_addr=" + freePort(t),
		}
		if i == 0 {
			options = append(options, "--wsrep-new-cluster")
			address += listen
		} else {
			options = append(options, "--init-file=") // it gets everything from the first
		}
		nodes[i] = servers.MariaDB(t, synced, options...)
	}
	return nodes
}

// synced is nil once a node takes part.
func synced(ctx context.Context, addr string) error {
	db, err := sql.Open("mysql", "admin@tcp("+addr+")/")
	if err != nil {
		return err
	}
	defer db.Close()
	var name, is string
	err = db.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'wsrep_local_state_comment'").Scan(&name, &is)
	if err == nil && !strings.HasPrefix(is, "Synced") {
		err = fmt.Errorf("the node is %q", is)
	}
	return err
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
