package filestate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/recess-go/recess/core/state"
)

// Salvage implements [state.Salvager]. It writes the bytes of the document, as Next returned them, into a new file
// beside the state file, NAME.broken-20261121T100000Z, and returns that file's path. An existing file is never
// overwritten. (Of an oversized file these are the first [state.MaxSize] + 1 bytes, all that was read.)
func (b *Backend) Salvage(ctx context.Context, doc state.Doc) (where string, err error) {
	where, err = b.salvage(ctx, doc)
	if err != nil {
		return "", fmt.Errorf("filestate: salvage %s: %w", b.shown, err)
	}
	return where, nil
}

func (b *Backend) salvage(ctx context.Context, doc state.Doc) (string, error) {
	switch {
	case b.ctx.Err() != nil:
		return "", state.ErrClosed
	case ctx.Err() != nil:
		return "", ctx.Err()
	case doc.Rev == state.None:
		return "", errors.New("there is no document to keep")
	}
	way, err := follow(b.path)
	if err != nil {
		return "", err
	}
	if way.missing != "" {
		return "", fmt.Errorf("the directory %s does not exist: create or mount it", way.missing)
	}
	f, err := createBeside(way.target)
	if err != nil {
		return "", advise(err, filepath.Dir(way.target))
	}
	_, err = f.Write(doc.Data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", advise(errors.Join(err, os.Remove(f.Name())), filepath.Dir(way.target))
	}
	return f.Name(), nil
}

// createBeside makes a file with a name that is not taken, as open to others as the state file.
func createBeside(target string) (*os.File, error) {
	perm := fs.FileMode(0o600)
	if info, err := os.Stat(target); err == nil {
		perm = info.Mode().Perm()
	}
	name := target + ".broken-" + time.Now().UTC().Format("20060102T150405Z")
	const tries = 100
	for n := range tries {
		try := name
		if n > 0 {
			try = fmt.Sprintf("%s-%d", name, n+1)
		}
		f, err := os.OpenFile(try, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, fmt.Errorf("%d copies of this second stand there already", tries)
}
