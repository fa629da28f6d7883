package cli_test

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
)

// follow NAME [busy] starts a service that follows recess.json until the script ends; a busy one has a request that does
// not end before "idle NAME".
func follow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: follow NAME [busy]")
	}
	backend, err := filestate.New(ts.MkAbs("recess.json"), filestate.Config{})
	ts.Check(err)
	engine, err := recess.New(context.Background(), recess.Config{Backend: backend, Instance: args[0], Logger: slog.New(slog.DiscardHandler)})
	ts.Check(err)
	ts.Defer(func() {
		_ = engine.Close()
		_ = backend.Close()
	})
	if len(args) == 2 {
		request := engine.Begin()
		requests(ts)[args[0]] = request.End
	}
	until(ts, "instance "+args[0]+" announces itself", func() bool {
		fleet, err := recess.Fleet(context.Background(), backend)
		ts.Check(err)
		for _, i := range fleet {
			if i.Name == args[0] {
				return true
			}
		}
		return false
	})
}

// idle NAME ends the request of a busy service.
func idle(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || requests(ts)[args[0]] == nil {
		ts.Fatalf("usage: idle NAME, of a service that is busy")
	}
	requests(ts)[args[0]]()
}

// requestsKey is where a script keeps the ends of its services' requests.
type requestsKey struct{}

func requests(ts *testscript.TestScript) map[string]func() {
	return ts.Value(requestsKey{}).(map[string]func())
}

// await FILE waits until a file is there.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	until(ts, args[0]+" is there", func() bool {
		_, err := os.Stat(ts.MkAbs(args[0]))
		return err == nil
	})
}

// closed waits until a window runs; "! closed" until none does.
func closed(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) > 0 {
		ts.Fatalf("usage: [!] closed")
	}
	backend, err := filestate.New(ts.MkAbs("recess.json"), filestate.Config{})
	ts.Check(err)
	defer backend.Close()
	until(ts, map[bool]string{false: "the site is closed", true: "the site is open"}[neg], func() bool {
		s, err := recess.NewController(backend, state.Actor{}, recess.NotForced).State(context.Background())
		ts.Check(err)
		return neg != (len(s.Windows) > 0)
	})
}

// until returns when something has happened of which nobody is told.
func until(ts *testscript.TestScript, what string, happened func() bool) {
	for began := time.Now(); !happened(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			ts.Fatalf("not within a minute: %s", what)
		}
	}
}
