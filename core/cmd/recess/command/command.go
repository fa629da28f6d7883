package command

import (
	"cmp"
	"context"
	"io"
	"os"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/cli"
	"github.com/recess-go/recess/core/pass"
	"github.com/recess-go/recess/core/state"
)

// IO is what the commands read, write and see. The zero IO is the process's own.
type IO struct {
	In  io.Reader // answers of --interactive: os.Stdin if nil
	Out io.Writer // results: os.Stdout if nil. Colours are used if it is a terminal
	Err io.Writer // errors and questions: os.Stderr if nil
	// LookupEnv reads an environment variable: os.LookupEnv if nil.
	LookupEnv func(name string) (value string, ok bool)
	// Environ lists the environment, lines of NAME=value, so that a RECESS_ variable that nobody knows is refused and
	// not overlooked: os.Environ if nil.
	Environ func() []string
}

// Options is what an application sets that mounts the commands. The zero Options is the recess binary's.
//
// The commands open state URLs with [state.Open]. They bring file:, env: and memory:; import the packages of the other
// backends that shall be known.
type Options struct {
	// Program is what people type before the command, for help and completion: "recess" by default.
	Program string
	// State is the state URL for when neither --state nor RECESS_STATE is given: "file:recess.json" by default.
	State string
	// Backend is the application's own backend, in place of all state URLs. The caller closes it.
	Backend state.Backend
	// Forced is the application's [recess.Policy].Force. If it is not forced, RECESS_MODE counts.
	Forced recess.Force
	// Passes are the application's keys, of its [recess.Policy].PassKeys and PassAudience, by which "pass create" signs.
	// Without them RECESS_PASS_KEYS counts.
	Passes *pass.Ring
}

// Main runs one command and returns the exit code. args is without the program's name. When ctx ends, so does the
// command: watch with 0, every other with 1.
func Main(ctx context.Context, args []string, io IO, options Options) (exitCode int) {
	setup := cli.Setup{
		Program: cmp.Or(options.Program, "recess"), State: cmp.Or(options.State, "file:recess.json"),
		Backend: options.Backend, Forced: options.Forced, Passes: options.Passes,
		In: io.In, Out: io.Out, Err: io.Err, LookupEnv: io.LookupEnv, Environ: io.Environ,
	}
	if setup.In == nil {
		setup.In = os.Stdin
	}
	if setup.Out == nil {
		setup.Out = os.Stdout
	}
	if setup.Err == nil {
		setup.Err = os.Stderr
	}
	if setup.LookupEnv == nil {
		setup.LookupEnv = os.LookupEnv
	}
	if setup.Environ == nil {
		setup.Environ = os.Environ
	}
	return cli.Main(ctx, args, setup)
}
