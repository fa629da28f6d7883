package filestate_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
)

func TestDjangoReadsWhatWeWriteAndWeWhatItWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "maintenance_mode_state.txt")
	b := open(t, path, filestate.Config{Format: filestate.Django})
	rev := state.None
	for _, c := range []struct {
		name   string
		window *state.Window
		want   string
	}{
		{"on", &state.Window{ID: "a", Mode: state.Full}, "1"},
		{"off", nil, "0"},
		{"until", &state.Window{ID: "a", Mode: state.Full, End: time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)}, `{"start": null, "end": "2099-01-02T03:04:05+00:00"}`},
	} {
		s := state.State{Version: state.Version, Epoch: 1, Revision: 1}
		if c.window != nil {
			s.Windows = []state.Window{*c.window}
		}
		data, err := state.Encode(s)
		must(t, err)
		rev, err = b.Save(t.Context(), rev, data)
		must(t, err)
		if raw, err := os.ReadFile(path); err != nil || string(raw) != c.want {
			t.Errorf("%s: the file holds %q, %v, want %q", c.name, raw, err, c.want)
		}
		doc, err := state.Read(t.Context(), b)
		must(t, err)
		got, err := state.Decode(doc.Data)
		if err != nil || got.Numbered() || doc.Rev != rev {
			t.Errorf("%s: read back revision %q after %q: %+v, %v", c.name, doc.Rev, rev, got, err)
		}
	}
}

func TestDjangoErrorsAboutWhatItCannotExpressAreHandedOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	b := open(t, path, filestate.Config{Format: filestate.Django})
	s := state.State{Version: state.Version, Windows: []state.Window{{ID: "a", Scope: "eu", Mode: state.Full}}}
	data, err := state.Encode(s)
	must(t, err)
	_, want := state.EncodeDjango(s, time.Now())
	_, err = b.Save(t.Context(), state.None, data)
	if !errors.Is(err, state.ErrInexpressible) || err.Error() != want.Error() {
		t.Errorf("Save: %v, want %v", err, want)
	}
	if _, err = b.Save(t.Context(), state.None, []byte("1")); !errors.Is(err, state.ErrInvalid) {
		t.Errorf("Save of no document: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was written")
	}
}
