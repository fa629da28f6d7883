package cli_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	_ "github.com/recess-go/recess/core/cmd/recess/command" // the scripts drive the binary of this module
)

// bin is the directory of the binary.
var bin string

func TestMain(m *testing.M) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) // the scripts hear of it, also where the tests run under nohup
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	if bin, err = os.MkdirTemp("", "recess-cli-"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(bin)) }()
	// In its own directory it is built from its own go.mod, as a release is.
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/recess-go/recess/core/cmd/recess").Output()
	if err != nil {
		return 0, fmt.Errorf("looking for recess: %w", err)
	}
	build := exec.Command("go", "build", "-o", bin, ".")
	build.Dir = strings.TrimSpace(string(dir))
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("building recess: %w\n%s", err, out)
	}
	return m.Run(), nil
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("TZ", "Europe/Berlin")
			env.Setenv("SUDO_USER", "alice") // whoever runs the tests
			env.Values[requestsKey{}] = make(map[string]func())
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "members": members, "keep": keep, "follow": follow, "idle": idle, "await": await, "closed": closed,
		},
	})
}

// exits CODE COMMAND… runs a command and checks its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// keep NAME keeps the first window id in the output as $NAME.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: keep NAME")
	}
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if fields := strings.Fields(line); len(fields) > 0 && strings.HasPrefix(fields[0], "w") && len(fields[0]) == 17 {
			ts.Setenv(args[0], fields[0])
			return
		}
	}
	ts.Fatalf("no window stands in the output")
}
