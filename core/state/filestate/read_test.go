package filestate_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
)

func TestWhatAFileSays(t *testing.T) {
	native := string(document(t, 3))
	const schedule = `{"start": "2099-11-21T10:00:00+00:00", "end": null}`
	for _, c := range []struct{ name, text, native, django string }{
		{"a document", native, "on", "on"},
		{"on", "on\n", "on", "invalid"},
		{"OFF", "OFF\r\n", "off", "invalid"},
		{"1", "1", "on", "on"},
		{"1 with a line's end", "1\n", "on", "on"},
		{"0", "0", "off", "off"},
		{"nothing", "", "on", "off"},
		{"a line's end", "\n", "invalid", "off"},
		{"Django's schedule", schedule, "invalid", "scheduled"},
		{"half a document", native[:len(native)/2], "invalid", "invalid"},
		{"half a schedule", schedule[:20], "invalid", "invalid"},
		{"garbage", "\x00\xff", "invalid", "invalid"},
		{"a byte order mark", "\ufeffon", "invalid", "invalid"},
	} {
		for format, want := range map[filestate.Format]string{filestate.Native: c.native, filestate.Django: c.django} {
			path := filepath.Join(t.TempDir(), "recess.json")
			b := open(t, path, filestate.Config{Format: format})
			if got := says(t, b); got != "none" {
				t.Errorf("%s: before the file is there, format %d says %s", c.name, format, got)
			}
			write(t, path, c.text)
			if got := says(t, b); got != want {
				t.Errorf("%s: format %d says %s, want %s", c.name, format, got, want)
			}
			must(t, os.Remove(path))
			if got := says(t, b); got != "none" {
				t.Errorf("%s: after rm, format %d says %s", c.name, format, got)
			}
		}
	}
}

// TestTouchAndTruncation: an empty file is on where nothing was, and makes no sense where content was.
func TestTouchAndTruncation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	b := open(t, path, filestate.Config{})
	steps := []struct{ does, want string }{
		{"rm", "none"},
		{"touch", "on"},
		{"look", "on"},
		{"rm", "none"},
		{"touch", "on"},
		{"off", "off"},
		{"touch", "invalid"},
		{"look", "invalid"},
		{"rm", "none"},
		{"touch", "on"},
		{"nonsense", "invalid"},
		{"touch", "invalid"},
		{"on", "on"},
		{"touch", "invalid"},
		{"save", "on"},
		{"touch", "invalid"},
		{"save", "on"},
		{"rm", "none"},
		{"touch", "on"},
	}
	var done []string
	for _, step := range steps {
		done = append(done, step.does)
		switch step.does {
		case "look":
		case "rm":
			_ = os.Remove(path)
		case "touch":
			write(t, path, "")
		case "save":
			doc, err := state.Read(t.Context(), b)
			must(t, err)
			_, err = b.Save(t.Context(), doc.Rev, document(t, 1))
			must(t, err)
		default:
			write(t, path, step.does)
		}
		if got := says(t, b); got != step.want {
			t.Fatalf("after %s it says %s, want %s", strings.Join(done, ", "), got, step.want)
		}
	}
	must(t, os.Remove(path))
	says(t, b)
	_, err := b.Save(t.Context(), state.None, document(t, 1))
	must(t, err)
	write(t, path, "")
	if got := says(t, b); got != "invalid" {
		t.Errorf("cut off right after a save, before any look, it says %s, want invalid", got)
	}
	fresh := open(t, path, filestate.Config{})
	if got := says(t, fresh); got != "on" {
		t.Errorf("to a backend that never saw content the empty file says %s, want on", got)
	}
}

// TestAFileThatIsAboutToBeWrittenIsNotTakenForEmpty: a shell empties a file before it writes it.
func TestAFileThatIsAboutToBeWrittenIsNotTakenForEmpty(t *testing.T) {
	for _, format := range []filestate.Format{filestate.Native, filestate.Django} {
		path := filepath.Join(t.TempDir(), "recess.json")
		b := open(t, path, filestate.Config{Format: format})
		text, want := "off", "off"
		if format == filestate.Django {
			text, want = "1", "on"
		}
		pauses := 0
		filestate.OnPause(b, func(_ context.Context, d time.Duration) {
			if pauses++; d <= 0 || d > time.Second {
				t.Errorf("it waits for %v", d)
			}
			write(t, path, text)
		})
		write(t, path, "")
		if got := says(t, b); got != want || pauses != 1 {
			t.Errorf("format %d says %s after %d pauses, want %s after 1", format, got, pauses, want)
		}
		old := time.Now().Add(-time.Hour)
		write(t, path, "")
		must(t, os.Chtimes(path, old, old))
		if says(t, b); pauses != 1 {
			t.Errorf("format %d waits for a file that has been empty for an hour", format)
		}
	}
}

func TestTheWaitForAnEmptyFileEndsWithTheContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	b := open(t, path, filestate.Config{})
	ahead := time.Now()
	write(t, path, "")
	must(t, os.Chtimes(path, ahead, ahead))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if doc, err := state.Read(ctx, b); !errors.Is(err, context.Canceled) || doc.Rev != state.None {
		t.Errorf("it says %s, %v: nobody knows yet what the empty file means", means(doc), err)
	}
	if doc, _, err := b.Next(ctx, state.None); !errors.Is(err, state.ErrUnchanged) || doc.Rev != state.None {
		t.Errorf("to a follower it says %s, %v", means(doc), err)
	}
	filestate.OnPause(b, func(context.Context, time.Duration) { write(t, path, "off") })
	if doc, err := state.Read(ctx, b); err != nil || means(doc) != "off" {
		t.Errorf("written in the meantime it says %s, %v", means(doc), err)
	}
}

// TestEveryTruncationIsReportedAndLeftAlone is fault F9.
func TestEveryTruncationIsReportedAndLeftAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "recess.json")
	whole := string(document(t, 2))
	b := open(t, path, filestate.Config{})
	filestate.OnPause(b, func(context.Context, time.Duration) {})
	for n := len(whole) - 2; n >= 0; n-- {
		write(t, path, whole)
		if got := says(t, b); got != "on" {
			t.Fatalf("the whole document says %s", got)
		}
		must(t, os.Truncate(path, int64(n)))
		doc, err := state.Read(t.Context(), b)
		if err != nil || string(doc.Data) != whole[:n] || means(doc) != "invalid" {
			t.Fatalf("the first %d bytes were returned as %q, %v, which says %s", n, doc.Data, err, means(doc))
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != whole[:n] {
			t.Fatalf("the reader left %q of the first %d bytes, %v", left, n, err)
		}
	}
	if names := list(t, dir); len(names) != 1 {
		t.Errorf("the reader left %v", names)
	}
}

func TestReadingMakesNothing(t *testing.T) {
	for _, format := range []filestate.Format{filestate.Native, filestate.Django} {
		dir := t.TempDir()
		b := open(t, filepath.Join(dir, "recess.json"), filestate.Config{Format: format})
		says(t, b)
		ctx, cancel := context.WithCancel(t.Context())
		filestate.OnLook(b, cancel)
		if _, _, err := b.Next(ctx, state.None); !errors.Is(err, state.ErrUnchanged) {
			t.Errorf("Next: %v", err)
		}
		if names := list(t, dir); len(names) != 0 {
			t.Errorf("the reader made %v", names)
		}
	}
}

func TestAtMostOneByteMoreThanADocumentIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	write(t, path, "")
	must(t, os.Truncate(path, 50<<20)) // 50 MB of zeros, which take no room
	for _, format := range []filestate.Format{filestate.Native, filestate.Django} {
		b := open(t, path, filestate.Config{Format: format})
		doc, err := state.Read(t.Context(), b)
		if err != nil || len(doc.Data) != state.MaxSize+1 || means(doc) != "invalid" {
			t.Errorf("%d bytes were read, %v, which say %s", len(doc.Data), err, means(doc))
		}
	}
}

func TestWhatCannotBeReadIsAnErrorAndNoMissingDocument(t *testing.T) {
	dir := t.TempDir()
	sub := filepath.Join(dir, "sub")
	mkdir(t, sub)
	path := filepath.Join(sub, "recess.json")
	b := open(t, path, filestate.Config{})
	must(t, os.Remove(sub))
	if got := says(t, b); !strings.Contains(got, "filestate: read "+path+": the directory "+sub+" does not exist: create or mount it") {
		t.Errorf("without the directory it says %s", got)
	}
	if _, err := b.Save(t.Context(), state.None, document(t, 1)); err == nil || !strings.Contains(err.Error(), "does not exist: create or mount it") {
		t.Errorf("without the directory, Save: %v", err)
	}
	mkdir(t, sub)
	if got := says(t, b); got != "none" {
		t.Errorf("with the directory back it says %s", got)
	}
	mkdir(t, path)
	if got := says(t, b); !strings.Contains(got, "no regular file") {
		t.Errorf("of a directory in its place it says %s", got)
	}
	must(t, os.Remove(path))
	link(t, "recess.json", path)
	if got := says(t, b); strings.Contains(got, "none") {
		t.Errorf("of a link to itself it says %s", got)
	}
}

func list(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
