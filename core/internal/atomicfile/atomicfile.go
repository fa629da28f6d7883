// Package atomicfile replaces small files so that a reader finds the old content or the new one, whole, at any
// moment and after any crash.
//
// It replaces exactly the file it is told to: a caller who means the target of a symbolic link resolves it first.
package atomicfile

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// suffix ends the names of temporary files.
const suffix = ".recess-tmp"

// Write replaces the content of the file, or makes it. A file that exists keeps its mode, and its owner and group as
// far as this process may set them; a new one gets 0666 less the umask. The content is on the disk before the name
// leads to it. After an error the old content is there untouched and no temporary file is left; only when the
// directory itself could not be brought to the disk, which the error says, the new content is in place.
func Write(path string, data []byte) error {
	temporary, err := prepare(path, data)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("the new content is in place, but a crash may undo it: %w", err)
	}
	return nil
}

// Sweep removes what killed writers of this path left behind. Only a caller that keeps other writers away may do so.
func Sweep(path string) {
	dir, prefix := filepath.Dir(path), prefixOf(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // there is nothing that the writing would not find out and say
	}
	for _, entry := range entries {
		middle, ours := strings.CutPrefix(entry.Name(), prefix)
		middle, temporary := strings.CutSuffix(middle, suffix)
		if ours && temporary && !strings.Contains(middle, ".") {
			_ = os.Remove(filepath.Join(dir, entry.Name()))
		}
	}
}

// prepare writes the content to a temporary file beside the path, with the mode and owner that the path has.
func prepare(path string, data []byte) (name string, err error) {
	old, err := os.Stat(path)
	perm := fs.FileMode(0o600) // until it is known to be no more open than the old file
	switch {
	case errors.Is(err, fs.ErrNotExist):
		perm = 0o666
	case err != nil:
		return "", err
	}
	f, err := os.OpenFile(filepath.Join(filepath.Dir(path), prefixOf(path)+rand.Text()+suffix), os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = fill(f, old, data)
	if closing := f.Close(); err == nil {
		err = closing
	}
	return f.Name(), err
}

func fill(f *os.File, old fs.FileInfo, data []byte) error {
	if old != nil {
		adoptOwner(f, old) // before the mode: a change of owner may clear bits of it
		if err := f.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// prefixOf begins the names of a path's temporary files. It starts with a dot, so that a listing does not show them,
// and stays short enough for the longest of names.
func prefixOf(path string) string {
	base := filepath.Base(path)
	if len(base) > 100 {
		sum := sha256.Sum256([]byte(base))
		base = hex.EncodeToString(sum[:])
	}
	return "." + base + "."
}
