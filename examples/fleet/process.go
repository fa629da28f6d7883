//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// grace is how long a process may take to end before it is killed.
const grace = 20 * time.Second

// A process is one that this program has started, and that it ends.
type process struct {
	name string
	tell context.CancelFunc // tells it to end
	gone chan struct{}      // closed when it has; then err is known
	err  error
}

// spawn starts a process that says what it has to say to the log of its name. It is in a process group of its own: ^C is
// for this program, which then ends it in order. says, unless nil, reads what it writes to standard output, until it is
// ready. A process that ends unasked breaks the site.
func (s *site) spawn(starting context.Context, name string, c *exec.Cmd, ending os.Signal, says func(io.Reader) error) error {
	ctx, tell := context.WithCancel(context.Background())
	log, err := os.Create(s.log(name))
	if err != nil {
		tell()
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own
	own := exec.CommandContext(ctx, c.Path, c.Args[1:]...)
	own.Env, own.Dir, own.ExtraFiles, own.Stderr = c.Env, s.dir, c.ExtraFiles, log
	own.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	own.Cancel = func() error { return own.Process.Signal(ending) }
	own.WaitDelay = grace
	var out io.Reader = strings.NewReader("")
	if says != nil {
		if out, err = own.StdoutPipe(); err != nil {
			tell()
			return err
		}
	}
	if err := own.Start(); err != nil {
		tell()
		return err
	}
	p := &process{name: name, tell: tell, gone: make(chan struct{})}
	s.processes = append(s.processes, p)
	var saying error
	if says != nil {
		forget := context.AfterFunc(starting, tell)
		saying = says(out)
		forget()
	}
	go func() {
		defer close(p.gone)
		err := own.Wait()
		_ = syscall.Kill(-own.Process.Pid, syscall.SIGKILL) // whom it has left behind in its group: nobody, if it has ended well
		if ctx.Err() == nil {
			p.err = fmt.Errorf("%s ended unasked: %w", name, errors.Join(err, errors.New(own.ProcessState.String())))
			s.broken(p.err)
			return
		}
		if !own.ProcessState.Exited() || own.ProcessState.ExitCode() != 0 {
			p.err = fmt.Errorf("%s did not end well: %s", name, own.ProcessState)
		}
	}()
	return saying
}

// end tells the processes to end, the last to start first, and returns when all have ended.
func (s *site) end() (err error) {
	for len(s.processes) > 0 {
		last := len(s.processes) - 1
		p := s.processes[last]
		s.processes = s.processes[:last]
		p.tell()
		<-p.gone
		err = errors.Join(err, p.err)
	}
	return err
}

// call runs a program to its end, under a log of its name.
func (s *site) call(ctx context.Context, name, program string, args ...string) error {
	log, err := os.Create(s.log(name))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own
	c := exec.CommandContext(ctx, program, args...)
	c.Env, c.Stdout, c.Stderr = s.environ(), log, log
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = grace
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// environ is this program's environment without what would set the shops, or keep go from building the command line.
func (*site) environ(more ...string) (environ []string) {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if name != "GOWORK" && !strings.HasPrefix(name, "RECESS_") && !strings.HasPrefix(name, "SHOP_") {
			environ = append(environ, variable)
		}
	}
	return append(environ, more...)
}

func (s *site) log(name string) string { return filepath.Join(s.dir, name+".log") }

// tellLogs writes the end of what every process has said.
func (s *site) tellLogs(w io.Writer) {
	logs, _ := filepath.Glob(s.log("*"))
	for _, log := range logs {
		file, err := os.Open(log)
		if err != nil {
			continue
		}
		var last []string
		for lines := bufio.NewScanner(file); lines.Scan(); {
			last = append(last, lines.Text())
			last = last[max(0, len(last)-10):]
		}
		_ = file.Close()
		if len(last) > 0 {
			fmt.Fprintf(w, "the last words of %s:\n  %s\n", strings.TrimSuffix(filepath.Base(log), ".log"), strings.Join(last, "\n  "))
		}
	}
}
