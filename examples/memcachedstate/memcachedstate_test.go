package memcachedstate_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/statetest"
	"github.com/recess-go/recess/examples/memcachedstate"
)

func TestConformance(t *testing.T) {
	addr := memcached(t)
	var stores atomic.Int64
	// snippet: suite
	statetest.Run(t, statetest.Harness{
		Fresh: func(*testing.T) statetest.Store {
			key := fmt.Sprintf("recess-%d", stores.Add(1)) // a place that no other test uses
			return statetest.Store{Open: func(*testing.T) state.Backend { return memcachedstate.New(addr, key) }}
		},
	})
	// end
}

// memcached starts a server that ends with the test, and returns its address.
func memcached(t *testing.T) string {
	path, err := exec.LookPath("memcached")
	if err != nil {
		t.Skip("LEFT OUT: memcached is not installed (Debian's package memcached brings it)")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(addr)
	ctx, kill := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, path, "-l", "127.0.0.1", "-p", port, "-U", "0", "-u", "nobody")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(); _ = server.Wait() })
	b := memcachedstate.New(addr, "ready")
	defer b.Close()
	for deadline := time.Now().Add(time.Minute); ; {
		if _, err = state.Read(t.Context(), b); err == nil {
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatalf("memcached does not answer: %v", err)
		}
		time.Sleep(10 * time.Millisecond) // a server that starts cannot say when it will be ready
	}
}
