package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/report"
	"github.com/recess-go/recess/core/config"
	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
)

// Setup is what a run of the command line is given. Nothing in it is nil or empty but Backend and Passes.
type Setup struct {
	Program string
	State   string // the default state URL
	Backend state.Backend
	Forced  recess.Force
	Passes  *pass.Ring // the application's keys; nil: those of the environment

	In        io.Reader
	Out, Err  io.Writer
	LookupEnv func(name string) (value string, ok bool)
	Environ   func() []string

	Terminal io.Writer // what Out was before anything was put before it

	seen []string // state URLs and other words of the command line that may hold secrets
}

// A session is one run of one command.
type session struct {
	*Setup
	globals  globals
	forced   recess.Force
	messages map[string]string // --message-TAG
	printer  *report.Printer
}

// Main runs one command and returns its exit code.
func Main(ctx context.Context, args []string, setup Setup) int {
	out := &firstError{w: setup.Out}
	printer := &report.Printer{W: out, Paint: paints(setup.Out, setup.LookupEnv), Now: time.Now(), Loc: time.Local}
	setup.Terminal, setup.Out = setup.Out, out
	setup.notice(args)
	words, err := readArguments(args)
	if err == nil && len(args) == 0 {
		// A script whose command is an empty variable must not take this for success.
		_, err = setup.parse(&grammar{}, []string{"--help"}, setup.Err)
		return max(exitUsage, setup.fail(err, false, printer))
	}
	if err == nil {
		err = setup.run(ctx, words, printer)
	}
	if out.err != nil {
		err = fmt.Errorf("the output could not be written, whatever was done: %w", out.err)
	}
	if err != nil {
		return setup.fail(err, words.json, printer)
	}
	return exitDone
}

// run parses a command line and runs the command in it.
func (s *Setup) run(ctx context.Context, words arguments, printer *report.Printer) error {
	var g grammar
	command, err := s.parse(&g, words.rest, s.Out)
	if err != nil {
		return err
	}
	printer.Paint = printer.Paint && !g.NoColor
	session := &session{Setup: s, globals: g.globals, messages: words.messages, printer: printer}
	err = session.run(ctx, command.runner)
	var wrong *usageError
	if errors.As(err, &wrong) && wrong.command == "" {
		wrong.command = command.name
	}
	return err
}

// A command is a runner and the name by which it was called.
type command struct {
	runner
	name string
}

// parse fills in the grammar and finds the command. Help goes to out.
func (s *Setup) parse(g *grammar, args []string, out io.Writer) (command, error) {
	parser, err := newParser(g, s, out)
	if err != nil {
		return command{}, err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return command{}, explain(err)
	}
	node := parsed.Selected()
	run, ok := node.Target.Addr().Interface().(runner)
	if !ok {
		return command{}, fmt.Errorf("recess: %s cannot be run", node.Name)
	}
	return command{run, commandName(node)}, nil
}

// explain makes a usage error of what kong found, and remembers for which command to look at the help.
func explain(err error) error {
	if errors.Is(err, errHelped) {
		return errHelped
	}
	wrong := &usageError{text: ownWords(err.Error())}
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if node := parse.Context.Selected(); node != nil {
			wrong.command = commandName(node)
		}
	}
	return wrong
}

func (s *session) run(ctx context.Context, command runner) error {
	var err error
	if s.forced, err = s.forcedMode(); err != nil {
		return err
	}
	switch command.(type) {
	case *versionCommand, *completionCommand: // they are about the program, wherever it is
	default:
		if err := s.checkNames(); err != nil {
			return err
		}
	}
	switch command.(type) {
	case *onCommand, *scheduleCommand, *runCommand:
	default:
		if len(s.messages) > 0 {
			return usage("--message-TAG goes with on, schedule and run only")
		}
	}
	if s.globals.State != nil && s.Backend != nil {
		return usage("--state cannot be used here: %s brings its own state", s.Program)
	}
	return command.run(ctx, s)
}

// checkNames refuses variables that nobody knows, as the services do: with RECESS_STAET set the command would change
// another state than the one that is meant.
func (s *session) checkNames() error {
	err := config.CheckNames(s.Environ(), s.stateURL())
	if err != nil {
		return usage("%s", strings.TrimPrefix(err.Error(), "config: "))
	}
	return nil
}

// forcedMode is the application's forced mode, or that of RECESS_MODE.
func (s *session) forcedMode() (recess.Force, error) {
	if s.Forced != recess.NotForced {
		return s.Forced, nil
	}
	text, _ := s.LookupEnv("RECESS_MODE")
	if strings.TrimSpace(text) == "" {
		return recess.NotForced, nil
	}
	switch on, ok := state.ParseWord(text); {
	case !ok:
		return recess.NotForced, usage("RECESS_MODE is %.40q: set it to on or off, or unset it to let the state decide", text)
	case on:
		return recess.ForcedOn, nil
	}
	return recess.ForcedOff, nil
}

// notice takes down what may hold secrets: people mistype commands that have a state URL in them.
func (s *Setup) notice(args []string) {
	fromEnv, _ := s.LookupEnv("RECESS_STATE")
	for _, word := range append([]string{s.State, fromEnv}, args...) {
		if _, value, ok := strings.Cut(word, "="); ok && strings.HasPrefix(word, "-") {
			word = value
		}
		if strings.Contains(word, "://") {
			s.seen = append(s.seen, word)
		}
	}
}

// firstError remembers the first error of a writer, so that the commands need not look at each line they print.
type firstError struct {
	w   io.Writer
	err error
}

func (f *firstError) Write(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.w.Write(p)
	f.err = err
	return n, err
}
