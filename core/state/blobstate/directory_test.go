package blobstate_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocloud.dev/blob/fileblob"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/blobstate"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens a state URL.
func open(t testing.TB, stateURL string) state.Backend {
	t.Helper()
	b, err := state.Open(t.Context(), stateURL)
	must(t, err)
	return b
}

// write makes a file under the default prefix, as an operator would.
func write(t testing.TB, dir, name, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Join(dir, "recess"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "recess", name), []byte(text), 0o644))
}

// files lists what a directory holds.
func files(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func onDirectory(t testing.TB, dir string, o *fileblob.Options) *blobstate.Backend {
	t.Helper()
	bucket, err := fileblob.OpenBucket(dir, o)
	must(t, err)
	t.Cleanup(func() { bucket.Close() })
	b, err := blobstate.New(bucket, blobstate.Config{})
	must(t, err)
	t.Cleanup(func() { b.Close() })
	return b
}

func TestADirectoryHoldsNothingButRevisions(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, "blob+file://"+dir), onDirectory(t, dir, &fileblob.Options{NoTempDir: true})
	defer a.Close()
	rev := save(t, a, state.None, "one")
	save(t, b, rev, "two")
	_, err := a.Save(t.Context(), rev, []byte("three"))
	wantConflict(t, outcome{"", err})
	if names := strings.Join(files(t, filepath.Join(dir, "recess")), " "); names != "rev-00000001.json rev-00000002.json" {
		t.Errorf("the directory holds %s", names)
	}
	text, err := os.ReadFile(filepath.Join(dir, "recess", "rev-00000002.json"))
	if err != nil || string(text) != "two" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

// A writer that looks before another creates, and creates after it, is what fileblob's own IfNotExist lets win.
func TestOfTwoWritersInADirectoryOneWins(t *testing.T) {
	dir := t.TempDir()
	b := onDirectory(t, dir, &fileblob.Options{NoTempDir: true})
	fill := func(name string) error { write(t, dir, name, "the first"); return nil }
	blobstate.BeforeLink(b, fill)
	_, err := b.Save(t.Context(), state.None, []byte("the second"))
	wantConflict(t, outcome{"", err})
	wantText(t, b, "the first")
}

func TestABucketThatMakesItsTemporaryFilesElsewhereIsRefused(t *testing.T) {
	dir := t.TempDir()
	b := onDirectory(t, dir, nil)
	_, err := b.Save(t.Context(), state.None, []byte("x"))
	wantOpen(t, outcome{"", err})
	if err == nil || !strings.Contains(err.Error(), "NoTempDir") {
		t.Errorf("Save: %v", err)
	}
	wantText(t, b, "")
	_, err = state.Open(t.Context(), "blob+file://"+dir+"?no_tmp_dir=")
	must(t, err) // said otherwise on purpose: it shows with the first change
}

func TestWithoutMetadataADirectoryServesAsWell(t *testing.T) {
	b := onDirectory(t, t.TempDir(), &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	rev := save(t, b, state.None, "one")
	save(t, b, rev, "two")
	wantText(t, b, "two")
}

func TestADirectoryThatCannotBeReadIsNotTakenForEmpty(t *testing.T) {
	t.Run("it is gone", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "mount")
		must(t, os.Mkdir(dir, 0o755))
		b := onDirectory(t, dir, &fileblob.Options{NoTempDir: true})
		save(t, b, state.None, "one")
		must(t, os.Rename(dir, dir+"-away"))
		if _, err := state.Read(t.Context(), b); err == nil || !strings.Contains(err.Error(), "mounted") {
			t.Errorf("Next: %v", err)
		}
		must(t, os.Rename(dir+"-away", dir))
		wantText(t, b, "one")
	})
	t.Run("the folder is a file", func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "recess"), nil, 0o644))
		b := onDirectory(t, dir, &fileblob.Options{NoTempDir: true})
		if doc, err := state.Read(t.Context(), b); err == nil {
			t.Errorf("Next: %q", doc.Data)
		}
		if _, err := b.Save(t.Context(), state.None, []byte("x")); err == nil {
			t.Error("something was saved")
		}
	})
	t.Run("it is closed to this user", func(t *testing.T) {
		if os.Getuid() == 0 {
			t.Skip("LEFT OUT: nothing is closed to root")
		}
		dir := t.TempDir()
		b := onDirectory(t, dir, &fileblob.Options{NoTempDir: true})
		rev := save(t, b, state.None, "one")
		folder := filepath.Join(dir, "recess")
		t.Cleanup(func() { _ = os.Chmod(folder, 0o755) })
		must(t, os.Chmod(folder, 0))
		if _, err := state.Read(t.Context(), b); err == nil {
			t.Error("a closed directory was taken for empty")
		}
		must(t, os.Chmod(folder, 0o555))
		if _, err := b.Save(t.Context(), rev, []byte("two")); !errors.Is(err, state.ErrReadOnly) {
			t.Errorf("Save: %v", err)
		}
	})
}

func TestWhatAFileSystemCannotDoIsExplained(t *testing.T) {
	for _, refusal := range []error{os.ErrPermission, errors.ErrUnsupported} {
		b := onDirectory(t, t.TempDir(), &fileblob.Options{NoTempDir: true})
		blobstate.BeforeLink(b, func(name string) error { return &os.LinkError{Op: "link", Old: "a", New: name, Err: refusal} })
		_, err := b.Save(t.Context(), state.None, []byte("x"))
		if !errors.Is(err, state.ErrReadOnly) || !strings.Contains(err.Error(), "hard links") {
			t.Errorf("Save: %v", err)
		}
	}
}

func TestAWriterInADirectoryThatComesTooLateDoesNotWin(t *testing.T) {
	for _, base := range []int{0, 2} {
		for _, others := range []int{1, few, few + 1, few + 2, 3 * few} {
			dir := t.TempDir()
			slow := onDirectory(t, dir, &fileblob.Options{NoTempDir: true})
			fast := onDirectory(t, dir, &fileblob.Options{NoTempDir: true})
			keepFew(slow, fast)
			saveUpTo(t, fast, base)
			blobstate.BeforeLink(slow, func(string) error { saveUpTo(t, fast, base+others); return nil })
			_, err := slow.Save(t.Context(), read(t, slow).Rev, []byte("too late"))
			if others == few+1 { // its number was the last that was removed, and links do not say what they were made from
				wantOpen(t, outcome{"", err})
			} else {
				wantConflict(t, outcome{"", err})
				if names := files(t, filepath.Join(dir, "recess")); len(names) != min(base+others, few) {
					t.Errorf("the directory holds %q", names)
				}
			}
			wantText(t, fast, text(base+others))
		}
	}
}

func TestAWriterInADirectoryThatWasOvertakenIsToldThatItWasSaved(t *testing.T) {
	for _, base := range []int{0, 2} {
		dir := t.TempDir()
		slow := onDirectory(t, dir, &fileblob.Options{NoTempDir: true})
		fast := onDirectory(t, dir, &fileblob.Options{NoTempDir: true})
		saveUpTo(t, fast, base)
		blobstate.AfterLink(slow, func() { saveUpTo(t, fast, base+5) })
		save(t, slow, read(t, slow).Rev, text(base+1))
		wantText(t, slow, text(base+5))

		keepFew(slow, fast)
		blobstate.AfterLink(slow, func() { saveUpTo(t, fast, base+6+few) })
		_, err := slow.Save(t.Context(), read(t, slow).Rev, []byte(text(base+6)))
		wantOpen(t, outcome{"", err})
	}
}
