package atomicfile

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestWriteMakesAndReplacesAFile(t *testing.T) {
	for _, name := range []string{"state", strings.Repeat("x", 255)} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		for _, text := range []string{"first", "", "third, and longer"} {
			must(t, Write(path, []byte(text)))
			if got, err := os.ReadFile(path); err != nil || string(got) != text {
				t.Errorf("it holds %q, %v, want %q", got, err, text)
			}
		}
		if got := list(t, dir); !slices.Equal(got, []string{name}) {
			t.Errorf("the directory holds %v", got)
		}
	}
}

func TestAFailedWriteLeavesEverythingAsItWas(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	must(t, os.Mkdir(path, 0o755)) // no file can be renamed over a directory
	must(t, os.WriteFile(filepath.Join(path, "inside"), nil, 0o644))
	if err := Write(path, []byte("x")); err == nil {
		t.Error("a directory was replaced")
	}
	if got := list(t, dir); !slices.Equal(got, []string{"state"}) {
		t.Errorf("the directory holds %v", got)
	}
	if err := Write(filepath.Join(dir, "missing", "state"), []byte("x")); err == nil {
		t.Error("a directory was made")
	}
}

// TestAReaderNeverSeesAHalf reads while another writes.
func TestAReaderNeverSeesAHalf(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that is being read cannot be replaced here")
	}
	path := filepath.Join(t.TempDir(), "state")
	content := func(n int) string { return strings.Repeat(fmt.Sprintf("%03d ", n), 5000) }
	must(t, Write(path, []byte(content(0))))
	done := make(chan error)
	go func() {
		for n := range 100 {
			if err := Write(path, []byte(content(n))); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for reading := true; reading; {
		select {
		case err := <-done:
			must(t, err)
			reading = false
		default:
		}
		got, err := os.ReadFile(path)
		must(t, err)
		if len(got) != 20000 || string(got) != strings.Repeat(string(got[:4]), 5000) {
			t.Fatalf("a reader saw %d bytes, %.20q…", len(got), got)
		}
	}
}

func TestSweepRemovesOnlyThisPathsLeftovers(t *testing.T) {
	dir := t.TempDir()
	ours := filepath.Join(dir, "a")
	var keep []string
	for _, other := range []string{"b", "a.b", "a.json"} {
		name, err := prepare(filepath.Join(dir, other), []byte("half"))
		must(t, err)
		keep = append(keep, filepath.Base(name))
	}
	for _, name := range []string{"a", ".a", ".a.swp", ".a.b.recess-tmp.bak", "x.recess-tmp"} {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
		keep = append(keep, name)
	}
	for range 2 {
		_, err := prepare(ours, []byte("half"))
		must(t, err)
	}
	Sweep(ours)
	got := list(t, dir)
	slices.Sort(keep)
	if !slices.Equal(got, keep) {
		t.Errorf("left are\n%v, want\n%v", got, keep)
	}
	Sweep(filepath.Join(dir, "missing", "a"))
}

func TestTemporaryNamesAreHiddenAndTold(t *testing.T) {
	name, err := prepare(filepath.Join(t.TempDir(), "recess.json"), nil)
	must(t, err)
	if base := filepath.Base(name); !strings.HasPrefix(base, ".recess.json.") || !strings.HasSuffix(base, ".recess-tmp") {
		t.Errorf("it is called %s", base)
	}
}
