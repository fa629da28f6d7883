package cli

import (
	"runtime"
	"syscall"
)

// tie has the system tell the command to end when this process dies. The system takes the thread that starts the command for
// its parent, so that thread is kept until the caller calls what tie returns.
func (e *errand) tie() (untie func()) {
	runtime.LockOSThread()
	e.cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	return runtime.UnlockOSThread
}
