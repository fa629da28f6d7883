package recess

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/recess-go/recess/core/internal/atomicfile"
	"github.com/recess-go/recess/core/state"
)

// checkSnapshotFile finds a snapshot file that cannot be written, at the start.
func checkSnapshotFile(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("recess: Config.SnapshotFile: %s is a directory: name a file in it", path)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return fmt.Errorf("recess: Config.SnapshotFile: %s: the directory %s does not exist: create it first", path, filepath.Dir(path))
	}
	return nil
}

// saveSnapshot has a copy of an applied document kept on disk, once the lock is released. The lock is held.
func (e *Engine) saveSnapshot(doc state.Doc) {
	if e.config.SnapshotFile == "" {
		return
	}
	e.unsaved = &doc
	e.later(e.writeSnapshot)
}

// writeSnapshot writes the newest document that is not saved yet, or removes the file if there is none any more. A disk
// that is full or read-only changes nothing else.
func (e *Engine) writeSnapshot() {
	e.saving.Lock()
	defer e.saving.Unlock()
	e.mu.Lock()
	doc := e.unsaved
	e.unsaved = nil
	e.mu.Unlock()
	if doc == nil {
		return
	}
	var err error
	if doc.Rev == state.None {
		if err = os.Remove(e.config.SnapshotFile); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	} else {
		err = atomicfile.Write(e.config.SnapshotFile, doc.Data)
	}
	if err != nil && e.first("snapshot file") {
		e.log.Warn("the state could not be saved to disk (logged once)", "file", e.config.SnapshotFile, "error", err)
	}
}

func (e *Engine) loadSnapshot() (state.State, bool) {
	if e.config.SnapshotFile == "" {
		return state.State{}, false
	}
	data, err := os.ReadFile(e.config.SnapshotFile)
	if err != nil {
		return state.State{}, false
	}
	s, err := state.Decode(data)
	if err != nil {
		e.later(func() {
			e.log.Warn("the state saved to disk makes no sense", "file", e.config.SnapshotFile, "error", err)
		})
	}
	return s, err == nil
}
