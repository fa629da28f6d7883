// Package filestate keeps the state in a file: for one machine, for a shared directory, for a mounted ConfigMap, and
// for a switch shared with a Django service. Its state URL is "file:PATH" or "file:PATH?format=django"; a relative
// path starts from the working directory, and characters that mean something in a URL are percent-encoded.
//
// In the native format the file holds a document ([state.Decode]) or a word that switches the whole site, as in
//
//	echo on > recess.json
//
// ([state.ParseWord]). An empty file is on too, and no file is off, so that touch and rm are a switch; but a file that
// becomes empty without having been away was cut off in the middle, and makes no sense. A file that has just become
// empty is given 50 ms to be written. With format=django the file is django-maintenance-mode's ([state.DecodeDjango]):
// "0", "1" or a schedule, where an empty file, or none, is off. A native document found in its place is read all the
// same, so that a service can change over.
//
// Reading never makes or changes anything. Writing is atomic and durable: compare and replace under a lock on PATH.lock,
// which stays there, by a temporary file beside the state file, ".NAME.….recess-tmp". A symbolic link stays one; its
// target is replaced. The directory must be writable; where it is not, Save's error wraps [state.ErrReadOnly] and says
// who cannot write to what. Instances announce themselves by files in the directory PATH.instances, which the first of
// them makes: on one machine, or on machines whose clocks agree. On file systems that do not answer (a dead NFS server) no call can keep its deadline.
package filestate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/recess-go/recess/core/state"
)

// A Format is how the file expresses the state.
type Format int

const (
	// Native is a document, a word, or an empty file.
	Native Format = iota
	// Django is django-maintenance-mode's state file (version 0.23).
	Django
)

// Config says how the file is read and written. The zero Config is the native format.
type Config struct {
	Format Format
}

// A Backend is a [state.Backend], [state.Salvager] and [state.Presence] on a file. It holds no goroutine and no file while nobody calls it.
type Backend struct {
	shown  string // the path as it was given
	path   string // the same, absolute: the working directory may change
	format Format

	ctx   context.Context // ends with Close
	close context.CancelFunc
	turn  chan struct{} // held by the one Save of this backend that goes for the lock

	mu  sync.Mutex // keeps looks in order
	saw sight

	swept time.Time // when instances were swept last; guarded by mu

	releasing sync.WaitGroup // watches that are being taken down; added to while mu is held and the backend is open

	read     func(path string) (content, error)
	watch    func() (*fsnotify.Watcher, error)
	pause    func(ctx context.Context, d time.Duration)
	lockWait time.Duration
}

var _ state.Salvager = (*Backend)(nil)

// New returns a backend on the file, which need not exist yet; the directory must.
func New(path string, config Config) (*Backend, error) {
	switch {
	case path == "":
		return nil, errors.New("filestate: which file? write it as in file:recess.json")
	case strings.ContainsRune(path, 0):
		return nil, fmt.Errorf("filestate: %q: a path holds no NUL", path)
	case config.Format != Native && config.Format != Django:
		return nil, fmt.Errorf("filestate: %s: format %d is neither Native nor Django", path, config.Format)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("filestate: %s: %w", path, err)
	}
	if info, err := os.Stat(absolute); err == nil && info.IsDir() {
		return nil, fmt.Errorf("filestate: %s is a directory: name a file in it, as in %s", path, filepath.Join(path, "recess.json"))
	}
	dir := filepath.Dir(absolute)
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("filestate: %s: the directory %s does not exist: create it first", path, dir)
	case err == nil && !info.IsDir():
		return nil, fmt.Errorf("filestate: %s: %s is no directory", path, dir)
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Backend{
		shown: path, path: absolute, format: config.Format,
		ctx: ctx, close: cancel, turn: make(chan struct{}, 1),
		read: read, watch: fsnotify.NewWatcher, pause: pause, lockWait: 10 * time.Second,
	}, nil
}

// Path is the absolute path of the file.
func (b *Backend) Path() string { return b.path }

// Close implements [state.Backend].
func (b *Backend) Close() error {
	b.mu.Lock()
	b.close()
	b.mu.Unlock()
	b.releasing.Wait()
	return nil
}

// release ends a watch behind the caller's back: Linux takes some 16 milliseconds to take one down, which a change
// need not wait for. A closed backend leaves nothing behind, so there it waits.
func (b *Backend) release(s *subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() != nil {
		s.close()
		return
	}
	b.releasing.Go(s.close)
}

// retry is how long a caller should wait before it asks again while changes cannot be watched.
const retry = time.Second

// Next implements [state.Backend]. It watches the directories on the way to the file, not the file: a watch on a file
// ends, silently, when the file is replaced. The watch is made anew for each call, and whenever a directory or a link
// on the way has changed; where it cannot be made (the inotify limits of Linux), Next asks to be polled each second.
func (b *Backend) Next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	for {
		doc, wait, err := b.next(ctx, since)
		switch {
		case errors.Is(err, errMoved):
			continue
		case err != nil && !errors.Is(err, state.ErrUnchanged):
			err = fmt.Errorf("filestate: read %s: %w", b.shown, err)
		}
		return doc, wait, err
	}
}

// next is Next as long as the way to the file stays the same; then its error is errMoved.
func (b *Backend) next(ctx context.Context, since state.Rev) (state.Doc, time.Duration, error) {
	var watching *subscription
	watchErr := errNoNeed
	if since != state.Unseen {
		watching, watchErr = b.subscribe()
	}
	if watchErr == nil {
		defer b.release(watching)
	}
	for {
		if b.ctx.Err() != nil {
			return state.Doc{}, 0, state.ErrClosed
		}
		doc, err := b.look(ctx)
		switch {
		case errors.Is(err, errUnsettled) && since != state.Unseen:
			return state.Doc{}, 0, state.ErrUnchanged // as at the end of every wait; the next call looks again
		case err != nil:
			return state.Doc{}, 0, err
		case doc.Rev != since:
			return doc, 0, nil
		case watchErr != nil:
			return state.Doc{}, retry, state.ErrUnchanged
		}
		switch err := watching.wait(ctx, b.ctx.Done()); {
		case err == nil:
			continue
		case errors.Is(err, errMoved), errors.Is(err, state.ErrUnchanged), errors.Is(err, state.ErrClosed):
			return state.Doc{}, 0, err
		default:
			return state.Doc{}, retry, state.ErrUnchanged
		}
	}
}

var (
	// errMoved says that the way to the file has changed: the watch must be made anew.
	errMoved = errors.New("the way to the file has changed")
	// errNoNeed stands for the watch of a caller who will not wait. Ending a watch takes Linux some 10 milliseconds.
	errNoNeed = errors.New("nobody will wait")
)
