package servers

import (
	"os/exec"
	"syscall"
)

// dieWithThread has a process killed when the thread that starts it ends, so that a test run that is killed leaves no
// server behind, and puts it into a process group of its own.
func dieWithThread(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
