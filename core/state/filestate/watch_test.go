package filestate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
)

// patience is the deadline for what must happen at once.
const patience = 20 * time.Second

// A follower follows a file as an engine does, but never polls.
type follower struct {
	t      *testing.T
	b      *filestate.Backend
	rev    state.Rev
	looked chan struct{}
}

func follow(t *testing.T, path string) *follower {
	f := &follower{t: t, b: open(t, path, filestate.Config{}), looked: make(chan struct{}, 10_000)}
	filestate.OnLook(f.b, func() { f.looked <- struct{}{} })
	doc, err := state.Read(t.Context(), f.b)
	if err == nil {
		f.rev = doc.Rev
	}
	return f
}

// sees asserts that a change that happens while the follower waits is seen without polling.
func (f *follower) sees(what, want string, change func()) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	type answer struct {
		doc state.Doc
		err error
	}
	for len(f.looked) > 0 {
		<-f.looked
	}
	answers := make(chan answer, 1)
	go func() {
		doc, _, err := f.b.Next(ctx, f.rev)
		answers <- answer{doc, err}
	}()
	select {
	case <-f.looked: // from here on it can only know by being told
	case a := <-answers:
		f.t.Fatalf("before %s: revision %q, %v", what, a.doc.Rev, a.err)
	}
	change()
	a := <-answers
	if a.err != nil {
		f.t.Fatalf("%s: %v, want %s", what, a.err, want)
	}
	if got := means(a.doc); got != want {
		f.t.Fatalf("%s: it says %s, want %s", what, got, want)
	}
	f.rev = a.doc.Rev
}

func TestEveryWayOfChangingAFileIsSeen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "recess.json")
	f := follow(t, path)
	rename := func(text string) func() {
		return func() {
			write(t, path+".new", text)
			must(t, os.Rename(path+".new", path))
		}
	}
	f.sees("its creation", "on", func() { write(t, path, "on") })
	f.sees("a write in place", "off", func() { write(t, path, "off") })
	f.sees("a rename over it", "on", rename("yes"))
	f.sees("a second rename over it", "off", rename("no"))
	f.sees("a write in place after renames", "on", func() { write(t, path, "1") })
	f.sees("its removal", "none", func() { must(t, os.Remove(path)) })
	f.sees("its return", "off", func() { write(t, path, "0") })
	f.sees("its renaming away", "none", func() { must(t, os.Rename(path, path+".old")) })
	f.sees("its renaming back", "off", func() { must(t, os.Rename(path+".old", path)) })
	f.sees("a save by the same backend", "on", func() {
		_, err := f.b.Save(t.Context(), f.rev, document(t, 1))
		must(t, err)
	})
	f.sees("its cutting off", "invalid", func() { must(t, os.Truncate(path, 10)) })
	f.sees("a link in its place", "off", func() {
		write(t, filepath.Join(dir, "other"), "off")
		link(t, "other", filepath.Join(dir, "link"))
		must(t, os.Rename(filepath.Join(dir, "link"), path))
	})
	f.sees("a change behind that link", "on", func() { write(t, filepath.Join(dir, "other"), "true") })
	f.sees("a change behind a link that took the place of a file with the same content", "off", func() {
		rename("true")()
		<-f.looked
		link(t, "other", filepath.Join(dir, "link"))
		must(t, os.Rename(filepath.Join(dir, "link"), path))
		<-f.looked
		write(t, filepath.Join(dir, "other"), "off")
	})
	f.sees("a file in the place of the link", "on", rename("yes"))
	f.sees("a change of that file", "off", rename("no"))
}

// TestConfigMapSwapsAreSeen does what the kubelet does for a ConfigMap volume: a new directory, a link ..data_tmp to
// it, renamed over ..data, and the old directory removed.
func TestConfigMapSwapsAreSeen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "recess.json")
	generation := 0
	swap := func(text string) func() {
		return func() {
			old, _ := os.Readlink(filepath.Join(dir, "..data"))
			generation++
			fresh := fmt.Sprintf("..2026_11_21_10_00_%02d.%d", generation, generation)
			mkdir(t, filepath.Join(dir, fresh))
			write(t, filepath.Join(dir, fresh, "recess.json"), text)
			link(t, fresh, filepath.Join(dir, "..data_tmp"))
			must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
			if old == "" {
				link(t, filepath.Join("..data", "recess.json"), path)
				return
			}
			must(t, os.RemoveAll(filepath.Join(dir, old)))
		}
	}
	f := follow(t, path)
	f.sees("the first filling", "off", swap("off"))
	for n, want := range []string{"on", "off", "on", "off", "on"} {
		f.sees(fmt.Sprintf("swap %d", n+1), want, swap(want))
	}
	f.sees("the removal of the key", "none", func() { must(t, os.Remove(filepath.Join(dir, "..data", "recess.json"))) })
}

func TestLinkedDirectoriesAreFollowed(t *testing.T) {
	dir := t.TempDir()
	for _, release := range []string{"r1", "r2"} {
		mkdir(t, filepath.Join(dir, release))
		mkdir(t, filepath.Join(dir, release, "etc"))
	}
	write(t, filepath.Join(dir, "r1", "etc", "recess.json"), "off")
	write(t, filepath.Join(dir, "r2", "etc", "recess.json"), "on")
	link(t, "r1", filepath.Join(dir, "current"))
	f := follow(t, filepath.Join(dir, "current", "etc", "recess.json"))
	f.sees("another release", "on", func() {
		link(t, "r2", filepath.Join(dir, "next"))
		must(t, os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "current")))
	})
	f.sees("a change in that release", "off", func() { write(t, filepath.Join(dir, "r2", "etc", "recess.json"), "off") })
	f.sees("a change in a release that says the same at first", "on", func() {
		write(t, filepath.Join(dir, "r1", "etc", "recess.json"), "off")
		link(t, "r1", filepath.Join(dir, "next"))
		must(t, os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "current")))
		<-f.looked
		write(t, filepath.Join(dir, "r1", "etc", "recess.json"), "on")
	})
}

// TestAReplacedDirectoryHeals: whatever becomes of the directory, the follower is told, by an error while it is away.
func TestAReplacedDirectoryHeals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	mkdir(t, dir)
	path := filepath.Join(dir, "recess.json")
	write(t, path, "on")
	f := follow(t, path)
	for round := range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		ended := make(chan error, 1)
		rev := f.rev
		go func() {
			// The removal of the file may be seen first, as a missing document.
			doc, _, err := f.b.Next(ctx, rev)
			if err == nil && doc.Rev == state.None {
				_, _, err = f.b.Next(ctx, state.None)
			}
			ended <- err
		}()
		must(t, os.RemoveAll(dir))
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "does not exist: create or mount it") {
			t.Fatalf("round %d: with the directory removed, Next: %v", round, err)
		}
		cancel()
		mkdir(t, dir)
		f.rev = state.None
		f.sees("the file in the new directory", "off", func() { write(t, path, "off") })
		f.sees("its change", "on", func() { write(t, path, "on") })
	}

	mkdir(t, dir+".new")
	write(t, filepath.Join(dir+".new", "recess.json"), "off")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen := make(chan state.Doc, 1)
	rev := f.rev
	for len(f.looked) > 0 {
		<-f.looked
	}
	go func() {
		for {
			doc, _, err := f.b.Next(ctx, rev)
			if err == nil && doc.Rev != state.None || ctx.Err() != nil {
				seen <- doc
				return
			} // between the two renames there is no directory, or no file in it
		}
	}()
	<-f.looked
	must(t, os.Rename(dir, dir+".old"))
	must(t, os.Rename(dir+".new", dir))
	if got := means(<-seen); got != "off" {
		t.Errorf("with another directory in its place it says %s, want off", got)
	}
}

// TestHintsWithoutAChangeAreNoReasonToReturn: neither neighbours nor a touch of the file itself.
func TestHintsWithoutAChangeAreNoReasonToReturn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "recess.json")
	write(t, path, "on")
	f := follow(t, path)
	f.sees("the change after the noise", "off", func() {
		looks := len(f.looked)
		for n := range 20 {
			name := filepath.Join(dir, fmt.Sprintf(".recess.json.%d.recess-tmp", n))
			write(t, name, "x")
			write(t, path+".lock", "")
			must(t, os.Remove(name))
		}
		// A rename of the same content over the file is a hint; its look comes after the events of the neighbours.
		write(t, path+".new", "on")
		must(t, os.Rename(path+".new", path))
		<-f.looked
		if extra := len(f.looked) - looks; extra > 1 {
			t.Errorf("the neighbours caused %d looks", extra)
		}
		write(t, path, "off")
	})
}

func TestWithoutAWatchItAsksToBePolled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	write(t, path, "on")
	b := open(t, path, filestate.Config{})
	doc, err := state.Read(t.Context(), b)
	must(t, err)
	impossible := errors.New("too many open files")
	broken := errors.New("the watch is gone")
	for name, watch := range map[string]func() (*fsnotify.Watcher, error){
		"no watcher can be made": func() (*fsnotify.Watcher, error) { return nil, impossible },
		"the directory cannot be watched": func() (*fsnotify.Watcher, error) {
			w, err := fsnotify.NewWatcher()
			if err == nil {
				err = w.Close()
			}
			return w, err
		},
		"the watch breaks later": func() (*fsnotify.Watcher, error) {
			w, err := fsnotify.NewWatcher()
			if err == nil {
				w.Errors = make(chan error, 1) // ours: the watcher keeps its own
				w.Errors <- broken
			}
			return w, err
		},
	} {
		filestate.OnWatch(b, watch)
		got, wait, err := b.Next(t.Context(), doc.Rev)
		if !errors.Is(err, state.ErrUnchanged) || wait != time.Second || got.Rev != state.None {
			t.Errorf("%s: revision %q, %v, wait %v", name, got.Rev, err, wait)
		}
	}
	write(t, path, "off")
	filestate.OnWatch(b, func() (*fsnotify.Watcher, error) { return nil, impossible })
	if got, _, err := b.Next(t.Context(), doc.Rev); err != nil || means(got) != "off" {
		t.Errorf("the next poll: %s, %v", means(got), err)
	}
}

func TestLostEventsAreMadeUpForByALook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	write(t, path, "on")
	b := open(t, path, filestate.Config{})
	doc, err := state.Read(t.Context(), b)
	must(t, err)
	// A watcher that watches nothing, and says that it lost events once the change is there.
	var w *fsnotify.Watcher
	filestate.OnWatch(b, func() (*fsnotify.Watcher, error) {
		w, err = fsnotify.NewWatcher()
		if err == nil {
			w.Errors = make(chan error, 1)
		}
		return w, err
	})
	looks := 0
	filestate.OnLook(b, func() {
		if looks++; looks == 1 {
			for _, dir := range w.WatchList() {
				must(t, w.Remove(dir))
			}
			write(t, path, "off")
			w.Errors <- fsnotify.ErrEventOverflow
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if got, _, err := b.Next(ctx, doc.Rev); err != nil || means(got) != "off" {
		t.Errorf("it says %s, %v", means(got), err)
	}
}
