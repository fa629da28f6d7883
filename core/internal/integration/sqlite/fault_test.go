package sqlite_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/state"
)

// TestALockThatIsNeverGivenBackHoldsNobodyUp: each call ends by its deadline and says what stands in the way.
func TestALockThatIsNeverGivenBackHoldsNobodyUp(t *testing.T) {
	path := migrated(t)
	b := open(t, "sqlite:"+path+"?timeout=300ms")
	rev := must.Save(t, b, state.None, "before")
	release := held(t, path, "BEGIN IMMEDIATE")
	defer release()
	must.End(t, "a call while a writer holds the file", func() {
		if doc := must.Read(t, b); doc.Rev != rev {
			t.Errorf("the document is %q", doc.Data)
		}
		_, err := b.Save(t.Context(), rev, []byte("late"))
		refused(t, "Save", err, context.DeadlineExceeded, "locked", "an open sqlite3 shell")
		_, err = b.Announce(t.Context(), "web-1", nil, time.Hour)
		refused(t, "Announce", err, context.DeadlineExceeded, "locked")
		must.Do(t, b.Migrate(t.Context()))
	})
	release()
	must.Save(t, b, rev, "after")
}

// TestAWriterInADeletedJournalHoldsNobodyUp: there, who writes keeps everybody from reading too.
func TestAWriterInADeletedJournalHoldsNobodyUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	by(t, path, "CREATE TABLE orders (id INTEGER)")
	b := open(t, "sqlite:"+path+"?timeout=300ms")
	must.Do(t, b.Migrate(t.Context()))
	rev := must.Save(t, b, state.None, "before")
	release := held(t, path, "BEGIN EXCLUSIVE")
	defer release()
	for what, b := range map[string]backend{"a connection that is there": b, "a new connection": open(t, "sqlite:"+path+"?timeout=300ms")} {
		must.End(t, "a call over "+what, func() {
			_, err := state.Read(t.Context(), b)
			refused(t, "Next over "+what, err, context.DeadlineExceeded, "locked")
			_, err = b.Instances(t.Context())
			refused(t, "Instances over "+what, err, context.DeadlineExceeded, "locked")
			refused(t, "Migrate over "+what, b.Migrate(t.Context()), context.DeadlineExceeded, "locked")
			short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			_, _, err = b.Next(short, rev)
			refused(t, "Next with an earlier deadline", err, context.DeadlineExceeded)
		})
	}
	must.End(t, "Close", func() { must.Do(t, b.Close()) })
	release()
	if doc := must.Read(t, open(t, "sqlite:"+path)); string(doc.Data) != "before" {
		t.Errorf("the document is %q", doc.Data)
	}
}

// TestAShellThatReadsForEverStandsInNobodysWay: who changes the state does not wait for an operator's open transaction.
func TestAShellThatReadsForEverStandsInNobodysWay(t *testing.T) {
	path := migrated(t)
	b := open(t, "sqlite:"+path)
	rev := must.Save(t, b, state.None, "before")
	release := held(t, path, "BEGIN;SELECT * FROM recess")
	defer release()
	must.Save(t, b, rev, "after")
}

// TestAnotherFileInItsPlaceIsSeen: a connection would go on reading the file that is gone.
func TestAnotherFileInItsPlaceIsSeen(t *testing.T) {
	path, other := migrated(t), migrated(t)
	b := open(t, "sqlite:"+path)
	must.Save(t, b, state.None, "this one")
	put(t, other, "the other one")
	by(t, other, "PRAGMA journal_mode = DELETE")
	must.Do(t, os.Rename(path, path+".old"))
	for _, tail := range []string{"-wal", "-shm"} {
		must.Do(t, os.Rename(path+tail, path+".old"+tail))
	}
	_, err := state.Read(t.Context(), b)
	refused(t, "Next without the file", err, fs.ErrNotExist, "recess migrate")
	must.Do(t, os.Rename(other, path))
	doc := must.Read(t, b)
	if string(doc.Data) != "the other one" {
		t.Errorf("the document is %q", doc.Data)
	}
	must.Save(t, b, doc.Rev, "changed")
	if got := by(t, path, "SELECT document FROM recess"); got != "changed" {
		t.Errorf("the change went elsewhere: %q", got)
	}
}

func TestWhatIsNoDatabaseIsToldApart(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	must.Do(t, os.WriteFile(text, []byte(strings.Repeat("this is no database ", 100)), 0o600))
	for what, c := range map[string]struct{ path, says string }{
		"a text":       {text, "no sound SQLite file"},
		"a directory":  {dir, "is no file"},
		"a file below": {text + "/recess.db", "not a directory"},
	} {
		b := open(t, "sqlite:"+c.path)
		_, err := state.Read(t.Context(), b)
		refused(t, "Next on "+what, err, nil, c.says)
		refused(t, "Migrate on "+what, b.Migrate(t.Context()), nil, "sqlstate: migrate: ")
	}
	if got, err := os.ReadFile(text); err != nil || !strings.HasPrefix(string(got), "this is no database") {
		t.Errorf("the text was changed: %.40q, %v", got, err)
	}
}

// mount mounts something for the time of a test, or skips it.
func mount(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "mount", args...).CombinedOutput(); err != nil {
		t.Skipf("LEFT OUT: a file system cannot be mounted here: %v: %s", err, out)
	}
	dir := args[len(args)-1]
	t.Cleanup(func() {
		if out, err := exec.CommandContext(context.Background(), "umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
}

// TestAFullDiskCostsNothing is fault F10.
func TestAFullDiskCostsNothing(t *testing.T) {
	dir := t.TempDir()
	mount(t, "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir)
	path := filepath.Join(dir, "recess.db")
	b := open(t, "sqlite:"+path)
	must.Do(t, b.Migrate(t.Context()))
	large := strings.Repeat("x", state.MaxSize)
	rev := must.Save(t, b, state.None, "small")
	must.Do(t, os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 800<<10), 0o600))
	var err error
	for n := 0; err == nil && n < 10; n++ {
		var saved state.Rev
		if saved, err = b.Save(t.Context(), rev, []byte(large)); err == nil {
			rev = saved
		}
	}
	refused(t, "Save on a full disk", err, nil, "make room")
	if doc := must.Read(t, b); doc.Rev != rev {
		t.Errorf("the old document is gone: revision %q after %q", doc.Rev, rev)
	}
	if doc := must.Read(t, open(t, "sqlite:"+path)); doc.Rev != rev {
		t.Errorf("for others the old document is gone: revision %q after %q", doc.Rev, rev)
	}
	must.Do(t, os.Remove(filepath.Join(dir, "ballast")))
	must.Save(t, b, rev, "there is room again")
}

// TestAFileSystemThatCannotBeWrittenIsFollowedAndSaysSo: with a journal that is deleted, as backups have it, the file
// can be read there.
func TestAFileSystemThatCannotBeWrittenIsFollowedAndSaysSo(t *testing.T) {
	dir := t.TempDir()
	mount(t, "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir)
	path := filepath.Join(dir, "recess.db")
	first := openURL(t, "sqlite:"+path)
	must.Do(t, first.Migrate(t.Context()))
	rev := must.Save(t, first, state.None, "kept")
	must.Do(t, first.Close())
	by(t, path, "PRAGMA journal_mode = DELETE")
	if out, err := exec.CommandContext(t.Context(), "mount", "-o", "remount,ro", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	b := open(t, "sqlite:"+path)
	if doc := must.Read(t, b); doc.Rev != rev {
		t.Errorf("the document is %q", doc.Data)
	}
	_, err := b.Save(t.Context(), rev, []byte("changed"))
	refused(t, "Save", err, state.ErrReadOnly, "must be writable")
	_, err = b.Announce(t.Context(), "web-1", nil, time.Hour)
	refused(t, "Announce", err, state.ErrReadOnly)
}
