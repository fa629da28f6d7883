package filestate_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
)

func TestStateURLs(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	mkdir(t, "a b")
	for _, c := range []struct{ name, url, file string }{
		{"a relative path", "file:recess.json", "recess.json"},
		{"a relative path in a directory, with a blank", "file:a%20b/recess.json", "a b/recess.json"},
		{"a blank as it is", "file:a b/recess.json", "a b/recess.json"},
		{"an absolute path", "file:" + dir + "/x", "x"},
		{"an absolute path after an empty host", "file://" + dir + "/x", "x"},
		{"an absolute path after localhost", "file://localhost" + dir + "/x", "x"},
		{"a question mark in the name", "file:what%3F", "what?"},
		{"a hash in the name", "file:%23x", "#x"},
		{"a plus, which is no blank", "file:a+b", "a+b"},
		{"a percent sign", "file:100%25", "100%"},
		{"the native format by name", "file:recess.json?format=native", "recess.json"},
		{"an empty query", "file:recess.json?", "recess.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && strings.Contains(c.file, "?") {
				t.Skip("no such names here")
			}
			b, err := state.Open(t.Context(), c.url)
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, c.file), "on")
			if got := says(t, b); got != "on" {
				t.Errorf("%s says %q", c.url, got)
			}
			must(t, os.Remove(filepath.Join(dir, c.file)))
			must(t, b.Close())
		})
	}
}

func TestUnusableStateURLsSayWhatToDo(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "plain", "")
	for _, c := range []struct{ name, url, says string }{
		{"no path", "file:", "which file?"},
		{"no path but a query", "file:?format=django", "which file?"},
		{"a directory", "file:" + dir, "is a directory: name a file in it"},
		{"a missing directory", "file:missing/recess.json", "does not exist: create it first"},
		{"a file for a directory", "file:plain/recess.json", "is no directory"},
		{"another host", "file://server/recess.json", "file:PATH or file:///PATH"},
		{"a host and no path", "file://recess.json", "file:PATH or file:///PATH"},
		{"an unknown parameter", "file:x?formt=django", `"formt" is unknown: there is only format`},
		{"an unknown format", "file:x?format=yaml", `"yaml" is unknown: choose native or django`},
		{"a format in capitals", "file:x?format=Django", "choose native or django"},
		{"a format twice", "file:x?format=django&format=native", "twice"},
		{"a semicolon in the query", "file:x?format=django;a=b", "query"},
		{"an escape that is none", "file:100%zz", "%25"},
		{"a fragment", "file:x#y", "%23"},
		{"a fragment after the query", "file:x?format=django#y", "%23"},
		{"NUL", "file:a%00b", "NUL"},
	} {
		b, err := state.Open(t.Context(), c.url)
		if err == nil {
			_ = b.Close()
			t.Errorf("%s: %s was opened", c.name, c.url)
		} else if !strings.HasPrefix(err.Error(), "filestate: ") || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %q does not say %q", c.name, err, c.says)
		}
	}
	if _, err := filestate.New("x", filestate.Config{Format: 7}); err == nil {
		t.Error("format 7 was accepted")
	}
}

func TestARelativePathStaysWhereItWasWhenTheWorkingDirectoryChanges(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	b := open(t, "recess.json", filestate.Config{})
	t.Chdir(t.TempDir())
	write(t, filepath.Join(dir, "recess.json"), "on")
	if got := says(t, b); got != "on" {
		t.Errorf("it says %q", got)
	}
}

func open(t testing.TB, path string, config filestate.Config) *filestate.Backend {
	t.Helper()
	b, err := filestate.New(path, config)
	must(t, err)
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// says puts what a backend reads into a word: none, on, off, invalid or the error.
func says(t testing.TB, b state.Backend) string {
	t.Helper()
	doc, err := state.Read(context.Background(), b)
	if err != nil {
		return err.Error()
	}
	return means(doc)
}

func means(doc state.Doc) string {
	if doc.Rev == state.None {
		return "none"
	}
	s, err := state.Decode(doc.Data)
	switch {
	case err != nil:
		return "invalid"
	case len(s.Windows) == 0:
		return "off"
	case s.Windows[0].Start.IsZero() && s.Windows[0].End.IsZero():
		return "on"
	}
	return "scheduled"
}

// document is a valid document of a given revision.
func document(t testing.TB, revision int) []byte {
	t.Helper()
	data, err := state.Encode(state.State{Version: state.Version, Epoch: 1, Revision: int64(revision), Windows: []state.Window{{ID: "a", Mode: state.Full, Reason: strings.Repeat("because ", 20)}}})
	must(t, err)
	return data
}
