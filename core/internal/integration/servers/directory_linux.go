package servers

import (
	"os"
	"syscall"
	"testing"
)

const (
	// memory is where Linux keeps files in memory.
	memory = "/dev/shm"
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
	dir, err := os.MkdirTemp(place, "recess-test-")
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
