//go:build !unix

package atomicfile

import (
	"io/fs"
	"os"
)

// adoptOwner does nothing: a file inherits its access list from the directory here.
func adoptOwner(*os.File, fs.FileInfo) {}

// syncDir does nothing: a rename is in the file system's journal here, and a directory cannot be synced.
func syncDir(string) error { return nil }
