package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/moment"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

// The exit codes of shells for commands that cannot be run, and what is added to the number of a signal that ended one.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
	exitSignal        = 128
)

func (c *runCommand) run(ctx context.Context, s *session) error {
	if s.globals.JSON {
		return usage("run writes nothing of its own to standard output, which is the command's: --json says nothing here")
	}
	args := c.Command
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return usage("run what? Write it after --: %s run -- ./migrate.sh", s.Program)
	}
	within, err := c.limits(true, "")
	if err != nil {
		return err
	}
	o, err := c.opening(s, span{})
	if err != nil {
		return err
	}
	if err := drainsFor(&o); err != nil {
		return err
	}
	if c.Lease != nil {
		if o.Lease, err = readLength("--lease", *c.Lease, state.MinLease, state.MaxLease); err != nil {
			return err
		}
	}
	if s.forced != recess.NotForced {
		return fmt.Errorf("run: %w", recess.ErrForced)
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		fmt.Fprintf(s.Err, "%s: %s cannot be run: %v\nNothing was changed.\n", s.Program, schema.Clean(args[0]), err)
		return errSaid{map[bool]int{true: exitNotFound, false: exitNotExecutable}[errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist)]}
	}
	backend, done, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	// The window is a hold of its own: what others open and end meanwhile is theirs.
	o.Name = "run-" + strings.ToLower(rand.Text()[:8])
	e := &errand{session: s.toErr(), flags: c, opening: o, within: within, backend: backend, name: args[0]}
	e.letGo = func() {}
	e.cmd = exec.Command(path, args[1:]...)
	e.cmd.Args[0] = args[0]
	e.cmd.Stdin, e.cmd.Stdout, e.cmd.Stderr = s.In, unwrapped(s.Out), e.Err
	e.signals = make(chan os.Signal, 8)
	e.heard = slices.DeleteFunc(slices.Clone(passedOn), signal.Ignored) // under nohup nobody is to hear of SIGHUP
	signal.Notify(e.signals, e.heard...)
	defer signal.Stop(e.signals)
	return e.run(ctx)
}

// toErr is the same session with what it prints on standard error: standard output is the command's.
func (s *session) toErr() *session {
	setup := *s.Setup
	if _, ok := s.Err.(*os.File); !ok {
		setup.Err = &shared{w: s.Err} // the command writes there too
	}
	setup.Out = setup.Err
	printer := *s.printer
	printer.W, printer.Paint = setup.Err, paints(s.Err, s.LookupEnv) && !s.globals.NoColor
	return &session{Setup: &setup, globals: s.globals, forced: s.forced, messages: s.messages, printer: &printer}
}

// shared is a writer for several at a time.
type shared struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}

// unwrapped is the process's own output, so that a command sees a terminal where there is one.
func unwrapped(w io.Writer) io.Writer {
	if first, ok := w.(*firstError); ok {
		return first.w
	}
	return w
}

// An errand is a command that is run while the site is closed. Whatever happens it says how the site is left.
type errand struct {
	*session
	flags   *runCommand
	opening recess.Opening
	within  time.Duration
	backend state.Backend
	name    string
	cmd     *exec.Cmd
	heard   []os.Signal // of passedOn, those that are not ignored
	signals chan os.Signal

	window state.Window
	lease  // nobody's, unless the window has one
}

const (
	// insisting is for how long a backend that does not answer is asked again at the end.
	insisting = time.Minute
	// insistEvery is the pause in between.
	insistEvery = time.Second
	// signalled is how long after the end of the context a signal may come that was its cause.
	signalled = 100 * time.Millisecond
)

func (e *errand) say(format string, args ...any) {
	fmt.Fprintf(e.Err, e.Program+": "+format+"\n", args...)
}

// run closes the site, drains it, runs the command and opens the site.
func (e *errand) run(ctx context.Context) error {
	if err := e.close(ctx); err != nil {
		return err
	}
	e.keep()
	defer e.letGo()
	if err := e.drain(ctx); err != nil {
		f := e.failureOf(err)
		e.say("%s", schema.CleanLines(f.Message))
		return e.undone(f.Exit)
	}
	e.group()
	if e.window.Lease != nil {
		defer e.tie()()
	}
	if err := e.cmd.Start(); err != nil {
		e.say("%s cannot be run: %v", schema.Clean(e.name), err)
		return e.undone(exitNotExecutable)
	}
	code := e.wait(ctx)
	e.ungroup()
	return errSaid{e.leave(code)}
}

// leave leaves the site as the command's exit code asks for, and returns that of the errand.
func (e *errand) leave(code int) int {
	switch {
	case code != 0 && !e.flags.ReopenOnFailure:
		e.stayClosed(code)
		return code
	case code != 0:
		e.say("%s failed (exit code %d).", schema.Clean(e.name), code)
		e.reopen()
		return code
	}
	e.say("%s succeeded.", schema.Clean(e.name))
	if exit := e.reopen(); exit != 0 {
		return exit
	}
	if e.isLost() { // requests may have run beside it
		return exitFailed
	}
	return 0
}

// stayClosed says that the site stays closed after a failure, and takes off the lease, which is for a runner that dies.
func (e *errand) stayClosed(code int) {
	name := schema.Clean(e.name)
	if e.window.Lease != nil {
		if err := e.insist(e.unlease(code)); err != nil {
			e.say("%s failed (exit code %d), and what it has left behind may be half done.\n%s\nTo close the site: %s",
				name, code, e.unheld(err), e.commandFor("on", schema.Window{Scope: e.opening.Scope}))
			return
		}
	}
	e.say("%s failed (exit code %d). Maintenance stays ON for %s: what it has left behind may be half done.\nTo open the site: %s",
		name, code, e.place(), e.off())
}

func (e *errand) place() string { return schema.Place(e.opening.Scope) }

// off is the command that ends the window.
func (e *errand) off() string {
	return e.commandFor("off", schema.Window{Scope: e.opening.Scope, Name: e.opening.Name})
}

// close opens the window. It is not interrupted: what was half written would leave open whether the site is closed.
func (e *errand) close(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.globals.Timeout.Duration)
	defer cancel()
	change, err := e.controller(e.backend).On(bounded, e.opening)
	for errors.Is(err, state.ErrConflict) && bounded.Err() == nil {
		change, err = e.controller(e.backend).On(bounded, e.opening) // it is a further window: whoever was faster has his own
	}
	switch {
	case err == nil:
		e.window = change.Opened[0]
		e.say("maintenance is ON for %s, held as %s.", e.place(), e.opening.Name)
		return nil
	case !errors.Is(err, recess.ErrUnreachable):
		return err
	}
	e.say("%s", schema.CleanLines(e.failureOf(err).Message))
	way := e.off()
	if e.opening.Lease != 0 {
		way += ", or wait: it is over by itself after " + moment.Words(e.opening.Lease)
	}
	e.say("%s was not started. It is not known whether maintenance is on: see %s status. If it is: %s", schema.Clean(e.name), e.Program, way)
	return errSaid{exitUnreachable}
}

// drain waits until all is drained. Any signal ends that, and so does the loss of the lease.
func (e *errand) drain(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, e.heard...)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-e.lost:
			cancel()
		case <-ctx.Done():
		}
	}()
	d := &drainer{session: e.session, flags: e.flags.drainFlags}
	err := d.run(ctx, e.backend, e.within)
	switch {
	case e.isLost():
		return e.why
	case err == nil && ctx.Err() != nil:
		return errInterrupted
	}
	return err
}

// undone opens the site again after the command was not started.
func (e *errand) undone(exit int) error {
	e.say("%s was not started.", schema.Clean(e.name))
	if failed := e.reopen(); failed != 0 {
		return errSaid{failed}
	}
	return errSaid{exit}
}

// reopen ends the window, says how the site is left, and returns the exit code for that.
func (e *errand) reopen() (exit int) {
	e.letGo()
	var change recess.Change
	err := e.insist(func(ctx context.Context) (err error) {
		change, err = e.controller(e.backend).Off(ctx, recess.Ending{Scope: e.opening.Scope, Name: e.opening.Name, Reason: e.opening.Reason})
		return err
	})
	switch {
	case err != nil:
		return e.stuck(e.failureOf(err))
	case len(change.Ended) == 0:
		e.say("the window had been ended by somebody else in the meantime. See %s status.", e.Program)
	default:
		status := e.statusOf(change.After)
		e.say("%s", strings.TrimSuffix(status.Headline(), "."))
	}
	return 0
}

// insist changes the state. A backend that does not answer is asked again for a while, or until a signal comes.
func (e *errand) insist(change func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), insisting)
	defer cancel()
	for len(e.signals) > 0 {
		<-e.signals // it has had its effect
	}
	for told := false; ; {
		err := e.attempt(ctx, change)
		switch {
		case errors.Is(err, state.ErrConflict):
			continue
		case !errors.Is(err, recess.ErrUnreachable):
			return err
		case !told:
			e.say("%s; trying again", schema.CleanLines(e.failureOf(err).Message))
			told = true
		}
		select {
		case <-time.After(insistEvery):
		case <-e.signals:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

func (e *errand) attempt(ctx context.Context, change func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, e.globals.Timeout.Duration)
	defer cancel()
	return change(bounded)
}

func (e *errand) stuck(f failure) int {
	e.say("%s", schema.CleanLines(f.Message))
	stays := "stays ON for " + e.place()
	if l := e.window.Lease; l != nil {
		stays += ", until its lease of " + moment.Words(l.TTL) + " is over"
	}
	e.say("maintenance could not be ended, and %s. As soon as that is possible: %s", stays, e.off())
	return max(f.Exit, exitFailed)
}

// wait passes signals on until the command has ended, and returns its exit code as a shell has it.
func (e *errand) wait(ctx context.Context) int {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = e.cmd.Wait() // the state tells
	}()
	over, asked, lost := ctx.Done(), false, e.lost
	for {
		select {
		case <-ended:
			return exitCode(e.cmd.ProcessState)
		case err := <-e.trouble:
			e.say("%s; trying again", schema.CleanLines(e.failureOf(err).Message))
		case <-lost:
			lost = nil
			e.say("%s\n%s is told to end: requests may run beside it from now on.", schema.CleanLines(e.failureOf(e.why).Message), schema.Clean(e.name))
			e.pass(terminate)
		case sig := <-e.signals:
			asked = true
			e.pass(sig)
		case <-over:
			over = nil
			select { // most contexts end by a signal, which is passed on itself
			case sig := <-e.signals:
				e.pass(sig)
			case <-time.After(signalled):
				if !asked {
					e.pass(terminate)
				}
			case <-ended:
			}
		}
	}
}
