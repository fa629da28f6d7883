// Command worker is a queue's consumer and a ticker that take part in maintenance: while the site is closed nothing is
// taken from the queue and no tick does anything, and a drain waits for what is under way.
//
//	RECESS_STATE=file:recess.json go run ./worker            # with a JetStream of its own, and mail to send
//	recess run --state file:recess.json -- ./migrate.sh      # in another terminal
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run works until the context ends. What it does it prints to stdout; everything else goes to stderr.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	flags.SetOutput(stderr)
	url := flags.String("nats", "", "the `URL` of a NATS server with JetStream; without it the worker starts one inside, and mails itself")
	every := flags.Duration("every", time.Second, "how often the ticker counts")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c, err := config.Load(ctx, environ, recess.Config{Logger: slog.New(slog.NewTextHandler(stderr, nil))})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Backend.Close()) }()
	engine, err := recess.New(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()

	mails, end, err := mailbox(ctx, *url)
	if err != nil {
		return err
	}
	defer end()
	fmt.Fprintln(stdout, "working")
	w := &worker{engine: engine, out: stdout}
	both, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ticking := make(chan struct{})
	go func() {
		defer close(ticking)
		stop(w.count(both, *every))
	}()
	stop(w.send(both, mails))
	<-ticking
	if ctx.Err() != nil {
		return nil // that is how a worker ends
	}
	return context.Cause(both)
}

// A worker does what is to be done beside requests.
type worker struct {
	engine *recess.Engine
	out    io.Writer
}

// fetch is for how long one look at the queue waits. A drain may have to wait as long.
const fetch = time.Second

// send sends mail after mail.
func (w *worker) send(ctx context.Context, mails jetstream.Consumer) error {
	for {
		// snippet: consumer
		// Enter first, then take a message: what is in the queue is safe, and may be done by another worker.
		err := w.engine.Job(recess.WithJobName(ctx, "mail"), func(ctx context.Context) error {
			fetching, cancel := context.WithTimeout(ctx, fetch)
			defer cancel()
			mail, err := mails.Next(jetstream.FetchContext(fetching))
			switch {
			case err == nil:
				return w.deliver(ctx, mail)
			case ctx.Err() == nil && (errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded)):
				return nil // there is none
			}
			return err
		}, "mail")
		// end
		if err != nil {
			return err
		}
	}
}

// letters is of how many letters a mail is made, each of which takes its time.
const letters = 5

// deliver sends one mail, letter by letter. When the site closes it stops after a letter and gives the rest back.
func (w *worker) deliver(ctx context.Context, mail jetstream.Msg) error {
	for letter := range letters {
		// snippet: closing
		select {
		case <-recess.Closing(ctx): // maintenance begins: do not keep it waiting
			fmt.Fprintf(w.out, "%s is put back after %d letters\n", mail.Data(), letter)
			return mail.Nak()
		case <-ctx.Done():
			return errors.Join(ctx.Err(), mail.Nak())
		case <-time.After(20 * time.Millisecond):
		}
		// end
	}
	if err := mail.DoubleAck(ctx); err != nil {
		return err
	}
	fmt.Fprintf(w.out, "%s is sent\n", mail.Data())
	return nil
}

// count does something at every tick, but for those that fall into maintenance: they are left out, not made up for.
func (w *worker) count(ctx context.Context, every time.Duration) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		ticket, err := w.engine.TryEnter()
		if errors.Is(err, recess.ErrMaintenance) {
			fmt.Fprintf(w.out, "tick %d is left out\n", n)
			continue
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(w.out, "tick %d\n", n)
		ticket.End()
	}
}
