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
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/report"
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
	if s.forced != recess.NotForced {
		return fmt.Errorf("run: %w", recess.ErrForced)
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		fmt.Fprintf(s.Err, "%s: %s cannot be run: %v\nNothing was changed.\n", s.Program, report.Clean(args[0]), err)
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
	e.cmd = exec.Command(path, args[1:]...)
	e.cmd.Args[0] = args[0]
	e.cmd.Stdin, e.cmd.Stdout, e.cmd.Stderr = s.In, unwrapped(s.Out), s.Err
	e.signals = make(chan os.Signal, 8)
	e.heard = slices.DeleteFunc(slices.Clone(passedOn), signal.Ignored) // under nohup nobody is to hear of SIGHUP
	signal.Notify(e.signals, e.heard...)
	defer signal.Stop(e.signals)
	return e.run(ctx)
}

// toErr is the same session with what it prints on standard error: standard output is the command's.
func (s *session) toErr() *session {
	setup := *s.Setup
	setup.Out = s.Err
	printer := *s.printer
	printer.W, printer.Paint = s.Err, paints(s.Err, s.LookupEnv) && !s.globals.NoColor
	return &session{Setup: &setup, globals: s.globals, forced: s.forced, messages: s.messages, printer: &printer}
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
}

const (
	// reopening is for how long a backend that does not answer is tried to open the site.
	reopening = time.Minute
	// reopenEvery is the pause in between.
	reopenEvery = time.Second
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
	if err := e.drain(ctx); err != nil {
		f := e.failureOf(err)
		e.say("%s", report.CleanLines(f.Message))
		return e.undone(f.Exit)
	}
	e.group()
	if err := e.cmd.Start(); err != nil {
		e.say("%s cannot be run: %v", report.Clean(e.name), err)
		return e.undone(exitNotExecutable)
	}
	code := e.wait(ctx)
	e.ungroup()
	if code != 0 && !e.flags.ReopenOnFailure {
		e.say("%s failed (exit code %d). Maintenance stays ON for %s: what it has left behind may be half done.\nTo open the site: %s",
			report.Clean(e.name), code, e.place(), e.off())
		return errSaid{code}
	}
	outcome := "succeeded"
	if code != 0 {
		outcome = fmt.Sprintf("failed (exit code %d)", code)
	}
	e.say("%s %s.", report.Clean(e.name), outcome)
	if exit := e.reopen(); exit != 0 && code == 0 {
		return errSaid{exit}
	}
	return errSaid{code}
}

func (e *errand) place() string { return report.Place(e.opening.Scope) }

// off is the command that ends the window.
func (e *errand) off() string {
	return e.commandFor("off", report.Window{Scope: e.opening.Scope, Name: e.opening.Name})
}

// close opens the window. It is not interrupted: what was half written would leave open whether the site is closed.
func (e *errand) close(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.globals.Timeout.Duration)
	defer cancel()
	_, err := e.controller(e.backend).On(bounded, e.opening)
	for errors.Is(err, state.ErrConflict) && bounded.Err() == nil {
		_, err = e.controller(e.backend).On(bounded, e.opening) // it is a further window: whoever was faster has his own
	}
	switch {
	case err == nil:
		e.say("maintenance is ON for %s, held as %s.", e.place(), e.opening.Name)
		return nil
	case !errors.Is(err, recess.ErrUnreachable):
		return err
	}
	e.say("%s", report.CleanLines(e.failureOf(err).Message))
	e.say("%s was not started. It is not known whether maintenance is on: see %s status. If it is: %s", report.Clean(e.name), e.Program, e.off())
	return errSaid{exitUnreachable}
}

// drain waits until all is drained. Any signal ends that.
func (e *errand) drain(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, e.heard...)
	defer stop()
	d := &drainer{session: e.session, flags: e.flags.drainFlags}
	err := d.run(ctx, e.backend, e.within)
	if err == nil && ctx.Err() != nil {
		err = errInterrupted
	}
	return err
}

// undone opens the site again after the command was not started.
func (e *errand) undone(exit int) error {
	e.say("%s was not started.", report.Clean(e.name))
	if failed := e.reopen(); failed != 0 {
		return errSaid{failed}
	}
	return errSaid{exit}
}

// reopen ends the window, says how the site is left, and returns the exit code for that. A backend that does not answer is
// asked again for a while, or until a signal comes.
func (e *errand) reopen() (exit int) {
	ctx, cancel := context.WithTimeout(context.Background(), reopening)
	defer cancel()
	for len(e.signals) > 0 {
		<-e.signals // it has had its effect
	}
	told := false
	for {
		change, err := e.tryOff(ctx)
		switch {
		case err == nil && len(change.Ended) == 0:
			e.say("the window had been ended by somebody else in the meantime. See %s status.", e.Program)
			return 0
		case err == nil:
			status := e.statusOf(change.After)
			e.say("%s", strings.TrimSuffix(status.Headline(), "."))
			return 0
		case errors.Is(err, state.ErrConflict):
			continue
		}
		f := e.failureOf(err)
		if !errors.Is(err, recess.ErrUnreachable) {
			return e.stuck(f)
		}
		if !told {
			e.say("%s; trying again", report.CleanLines(f.Message))
			told = true
		}
		select {
		case <-time.After(reopenEvery):
		case <-e.signals:
			return e.stuck(f)
		case <-ctx.Done():
			return e.stuck(f)
		}
	}
}

func (e *errand) tryOff(ctx context.Context) (recess.Change, error) {
	bounded, cancel := context.WithTimeout(ctx, e.globals.Timeout.Duration)
	defer cancel()
	return e.controller(e.backend).Off(bounded, recess.Ending{Scope: e.opening.Scope, Name: e.opening.Name, Reason: e.opening.Reason})
}

func (e *errand) stuck(f failure) int {
	e.say("%s", report.CleanLines(f.Message))
	e.say("maintenance could not be ended, and stays ON for %s. As soon as that is possible: %s", e.place(), e.off())
	return max(f.Exit, exitFailed)
}

// wait passes signals on until the command has ended, and returns its exit code as a shell has it.
func (e *errand) wait(ctx context.Context) int {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = e.cmd.Wait() // the state tells
	}()
	over, asked := ctx.Done(), false
	for {
		select {
		case <-ended:
			return exitCode(e.cmd.ProcessState)
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
