//go:build unix

package atomicfile

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestTheModeIsKept(t *testing.T) {
	old := syscall.Umask(0o022)
	defer syscall.Umask(old)
	for _, mode := range []fs.FileMode{0o640, 0o600, 0o666, 0o755, 0o444} {
		path := filepath.Join(t.TempDir(), "state")
		must(t, os.WriteFile(path, nil, 0o600))
		must(t, os.Chmod(path, mode))
		temporary, err := prepare(path, []byte("x"))
		must(t, err)
		for _, name := range []string{temporary, path} {
			if info, err := os.Stat(name); err != nil || info.Mode() != mode {
				t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, mode)
			}
		}
		must(t, Write(path, []byte("y")))
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("after Write: %v, %v, want %v", info.Mode(), err, mode)
		}
	}
	path := filepath.Join(t.TempDir(), "state")
	must(t, Write(path, nil))
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o644 {
		t.Errorf("a new file: %v, %v, want 0666 less the umask", info.Mode(), err)
	}
}

func TestTheOwnerIsKeptByRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	path := filepath.Join(t.TempDir(), "state")
	must(t, os.WriteFile(path, nil, 0o640))
	must(t, os.Chown(path, 1234, 5678))
	must(t, Write(path, []byte("x")))
	info, err := os.Stat(path)
	must(t, err)
	if s := info.Sys().(*syscall.Stat_t); s.Uid != 1234 || s.Gid != 5678 || info.Mode() != 0o640 {
		t.Errorf("it belongs to %d:%d, mode %v", s.Uid, s.Gid, info.Mode())
	}
}

// TestMain lets the test binary serve as a writer that gets as far as everything but the renaming.
func TestMain(m *testing.M) {
	path := os.Getenv("ATOMICFILE_PATH")
	if path == "" {
		os.Exit(m.Run())
	}
	name, err := prepare(path, []byte("new"))
	fmt.Println(name, err)
	<-time.After(time.Hour) // it is killed long before
}

// TestAWriterKilledBeforeTheRenamingChangesNothing is fault F13.
func TestAWriterKilledBeforeTheRenamingChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	must(t, os.WriteFile(path, []byte("old"), 0o644))
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "ATOMICFILE_PATH="+path)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	said, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("it holds %q, %v", got, err)
	}
	left := list(t, filepath.Dir(path))
	if len(left) != 2 {
		t.Errorf("the killed writer (%q) left %v: this test has lost its point", said, left)
	}
	must(t, Write(path, []byte("newer")))
	Sweep(path)
	if left := list(t, filepath.Dir(path)); len(left) != 1 {
		t.Errorf("after the next writer, %v are left", left)
	}
}
