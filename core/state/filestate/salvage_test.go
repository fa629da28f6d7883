package filestate_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
)

func TestSalvageKeepsTheBrokenDocumentBesideTheFile(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "real.json")
	write(t, real, "{broken")
	must(t, os.Chmod(real, 0o640))
	link(t, "real.json", filepath.Join(dir, "recess.json"))
	b := open(t, filepath.Join(dir, "recess.json"), filestate.Config{})
	doc, err := state.Read(t.Context(), b)
	must(t, err)
	places := make(map[string]bool)
	for range 3 {
		where, err := b.Salvage(t.Context(), doc)
		must(t, err)
		if !strings.HasPrefix(where, real+".broken-2") || places[where] {
			t.Errorf("it is kept at %s", where)
		}
		places[where] = true
	}
	for where := range places {
		kept, err := os.ReadFile(where)
		if err != nil || !bytes.Equal(kept, doc.Data) {
			t.Errorf("%s holds %q, %v", where, kept, err)
		}
		if info, err := os.Stat(where); err != nil || info.Mode().Perm()&0o007 != 0 {
			t.Errorf("%s is open to more users than the state file: %v, %v", where, info.Mode(), err)
		}
	}
	if _, err := b.Salvage(t.Context(), state.Doc{}); err == nil {
		t.Error("no document was salvaged")
	}
	must(t, b.Close())
	if _, err := b.Salvage(t.Context(), doc); !errors.Is(err, state.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
