package servers

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// MariaDB starts a MariaDB server on the loopback address and on the unix socket "socket" in its Dir, with the database
// "recess" and the user "admin" without a password, who may do everything. It writes every change to disk before it
// answers, and before it shows it to anybody: for that, InnoDB needs the binary log. SetUp is called after each start,
// until it succeeds, with data or without; nil does nothing. More are options of mariadbd, and take precedence.
func MariaDB(t testing.TB, setUp func(ctx context.Context, addr string) error, more ...string) *Server {
	t.Helper()
	path := program(t, "mariadb-server", "mariadbd", "/usr/sbin/mariadbd")
	install := program(t, "mariadb-server", "mariadb-install-db", "/usr/bin/mariadb-install-db")
	s := &Server{Name: "mariadb", Addr: freeAddr(t), ready: func(ctx context.Context, addr string) error {
		err := mariadbReady(ctx, addr)
		if err == nil && setUp != nil {
			err = setUp(ctx, addr)
		}
		return err
	}}
	data := func() string { return filepath.Join(s.Dir, "data") }
	as := account("mysql")
	// A directory of its own for temporary tables: a server that starts removes what others have in the same one.
	command := func(name string, arg ...string) *exec.Cmd {
		cmd := exec.Command(name, append([]string{"--no-defaults", "--datadir=" + data(), "--tmpdir=" + s.Dir, "--innodb-log-file-size=4M"}, arg...)...)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		return cmd
	}
	s.prepare = func() error {
		if err := ownedBy(as, s.Dir); err != nil {
			return err
		}
		// The server makes the database and the user itself, at every start.
		first := "CREATE DATABASE IF NOT EXISTS recess;\nCREATE USER IF NOT EXISTS admin@'%';\nGRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION;\n"
		if err := os.WriteFile(filepath.Join(s.Dir, "setup.sql"), []byte(first), 0o644); err != nil {
			return err
		}
		cmd := command(install, "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	s.command = func() *exec.Cmd {
		return command(path, append([]string{
			"--bind-address=127.0.0.1", "--port=" + port(s.Addr), "--socket=" + filepath.Join(s.Dir, "socket"),
			"--pid-file=" + filepath.Join(s.Dir, "pid"), "--init-file=" + filepath.Join(s.Dir, "setup.sql"),
			"--skip-name-resolve", "--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=16M",
			"--log-bin=binlog", "--sync-binlog=1", "--server-id=1",
		}, more...)...)
	}
	return launch(t, s)
}

// ownedBy gives a directory to a user; nil is who has it.
func ownedBy(who *syscall.Credential, dir string) error {
	if who == nil {
		return nil
	}
	return os.Chown(dir, int(who.Uid), int(who.Gid))
}

// mariadbReady reads the greeting, which a server sends once it lets users in: a packet with the protocol's version.
func mariadbReady(ctx context.Context, addr string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // it was only read from
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	greeting := make([]byte, 5)
	if _, err := io.ReadFull(conn, greeting); err != nil {
		return err
	}
	if greeting[4] != 10 {
		return fmt.Errorf("it greets with %v", greeting)
	}
	return nil
}
