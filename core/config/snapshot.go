package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
)

const snapshotVariable = "RECESS_SNAPSHOT"

// snapshotFault is what is wrong with the snapshot's place; nil if nothing is. It is found at the start: a snapshot is
// needed when everything else is down, and nobody looks then why it was never written.
func snapshotFault(path string, backend state.Backend, values map[string]string) *Fault {
	err := checkSnapshot(path, backend)
	if err == nil {
		return nil
	}
	if _, isSet := values[snapshotVariable]; !isSet {
		return &Fault{Err: fmt.Errorf("SnapshotFile: %w", err)}
	}
	return &Fault{Variable: snapshotVariable, Value: path, Err: err}
}

func checkSnapshot(path string, backend state.Backend) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no directory %.120q: create or mount it first", filepath.Dir(path))
	}
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return fmt.Errorf("it is a directory: name a file in it, as in %.120q", filepath.Join(path, "snapshot.json"))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("it cannot be used: %w", err)
	}
	if file, ok := backend.(*filestate.Backend); ok && sameFile(path, file.Path()) {
		return errors.New("it is the state file itself: the snapshot needs a file of its own")
	}
	return nil
}

// sameFile reports whether two paths lead to one file, which need not exist yet.
func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(infoA, infoB)
	}
	return resolved(a) == resolved(b)
}

// resolved is a path without the links on the way to the file.
func resolved(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(absolute))
	if err != nil {
		return absolute
	}
	return filepath.Join(dir, filepath.Base(absolute))
}
