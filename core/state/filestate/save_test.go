package filestate_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
)

func TestSavingLeavesTheFileAndItsLock(t *testing.T) {
	dir := t.TempDir()
	b := open(t, filepath.Join(dir, "recess.json"), filestate.Config{})
	rev := state.None
	var err error
	for n := 1; n <= 3; n++ {
		rev, err = b.Save(t.Context(), rev, document(t, n))
		must(t, err)
	}
	if got := list(t, dir); !slices.Equal(got, []string{"recess.json", "recess.json.lock"}) {
		t.Errorf("the directory holds %v", got)
	}
}

func TestALinkStaysALink(t *testing.T) {
	dir := t.TempDir()
	mkdir(t, filepath.Join(dir, "real"))
	link(t, filepath.Join("real", "state.json"), filepath.Join(dir, "recess.json"))
	b := open(t, filepath.Join(dir, "recess.json"), filestate.Config{})
	rev, err := b.Save(t.Context(), state.None, document(t, 1)) // through a link that leads nowhere yet
	must(t, err)
	_, err = b.Save(t.Context(), rev, document(t, 2))
	must(t, err)
	if to, err := os.Readlink(filepath.Join(dir, "recess.json")); err != nil || to != filepath.Join("real", "state.json") {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if got := list(t, filepath.Join(dir, "real")); !slices.Equal(got, []string{"state.json", "state.json.lock"}) {
		t.Errorf("the target's directory holds %v", got)
	}
	if got := list(t, dir); !slices.Equal(got, []string{"real", "recess.json"}) {
		t.Errorf("the link's directory holds %v", got)
	}
}

func TestTwoWaysToOneFileExcludeEachOther(t *testing.T) {
	dir := t.TempDir()
	link(t, "state.json", filepath.Join(dir, "recess.json"))
	a := open(t, filepath.Join(dir, "recess.json"), filestate.Config{})
	held := flock.New(filepath.Join(dir, "state.json.lock"))
	must(t, held.Lock())
	filestate.SetLockWait(a, 20*time.Millisecond)
	if _, err := a.Save(t.Context(), state.None, document(t, 1)); err == nil {
		t.Error("it was saved under another's lock")
	}
	must(t, held.Unlock())
	_, err := a.Save(t.Context(), state.None, document(t, 1))
	must(t, err)
}

func TestTheWaitForTheLockIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	b := open(t, path, filestate.Config{})
	held := flock.New(path + ".lock")
	must(t, held.Lock())
	defer func() { _ = held.Unlock() }()

	filestate.SetLockWait(b, 20*time.Millisecond)
	_, err := b.Save(t.Context(), state.None, document(t, 1))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "filestate: save "+path+": ") || !strings.Contains(err.Error(), "another writer has held the lock "+path+".lock") {
		t.Errorf("after the longest wait: %v", err)
	}
	filestate.SetLockWait(b, time.Hour)
	errs := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	for range 3 {
		go func() {
			_, err := b.Save(ctx, state.None, document(t, 1))
			errs <- err
		}()
	}
	untilWaiting(t, 3)
	cancel()
	for range 3 {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("with the context ended: %v", err)
		}
	}
	for range 3 {
		go func() {
			_, err := b.Save(t.Context(), state.None, document(t, 1))
			errs <- err
		}()
	}
	untilWaiting(t, 3)
	must(t, b.Close())
	for range 3 {
		if err := <-errs; !errors.Is(err, state.ErrClosed) {
			t.Errorf("with the backend closed: %v", err)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("one of them saved")
	}
}

// untilWaiting returns once n goroutines wait for a lock.
func untilWaiting(t *testing.T, n int) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); runtime.Gosched() {
		waiting := 0
		for _, stack := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(stack, "filestate.(*Backend).lock(") && strings.Contains(stack, "[select") {
				waiting++
			}
		}
		if waiting == n {
			return
		}
	}
	t.Fatalf("there are no %d goroutines waiting for a lock", n)
}

func TestWhatWouldNotReadBackIsNotSaved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	b := open(t, path, filestate.Config{})
	for name, data := range map[string][]byte{"nothing, which would mean on": {}, "more than is read": make([]byte, state.MaxSize+1)} {
		if _, err := b.Save(t.Context(), state.None, data); err == nil {
			t.Errorf("%s was saved", name)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was made")
	}
}

// TestAWordIsReplacedByADocument: what a person wrote has a revision as any other.
func TestAWordIsReplacedByADocument(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	write(t, path, "on\n")
	b := open(t, path, filestate.Config{})
	doc, err := state.Read(t.Context(), b)
	must(t, err)
	write(t, path, "off\n") // somebody is faster
	if _, err := b.Save(t.Context(), doc.Rev, document(t, 1)); !errors.Is(err, state.ErrConflict) {
		t.Errorf("over a word that has changed: %v", err)
	}
	doc, err = state.Read(t.Context(), b)
	must(t, err)
	_, err = b.Save(t.Context(), doc.Rev, document(t, 1))
	must(t, err)
}

func TestWhatAKilledWriterLeftIsSweptAway(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "recess.json")
	b := open(t, path, filestate.Config{})
	write(t, filepath.Join(dir, ".recess.json.ABCDEFGHIJKLMNOPQRSTUVWXYZ.recess-tmp"), "half")
	if got := says(t, b); got != "none" {
		t.Errorf("the leftover says %s", got)
	}
	_, err := b.Save(t.Context(), state.None, document(t, 1))
	must(t, err)
	if got := list(t, dir); !slices.Equal(got, []string{"recess.json", "recess.json.lock"}) {
		t.Errorf("the directory holds %v", got)
	}
}
