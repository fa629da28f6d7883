package filestate_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/fsnotify/fsnotify"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
	"github.com/recess-go/recess/core/state/statetest"
)

// harness is the one for files at a path that place makes in an empty directory.
func harness(config filestate.Config, place func(t *testing.T, dir string) string) statetest.Harness {
	return statetest.Harness{
		Push:     true,
		Presence: true,
		Packages: []string{"github.com/fsnotify/fsnotify", "github.com/gofrs/flock"},
		Fresh: func(t *testing.T) statetest.Store {
			path := place(t, t.TempDir())
			var looks atomic.Int64
			return statetest.Store{
				Open: func(t *testing.T) state.Backend {
					b, err := filestate.New(path, config)
					if err != nil {
						t.Fatal(err)
					}
					filestate.OnLook(b, func() { looks.Add(1) })
					return b
				},
				Put:   func(t *testing.T, data []byte) { write(t, path, string(data)) },
				Looks: func() int { return int(looks.Load()) },
			}
		},
	}
}

func inDir(_ *testing.T, dir string) string { return filepath.Join(dir, "recess.json") }

func TestConformanceOfTheNativeFormat(t *testing.T) {
	statetest.Run(t, harness(filestate.Config{}, inDir))
}

func TestConformanceOfTheDjangoFormat(t *testing.T) {
	h := harness(filestate.Config{Format: filestate.Django}, inDir)
	h.Narrow = true
	h.Normalise = func(data []byte) []byte {
		s, err := state.Decode(data)
		if err != nil {
			return []byte(err.Error())
		}
		s.Epoch, s.Revision = 0, 0 // of which Django's form knows nothing
		data, err = state.Encode(s)
		if err != nil {
			return []byte(err.Error())
		}
		return data
	}
	statetest.Run(t, h)
}

func TestConformanceBehindLinks(t *testing.T) {
	statetest.Run(t, harness(filestate.Config{}, func(t *testing.T, dir string) string {
		for _, d := range []string{"real", "links"} {
			mkdir(t, filepath.Join(dir, d))
		}
		link(t, "real", filepath.Join(dir, "current"))
		link(t, filepath.Join(dir, "current", "state.json"), filepath.Join(dir, "links", "absolute"))
		link(t, "absolute", filepath.Join(dir, "links", "recess.json"))
		return filepath.Join(dir, "links", "recess.json")
	}))
}

func TestConformanceWithoutAWatch(t *testing.T) {
	h := harness(filestate.Config{}, inDir)
	fresh := h.Fresh
	h.Push = false
	h.Fresh = func(t *testing.T) statetest.Store {
		store := fresh(t)
		open := store.Open
		store.Open = func(t *testing.T) state.Backend {
			b := open(t)
			filestate.OnWatch(b.(*filestate.Backend), func() (*fsnotify.Watcher, error) { return nil, errors.New("too many open files") })
			return b
		}
		return store
	}
	statetest.Run(t, h)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func mkdir(t testing.TB, path string) {
	t.Helper()
	must(t, os.Mkdir(path, 0o755))
}

func link(t testing.TB, target, path string) {
	t.Helper()
	must(t, os.Symlink(target, path))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
