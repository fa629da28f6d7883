//go:build unix

package command_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recess-go/recess/core/cmd/recess/command"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/memstate"
)

// A stubborn backend does not save everything: what it answers to the nth attempt, counted from 1, is asked.
type stubborn struct {
	*memstate.Backend
	saves  atomic.Int64
	answer func(n int64) error
}

func (s *stubborn) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	if err := s.answer(s.saves.Add(1)); err != nil {
		return state.None, err
	}
	return s.Backend.Save(ctx, old, data)
}

// TestRunSaysHowTheSiteIsLeft goes through what a backend can do wrong; what happens otherwise is in the scripts of the
// integration tests. The first save closes the site, the second opens it.
func TestRunSaysHowTheSiteIsLeft(t *testing.T) {
	down := fmt.Errorf("no route to host")
	for _, c := range []struct {
		name   string
		answer func(n int64) error
		args   []string
		code   int
		closed bool
		says   []string
	}{
		{"all is well", func(int64) error { return nil }, []string{"true"}, 0, false, []string{"true succeeded.\n", "Maintenance is OFF"}},
		{"somebody is faster at first", func(n int64) error {
			if n%2 == 1 {
				return state.ErrConflict
			}
			return nil
		}, []string{"true"}, 0, false, []string{"true succeeded.\n", "Maintenance is OFF"}},
		{"the site cannot be closed", func(int64) error { return down }, []string{"true"}, 5, false, []string{
			"true was not started. It is not known whether maintenance is on: see recess status. If it is: recess off --as run-",
		}},
		{"the site may not be closed", func(int64) error { return state.ErrReadOnly }, []string{"true"}, 1, false, []string{"Nothing was changed."}},
		{"the site can be opened at the second attempt", func(n int64) error {
			if n == 2 {
				return down
			}
			return nil
		}, []string{"true"}, 0, false, []string{"true succeeded.\n", "no route to host; trying again\n", "Maintenance is OFF"}},
		{"the site may not be opened", func(n int64) error {
			if n > 1 {
				return state.ErrReadOnly
			}
			return nil
		}, []string{"true"}, 1, true, []string{
			"true succeeded.\n", "maintenance could not be ended, and stays ON for the whole site. As soon as that is possible: recess off --as run-",
		}},
		{"the command fails", func(int64) error { return nil }, []string{"false"}, 1, true, []string{"false failed (exit code 1). Maintenance stays ON for the whole site", "recess off --as run-"}},
		{"the command fails, with a lease", func(int64) error { return nil }, []string{"--lease=10s", "--", "false"}, 1, true, []string{"false failed (exit code 1). Maintenance stays ON for the whole site", "recess off --as run-"}},
		{"the command fails, and the lease cannot be taken off", func(n int64) error {
			if n > 1 {
				return state.ErrReadOnly
			}
			return nil
		}, []string{"--lease=10s", "--", "false"}, 1, true, []string{
			"false failed (exit code 1), and what it has left behind may be half done.\n",
			"Maintenance is ON until its lease of 10 seconds is over, and not longer.\nTo close the site: recess on\n",
		}},
		{"the site may not be opened before the lease is over", func(n int64) error {
			if n > 1 {
				return state.ErrReadOnly
			}
			return nil
		}, []string{"--lease=10s", "--", "true"}, 1, true, []string{
			"true succeeded.\n", "maintenance could not be ended, and stays ON for the whole site, until its lease of 10 seconds is over. As soon as",
		}},
		{"it is not known whether the site is closed, on a lease", func(int64) error { return down }, []string{"--lease=10s", "--", "true"}, 5, false, []string{
			"recess off --as run-", ", or wait: it is over by itself after 10 seconds\n",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t)
			args := append([]string{"run", "--allow-empty"}, c.args...)
			if !slices.Contains(args, "--") {
				args = slices.Insert(args, 2, "--")
			}
			got := runWith(t.Context(), command.Options{Backend: &stubborn{Backend: b, answer: c.answer}}, nil, "", args...)
			if got.code != c.code || got.out != "" {
				t.Errorf("exit code %d, want %d; output %q", got.code, c.code, got.out)
			}
			for _, says := range c.says {
				if !strings.Contains(got.err, says) {
					t.Errorf("it does not say %q:\n%s", says, got.err)
				}
			}
			if closed := len(read(t, b).Windows) > 0; closed != c.closed {
				t.Errorf("the site is closed: %v\n%s", closed, got.err)
			}
		})
	}
}

// A context may end without a signal, where the commands are part of an application: the command is told to end then.
func TestTheEndOfTheContextEndsTheCommandThatIsRun(t *testing.T) {
	b := newBackend(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	time.AfterFunc(50*time.Millisecond, cancel)
	got := runWith(ctx, command.Options{Backend: b}, nil, "", "run", "--allow-empty", "--", "sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.05; done")
	switch {
	case got.code == 9 && len(read(t, b).Windows) == 1 && strings.Contains(got.err, "failed (exit code 9)"):
	case got.code == 1 && len(read(t, b).Windows) == 0 && strings.Contains(got.err, "was not started"): // it ended before
	case got.code == 143 && len(read(t, b).Windows) == 1: // the shell was not so far yet
	default:
		t.Errorf("exit code %d:\n%s", got.code, got.err)
	}
}
