// Package cli is the command line: its grammar, its commands, and what it says.
package cli

import (
	"context"
	"io"
	"time"

	"github.com/alecthomas/kong"

	"github.com/recess-go/recess/core/cmd/recess/internal/moment"
)

// grammar is the command line in kong's words.
type grammar struct {
	globals
	On         onCommand         `cmd:"" help:"Turn maintenance on, now or later, or change the window that runs."`
	Off        offCommand        `cmd:"" help:"Turn maintenance off: end what runs, cancel what is planned."`
	Status     statusCommand     `cmd:"" help:"Show what runs, what is planned and who did it."`
	History    historyCommand    `cmd:"" help:"Show who changed what, when and why."`
	Schedule   scheduleCommand   `cmd:"" help:"Plan a further window, or one that recurs."`
	Cancel     cancelCommand     `cmd:"" help:"Remove planned windows."`
	Drain      drainCommand      `cmd:"" help:"Show, or wait, until all instances refuse and what they admitted before has ended."`
	Run        runCommand        `cmd:"" help:"Close the site, drain it, run a command, and open the site again if that succeeds."`
	Watch      watchCommand      `cmd:"" help:"Print every change as it happens, until interrupted."`
	Pass       passCommands      `cmd:"" help:"Let single persons in while the site is closed."`
	Explain    explainCommand    `cmd:"" help:"Say whether a request would get in, and why."`
	Doctor     doctorCommand     `cmd:"" help:"Look at the state and all that follows it, and say what is wrong and what to do."`
	Repair     repairCommand     `cmd:"" help:"Write a state anew that the backend has lost or rolled back."`
	Migrate    migrateCommand    `cmd:"" help:"Prepare a store for the state: make its table or bucket."`
	Version    versionCommand    `cmd:"" help:"Show the version."`
	Completion completionCommand `cmd:"" help:"Print a completion script for a shell."`
}

// globals are the flags of every command.
type globals struct {
	State   *string  `placeholder:"URL" help:"Where the state lives. Without it: $$RECESS_STATE, or else ${state}."`
	JSON    bool     `name:"json" help:"Write JSON for machines instead of text."`
	NoColor bool     `help:"Write no colours. $$NO_COLOR does the same."`
	Timeout limit    `default:"10s" placeholder:"D" help:"How long the backend may take to answer: ${default} by default."`
	Help    helpFlag `short:"h" help:"Show help: for all, or for one command."`
}

// limit is a duration above zero.
type limit struct{ time.Duration }

// UnmarshalText reads it; kong asks for it.
func (l *limit) UnmarshalText(text []byte) (err error) {
	l.Duration, err = moment.ParseLength(string(text))
	return err
}

// subjectFlags say what is closed, how, and what visitors read.
type subjectFlags struct {
	Scope      string  `placeholder:"NAME" help:"The part of the site. Without it: all of it."`
	Mode       string  `placeholder:"MODE" values:"full,readonly,hold,announce" help:"full refuses every request, readonly all that change something, hold keeps requests waiting first, announce refuses none. Without it: full."`
	Hold       *string `placeholder:"D" help:"Keep requests waiting, each for so long at most (up to 5m), and refuse them only then. The same as --mode hold, which waits 20s."`
	Message    *string `placeholder:"TEXT" help:"What visitors read."`
	MessageTag *string `name:"message-TAG" placeholder:"TEXT" help:"The same in a language: --message-de, --message-pt-BR. An empty text removes it."`
	Reason     string  `placeholder:"TEXT" help:"For the team and the history; visitors never see it."`
}

// windowFlags describe a window, for "on" and "schedule".
type windowFlags struct {
	subjectFlags
	As string `placeholder:"NAME" help:"A further window of this name beside the scope's own: the site reopens when the last one ends."`
	askFlag
}

type askFlag struct {
	Interactive bool `help:"Ask first. Anything but an answer that starts with y changes nothing."`
}

type onCommand struct {
	For   *string `placeholder:"D" help:"How long: 30m, 2h, 1h30m."`
	Until *string `placeholder:"T" help:"The end: a time, a duration from now, or never."`
	Start *string `placeholder:"T" help:"The beginning: a time or a duration from now. Without it: now."`
	windowFlags
	Lease *string `hidden:""` // asked for by those who know run
	Drain bool    `help:"Return when every instance refuses and what it admitted before has ended; exit with 4 if that takes too long."`
	drainFlags
}

// drainFlags say how to wait for a drain.
type drainFlags struct {
	Within     *string `placeholder:"D" help:"How long the drain may take: 5m by default."`
	AllowLost  bool    `help:"Be content when what is not drained is lost: you know that it does not run."`
	AllowEmpty bool    `help:"Be content when no instance is there at all: you know that the service does not run."`
}

type runCommand struct {
	subjectFlags
	drainFlags
	ReopenOnFailure bool     `help:"Open the site again also when the command fails."`
	Lease           *string  `placeholder:"D" help:"Let the site open by itself when this process dies, or is cut off from the state, for this long: 1m. The command is then told to end."`
	Command         []string `arg:"" passthrough:"" name:"command" help:"What to run while the site is closed, after --."`
}

type drainCommand struct {
	Wait bool `help:"Wait until all is drained. Without it: say how far it is, and exit with 4 unless it is."`
	drainFlags
}

type scheduleCommand struct {
	Start *string `placeholder:"T" help:"The beginning: a time or a duration from now."`
	Until *string `placeholder:"T" help:"The end: a time or a duration from now."`
	For   *string `placeholder:"D" help:"How long, from the beginning: 30m, 2h, 1h30m."`
	Cron  *string `placeholder:"EXPR" help:"Again and again, instead of --start and --until: minute, hour, day of the month, month, day of the week."`
	Zone  *string `placeholder:"NAME" help:"The time zone by whose clocks --cron is read: Europe/Berlin, UTC."`
	windowFlags
}

type offCommand struct {
	Scope  string  `placeholder:"NAME" help:"The part of the site. Without it: the whole site's own windows, not those of its scopes."`
	As     string  `placeholder:"NAME" help:"End only the windows of this name."`
	Ramp   *string `placeholder:"D" help:"Reopen by degrees: let in a growing share of the visitors, all of them after this long."`
	Reason string  `placeholder:"TEXT" help:"For the history."`
	askFlag
	// These are asked for by habit, and get a better answer than "unknown flag".
	For   *string `hidden:""`
	Until *string `hidden:""`
	Start *string `hidden:""`
}

type cancelCommand struct {
	ID  []string `arg:"" optional:"" name:"id" help:"The windows' ids, as status shows them."`
	All bool     `help:"Remove all that are planned."`
	askFlag
}

type statusCommand struct {
	ExitCode bool `help:"Exit with 10 while something is refused, with 0 while nothing is."`
}

type explainCommand struct {
	Path       string   `default:"/" placeholder:"PATH" help:"The request's path: ${default} by default."`
	Method     string   `placeholder:"NAME" help:"Its method: GET by default."`
	Host       string   `placeholder:"NAME" help:"The host that it asks for."`
	IP         string   `name:"ip" placeholder:"ADDR" help:"The address that the service sees: the client's, or that of the proxy in front."`
	Header     []string `sep:"none" placeholder:"LINE" help:"A header, as in \"X-Forwarded-For: 192.0.2.1\". Several times for several."`
	User       string   `placeholder:"NAME" help:"Who is logged in. Without this, --staff, --superuser and --role: nobody."`
	Staff      bool     `help:"The user is staff."`
	Superuser  bool     `help:"The user is a superuser."`
	Role       []string `placeholder:"NAME" help:"A role that the user has."`
	Marker     string   `placeholder:"WORD" enum:",force-off,force-on" default:"" help:"How the route is marked: force-off or force-on."`
	RouteScope []string `placeholder:"NAME" help:"A scope that the route is marked with."`
	Service    *string  `placeholder:"URL" help:"Ask this running service: the address of its admin panel."`
	TokenFile  *string  `placeholder:"PATH" help:"Where the token for that is, which may read; - is standard input."`
	ExitCode   bool     `help:"Exit with 10 if the request is refused, with 0 if it gets in."`
}

type historyCommand struct {
	Last int `placeholder:"N" default:"0" help:"Only the last N changes."`
}

type repairCommand struct {
	FromInstance bool   `help:"From the instance that remembers the newest state."`
	Instance     string `placeholder:"NAME" help:"From this instance, by its id or its name."`
	FromFile     string `placeholder:"PATH" help:"From a file: the snapshot of a service, or a copy of the document."`
	Off          bool   `help:"With nothing running and nothing planned: every service opens."`
	Reason       string `placeholder:"TEXT" help:"For the history."`
	askFlag
}

type (
	doctorCommand     struct{}
	migrateCommand    struct{}
	watchCommand      struct{}
	versionCommand    struct{}
	completionCommand struct {
		Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
	}
)

// helpFlag prints the help of what stands before it. kong's own ends the process, which is not ours to end.
type helpFlag bool

// IgnoreDefault lets it win over faults elsewhere in the line; kong asks for it.
func (helpFlag) IgnoreDefault() {}

// BeforeReset prints the help and stops the parse.
func (helpFlag) BeforeReset(ctx *kong.Context) error {
	if err := ctx.PrintUsage(false); err != nil {
		return err
	}
	return errHelped
}

// newParser builds the parser for one run. Help goes to out.
func newParser(g *grammar, setup *Setup, out io.Writer) (*kong.Kong, error) {
	parser, err := kong.New(g,
		kong.Name(setup.Program), kong.Description(inWords(overview, setup.Program)), kong.NoDefaultHelp(),
		kong.Vars{"state": shown(setup.State)}, kong.Writers(out, setup.Err),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
	)
	if err != nil {
		return nil, err
	}
	for _, flag := range parser.Model.Flags {
		switch flag.Name {
		case "help":
			parser.Model.HelpFlag = flag // so that the overview says how to get more
		case "state":
			flag.Hidden = setup.Backend != nil
		}
	}
	for _, node := range parser.Model.Children {
		node.Detail = inWords(details[node.Name], setup.Program)
		for _, child := range node.Children {
			child.Detail = inWords(details[commandName(child)], setup.Program)
		}
	}
	return parser, nil
}

// commandName is how a command is typed: "on", "pass create".
func commandName(node *kong.Node) string {
	if node.Parent == nil || node.Parent.Type == kong.ApplicationNode {
		return node.Name
	}
	return commandName(node.Parent) + " " + node.Name
}

// A runner is a command that was parsed.
type runner interface {
	run(ctx context.Context, s *session) error
}
