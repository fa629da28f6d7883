package browser

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/state"
	_ "github.com/recess-go/recess/core/state/filestate" // file:PATH
)

var frameworks = []string{"gin", "echo", "chi", "fiber"}

// build builds the example applications and returns the folder that has them.
func build(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	c := exec.CommandContext(t.Context(), "go", "build", "-tags", "local_backends", "-o", folder+string(filepath.Separator), "./gin", "./echo", "./chi", "./fiber")
	c.Dir = filepath.Join("..", "..", "..", "..", "examples")
	if output, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return folder
}

// A site is an example application that runs as a process, and its state.
type site struct {
	base  string // http://127.0.0.1:PORT
	state *recess.Controller
}

// start starts an application with a state file of its own; it ends with the test.
func start(t *testing.T, binaries, framework string, environ ...string) *site {
	t.Helper()
	address := "file:" + filepath.Join(t.TempDir(), "recess.json")
	backend, err := state.Open(t.Context(), address)
	must.Do(t, err)
	c := exec.Command(filepath.Join(binaries, framework), "-addr", "127.0.0.1:0")
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "RECESS_STATE=" + address, "RECESS_POLL=1s", "RECESS_INSTANCE=" + framework + "-1"}, environ...)
	log := filepath.Join(t.TempDir(), "log")
	output, err := os.Create(log)
	must.Do(t, err)
	defer output.Close() // the process has its own
	c.Stderr = output
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	stdout, err := c.StdoutPipe()
	must.Do(t, err)
	began, ended := make(chan error), make(chan error, 1)
	go func() { // on a thread of its own: the process ends with the thread that started it
		runtime.LockOSThread()
		err := c.Start()
		began <- err
		if err == nil {
			_, err = c.Process.Wait()
			ended <- err
		}
	}()
	must.Do(t, <-began)
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		must.Do(t, must.Receive(t, framework+" ends", ended))
		if text, err := os.ReadFile(log); err == nil && t.Failed() {
			t.Logf("%s said:\n%s", framework, text[max(0, len(text)-2000):])
		}
		must.Do(t, backend.Close())
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("%s says %q: %v", framework, line, err)
	}
	return &site{base: base, state: recess.NewController(backend, state.Actor{Name: "somebody else"}, recess.NotForced)}
}

// document is what the site's state says.
func (s *site) document(t testing.TB) state.State {
	t.Helper()
	document, err := s.state.State(t.Context())
	must.Do(t, err)
	return document
}

// opening and ending are of a scope.
func opening(scope string) recess.Opening { return recess.Opening{Scope: scope} }

func ending(scope string) recess.Ending { return recess.Ending{Scope: scope} }
