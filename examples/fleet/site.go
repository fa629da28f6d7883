//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed" // nginx.conf
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state/filestate"
)

//go:embed nginx.conf
var nginxConf []byte

// A site is the instances, the document that they follow, and nginx in front of them.
type site struct {
	dir       string      // where everything is
	base      string      // nginx's address: http://HOST:PORT
	broken    func(error) // called when a process ends unasked
	processes []*process
}

// patience bounds what hangs.
const patience = time.Minute

// errNginx says how to get nginx.
var errNginx = errors.New("nginx is not installed. Get the program (on Debian and Ubuntu: apt-get install nginx, on macOS: brew install nginx); it need not run as a service")

// start builds and starts all there is, and returns once the fleet is complete.
func (s *site) start(ctx context.Context, addr string) error {
	nginx, err := lookNginx()
	if err != nil {
		return err
	}
	if err := s.build(ctx); err != nil {
		return err
	}
	var shops []string
	for _, framework := range frameworks {
		shop, err := s.startShop(ctx, framework)
		if err != nil {
			return err
		}
		shops = append(shops, shop)
	}
	if err := s.startNginx(ctx, nginx, addr, shops); err != nil {
		return err
	}
	return s.complete(ctx)
}

// nginxes are where nginx is, also where it is for root only.
var nginxes = []string{"nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"}

// lookNginx finds nginx.
func lookNginx() (string, error) {
	for _, name := range nginxes {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errNginx
}

// build builds the shops and the command line, without the clients of stores that nobody here uses.
func (s *site) build(ctx context.Context) error {
	const module = "github.com/recess-go/recess/"
	args := []string{"build", "-tags", "local_backends", "-o", s.dir + string(filepath.Separator), module + "core/cmd/recess"}
	for _, framework := range frameworks {
		args = append(args, module+"examples/"+framework)
	}
	return s.call(ctx, "build", "go", args...)
}

func (s *site) program(name string) string { return filepath.Join(s.dir, name) }

func (s *site) document() string { return "file:" + filepath.Join(s.dir, "recess.json") }

func (s *site) shopLedger(framework string) string {
	return filepath.Join(s.dir, framework+".ledger")
}

// startShop starts an instance, and returns its address once it is ready.
func (s *site) startShop(ctx context.Context, framework string) (addr string, err error) {
	c := exec.Command(s.program(framework), "-addr", "127.0.0.1:0")
	c.Env = s.environ(
		"RECESS_STATE="+s.document(),
		"RECESS_INSTANCE="+framework,
		"RECESS_TRUSTED_PROXIES=127.0.0.1", // nginx
		"SHOP_LEDGER="+s.shopLedger(framework),
	)
	err = s.spawn(ctx, framework, c, syscall.SIGTERM, func(out io.Reader) error {
		line, err := bufio.NewReader(out).ReadString('\n')
		var found bool
		addr, found = strings.CutPrefix(strings.TrimSpace(line), "listening on http://")
		if err != nil || !found {
			return fmt.Errorf("%s did not start: it said %q", framework, line)
		}
		return nil
	})
	return addr, err
}

// startNginx starts nginx on a socket that is open already, so that no port can be lost to somebody else and nobody has
// to wait until nginx is ready: it takes over sockets that the variable NGINX names, as when one nginx follows another.
func (s *site) startNginx(ctx context.Context, nginx, addr string, shops []string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // nginx has its own
	s.base = "http://" + listener.Addr().String()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer func() { _ = socket.Close() }()
	var servers bytes.Buffer
	for _, shop := range shops {
		fmt.Fprintf(&servers, "server %s;\n", shop)
	}
	for name, text := range map[string][]byte{
		"nginx.conf": nginxConf, "shops.conf": servers.Bytes(),
		"listen.conf": fmt.Appendf(nil, "listen %s;\n", listener.Addr()),
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), text, 0o600); err != nil {
			return err
		}
	}
	c := exec.Command(nginx, "-p", s.dir, "-c", "nginx.conf", "-e", "stderr")
	c.ExtraFiles = []*os.File{socket} // file 3
	c.Env = s.environ("NGINX=3;")
	if err := s.spawn(ctx, "nginx", c, syscall.SIGTERM, nil); err != nil { // all visitors have their answers when it is told
		return err
	}
	return nonblocking(listener.(*net.TCPListener))
}

// nonblocking mends what handing a socket on does to it: Go then makes it one that blocks, in all processes that have it,
// and nginx believes that it is not. A worker would wait in accept(2) for a connection that another has taken.
func nonblocking(listener *net.TCPListener) error {
	socket, err := listener.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = socket.Control(func(fd uintptr) { set = syscall.SetNonblock(int(fd), true) })
	return errors.Join(err, set)
}

// complete returns once all instances have announced themselves: a drain knows no others.
func (s *site) complete(ctx context.Context) error {
	backend, err := filestate.New(strings.TrimPrefix(s.document(), "file:"), filestate.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = backend.Close() }() // it was only read
	bounded, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the instances do not announce themselves"))
	defer cancel()
	for {
		fleet, err := recess.Fleet(bounded, backend)
		if err == nil && len(fleet) == len(frameworks) {
			return nil
		}
		select {
		case <-bounded.Done():
			return errors.Join(context.Cause(bounded), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// migrate does what an operator would.
func (s *site) migrate(ctx context.Context, n int, careless bool) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	tool, state := s.program("recess"), "--state="+s.document()
	if !careless {
		return s.call(ctx, "recess run", tool, "run", state, "--within", "1m", "--", self, "migrate", s.migrationLedger(n))
	}
	if err := s.call(ctx, "recess on", tool, "on", state); err != nil {
		return err
	}
	if err := s.call(ctx, "migrate", self, "migrate", s.migrationLedger(n)); err != nil {
		return err
	}
	return s.call(ctx, "recess off", tool, "off", state)
}
