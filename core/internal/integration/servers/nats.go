package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// NATSConfig says what is special about a NATS server.
type NATSConfig struct {
	// Lines are more lines of nats-server's own configuration: users, TLS.
	Lines []string
	// SetUp is called after each start, with data or without, until it succeeds.
	SetUp func(ctx context.Context, addr string) error
}

// NATS starts a NATS server with JetStream, which writes every change to disk before it answers.
func NATS(t testing.TB, config NATSConfig) *Server {
	t.Helper()
	return launch(t, natsServer(t, freeAddr(t), config, func(ctx context.Context, addr string) error {
		err := natsReady(ctx, addr)
		if err == nil && config.SetUp != nil {
			err = config.SetUp(ctx, addr)
		}
		return err
	}))
}

// NATSCluster starts three NATS servers that keep streams together. Config.SetUp is asked of the first once all run.
func NATSCluster(t testing.TB, config NATSConfig) []*Server {
	t.Helper()
	routes := []string{freeAddr(t), freeAddr(t), freeAddr(t)}
	var members []*Server
	for i, route := range routes {
		c := config
		c.Lines = append([]string{
			fmt.Sprintf("server_name: member-%d", i),
			fmt.Sprintf(`cluster { name: recess, listen: %q, routes: ["nats://%s"], no_advertise: true }`, route, strings.Join(routes, `", "nats://`)),
		}, config.Lines...)
		members = append(members, launch(t, natsServer(t, freeAddr(t), c, natsReady)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for config.SetUp != nil {
		err := config.SetUp(ctx, members[0].Addr)
		if err == nil {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond): // as at a server's start
		case <-ctx.Done():
			t.Fatalf("the cluster does not come up: %v", err)
		}
	}
	return members
}

func natsServer(t testing.TB, addr string, config NATSConfig, ready func(context.Context, string) error) *Server {
	t.Helper()
	path, file := own(t, "nats"), filepath.Join(t.TempDir(), "nats.conf")
	lines := append([]string{"jetstream: enabled"}, config.Lines...)
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Server{Name: "nats", Addr: addr, ready: ready}
	s.command = func() *exec.Cmd {
		cmd := exec.Command(path, "-addr", s.Addr, "-dir", s.Dir, "-config", file)
		if _, err := cmd.StdinPipe(); err != nil { // it ends when nobody holds the other end any more
			t.Error(err)
		}
		return cmd
	}
	return s
}

// natsReady waits for the first line, which the server says of itself.
func natsReady(ctx context.Context, addr string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "INFO ") {
		err = fmt.Errorf("it says %q", line)
	}
	return err
}
