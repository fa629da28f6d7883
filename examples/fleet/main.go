//go:build unix

// Command fleet is a service of three instances behind nginx that migrates while visitors come and go, and proves that
// nobody was failed. It starts the shop on gin, echo and fiber as processes that follow one document, nginx in front of
// them, and a crowd; then it migrates again and again with "recess run". In the end it lays what the instances have taken
// down of their work beside the migrations: no request may have failed, but for being refused with 503, and none may
// have run while a migration did.
//
//	go run ./fleet
//
// It needs nginx, as a program and not as a service, and nothing else: the document is a file, because the instances
// share a machine, and everything is started on free ports in a temporary directory and ended by its process id.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/recess-go/recess/examples/internal/ledger"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage")

// frameworks are those of the instances.
var frameworks = []string{"gin", "echo", "fiber"}

// options are the command line's.
type options struct {
	migrations, visitors int
	addr                 string
	careless             bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	if len(args) == 2 && args[0] == "migrate" {
		return migrate(args[1])
	}
	var o options
	flags := flag.NewFlagSet("fleet", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.migrations, "migrations", 5, "how many migrations there are")
	flags.IntVar(&o.visitors, "visitors", 12, "how many visitors there are at a time")
	flags.StringVar(&o.addr, "addr", "127.0.0.1:0", "the `address` that nginx listens on")
	flags.BoolVar(&o.careless, "careless", false, "migrate without waiting for requests that run: to see that this program would notice")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil || flags.NArg() > 0 || o.migrations < 1 || o.visitors < 1 {
		if err == nil {
			flags.Usage()
		}
		return errUsage
	}
	dir, err := os.MkdirTemp("", "recess-fleet-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	interrupted := ctx
	ctx, broken := context.WithCancelCause(ctx)
	defer broken(nil)
	s := &site{dir: dir, broken: broken}
	defer func() {
		switch {
		case interrupted.Err() != nil:
			err = errors.New("interrupted; what it had started has ended")
		case err != nil && !errors.Is(err, errBroken):
			s.tellLogs(stderr)
		}
	}()
	fmt.Fprintln(stdout, "building the shops and the command line …")
	if err := s.start(ctx, o.addr); err != nil {
		return errors.Join(err, s.end())
	}
	fmt.Fprintf(stdout, "instances on gin, echo and fiber follow one document; nginx is in front of them, on %s\n", s.base)
	crowd := newCrowd(s.base)
	migrations, err := migrateAll(ctx, o, s, crowd, stdout)
	crowd.leave()
	if err = errors.Join(err, s.end()); err != nil {
		return err
	}
	h, err := s.history(migrations)
	if err != nil {
		return err
	}
	return h.judge(crowd, stdout)
}

// migrateAll migrates while visitors come and go.
func migrateAll(ctx context.Context, o options, s *site, crowd *crowd, stdout io.Writer) (all []migration, err error) {
	crowd.come(ctx, o.visitors)
	for n := range o.migrations {
		if err := crowd.gather(ctx); err != nil {
			return nil, err
		}
		called := time.Now()
		if err := s.migrate(ctx, n, o.careless); err != nil {
			return nil, err
		}
		m, err := s.migration(n, called)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(stdout, "migration %d of %d began %.1f s after it was called for, and took %.1f s\n",
			n+1, o.migrations, m.From.Sub(called).Seconds(), m.To.Sub(m.From).Seconds())
		all = append(all, m)
	}
	return all, nil
}

// migrate is the migration: it takes its time, and takes down when that was. "recess run" starts it as a process.
func migrate(path string) error {
	book, err := ledger.Open(path)
	if err != nil {
		return err
	}
	end := book.Begin()
	time.Sleep(300 * time.Millisecond)
	end()
	return book.Close()
}

func (s *site) migrationLedger(n int) string {
	return filepath.Join(s.dir, fmt.Sprintf("migration-%d.ledger", n+1))
}
