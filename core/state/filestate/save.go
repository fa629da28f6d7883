package filestate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/recess-go/recess/core/internal/atomicfile"
	"github.com/recess-go/recess/core/state"
)

// Save implements [state.Backend]. It waits for other writers, but no longer than 10 seconds.
func (b *Backend) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	raw := data
	if b.format == Django {
		s, err := state.Decode(data)
		if err != nil {
			return state.None, fmt.Errorf("filestate: save %s: %w", b.shown, err)
		}
		if raw, err = state.EncodeDjango(s, time.Now()); err != nil {
			return state.None, err // it says all there is to say: what the format cannot express
		}
	}
	saved, err := b.save(ctx, old, raw)
	if err != nil {
		return state.None, fmt.Errorf("filestate: save %s: %w", b.shown, err)
	}
	return saved, nil
}

func (b *Backend) save(ctx context.Context, old state.Rev, raw []byte) (state.Rev, error) {
	switch {
	case b.ctx.Err() != nil:
		return state.None, state.ErrClosed
	case ctx.Err() != nil:
		return state.None, ctx.Err()
	case len(raw) == 0:
		return state.None, errors.New("an empty file would mean on")
	case len(raw) > state.MaxSize:
		return state.None, fmt.Errorf("the document has %d bytes, at most %d are read back", len(raw), state.MaxSize)
	}
	way, err := follow(b.path)
	switch {
	case err != nil:
		return state.None, err
	case way.missing != "":
		return state.None, fmt.Errorf("the directory %s does not exist: create or mount it", way.missing)
	}
	unlock, err := b.lock(ctx, way.target)
	if err != nil {
		return state.None, err
	}
	defer unlock()
	if err := b.replace(way.target, old, raw); err != nil {
		return state.None, err
	}
	return rev(raw), nil
}

// replace compares and writes. The caller holds the lock.
func (b *Backend) replace(target string, old state.Rev, raw []byte) error {
	b.mu.Lock() // a look must not take the writing and its own memory of it in different orders
	defer b.mu.Unlock()
	found, err := b.read(target)
	if err != nil {
		return err
	}
	current := state.None
	if found.exists {
		current = rev(found.raw)
	}
	if current != old {
		return state.ErrConflict
	}
	atomicfile.Sweep(target)
	if err := atomicfile.Write(target, raw); err != nil {
		return advise(err, filepath.Dir(target))
	}
	b.saw = written
	return nil
}

// lock takes the lock of a state file, which excludes other processes and other backends alike. The lock is on a file
// of its own, since the state file is replaced at each change, and that file is never removed: whoever waits for it
// would then hold the lock of a file that is no longer there.
func (b *Backend) lock(ctx context.Context, target string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.lockWait, errors.New("time is up"))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(b.ctx, func() { stop(state.ErrClosed) })()
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, b.waited(ctx, target)
	}
	path := target + ".lock"
	l := flock.New(path, lockOptions(path, target)...)
	if _, err := l.TryLockContext(ctx, 5*time.Millisecond); err != nil {
		<-b.turn
		if ctx.Err() != nil {
			return nil, b.waited(ctx, target)
		}
		return nil, advise(err, filepath.Dir(target))
	}
	return func() {
		_ = l.Unlock() // closing the file ends the lock in any case
		<-b.turn
	}, nil
}

// waited says why the wait for the lock has ended.
func (b *Backend) waited(ctx context.Context, target string) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, state.ErrClosed) || errors.Is(cause, context.Canceled) {
		return cause
	}
	return fmt.Errorf("%w: another writer has held the lock %s.lock all the time: wait for it, or end it", ctx.Err(), target)
}

// lockOptions let whoever may read the state file take its lock, for which flock needs no more: the lock file gets the
// state file's mode, less the umask. With flock's own default, 0600, the first user to save would lock all others of a
// shared directory out for good. An existing lock file is not opened for creation: in a directory like /tmp, Linux
// refuses that to everybody but the file's owner, root included (fs.protected_regular).
func lockOptions(path, target string) []flock.Option {
	perm := fs.FileMode(0o666)
	if info, err := os.Stat(target); err == nil {
		perm = info.Mode().Perm() | 0o400
	}
	options := []flock.Option{flock.SetPermissions(perm)}
	switch runtime.GOOS {
	case "aix", "solaris", "illumos": // an exclusive lock needs a writable file there: flock knows
		return options
	}
	if _, err := os.Stat(path); err == nil {
		options = append(options, flock.SetFlag(os.O_RDONLY))
	}
	return options
}

// advise adds to an error what the operator can do.
func advise(err error, dir string) error {
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w: the directory %s is on a file system that cannot be written: change the state where the directory comes from (the ConfigMap, the volume)", state.ErrReadOnly, err, dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w: the directory %s must be writable by %s", state.ErrReadOnly, err, dir, user())
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: the old state is untouched: make room on the file system of %s", err, dir)
	case errors.Is(err, syscall.EBUSY):
		return fmt.Errorf("%w: a file that is mounted by itself cannot be replaced: mount its directory, %s, instead", err, dir)
	}
	return err
}
