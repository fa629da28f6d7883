package servers

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// A PostgresConfig says what is special about a PostgreSQL server. The zero PostgresConfig is a plain one.
type PostgresConfig struct {
	// MaxConnections is how many clients it takes: 200 if 0.
	MaxConnections int
	// Settings stand in postgresql.conf.
	Settings map[string]string
	// Files are put into the data directory, which is also the server's working directory, readable by the server alone.
	Files map[string][]byte
	// Rules stand in pg_hba.conf, before the one that lets everybody in without a password.
	Rules []string
	// SetUp is called after each start, with data or without, until it succeeds.
	SetUp func(ctx context.Context, addr string) error
	// StandbyOf is the address of a server that this one copies itself from and follows, read-only.
	StandbyOf string
}

// Postgres starts a PostgreSQL server on the loopback address, with the superuser "postgres" and the database of that
// name. It writes every change to disk before it answers.
func Postgres(t testing.TB, config PostgresConfig) *Server {
	t.Helper()
	bin := filepath.Dir(program(t, "postgresql", "/usr/lib/postgresql/*/bin/postgres"))
	as := account("postgres", "nobody")
	s := &Server{Name: "postgres", Addr: freeAddr(t), ready: func(ctx context.Context, addr string) error {
		err := postgresReady(ctx, addr)
		if err == nil && config.SetUp != nil {
			err = config.SetUp(ctx, addr)
		}
		return err
	}}
	data := func() string { return filepath.Join(s.Dir, "data") }
	command := func(name string, arg ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), arg...)
		cmd.Dir, cmd.Env = s.Dir, []string{"LC_ALL=C"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		return cmd
	}
	s.prepare = func() error {
		if err := ownedBy(as, s.Dir); err != nil {
			return err
		}
		make := command("initdb", "-D", data(), "--no-sync", "--no-instructions", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
		if host, port, ok := strings.Cut(config.StandbyOf, ":"); ok {
			make = command("pg_basebackup", "-D", data(), "--no-sync", "-R", "-c", "fast", "-h", host, "-p", port, "-U", "postgres")
		}
		if out, err := make.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return config.write(as, data())
	}
	s.command = func() *exec.Cmd {
		return command("postgres", "-D", data(), "-p", port(s.Addr), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+s.Dir)
	}
	return launch(t, s)
}

// write puts the configuration into a new data directory.
func (c PostgresConfig) write(as *syscall.Credential, data string) error {
	settings := []string{
		fmt.Sprintf("max_connections = %d", cmp.Or(c.MaxConnections, 200)),
		"dynamic_shared_memory_type = mmap", // in the data directory: one that is killed leaves nothing in /dev/shm
	}
	for _, name := range slices.Sorted(maps.Keys(c.Settings)) {
		settings = append(settings, fmt.Sprintf("%s = '%s'", name, c.Settings[name]))
	}
	rules := append(slices.Clone(c.Rules), "local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust")
	files := map[string][]byte{
		"postgresql.conf": []byte(strings.Join(settings, "\n") + "\n"),
		"pg_hba.conf":     []byte(strings.Join(rules, "\n") + "\n"),
	}
	maps.Copy(files, c.Files)
	for name, content := range files {
		path := filepath.Join(data, name)
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
		if as == nil {
			continue
		}
		if err := os.Chown(path, int(as.Uid), int(as.Gid)); err != nil {
			return err
		}
	}
	return nil
}

// account is whom a server runs as that refuses to be root, where root starts it: the first of the names that there is.
// Nil is the user who starts it.
func account(names ...string) *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range names {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(found.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(found.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	return nil
}

func postgresReady(ctx context.Context, addr string) error {
	conn, err := pgx.Connect(ctx, "postgres://postgres@"+addr+"/postgres?sslmode=disable")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	return conn.Ping(ctx)
}

// PgBouncer starts a connection pooler in front of a PostgreSQL server that lets everybody in without a password. Mode is
// its pool_mode: "transaction" gives a client one of few connections for each transaction, "session" one for good.
func PgBouncer(t testing.TB, postgres, mode string) *Server {
	t.Helper()
	path := program(t, "pgbouncer", "pgbouncer", "/usr/sbin/pgbouncer")
	host, toPort, _ := strings.Cut(postgres, ":")
	as := account("postgres", "nobody")
	s := &Server{Name: "pgbouncer", Addr: freeAddr(t), ready: postgresReady}
	s.prepare = func() error {
		settings := []string{
			"[databases]", "* = host=" + host + " port=" + toPort,
			"[pgbouncer]", "listen_addr = 127.0.0.1", "listen_port = " + port(s.Addr), "unix_socket_dir =",
			"auth_type = trust", "auth_file = users", "pool_mode = " + mode, "max_client_conn = 500", "default_pool_size = 40",
		}
		if mode == "transaction" {
			settings[len(settings)-1] = "default_pool_size = 3" // so that they are shared
		}
		users := `"postgres" ""` + "\n" + `"recess" ""` + "\n"
		for name, content := range map[string]string{"pgbouncer.ini": strings.Join(settings, "\n") + "\n", "users": users} {
			if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(content), 0o644); err != nil {
				return err
			}
		}
		return ownedBy(as, s.Dir)
	}
	s.command = func() *exec.Cmd {
		cmd := exec.Command(path, "pgbouncer.ini")
		cmd.Dir = s.Dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		return cmd
	}
	return launch(t, s)
}
