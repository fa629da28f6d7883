package servers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const (
	// memory is where Linux keeps files in memory.
	memory = "/dev/shm"
	// directories begin the names of ours; the process that made one comes next.
	directories = "recess-test-"
	// room is how much must be free there: a dozen servers run side by side.
	room = 4 << 30
)

// Directory returns a new directory that everybody may look into, and that goes with the test. It is in memory where there
// is room: a dozen servers that wait for one disk are slow, and what a killed process has written survives there as it
// does on a disk.
func Directory(t testing.TB) string {
	t.Helper()
	place := ""
	var free syscall.Statfs_t
	if syscall.Statfs(memory, &free) == nil && free.Bavail*uint64(free.Bsize) >= room {
		place = memory
	}
	sweep()
	dir, err := os.MkdirTemp(place, fmt.Sprintf("%s%d-", directories, os.Getpid()))
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// sweep removes, once, what test processes have left in memory that were killed.
var sweep = sync.OnceFunc(func() {
	left, _ := filepath.Glob(filepath.Join(memory, directories+"*"))
	for _, dir := range left {
		var pid int
		_, err := fmt.Sscanf(strings.TrimPrefix(filepath.Base(dir), directories), "%d-", &pid)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir) // it may be another user's
		}
	}
})
