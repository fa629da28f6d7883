package etcdstate

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// spreadOver is the time over which the clients of a fleet take their connections up again that were lost at once. By
// itself gRPC takes a connection up again in the moment in which it is lost.
const spreadOver = 500 * time.Millisecond

// A spreader makes connections, the first to a server at once, and one in the place of another after a random pause.
type spreader struct {
	mu  sync.Mutex
	had map[string]bool // the addresses that the last attempt has connected to
}

// dial is for [google.golang.org/grpc.WithContextDialer].
func (s *spreader) dial(ctx context.Context, addr string) (net.Conn, error) {
	if s.swap(addr, false) {
		pause := time.NewTimer(rand.N(spreadOver))
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	network := "tcp"
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", strings.TrimPrefix(path, "//")
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	s.swap(addr, err == nil)
	return conn, err
}

func (s *spreader) swap(addr string, now bool) (before bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.had[addr]
	s.had[addr] = now
	return before
}

// proxied reports whether the environment (HTTPS_PROXY and the like) names a proxy on the way to a server. gRPC knows how
// to talk to one, but not over connections that somebody else makes.
func proxied(config clientv3.Config) bool {
	for _, endpoint := range config.Endpoints {
		host := endpoint
		if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
			host = u.Host
		}
		proxy, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: host}}) // as gRPC asks
		if proxy != nil || err != nil {
			return true
		}
	}
	return false
}
