package filestate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"

	"github.com/recess-go/recess/core/state"
)

// A trail is the way from a path to its file, link by link.
type trail struct {
	// names are the absolute paths whose change can change what stands at the end: each link, and the file itself,
	// or the first directory that is missing.
	names   []string
	target  string // the file at the end, which need not exist; "" if a directory on the way is missing
	missing string // that directory
}

const maxLinks = 40 // as Linux

// follow walks an absolute path as the system does, and notes every link.
func follow(path string) (trail, error) {
	var way trail
	at, rest := root(path)
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		here := filepath.Join(at, name)
		info, err := os.Lstat(here)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			way.names = append(way.names, here)
			if len(rest) > 0 {
				way.missing = here
			} else {
				way.target = here
			}
			return way, nil
		case err != nil:
			return trail{}, err
		case info.Mode()&fs.ModeSymlink == 0:
			at = here
			continue
		}
		link, err := os.Readlink(here)
		if err != nil {
			return trail{}, err
		}
		if links++; links > maxLinks {
			return trail{}, fmt.Errorf("%s: more than %d links: they lead in a circle", path, maxLinks)
		}
		way.names = append(way.names, here)
		steps := strings.Split(filepath.ToSlash(link), "/")
		if filepath.IsAbs(link) {
			at, steps = root(link)
		}
		rest = append(steps, rest...)
	}
	way.target = at
	way.names = append(way.names, at)
	return way, nil
}

// root parts an absolute path into its root and the names below it.
func root(path string) (at string, names []string) {
	volume := filepath.VolumeName(path)
	return volume + string(filepath.Separator), strings.Split(filepath.ToSlash(path[len(volume):]), "/")
}

// dirs are the directories in which the names stand.
func (way trail) dirs() []string {
	var dirs []string
	for _, name := range way.names {
		if dir := filepath.Dir(name); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// A subscription is a watch over the directories of one trail.
type subscription struct {
	watcher *fsnotify.Watcher
	path    string
	way     trail
}

// subscribe begins to watch. The trail is walked again once the watch stands: had a link been changed in between, the
// watch would stand in a directory that nobody uses any more.
func (b *Backend) subscribe() (*subscription, error) {
	const tries = 5
	for range tries {
		way, err := follow(b.path)
		if err != nil {
			return nil, err
		}
		watcher, err := b.watchAll(way.dirs())
		if err != nil {
			return nil, err
		}
		s := &subscription{watcher, b.path, way}
		if s.stands() == nil {
			return s, nil
		}
		s.close()
	}
	return nil, fmt.Errorf("the way to the file changed %d times while it was followed", tries)
}

func (b *Backend) watchAll(dirs []string) (*fsnotify.Watcher, error) {
	watcher, err := b.watch()
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		if err := watcher.Add(dir); err != nil {
			return nil, errors.Join(err, watcher.Close())
		}
	}
	return watcher, nil
}

func (s *subscription) close() { _ = s.watcher.Close() }

// wait returns nil when the file may have changed, errMoved when the way to it may have, ErrUnchanged when the context
// ends, ErrClosed when the backend is closed, and another error when the watch broke.
func (s *subscription) wait(ctx context.Context, closed <-chan struct{}) error {
	for {
		select {
		case <-closed:
			return state.ErrClosed
		case <-ctx.Done():
			return state.ErrUnchanged
		case event, ok := <-s.watcher.Events:
			switch {
			case !ok:
				return fsnotify.ErrClosed
			case s.moves(event.Name):
				return errMoved
			case same(event.Name, s.way.target):
				return s.stands()
			}
		case err := <-s.watcher.Errors:
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				return errMoved // events were lost, and one of them may have been ours
			}
			return fmt.Errorf("the watch broke: %w", err)
		}
	}
}

// moves reports whether an event's path is a link or a directory on the way to the file. Others share the directories:
// our own temporary and lock files, and whatever else lies there.
func (s *subscription) moves(path string) bool {
	on := func(name string) bool { return same(name, path) && !same(name, s.way.target) }
	return slices.ContainsFunc(s.way.names, on) || slices.ContainsFunc(s.way.dirs(), on) ||
		filepath.Base(path) == "..data" // a ConfigMap that is just being filled, with no link of ours yet
}

// stands returns errMoved if a link has come to stand in the place of the file, or has gone.
func (s *subscription) stands() error {
	if now, err := follow(s.path); err != nil || !slices.Equal(now.names, s.way.names) {
		return errMoved
	}
	return nil
}

// same compares paths. Some file systems do not tell case apart, and a hint too many costs little.
func same(a, b string) bool { return strings.EqualFold(a, b) }
