//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/recess-go/recess/examples/internal/ledger"
)

// needsNginx skips a test where there is no nginx.
func needsNginx(t *testing.T) {
	t.Helper()
	if _, err := lookNginx(); err != nil {
		t.Skip("LEFT OUT: nginx is not installed (Debian's package nginx brings it)")
	}
}

// goRun runs the program as its user does.
func goRun(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", append([]string{"run", "."}, args...)...)
	c.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGINT) } // go, and what it runs
	c.WaitDelay = 2 * grace
	err = c.Run()
	return out.String(), errs.String(), err
}

// says complains about an output that lacks what matches.
func says(t *testing.T, output string, expressions ...string) {
	t.Helper()
	for _, expression := range expressions {
		if !regexp.MustCompile(`(?m)^ *` + expression).MatchString(output) {
			t.Errorf("it does not say %q", expression)
		}
	}
	if t.Failed() {
		t.Logf("it said\n%s", output)
	}
}

func TestNobodyIsFailedByAMigration(t *testing.T) {
	needsNginx(t)
	stdout, stderr, err := goRun(t, "-migrations", "3")
	if err != nil {
		t.Errorf("%v\n%s", err, stderr)
	}
	says(t, stdout, `migration 3 of 3 `, `\d+ requests through nginx to 3 instances, 3 migrations$`, `[1-9]\d* served`, `0 failed otherwise$`, `0 ran during a migration$`)
}

// The proof is worth something only if it can fail: who does not wait for requests that run meets some.
func TestAMigrationThatDoesNotWaitIsFound(t *testing.T) {
	needsNginx(t)
	stdout, stderr, err := goRun(t, "-migrations", "8", "-careless")
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Errorf("it ends with %v, want an exit code", err)
	}
	says(t, stdout, `0 failed otherwise$`, `[1-9]\d* ran during a migration$`)
	says(t, stderr, `fleet: the promise is broken:$`, `on (?:gin|echo|fiber) a request ran from .*, and migration \d from `)
}

func TestAnInterruptEndsWhatWasStarted(t *testing.T) {
	needsNginx(t)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "fleet")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c := exec.CommandContext(t.Context(), program, "-migrations", "1000")
	c.Env = append(os.Environ(), "TMPDIR="+dir)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	var stderr bytes.Buffer
	c.Stderr = &stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var addr string
	for lines := bufio.NewScanner(stdout); lines.Scan(); { // up to its end, or it would wait for a reader
		if _, after, ok := strings.Cut(lines.Text(), " on http://"); ok {
			addr = after
		}
		if strings.HasPrefix(lines.Text(), "migration 1 ") {
			if len(running(t, dir)) < 3 && runtime.GOOS == "linux" {
				t.Error("the test does not find the processes that run")
			}
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ends with %v, want exit code 1", err)
	}
	says(t, stderr.String(), `fleet: interrupted`)
	if conn, err := net.DialTimeout("tcp", addr, grace); err == nil {
		conn.Close()
		t.Errorf("somebody listens on %s still", addr)
	}
	if left := running(t, dir); len(left) > 0 {
		t.Errorf("these processes run still: %q", left)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v behind, %v", left, err)
	}
}

// running returns the processes that have their working directory below another, on Linux.
func running(t *testing.T, dir string) (found []string) {
	t.Helper()
	places, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range places {
		if where, err := os.Readlink(place); err == nil && strings.HasPrefix(where, dir) {
			found = append(found, place)
		}
	}
	return found
}

func TestWithoutNginxItSaysHowToGetIt(t *testing.T) {
	defer func(all []string) { nginxes = all }(nginxes)
	nginxes = []string{"no-nginx-of-this-name"}
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), nil, &stdout, &stderr); !errors.Is(err, errNginx) {
		t.Errorf("it ends with %v", err)
	}
}

func TestUnknownArgumentsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"now"}, {"-migrations", "0"}, {"-visitors", "0"}, {"-speed", "1"}, {"migrate"}} {
		var stdout, stderr bytes.Buffer
		if err := run(t.Context(), args, &stdout, &stderr); !errors.Is(err, errUsage) || stdout.Len() > 0 || stderr.Len() == 0 {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestWhatBreaksThePromiseIsSaid(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	work := func(from, to int64) ledger.Work { return ledger.Work{From: at(from), To: at(to), Ended: true} }
	endless := work(1, 1<<40)
	endless.Ended = false
	for _, c := range []struct {
		name   string
		work   []ledger.Work
		served int64
		reason string
		says   string // "" is a promise kept
	}{
		{"nothing met", []ledger.Work{work(1, 9), work(21, 22)}, 2, "", ""},
		{"a request before and after the migration began", []ledger.Work{work(1, 10)}, 1, "", "on gin a request ran"},
		{"a request within", []ledger.Work{work(12, 13)}, 1, "", "on gin a request ran"},
		{"a request that never ended", []ledger.Work{endless}, 1, "", "begun 1 and ended 0"},
		{"a request served twice", []ledger.Work{work(1, 2), work(3, 4)}, 1, "", "1 requests were served, but the instances have begun 2"},
		{"a request that failed", []ledger.Work{work(1, 2)}, 0, "GET /slow: status 502", "a request failed: GET /slow: status 502"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var crowd crowd
			crowd.served.Store(c.served)
			if c.reason != "" {
				crowd.fail(c.reason)
			}
			h := &history{work: map[string][]ledger.Work{"gin": c.work}, migrations: []migration{{at(5), work(10, 20)}}}
			var out bytes.Buffer
			err := h.judge(&crowd, &out)
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v, want %q\n%s", err, c.says, &out)
			}
		})
	}
}
