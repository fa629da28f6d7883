package engine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
	"github.com/recess-go/recess/core/state/memstate"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// follow starts an engine on a state file, and returns a way to wait for what it comes to know.
func follow(t *testing.T, path string, c filestate.Config) (*recess.Engine, func(want string, ok func(recess.Situation) bool)) {
	t.Helper()
	backend, err := filestate.New(path, c)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := recess.New(t.Context(), recess.Config{Backend: backend, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	changed := make(chan struct{}, 1)
	cancel := engine.Subscribe(func(_, _ recess.Situation) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	t.Cleanup(func() {
		cancel()
		engine.Close()
		backend.Close()
	})
	return engine, func(want string, ok func(recess.Situation) bool) {
		t.Helper()
		deadline := time.After(30 * time.Second)
		for !ok(engine.Situation()) {
			select {
			case <-changed:
			case <-deadline:
				t.Fatalf("not seen: %s; the engine knows %+v", want, engine.Situation())
			}
		}
	}
}

func active(s recess.Situation) bool { return s.Active() }
func open(s recess.Situation) bool   { return !s.Active() && s.Follower.Phase == recess.Valid }
func stale(s recess.Situation) bool  { return s.Follower.Phase == recess.Stale }

// other is a controller in another process, as far as the file can tell.
func other(t *testing.T, path string, c filestate.Config) *recess.Controller {
	t.Helper()
	backend, err := filestate.New(path, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { backend.Close() })
	return recess.NewController(backend, state.Actor{Name: "other"}, recess.NotForced)
}

func must(t *testing.T) func(recess.Change, error) {
	return func(_ recess.Change, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestASwitchInAnotherProcessIsFollowed(t *testing.T) {
	for name, config := range map[string]filestate.Config{"native": {}, "django": {Format: filestate.Django}} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state")
			control := other(t, path, config)
			_, wait := follow(t, path, config)
			for range 20 {
				must(t)(control.On(t.Context(), recess.Opening{}))
				wait("on", active)
				must(t)(control.Off(t.Context(), recess.Ending{}))
				wait("off", open)
			}
		})
	}
}

func TestAFileSwitchedByHandIsFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	remove := func() {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	_, wait := follow(t, path, filestate.Config{})
	write("")
	wait("touch", active)
	remove()
	wait("rm", open)
	write("on\n")
	wait("the word on", active)
	write("off\n")
	wait("the word off", open)
	remove()
	must(t)(other(t, path, filestate.Config{}).On(t.Context(), recess.Opening{}))
	wait("a document", active)
	remove()
	wait("a document that vanished", func(s recess.Situation) bool { return stale(s) && s.Active() })
	must(t)(other(t, path, filestate.Config{}).On(t.Context(), recess.Opening{}))
	must(t)(other(t, path, filestate.Config{}).Off(t.Context(), recess.Ending{}))
	wait("a document started anew", open)
}

func TestADocumentCutShortKeepsTheLastKnownState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	_, wait := follow(t, path, filestate.Config{})
	control := other(t, path, filestate.Config{})
	must(t)(control.On(t.Context(), recess.Opening{}))
	wait("on", active)
	for _, size := range []int64{40, 0} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		wait("the cut", func(s recess.Situation) bool { return stale(s) && s.Active() })
	}
	must(t)(control.Off(t.Context(), recess.Ending{}))
	wait("the repair", open)
}

// failing is a backend whose every call fails.
type failing struct{}

func (failing) Next(context.Context, state.Rev) (state.Doc, time.Duration, error) {
	return state.Doc{}, 0, errors.New("no route to host")
}

func (failing) Save(context.Context, state.Rev, []byte) (state.Rev, error) {
	return "", errors.New("no route to host")
}

func (failing) Close() error { return nil }

// TestNothingStaysBehind is for goleak: engines that end in every state they can be in.
func TestNothingStaysBehind(t *testing.T) {
	for name, backend := range map[string]state.Backend{"idle": memstate.New(memstate.Config{}), "failing": failing{}} {
		engine, err := recess.New(t.Context(), recess.Config{
			Backend: backend, StartWait: time.Millisecond, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		engine.Subscribe(func(_, _ recess.Situation) {})
		engine.Control(state.Actor{}).On(t.Context(), recess.Opening{End: time.Now().Add(time.Hour)})
		engine.Close()
		backend.Close()
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	engine, err := recess.New(ended, recess.Config{Backend: failing{}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	engine.Close()
}
