//go:build unix

package filestate_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
)

func TestAFileKeepsItsModeAtEveryMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	write(t, path, "off")
	must(t, os.Chmod(path, 0o640))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o640 || info.Size() == 0 {
				t.Errorf("an observer saw %v, %v", info, err)
				return
			}
		}
	}()
	b := open(t, path, filestate.Config{})
	doc, err := state.Read(t.Context(), b)
	must(t, err)
	rev := doc.Rev
	for n := range 100 {
		rev, err = b.Save(t.Context(), rev, document(t, n+1))
		must(t, err)
	}
	close(stop)
	<-stopped
}

func TestNewFilesFollowTheUmask(t *testing.T) {
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "recess.json")
	b := open(t, path, filestate.Config{})
	_, err := b.Save(t.Context(), state.None, document(t, 1))
	must(t, err)
	for _, name := range []string{path, path + ".lock"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v, %v, want mode 0640", name, info.Mode(), err)
		}
	}
}

func TestAPipeIsNotWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	must(t, syscall.Mkfifo(path, 0o644))
	if got := says(t, open(t, path, filestate.Config{})); !strings.Contains(got, "no regular file") {
		t.Errorf("it says %s", got)
	}
	other := filepath.Join(t.TempDir(), "recess.json")
	b := open(t, other, filestate.Config{})
	announce(t, b, "web-1", time.Hour)
	must(t, syscall.Mkfifo(filepath.Join(other+".instances", "web-2.instance"), 0o644))
	if there := ids(t, b); len(there) != 1 {
		t.Errorf("there are %v", there)
	}
}

// mount mounts something for the time of a test, or skips it.
func mount(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		t.Skipf("a file system cannot be mounted here: %v: %s", err, out)
	}
	dir := args[len(args)-1]
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
}

// TestAFullDiskCostsNothing is fault F10.
func TestAFullDiskCostsNothing(t *testing.T) {
	dir := t.TempDir()
	mount(t, "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir)
	path := filepath.Join(dir, "recess.json")
	b := open(t, path, filestate.Config{})
	large := func(n int) []byte {
		data := document(t, n)
		return append(data, strings.Repeat(" ", 40<<10-len(data))...)
	}
	rev, err := b.Save(t.Context(), state.None, large(1))
	must(t, err)
	before := list(t, dir)
	_, err = b.Save(t.Context(), rev, large(2))
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "make room on the file system of "+dir) {
		t.Errorf("Save on a full disk: %v", err)
	}
	if after := list(t, dir); !slices.Equal(before, after) {
		t.Errorf("it left %v of %v", after, before)
	}
	doc, err := state.Read(t.Context(), b)
	if err != nil || doc.Rev != rev || string(doc.Data) != string(large(1)) {
		t.Errorf("the old document is gone: revision %q after %q, %v", doc.Rev, rev, err)
	}
	if _, err = b.Announce(t.Context(), "web-1", large(1), time.Hour); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Announce on a full disk: %v", err)
	}
	if left := list(t, path+".instances"); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
	must(t, os.Remove(path+".instances"))
	if _, err = b.Salvage(t.Context(), doc); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Salvage on a full disk: %v", err)
	}
	if after := list(t, dir); !slices.Equal(before, after) {
		t.Errorf("Salvage left %v of %v", after, before)
	}
}

func TestAReadOnlyFileSystemIsSaid(t *testing.T) {
	dir := t.TempDir()
	mount(t, "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir)
	path := filepath.Join(dir, "recess.json")
	write(t, path, "on")
	if out, err := exec.Command("mount", "-o", "remount,ro", dir).CombinedOutput(); err != nil {
		t.Skipf("it cannot be made read-only here: %v: %s", err, out)
	}
	b := open(t, path, filestate.Config{})
	doc, err := state.Read(t.Context(), b)
	if err != nil || means(doc) != "on" {
		t.Fatalf("it says %s, %v", means(doc), err)
	}
	_, err = b.Save(t.Context(), doc.Rev, document(t, 1))
	if !errors.Is(err, state.ErrReadOnly) || !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "file system that cannot be written") {
		t.Errorf("Save: %v", err)
	}
	if _, err := b.Announce(t.Context(), "web-1", nil, time.Hour); !errors.Is(err, state.ErrReadOnly) {
		t.Errorf("Announce: %v", err)
	}
	if there, err := b.Instances(t.Context()); err != nil || len(there) != 0 {
		t.Errorf("Instances: %v, %v", there, err)
	}
}

func TestAFileMountedByItselfIsExplained(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "outside"), "on")
	path := filepath.Join(dir, "recess.json")
	write(t, path, "")
	mount(t, "--bind", filepath.Join(dir, "outside"), path)
	b := open(t, path, filestate.Config{})
	doc, err := state.Read(t.Context(), b)
	must(t, err)
	_, err = b.Save(t.Context(), doc.Rev, document(t, 1))
	if !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "mount its directory") {
		t.Errorf("Save: %v", err)
	}
	if got := list(t, dir); !slices.Equal(got, []string{"outside", "recess.json", "recess.json.lock"}) {
		t.Errorf("it left %v", got)
	}
}
