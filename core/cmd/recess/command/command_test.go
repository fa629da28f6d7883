package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/command"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// A run is what one command did.
type run struct {
	code     int
	out, err string
}

// runWith runs one command in an environment of its own.
func runWith(ctx context.Context, options command.Options, env map[string]string, in string, args ...string) run {
	var out, errOut bytes.Buffer
	code := command.Main(ctx, args, command.IO{
		In: strings.NewReader(in), Out: &out, Err: &errOut,
		LookupEnv: func(name string) (string, bool) { value, ok := env[name]; return value, ok },
		Environ: func() (lines []string) {
			for name, value := range env {
				lines = append(lines, name+"="+value)
			}
			return lines
		},
	}, options)
	return run{code, out.String(), errOut.String()}
}

func newBackend(t *testing.T) *memstate.Backend {
	b := memstate.New(memstate.Config{})
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func read(t *testing.T, b state.Backend) state.State {
	t.Helper()
	s, err := recess.NewController(b, state.Actor{}, recess.NotForced).State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// racing is a backend on which somebody else is always a little faster.
type racing struct{ state.Backend }

func (r racing) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	rival := recess.NewController(r.Backend, state.Actor{Name: "bob", Host: "web-2"}, recess.NotForced)
	if _, err := rival.On(ctx, recess.Opening{Scope: "checkout", Reason: "bob was faster"}); err != nil {
		return state.None, err
	}
	return r.Backend.Save(ctx, old, data)
}

func TestAConflictShowsTheWinnersState(t *testing.T) {
	b := newBackend(t)
	got := runWith(t.Context(), command.Options{Backend: racing{b}}, nil, "", "on", "--for", "30m")
	for _, says := range []string{`somebody else changed the state first`, `"on" of bob@web-2`, "Maintenance is ON for scope checkout", "bob was faster"} {
		if !strings.Contains(got.err, says) {
			t.Errorf("it does not say %q:\n%s", says, got.err)
		}
	}
	if got.code != 3 || got.out != "" {
		t.Errorf("exit code %d, output %q", got.code, got.out)
	}
	if s := read(t, b); len(s.Windows) != 1 || s.Windows[0].Scope != "checkout" {
		t.Errorf("the loser wrote: %+v", s.Windows)
	}
}

func TestAConflictInJSONCarriesTheWinnersStatus(t *testing.T) {
	got := runWith(t.Context(), command.Options{Backend: racing{newBackend(t)}}, nil, "", "--json", "on")
	var failure struct {
		Error struct {
			Code     string `json:"code"`
			ExitCode int    `json:"exit_code"`
			Status   struct {
				Running []struct{ Scope string } `json:"running"`
			} `json:"status"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(got.err), &failure); err != nil {
		t.Fatalf("%v: %s", err, got.err)
	}
	e := failure.Error
	if got.code != 3 || e.Code != "conflict" || e.ExitCode != 3 || len(e.Status.Running) != 1 || e.Status.Running[0].Scope != "checkout" || got.out != "" {
		t.Errorf("exit code %d, output %q, error %+v", got.code, got.out, e)
	}
}

// silent is a backend whose server never answers.
type silent struct{ state.Backend }

func (silent) Next(ctx context.Context, _ state.Rev) (state.Doc, time.Duration, error) {
	<-ctx.Done()
	return state.Doc{}, 0, ctx.Err()
}

func TestABackendThatNeverAnswersIsGivenUpInTime(t *testing.T) {
	for _, command := range [][]string{{"status"}, {"on"}, {"off"}, {"cancel", "--all"}, {"schedule", "--start", "1h", "--for", "1h"}} {
		t.Run(command[0], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				got := runWith(t.Context(), optionsOf(silent{newBackend(t)}), nil, "", append(command, "--timeout", "7s")...)
				if took := time.Since(began); got.code != 5 || took != 7*time.Second || !strings.Contains(got.err, "cannot be reached") {
					t.Errorf("exit code %d after %s: %s", got.code, took, got.err)
				}
			})
		})
	}
}

func optionsOf(b state.Backend) command.Options { return command.Options{Backend: b} }

func TestAnInterruptEndsACommandWithOne(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := runWith(ctx, optionsOf(silent{newBackend(t)}), nil, "", "status", "--json")
	if got.code != 1 || !strings.Contains(got.err, `"interrupted"`) {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
}

func TestAnInterruptAtTheQuestionIsNo(t *testing.T) {
	b := newBackend(t)
	ctx, cancel := context.WithCancel(t.Context())
	typing, never := io.Pipe()
	defer never.Close()
	asked := func(p []byte) { cancel() }
	code := command.Main(ctx, []string{"on", "--interactive"}, command.IO{In: typing, Out: io.Discard, Err: writerFunc(asked)}, optionsOf(b))
	if code != 1 || len(read(t, b).Windows) != 0 {
		t.Errorf("exit code %d, windows %v", code, read(t, b).Windows)
	}
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

func TestWhatTheApplicationForcesCannotBeChanged(t *testing.T) {
	for _, c := range []struct {
		name    string
		forced  recess.Force
		env     map[string]string
		active  int
		refuses bool
	}{
		{"nothing forced", recess.NotForced, nil, 0, false},
		{"an empty RECESS_MODE forces nothing", recess.NotForced, map[string]string{"RECESS_MODE": ""}, 0, false},
		{"RECESS_MODE=on", recess.NotForced, map[string]string{"RECESS_MODE": "on"}, 10, true},
		{"RECESS_MODE=off", recess.NotForced, map[string]string{"RECESS_MODE": "off"}, 0, true},
		{"the application's own force comes first", recess.ForcedOn, map[string]string{"RECESS_MODE": "off"}, 10, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBackend(t)
			options := command.Options{Backend: b, Forced: c.forced}
			for _, args := range [][]string{{"off"}, {"cancel", "--all"}, {"schedule", "--start", "1h", "--for", "1h"}, {"on", "--start", "1h", "--interactive"}} {
				got := runWith(t.Context(), options, c.env, "y\n", args...)
				if refused := got.code == 1 && strings.Contains(got.err, "forced"); refused != c.refuses || refused && strings.Contains(got.err, "[y/N]") {
					t.Errorf("%s: exit code %d: %s", args, got.code, got.err)
				}
			}
			if changed := len(read(t, b).Windows) > 0; changed == c.refuses {
				t.Errorf("changed: %v", changed)
			}
			if got := runWith(t.Context(), options, c.env, "", "status", "--exit-code"); got.code != c.active || strings.Contains(got.out, "forced") != c.refuses {
				t.Errorf("status exits with %d, want %d: %s", got.code, c.active, got.out)
			}
		})
	}
}

func TestAForcedModeIsToldThoughTheBackendIsDown(t *testing.T) {
	env := map[string]string{"RECESS_MODE": "on"}
	got := runWith(t.Context(), optionsOf(failing{newBackend(t)}), env, "", "status", "--exit-code")
	if got.code != 10 || !strings.Contains(got.out, "forced ON") || !strings.Contains(got.out, "could not be read: ") {
		t.Errorf("exit code %d: %s%s", got.code, got.out, got.err)
	}
}

type failing struct{ state.Backend }

var errDown = errors.New("connection refused")

func (failing) Next(context.Context, state.Rev) (state.Doc, time.Duration, error) {
	return state.Doc{}, 0, errDown
}

func TestStateURLsThatCannotBeUsed(t *testing.T) {
	for _, c := range []struct{ name, url, says string }{
		{"a backend that is not linked", "redis://:hunter2@host:6379/0", `import _ "github.com/recess-go/recess/core/state/redisstate"`},
		{"an unknown scheme", "hunter2://user:hunter2@host", "no backend has the scheme"},
		{"no scheme", "hunter2", "has no scheme"},
		{"the memory of a process that ends", "memory:", "would end with this command"},
		{"a named one is no better", "memory:shop", "would end with this command"},
		{"nothing", "", "has no scheme"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, got := range []run{
				runWith(t.Context(), command.Options{}, nil, "", "--state", c.url, "on"),
				runWith(t.Context(), command.Options{}, nil, "", "status", "--state="+c.url),
			} {
				if got.code != 2 || !strings.Contains(got.err, c.says) || strings.Contains(got.err, ":hunter2") {
					t.Errorf("exit code %d: %s", got.code, got.err)
				}
			}
		})
	}
}

func TestAnApplicationsBackendMayBeMemory(t *testing.T) {
	b := newBackend(t)
	if got := runWith(t.Context(), optionsOf(b), nil, "", "on"); got.code != 0 || len(read(t, b).Windows) != 1 {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
	if got := runWith(t.Context(), optionsOf(b), nil, "", "--state", "file:x", "off"); got.code != 2 || len(read(t, b).Windows) != 1 {
		t.Errorf("--state beside the application's backend: exit code %d: %s", got.code, got.err)
	}
	if got := runWith(t.Context(), optionsOf(b), nil, "", "--help"); strings.Contains(got.out, "--state") {
		t.Errorf("the help offers --state:\n%s", got.out)
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	state.Register("leaky", func(context.Context, string) (state.Backend, error) {
		return leaky{}, nil
	})
	const url = "leaky://user:hunter2@db.example.com/0"
	for _, args := range [][]string{
		{"status", "--state", url},
		{"status", "--json", "--state=" + url},
		{"on", "--state", url},
		{"watch", "--state", url, "--timeout", "bad"},
		{url},
		{"status", url},
		{"cancel", url, "--state", url},
		{"--stat=" + url, "status"},
		{"--message-" + url},
		{"on", "--for", url},
	} {
		got := runWith(t.Context(), command.Options{}, nil, "", args...)
		if all := got.out + got.err; strings.Contains(all, "hunter2") || got.code == 0 {
			t.Errorf("%q: exit code %d: %s", args, got.code, all)
		}
	}
	env := map[string]string{"RECESS_STATE": url}
	for _, args := range [][]string{{"status"}, {"--help"}, {"off", "--json"}, {"cancel"}} {
		if got := runWith(t.Context(), command.Options{State: url}, env, "", args...); strings.Contains(got.out+got.err, "hunter2") {
			t.Errorf("%q from the environment: %s%s", args, got.out, got.err)
		}
	}
}

// leaky is a backend whose errors repeat its URL.
type leaky struct{ state.Backend }

func (leaky) Next(context.Context, state.Rev) (state.Doc, time.Duration, error) {
	return state.Doc{}, 0, fmt.Errorf("dial leaky://user:hunter2@db.example.com/0: %w", errDown)
}

func (leaky) Close() error { return nil }

func TestWithoutACommandTheHelpIsShownAndNothingSucceeds(t *testing.T) {
	got := runWith(t.Context(), command.Options{Program: "myapp maintenance"}, nil, "")
	if got.code != 2 || got.out != "" || !strings.Contains(got.err, "myapp maintenance on --for 30m") || strings.Contains(got.err, "PROGRAM") {
		t.Errorf("exit code %d, output %q: %s", got.code, got.out, got.err)
	}
}

func TestEveryHelpNamesTheProgram(t *testing.T) {
	for _, name := range []string{"on", "off", "status", "schedule", "cancel", "watch", "version", "completion"} {
		got := runWith(t.Context(), command.Options{Program: "myapp maintenance"}, nil, "", name, "--help")
		if got.code != 0 || !strings.Contains(got.out, "Usage: myapp maintenance "+name) || strings.Contains(got.out, "PROGRAM") || strings.Contains(got.out, "recess on") {
			t.Errorf("exit code %d:\n%s%s", got.code, got.out, got.err)
		}
	}
}

// TestTheExamplesOfEveryHelpAreIndented: the first line of a text loses its blanks, and a line that is not indented is
// wrapped.
func TestTheExamplesOfEveryHelpAreIndented(t *testing.T) {
	for _, name := range []string{"on", "off", "status", "schedule", "cancel", "watch", "completion"} {
		got := runWith(t.Context(), command.Options{Program: "myapp"}, nil, "", name, "--help")
		for line := range strings.Lines(got.out) {
			if strings.HasPrefix(line, "myapp ") || strings.HasPrefix(line, "source ") {
				t.Errorf("%s --help: %q is not indented", name, line)
			}
		}
		if !strings.Contains(got.out, "    myapp "+name) && !strings.Contains(got.out, "    source <(myapp "+name) {
			t.Errorf("%s --help shows no example:\n%s", name, got.out)
		}
	}
}

func TestAVariableThatNobodyKnowsIsRefused(t *testing.T) {
	env := map[string]string{"RECESS_STAET": "file:elsewhere.json"}
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"on"}, 2},
		{[]string{"off", "--json"}, 2},
		{[]string{"status"}, 2},
		{[]string{"watch"}, 2},
		{[]string{"version"}, 0},
		{[]string{"completion", "bash"}, 0},
		{[]string{"on", "--help"}, 0},
	} {
		b := newBackend(t)
		got := runWith(t.Context(), optionsOf(b), env, "", c.args...)
		if got.code != c.code || c.code == 2 && !strings.Contains(got.err, "RECESS_STAET: there is no such variable: did you mean RECESS_STATE?") {
			t.Errorf("%q: exit code %d: %s", c.args, got.code, got.err)
		}
		if doc, err := state.Read(t.Context(), b); err != nil || doc.Rev != state.None {
			t.Errorf("%q: something was written, %v", c.args, err)
		}
	}
	env = map[string]string{"RECESS_SWITCH": "on"}
	if got := runWith(t.Context(), command.Options{}, env, "", "status", "--state", "env:RECESS_SWITCH"); got.code != 0 {
		t.Errorf("the variable that the state is kept in: exit code %d: %s", got.code, got.err)
	}
	if got := runWith(t.Context(), command.Options{}, env, "", "status"); got.code != 2 {
		t.Errorf("the same while the state is elsewhere: exit code %d: %s", got.code, got.err)
	}
}

func TestOutputThatCannotBeWrittenIsAFailure(t *testing.T) {
	b := newBackend(t)
	for _, args := range [][]string{{"on"}, {"status"}, {"status", "--exit-code"}, {"off", "--json"}, {"version"}, {"--help"}, {"completion", "zsh"}, {"watch"}} {
		var errOut bytes.Buffer
		code := command.Main(t.Context(), args, command.IO{Out: full{}, Err: &errOut}, optionsOf(b))
		if code != 1 || !strings.Contains(errOut.String(), "no space left") {
			t.Errorf("%q: exit code %d: %s", args, code, errOut.String())
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }
