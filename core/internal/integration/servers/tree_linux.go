package servers

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// signalTree sends a signal to a process, its group, and all processes that it started: PostgreSQL is many, each in a
// group of its own. Parents are stopped before their children, so that nobody starts another meanwhile, and go on after
// them. Before they are killed they are stopped, so that none notices that another is gone.
func signalTree(top int, signal syscall.Signal) error {
	if signal == syscall.SIGKILL {
		if err := signalTree(top, syscall.SIGSTOP); err != nil {
			return err
		}
	}
	first := signal == syscall.SIGSTOP
	var errs []error
	send := func() {
		for _, pid := range []int{top, -top} {
			if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				errs = append(errs, err)
			}
		}
	}
	if first {
		send()
	}
	below := children(top)
	for _, child := range below {
		errs = append(errs, signalTree(child, signal))
	}
	if !first {
		send()
	}
	for _, child := range below {
		if signal == syscall.SIGKILL {
			awaitGone(child)
		}
	}
	return errors.Join(errs...)
}

// children returns the processes that a process started and that have not ended.
func children(parent int) (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if of, lives := status(pid); lives && of == parent {
			pids = append(pids, pid)
		}
	}
	return pids
}

// status returns a process's parent, and whether it has not ended. See proc(5).
func status(pid int) (parent int, lives bool) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // after the name, which may hold anything
	if len(fields) < 2 {
		return 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return parent, err == nil && fields[0] != "Z" && fields[0] != "X"
}

// awaitGone returns when a killed process holds nothing any more. Nobody can be asked to tell: it is not our child.
func awaitGone(pid int) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, lives := status(pid); !lives {
			return
		}
	}
}
