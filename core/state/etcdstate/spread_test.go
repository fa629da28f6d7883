package etcdstate

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestALostConnectionIsTakenUpAgainAfterAPause: the clock of a bubble stands still while the network is waited for.
func TestALostConnectionIsTakenUpAgainAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		there, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &spreader{had: make(map[string]bool)}
		dial := func(want bool) time.Duration {
			t.Helper()
			began := time.Now()
			conn, err := s.dial(t.Context(), there.Addr().String())
			if connected := err == nil; connected != want {
				t.Fatalf("connected: %v, %v", connected, err)
			}
			if conn != nil {
				conn.Close()
			}
			return time.Since(began)
		}
		if took := dial(true); took != 0 {
			t.Errorf("the first connection is made after %v", took)
		}
		if took := dial(true); took <= 0 || took >= spreadOver {
			t.Errorf("the second is made after %v, want up to %v", took, spreadOver)
		}
		there.Close()
		if took := dial(false); took <= 0 {
			t.Error("a connection that was lost for good is taken up again at once")
		}
		if took := dial(false); took != 0 {
			t.Errorf("an attempt after one that failed pauses for %v: gRPC has paused already", took)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		s.had["elsewhere:1"] = true
		if _, err := s.dial(ended, "elsewhere:1"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestUnixSocketsAreDialled(t *testing.T) {
	there, err := net.Listen("unix", t.TempDir()+"/etcd")
	if err != nil {
		t.Skipf("no Unix sockets here: %v", err)
	}
	defer there.Close()
	for _, addr := range []string{"unix:" + there.Addr().String(), "unix://" + there.Addr().String()} {
		conn, err := (&spreader{had: make(map[string]bool)}).dial(t.Context(), addr)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
}

// TestAProxyIsLeftToGRPC runs itself in a process of its own: the environment is read once in each.
func TestAProxyIsLeftToGRPC(t *testing.T) {
	if os.Getenv("HTTPS_PROXY") == "" {
		test := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		test.Env = append(os.Environ(), "HTTPS_PROXY=http://proxy.example:3128", "NO_PROXY=near.example")
		if out, err := test.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	for endpoint, want := range map[string]bool{
		"http://etcd.example:2379": true, "https://etcd.example:2379": true, "etcd.example:2379": true,
		"https://near.example:2379": false, "http://127.0.0.1:2379": false, "localhost:2379": false,
	} {
		if got := proxied(clientv3.Config{Endpoints: []string{endpoint}}); got != want {
			t.Errorf("%s: proxied is %v", endpoint, got)
		}
	}
}
