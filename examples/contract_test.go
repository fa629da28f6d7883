// Package examples_test drives the four example applications as processes, and compares them with each other.
package examples_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/examples/internal/shoptest"
)

var frameworks = []string{"gin", "echo", "chi", "fiber"}

// binaries is the directory of the built applications.
var binaries string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "recess-examples-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./gin", "./echo", "./chi", "./fiber")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			panic(err)
		}
		binaries = dir
		return m.Run()
	}())
}

// command is an application that has not started, with nothing in its environment but what is given.
func command(t testing.TB, framework string, environ []string, args ...string) (c *exec.Cmd, stderr *bytes.Buffer) {
	c = exec.CommandContext(t.Context(), filepath.Join(binaries, framework), args...)
	c.Dir = t.TempDir()
	c.Env = append([]string{"PATH=" + os.Getenv("PATH")}, environ...)
	stderr = new(bytes.Buffer)
	c.Stderr = stderr
	return c, stderr
}

// process launches an application as a process.
func process(framework string) shoptest.Launcher {
	return func(t testing.TB, environ []string) (string, func() string, func() error) {
		t.Helper()
		c, stderr := command(t, framework, environ, "-addr", "127.0.0.1:0")
		stdout, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		stop := sync.OnceValue(func() error {
			if err := c.Process.Signal(syscall.SIGTERM); err != nil {
				return err
			}
			rest, errRead := io.ReadAll(stdout)
			if len(rest) > 0 {
				errRead = errors.Join(errRead, errors.New("it printed more than one line: "+string(rest)))
			}
			return errors.Join(errRead, c.Wait())
		})
		base := shoptest.Listening(t, stdout)
		if base == "" {
			t.Fatalf("%s did not start: %v\n%s", framework, stop(), stderr)
		}
		// The log may be read only once the process has ended: until then it is written to.
		return base, func() string { return "" }, stop
	}
}

// situations are the states and policies in which the applications are compared.
var situations = []struct {
	name      string
	variables map[string]string
	window    *recess.Opening
}{
	{"open", nil, nil},
	{"closed", nil, &recess.Opening{Messages: map[string]string{"": "Back at noon", "de": "Um zwölf zurück"}}},
	{"checkout closed", nil, &recess.Opening{Scope: "checkout"}},
	{"api closed", nil, &recess.Opening{Scope: "api"}},
	{"read-only", nil, &recess.Opening{Mode: state.ReadOnly}},
	{"announced", nil, &recess.Opening{Mode: state.Announce}},
	{"staff let in", map[string]string{"RECESS_ALLOW_STAFF": "1"}, &recess.Opening{}},
	{"paths let in", map[string]string{"RECESS_ALLOW_PATHS": "/ignored/**,/me"}, &recess.Opening{}},
	{"redirected", map[string]string{"RECESS_REDIRECT_URL": "/ignored/"}, &recess.Opening{}},
	{"another answer", map[string]string{"RECESS_STATUS_CODE": "429", "RECESS_RETRY_AFTER": "0", "RECESS_RESPONSE_TYPE": "text"}, &recess.Opening{}},
	{"forced on", map[string]string{"RECESS_MODE": "on"}, nil},
	{"report only", map[string]string{"RECESS_REPORT_ONLY": "yes"}, &recess.Opening{}},
}

func TestTheFrameworksAnswerAlike(t *testing.T) {
	for _, c := range situations {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			var first []string
			for _, framework := range frameworks {
				answers := interview(t, framework, c.variables, c.window)
				if first == nil {
					first = answers
					continue
				}
				for i, answer := range answers {
					if answer != first[i] {
						t.Errorf("%s answers\n%s\n\n%s answers\n%s", frameworks[0], first[i], framework, answer)
					}
				}
			}
		})
	}
}

// interview asks everything there is to ask.
func interview(t *testing.T, framework string, variables map[string]string, window *recess.Opening) (answers []string) {
	t.Helper()
	s := shoptest.Open(t, process(framework), variables)
	var with [][]shoptest.With
	if variables["RECESS_MODE"] == "" { // else nobody can log in
		with = append(with, []shoptest.With{shoptest.As(s.Login("staff"))})
	}
	with = append(with, nil,
		[]shoptest.With{shoptest.Header("Accept", "application/json")},
		[]shoptest.With{shoptest.Header("Accept", "application/problem+json"), shoptest.Header("Accept-Language", "de")},
		[]shoptest.With{shoptest.Header("Accept", "text/plain")})
	if window != nil {
		s.On(*window)
	}
	for _, w := range with {
		for _, r := range shoptest.Routes {
			if r.Request == "GET /maintenance/status" || strings.HasPrefix(r.Request, "GET /login?user=") {
				continue // they say when
			}
			answers = append(answers, s.Ask(r.Request, w...).Summary())
		}
	}
	if err := s.Stop(); err != nil {
		t.Errorf("%s: %v", framework, err)
	}
	return answers
}

func TestAProcessEndsWellWithEverythingOpen(t *testing.T) {
	for _, framework := range frameworks {
		t.Run(framework, func(t *testing.T) {
			s := shoptest.Open(t, process(framework), nil)
			s.Wants(http.StatusOK, "GET /") // and keeps the connection
			response, err := http.Get(s.Base + "/events")
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if err := s.Stop(); err != nil {
				t.Errorf("after SIGTERM: %v, want exit code 0", err)
			}
		})
	}
}

func TestAProcessThatCannotStartSaysWhy(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		name    string
		environ []string
		args    []string
		code    int
		says    []string
	}{
		{
			"every variable that is wrong is named",
			[]string{"RECESS_STATUS_CODE=ok", "RECESS_ALOW_PATHS=/x", "RECESS_ALLOW_NETWORKS=10.0.0.256", "RECESS_ADMIN_TOKENS=secret", "RECESS_STATE=gopher:x"},
			nil, 1,
			[]string{
				"\n  RECESS_STATUS_CODE=\"ok\": ", "\n  RECESS_ALOW_PATHS: ", "did you mean RECESS_ALLOW_PATHS?", "\n  RECESS_ALLOW_NETWORKS=\"10.0.0.256\": ",
				"\n  RECESS_ADMIN_TOKENS: entry 1: write it as in deploy:write:HASH", "\n  RECESS_STATE=\"gopher:…\": ",
			},
		},
		{"the address is taken", []string{"RECESS_STATE=memory:"}, []string{"-addr", taken.Addr().String()}, 1, []string{"address already in use"}},
		{"a flag that it does not know", nil, []string{"-port", "80"}, 2, []string{"-addr"}},
		{"an argument", nil, []string{"start"}, 2, []string{"-addr"}},
		{"a question for help", nil, []string{"-h"}, 0, []string{"-addr", "127.0.0.1:8080", "RECESS_*"}},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			for _, framework := range frameworks {
				process, stderr := command(t, framework, c.environ, c.args...)
				stdout, err := process.Output()
				var exit *exec.ExitError
				if err != nil && !errors.As(err, &exit) {
					t.Fatal(err)
				}
				if code := process.ProcessState.ExitCode(); code != c.code || len(stdout) > 0 {
					t.Errorf("%s: exit code %d, printed %q, want %d and nothing", framework, code, stdout, c.code)
				}
				for _, text := range c.says {
					if !strings.Contains(stderr.String(), text) {
						t.Errorf("%s: it does not say %q:\n%s", framework, text, stderr)
					}
				}
			}
		})
	}
}
