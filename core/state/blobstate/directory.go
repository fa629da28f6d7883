package blobstate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"gocloud.dev/blob"
)

// putFile is put for a directory.
func (s *store) putFile(ctx context.Context, c *claim) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var temporary *os.File
	w, err := s.bucket.NewWriter(ctx, c.key, &blob.WriterOptions{
		ContentType: contentType,
		BeforeWrite: func(as func(any) bool) error {
			if !as(&temporary) {
				return errors.New("the bucket is a directory, and its driver makes no files: use fileblob")
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	_, err = w.Write(c.data)
	if err == nil {
		err = ctx.Err() // the driver looks only in the end
	}
	if err == nil {
		c.made, err = s.link(temporary, c.key)
	}
	cancel() // and so Close removes the temporary file, and does nothing else
	_ = w.Close()
	return err
}

// link gives fileblob's temporary file its name, if nothing has that name. The driver's own IfNotExist first looks and
// then renames, and of two writers who look at the same time both succeed; a link is made by one. What stands in the
// file is on the disk before. It returns the file's time.
func (s *store) link(temporary *os.File, key string) (made int64, err error) {
	dir := filepath.Dir(temporary.Name())
	if !s.within(dir) {
		return 0, fmt.Errorf("the bucket makes its temporary files in %s, from where they cannot be put in place by one writer alone: "+
			"open it with fileblob.Options.NoTempDir (no_tmp_dir=true)", dir)
	}
	if err := temporary.Sync(); err != nil {
		return 0, err
	}
	info, err := temporary.Stat()
	if err != nil {
		return 0, err
	}
	if err := s.makeLink(temporary.Name(), filepath.Join(dir, path.Base(key))); err != nil {
		return 0, err
	}
	syncDirectory(dir)
	return info.ModTime().UnixNano(), nil
}

// within reports whether a directory is the bucket's or lies in it.
func (s *store) within(dir string) bool {
	var bucket os.FileInfo
	if !s.bucket.As(&bucket) {
		return false
	}
	for {
		if info, err := os.Stat(dir); err == nil && os.SameFile(info, bucket) {
			return true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return false
		}
		dir = parent
	}
}

// syncDirectory makes a name last, where the file system knows how to.
func syncDirectory(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer func() { _ = d.Close() }()
	_ = d.Sync()
}

// unlinkable reports whether a file system knows no links. Linux calls that "operation not permitted"; a directory that
// may not be written has refused the temporary file already.
func unlinkable(err error) bool {
	var link *os.LinkError
	return errors.As(err, &link) && (errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported))
}
