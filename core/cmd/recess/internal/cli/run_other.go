//go:build !unix

package cli

import (
	"os"
	"syscall"
)

// passedOn are the signals that the command gets that is run.
var passedOn = []os.Signal{os.Interrupt, syscall.SIGTERM}

var terminate = os.Kill

func (e *errand) group()   {}
func (e *errand) ungroup() {}

// pass ends the command if it is to end at all; what the console tells has reached it already.
func (e *errand) pass(sig os.Signal) {
	if sig == os.Kill {
		_ = e.cmd.Process.Kill() // it may just have ended
	}
}

func exitCode(state *os.ProcessState) int { return state.ExitCode() }
