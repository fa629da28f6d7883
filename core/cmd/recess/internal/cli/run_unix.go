//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// passedOn are the signals that the command gets that is run.
var passedOn = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}

const terminate = syscall.SIGTERM

// group gives the command a process group of its own, so that each signal reaches it once; at a terminal it is the one
// that reads, and that ^C is for.
func (e *errand) group() {
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if stdin, ok := e.cmd.Stdin.(*os.File); ok && foreground(stdin) == syscall.Getpgrp() {
		e.cmd.SysProcAttr.Foreground, e.cmd.SysProcAttr.Ctty = true, int(stdin.Fd())
	}
}

// ungroup takes the terminal back.
func (e *errand) ungroup() {
	if !e.cmd.SysProcAttr.Foreground {
		return
	}
	signal.Ignore(syscall.SIGTTOU) // whoever takes the terminal from the background is stopped otherwise
	defer signal.Reset(syscall.SIGTTOU)
	_ = unix.IoctlSetPointerInt(e.cmd.SysProcAttr.Ctty, unix.TIOCSPGRP, syscall.Getpgrp()) // the terminal may be gone
}

// foreground is the process group that a terminal is for; -1 for what is no terminal.
func foreground(f *os.File) int {
	group, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	if err != nil {
		return -1
	}
	return group
}

func (e *errand) pass(sig os.Signal) {
	if number, ok := sig.(syscall.Signal); ok {
		_ = syscall.Kill(-e.cmd.Process.Pid, number) // it may just have ended
	}
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignal + int(status.Signal())
	}
	return state.ExitCode()
}
