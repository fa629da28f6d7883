package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Redis starts a Redis server that writes every change to disk before it answers.
func Redis(t testing.TB) *Server {
	t.Helper()
	return RedisWith(t, "--appendonly", "yes", "--appendfsync", "always")
}

// RedisWith starts a Redis server with arguments of its own, and without persistence unless they ask for it.
func RedisWith(t testing.TB, arguments ...string) *Server {
	t.Helper()
	path := program(t, "redis-server", "redis-server")
	s := &Server{Name: "redis", Addr: freeAddr(t), ready: redisReady}
	s.command = func() *exec.Cmd {
		return exec.Command(path, append([]string{
			"--port", port(s.Addr), "--bind", "127.0.0.1", "--dir", s.Dir, "--save", "", "--repl-diskless-sync-delay", "0",
		}, arguments...)...)
	}
	return launch(t, s)
}

// RedisTLS starts a Redis server that speaks TLS at the address that it returns beside it, and wants certificates of
// clients there. The certificates are files in PEM.
func RedisTLS(t testing.TB, ca, cert, key string) (s *Server, tlsAddr string) {
	t.Helper()
	tlsAddr = freeAddr(t)
	return RedisWith(t, "--tls-port", port(tlsAddr), "--tls-ca-cert-file", ca, "--tls-cert-file", cert, "--tls-key-file", key), tlsAddr
}

// RedisReplica starts a Redis server that follows another one.
func RedisReplica(t testing.TB, master *Server, arguments ...string) *Server {
	t.Helper()
	return RedisWith(t, append([]string{"--replicaof", "127.0.0.1 " + port(master.Addr)}, arguments...)...)
}

// RedisSentinel starts a sentinel that watches a master, and finds it down after half a second. One sentinel suffices for a failover.
func RedisSentinel(t testing.TB, master *Server, name string, lines ...string) *Server {
	t.Helper()
	path := program(t, "redis-server", "redis-server")
	s := &Server{Name: "sentinel", Addr: freeAddr(t), ready: redisReady}
	file := func() string { return filepath.Join(s.Dir, "sentinel.conf") }
	s.prepare = func() error {
		text := append([]string{
			"port " + port(s.Addr), "bind 127.0.0.1", "dir " + s.Dir,
			"sentinel monitor " + name + " 127.0.0.1 " + port(master.Addr) + " 1",
			"sentinel down-after-milliseconds " + name + " 500",
			"sentinel failover-timeout " + name + " 10000", "",
		}, lines...)
		return os.WriteFile(file(), []byte(strings.Join(text, "\n")+"\n"), 0o600) // the sentinel writes to it
	}
	s.command = func() *exec.Cmd { return exec.Command(path, file(), "--sentinel") }
	return launch(t, s)
}

// RedisCluster starts a cluster of three masters, with so many replicas of each, and returns once they have agreed. A
// master that is down for more than a second is replaced by its replica.
func RedisCluster(t testing.TB, replicas int) []*Server {
	t.Helper()
	cli := program(t, "redis-tools", "redis-cli")
	var nodes []*Server
	create := []string{"--cluster", "create"}
	for range 3 * (1 + replicas) {
		bus := port(freeAddr(t))
		nodes = append(nodes, RedisWith(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", bus))
		create = append(create, nodes[len(nodes)-1].Addr)
	}
	create = append(create, "--cluster-replicas", strconv.Itoa(replicas), "--cluster-yes")
	if out, err := exec.Command(cli, create...).CombinedOutput(); err != nil {
		t.Fatalf("redis-cli --cluster create: %v\n%s", err, out)
	}
	for _, node := range nodes {
		node.ready = redisClusterReady
		node.awaitReady(t)
	}
	return nodes
}

func redisClusterReady(ctx context.Context, addr string) error {
	cli := exec.CommandContext(ctx, "redis-cli", "-h", "127.0.0.1", "-p", port(addr), "cluster", "info")
	out, err := cli.CombinedOutput()
	if err == nil && !strings.Contains(string(out), "cluster_state:ok") {
		err = fmt.Errorf("it says %s", out)
	}
	return err
}

// redisReady asks for a sign of life. A server that wants a password first has given it.
func redisReady(ctx context.Context, addr string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err := fmt.Fprint(conn, "PING\r\n"); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && strings.TrimSpace(answer) != "+PONG" && !strings.HasPrefix(answer, "-NOAUTH") {
		err = fmt.Errorf("it says %q", answer)
	}
	return err
}
