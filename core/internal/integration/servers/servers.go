// Package servers starts real servers for the tests of the backends: each on a free port of the loopback address, in a
// temporary directory, as a process of its own that can be killed, frozen and started again, and that is ended by its
// process id. A server that it did not start is never touched. (One that a RECESS_TEST_*_URL names is used by the tests
// in the folder named, and nowhere else.)
//
// Redis, PostgreSQL and MariaDB are Debian's packages, which .ci/needs installs where it may. etcd, NATS and the S3
// server are the real servers from their Go modules, built into small programs (the folders beside this file).
package servers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take to start or to end; sound ones need a second or two.
const patience = 60 * time.Second

// A Server is a server process that this test run started.
type Server struct {
	Name string
	Addr string // host:port on the loopback address, the same after every start
	Dir  string // where it keeps its data

	command func() *exec.Cmd                             // a new process over the data in Dir
	prepare func() error                                 // makes the data directory; nil if the server does that itself
	ready   func(ctx context.Context, addr string) error // asks it a question that it can answer only once it serves

	running *exec.Cmd
	exited  chan struct{} // closed when the running process is gone
	output  string        // the path of what it printed
}

// launch starts a server over an empty directory and ends it with the test.
func launch(t testing.TB, s *Server) *Server {
	t.Helper()
	s.Dir = filepath.Join(Directory(t), s.Name)
	s.output = filepath.Join(t.TempDir(), "output")
	t.Cleanup(func() {
		if s.running != nil {
			s.Kill(t)
		}
		if t.Failed() {
			if text, err := os.ReadFile(s.output); err == nil {
				t.Logf("%s said:\n%s", s.Name, text[max(0, len(text)-4000):])
			}
		}
	})
	s.reset(t)
	s.Start(t)
	return s
}

func (s *Server) reset(t testing.TB) {
	t.Helper()
	if err := os.RemoveAll(s.Dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if s.prepare == nil {
		return
	}
	if err := s.prepare(); err != nil {
		t.Fatalf("%s: preparing its data: %v", s.Name, err)
	}
}

// Start starts the server over the data that it has, and returns once it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(s.output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := s.command()
	cmd.Stdout, cmd.Stderr = log, log
	started := make(chan error)
	exited := make(chan struct{})
	go func() { // on a thread of its own: a server ends with the thread that started it
		runtime.LockOSThread()
		dieWithThread(cmd)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed: an error is what it should end with
		}
		close(exited)
	}()
	if err := <-started; err != nil {
		t.Fatalf("%s: %v", s.Name, err)
	}
	s.running, s.exited = cmd, exited
	s.awaitReady(t)
}

func (s *Server) awaitReady(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		asking, done := context.WithTimeout(ctx, time.Second)
		err := s.ready(asking, s.Addr)
		done()
		if err == nil {
			return
		}
		select {
		case <-s.exited:
			text, _ := os.ReadFile(s.output)
			t.Fatalf("%s ended instead of serving:\n%s", s.Name, text[max(0, len(text)-4000):])
		case <-ctx.Done():
			t.Fatalf("%s does not answer: %v", s.Name, err)
		case <-time.After(20 * time.Millisecond): // a server that starts cannot say when it will be ready
		}
	}
}

// Kill ends the server as a power cut would, and returns when it is gone.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGKILL)
	select {
	case <-s.exited:
		s.running = nil
	case <-time.After(patience):
		t.Fatalf("%s survived a SIGKILL", s.Name)
	}
}

// Freeze stops the server in its tracks; its sockets stay open.
func (s *Server) Freeze(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw(t testing.TB) { t.Helper(); s.signal(t, syscall.SIGCONT) }

// Wipe makes a killed server forget everything.
func (s *Server) Wipe(t testing.TB) {
	t.Helper()
	if s.running != nil {
		t.Fatalf("%s runs: kill it before its data is removed", s.Name)
	}
	s.reset(t)
}

// signal goes to all of the server's processes.
func (s *Server) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := signalTree(s.running.Process.Pid, signal); err != nil {
		t.Errorf("%s: %v: %v", s.Name, signal, err)
	}
}

// program returns the path of an installed program, or skips the test and says what would bring it.
func program(t testing.TB, debianPackage string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		if found, err := filepath.Glob(name); err == nil && len(found) > 0 {
			return found[len(found)-1]
		}
	}
	t.Skipf("LEFT OUT: %s is not installed (Debian's package %s brings it)", filepath.Base(names[0]), debianPackage)
	return ""
}

var (
	building sync.Mutex
	built    = make(map[string]string)
)

// own returns the path of one of the servers beside this file, built on first use. It stays for as long as the process.
func own(t testing.TB, name string) string {
	t.Helper()
	building.Lock()
	defer building.Unlock()
	if path := built[name]; path != "" {
		return path
	}
	dir, err := os.MkdirTemp("", "recess-servers-")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	build := exec.Command("go", "build", "-o", path, ".")
	build.Dir = filepath.Join(sources(), name)
	if _, err := os.Stat(filepath.Join(build.Dir, "go.mod")); err == nil {
		build.Env = append(os.Environ(), "GOWORK=off") // a module of its own, which is not in the workspace
	}
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", build.Dir, err, out)
	}
	built[name] = path
	return path
}

// sources is the directory of this file.
func sources() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// port returns the port of an address.
func port(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		panic(fmt.Sprintf("servers: %q is no address of freeAddr: %v", addr, err))
	}
	return port
}
