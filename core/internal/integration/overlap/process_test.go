package overlap

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/recess-go/recess/core/internal/integration/must"
)

// patience is how long something that must happen may take on a machine that has much else to do.
const patience = time.Minute

// visitorsEach is how many visitors at most wait for one process, so that a frozen one does not take them all.
const visitorsEach = 4

// A process is one run of an instance.
type process struct {
	name    string // of the instance
	adapter string
	addr    string
	journal string // a path

	busy   chan struct{} // holds a word for each visitor that waits
	ended  atomic.Bool   // the test has ended it: connections to it may break
	frozen time.Time     // when the test has frozen it; zero while it has not. The test's own

	cmd    *exec.Cmd
	exited chan struct{} // closed when it is gone; then these are known
	result error
	gone   int64 // a time of which it was gone
}

// start starts an instance and returns once it is ready. It ends with the test, or with the test's process.
func start(t *testing.T, dir, stateURL, name, adapter string) *process {
	t.Helper()
	self, err := os.Executable()
	must.Do(t, err)
	log := filepath.Join(dir, name+".log")
	output, err := os.Create(log)
	must.Do(t, err)
	defer output.Close()
	said, says, err := os.Pipe()
	must.Do(t, err)
	defer says.Close()
	t.Cleanup(func() { _ = said.Close() }) // not before: who prints to nobody is killed
	p := &process{
		name: name, adapter: adapter, journal: filepath.Join(dir, name+".journal"),
		busy: make(chan struct{}, visitorsEach), exited: make(chan struct{}), cmd: exec.Command(self),
	}
	p.cmd.Env = []string{
		adapterVariable + "=" + adapter, journalVariable + "=" + p.journal,
		"RECESS_STATE=" + stateURL, "RECESS_INSTANCE=" + name, "RECESS_POLL=1s",
	}
	p.cmd.Stdout, p.cmd.Stderr = says, output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	began := make(chan error)
	go func() { // on a thread of its own: the process ends with the thread that started it
		runtime.LockOSThread()
		err := p.cmd.Start()
		began <- err
		if err == nil {
			p.result = p.cmd.Wait()
			p.gone = time.Now().UnixNano()
		}
		close(p.exited)
	}()
	must.Do(t, <-began)
	t.Cleanup(func() {
		p.end(t)
		if text, err := os.ReadFile(log); err == nil && t.Failed() {
			t.Logf("%s said:\n%s", name, text[max(0, len(text)-2000):])
		}
	})
	must.Do(t, said.SetReadDeadline(time.Now().Add(patience)))
	line, err := bufio.NewReader(said).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), greeting)
	if err != nil || !ok {
		t.Fatalf("%s says %q: %v", name, line, err)
	}
	p.addr = addr
	return p
}

// kill ends the process as a power cut would, and returns when it is gone.
func (p *process) kill(t *testing.T) {
	t.Helper()
	p.ended.Store(true)
	p.signal(t, syscall.SIGKILL)
	must.Receive(t, p.name+" is killed", p.exited)
}

// end makes sure that the process is gone.
func (p *process) end(t *testing.T) {
	t.Helper()
	select {
	case <-p.exited:
	default:
		p.thaw(t)
		p.kill(t)
	}
}

// finish tells the process to end, and asserts that it does so in good order.
func (p *process) finish(t *testing.T) {
	t.Helper()
	p.ended.Store(true)
	p.signal(t, syscall.SIGTERM)
	must.Receive(t, p.name+" ends", p.exited)
	if p.result != nil {
		t.Errorf("%s has ended badly: %v", p.name, p.result)
	}
}

// freeze stops the process in its tracks, and returns when it has stopped.
func (p *process) freeze(t *testing.T) {
	t.Helper()
	p.frozen = time.Now()
	p.signal(t, syscall.SIGSTOP)
	must.Become(t, p.name+" is frozen", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		must.Do(t, err)
		_, after, _ := strings.Cut(string(text), ") ") // see proc(5); the name holds no bracket
		return strings.HasPrefix(after, "T")
	})
}

func (p *process) thaw(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGCONT)
	p.frozen = time.Time{}
}

func (p *process) signal(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Errorf("%s: %v: %v", p.name, signal, err)
	}
}

// serves reports whether the process is neither ended nor frozen.
func (p *process) serves() bool { return !p.ended.Load() && p.frozen.IsZero() }
