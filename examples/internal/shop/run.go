package shop

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/admin"
	"github.com/recess-go/recess/core/config"
	"github.com/recess-go/recess/examples/internal/ledger"
)

// A Server serves one framework's application.
type Server interface {
	// Serve answers requests until the server is shut down; then it returns nil.
	Serve(net.Listener) error
	// Shutdown takes no more requests and waits for those that run, until the context ends.
	Shutdown(context.Context) error
	// Close cuts what is left.
	Close() error
}

// Build makes a framework's application out of a shop.
type Build func(*Shop) (Server, error)

// grace is how long requests that run may still take when the process is told to end.
const grace = 10 * time.Second

// Main runs an application as a process and returns its exit code: 0 after SIGTERM or an interrupt, 1 when it could
// not start or serve, 2 for flags that make no sense.
func Main(build Build) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal ends the process at once
	err := Run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr, build)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

var errUsage = errors.New("usage")

// Run serves until the context ends. Once ready it prints "listening on http://ADDR" to stdout; everything else goes
// to stderr.
func Run(ctx context.Context, args, environ []string, stdout, stderr io.Writer, build Build) (err error) {
	flags := flag.NewFlagSet("shop", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:8080", "the `address` to listen on; everything else is set by RECESS_* variables")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil || flags.NArg() > 0 {
		if err == nil {
			flags.Usage()
		}
		return errUsage
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	c, err := config.Load(ctx, environ, recess.Config{Policy: policy(), Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Backend.Close()) }()
	engine, err := recess.New(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()

	panel, err := admin.New(admin.Config{Engine: engine, Authorize: admin.Superusers, Title: "the shop", SignIn: "/login?user=root", Logger: log})
	if err != nil {
		return err
	}
	book, err := openLedger(environ)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, book.Close()) }()

	closing, startClosing := context.WithCancel(context.Background())
	defer startClosing()
	ending, startEnding := context.WithCancel(context.Background())
	defer startEnding()
	shop := &Shop{
		Engine: engine, Sessions: newSessions(), Orders: &Orders{ledger: book}, Panel: panel, Requests: stderr,
		Closing: closing, Ending: ending, ledger: book, log: log,
	}
	server, err := build(shop)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "listening on http://%s\n", listener.Addr())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	startClosing()
	return errors.Join(shop.end(server, startEnding), <-served)
}

// LedgerVariable names a file in which the shop takes down when the work of its slow requests and of its orders began and
// ended. Without it no ledger is kept. It is no setting of Recess: examples/fleet proves by it what it promises.
const LedgerVariable = "SHOP_LEDGER"

func openLedger(environ []string) (*ledger.Ledger, error) {
	for _, variable := range environ {
		if path, ok := strings.CutPrefix(variable, LedgerVariable+"="); ok && path != "" {
			return ledger.Open(path)
		}
	}
	return nil, nil
}

// end waits for the requests that run, and cuts them when the grace is over.
func (s *Shop) end(server Server, startEnding func()) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	said := make(chan struct{})
	go func() {
		defer close(said)
		s.goodbyes.say()
	}()
	err := server.Shutdown(ctx)
	select {
	case <-said:
	case <-ctx.Done():
	}
	startEnding()
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	s.log.Warn("requests were cut", "after", grace)
	return server.Close()
}
