package filestate_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
)

// attended opens a backend on a file in an empty directory, and returns the directory of its instances.
func attended(t *testing.T) (*filestate.Backend, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "recess.json")
	b, err := filestate.New(path, filestate.Config{})
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	return b, path + ".instances"
}

func announce(t *testing.T, b *filestate.Backend, id string, ttl time.Duration) {
	t.Helper()
	_, err := b.Announce(context.Background(), id, []byte("x"), ttl)
	must(t, err)
}

func ids(t *testing.T, b *filestate.Backend) (ids []string) {
	t.Helper()
	there, err := b.Instances(context.Background())
	must(t, err)
	for _, i := range there {
		ids = append(ids, i.ID)
	}
	return ids
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestReadingAndLeavingMakeNoDirectory(t *testing.T) {
	b, dir := attended(t)
	if got := ids(t, b); len(got) != 0 {
		t.Errorf("there are %v", got)
	}
	must(t, b.Withdraw(t.Context(), "web-1"))
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is there: %v", err)
	}
}

func TestTheDirectoryOfInstancesIsForWhoeverMayWriteBesideTheState(t *testing.T) {
	for _, mode := range []fs.FileMode{0o755, 0o775 | fs.ModeSetgid, 0o777 | fs.ModeSticky} {
		b, dir := attended(t)
		must(t, os.Chmod(filepath.Dir(dir), mode))
		announce(t, b, "web-1", time.Hour)
		info, err := os.Stat(dir)
		must(t, err)
		if got := info.Mode() & (fs.ModePerm | fs.ModeSticky | fs.ModeSetgid); got != mode {
			t.Errorf("it has mode %v, want %v", got, mode)
		}
	}
}

// TestIDsThatMeanSomethingToTheSystemStayInTheDirectory, as do those that look like what is being written.
func TestIDsThatMeanSomethingToTheSystemStayInTheDirectory(t *testing.T) {
	b, dir := attended(t)
	want := []string{".", "..", ".instance", "web.instance"}
	for _, id := range want {
		announce(t, b, id, time.Hour)
	}
	if got := ids(t, b); !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
	if got := names(t, filepath.Dir(dir)); len(got) != 1 {
		t.Errorf("beside the state there are %q", got)
	}
	for _, id := range want {
		must(t, b.Withdraw(t.Context(), id))
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("left are %q", got)
	}
}

func TestWhatSomebodyElsePutsThereIsNoInstance(t *testing.T) {
	b, dir := attended(t)
	announce(t, b, "web-1", time.Hour)
	for name, text := range map[string]string{
		"README": "hello", "a.instance": "", "b.instance": "recess-instance 1", "c.instance": "recess-instance 2 1000\nx",
		"d.instance": "recess-instance 1 soon\nx", ".half-e": "recess-instance 1 100000\nx", ".half-f.instance": "recess-instance 1 100000\nx",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	mkdir(t, filepath.Join(dir, "g.instance"))
	if got := ids(t, b); !slices.Equal(got, []string{"web-1"}) {
		t.Errorf("there are %q", got)
	}
}

// TestTheDeadAreRemovedByTheLiving, once they have been dead for a minute, and whoever is just alive stays.
func TestTheDeadAreRemovedByTheLiving(t *testing.T) {
	b, dir := attended(t)
	file := func(id string) string { return filepath.Join(dir, id+".instance") }
	for _, id := range []string{"long-dead", "just-dead", "alive"} {
		announce(t, b, id, time.Second)
	}
	write(t, filepath.Join(dir, ".half-old"), "recess-")
	write(t, filepath.Join(dir, ".half-new"), "recess-")
	ago := func(path string, age time.Duration) { must(t, os.Chtimes(path, time.Time{}, time.Now().Add(-age))) }
	ago(file("long-dead"), time.Minute+2*time.Second)
	ago(file("just-dead"), time.Minute)
	ago(filepath.Join(dir, ".half-old"), time.Minute+time.Second)

	announce(t, b, "sweeper", time.Hour) // too soon after the last time
	if _, err := os.Stat(file("long-dead")); err != nil {
		t.Error("it looks for the dead with every announcement")
	}
	other, err := filestate.New(filepath.Join(filepath.Dir(dir), "recess.json"), filestate.Config{})
	must(t, err)
	defer other.Close()
	announce(t, other, "sweeper", time.Hour)
	want := []string{".half-new", "alive.instance", "just-dead.instance", "sweeper.instance"}
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
}

// TestWhoComesBackToLifeIsNotBuried: it is announced in the moment in which it is removed.
func TestWhoComesBackToLifeIsNotBuried(t *testing.T) {
	b, dir := attended(t)
	path := filepath.Join(dir, "web-1.instance")
	announce(t, b, "web-1", time.Hour)
	filestate.Bury(path)
	if got := names(t, dir); !slices.Equal(got, []string{"web-1.instance"}) {
		t.Errorf("there are %q", got)
	}
	must(t, os.Chtimes(path, time.Time{}, time.Now().Add(-2*time.Hour)))
	filestate.Bury(path)
	filestate.Bury(path)
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("there are %q", got)
	}
}

// TestAnAnnouncementIsSeenWholeOrNotAtAll reads while others announce themselves and leave.
func TestAnAnnouncementIsSeenWholeOrNotAtAll(t *testing.T) {
	b, _ := attended(t)
	whole := make([]byte, 100_000)
	done := make(chan error)
	for n := range 4 {
		go func() {
			var err error
			for range 100 {
				_, errHere := b.Announce(context.Background(), fmt.Sprint("web-", n), whole, time.Hour)
				err = errors.Join(err, errHere, b.Withdraw(context.Background(), fmt.Sprint("web-", n)))
			}
			done <- err
		}()
	}
	for left := 4; left > 0; {
		select {
		case err := <-done:
			must(t, err)
			left--
		default:
		}
		there, err := b.Instances(t.Context())
		must(t, err)
		for _, i := range there {
			if len(i.Data) != len(whole) {
				t.Fatalf("%s says %d bytes", i.ID, len(i.Data))
			}
		}
	}
}

func TestWhereNothingCanBeWrittenNobodyCanBeAnnounced(t *testing.T) {
	b, dir := attended(t)
	must(t, os.Remove(filepath.Dir(dir)))
	_, err := b.Announce(t.Context(), "web-1", nil, time.Hour)
	if err == nil || errors.Is(err, state.ErrReadOnly) {
		t.Errorf("without a directory: %v", err)
	}
}
