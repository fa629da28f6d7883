package envstate_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/envstate"
	"github.com/recess-go/recess/core/state/statetest"
)

const variable = "RECESS_ENVSTATE_TEST"

func TestConformance(t *testing.T) {
	statetest.Run(t, statetest.Harness{
		ReadOnly: true,
		Fresh: func(t *testing.T) statetest.Store {
			t.Setenv(variable, "")
			looks := 0
			return statetest.Store{
				Open: func(t *testing.T) state.Backend {
					b, err := envstate.New(variable)
					if err != nil {
						t.Fatal(err)
					}
					envstate.CountLooks(b, &looks)
					return b
				},
				Put:   func(t *testing.T, data []byte) { t.Setenv(variable, string(data)) },
				Looks: func() int { return looks },
			}
		},
	})
}

func TestWhatTheVariableSays(t *testing.T) {
	b, err := state.Open(t.Context(), "env:"+variable)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	document, err := state.Encode(state.State{Version: 1, Epoch: 1, Revision: 4})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, value, want string }{
		{"empty", "", "none"},
		{"a word for on", "on", "on"},
		{"Django's word for on", " True\n", "on"},
		{"a word for off", "0", "off"},
		{"a document", string(document), "off, revision 4"},
		{"garbage", "maybe", "invalid"},
		{"blanks", "  ", "invalid"},
		{"half a document", `{"version":`, "invalid"},
		{"far too much", strings.Repeat("x", state.MaxSize+1), "invalid"},
	} {
		t.Setenv(variable, c.value)
		if got := says(t, b); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if err := os.Unsetenv(variable); err != nil {
		t.Fatal(err)
	}
	if got := says(t, b); got != "none" {
		t.Errorf("unset: %s, want none", got)
	}
}

func says(t *testing.T, b state.Backend) string {
	t.Helper()
	doc, err := state.Read(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if doc.Rev == state.None {
		return "none"
	}
	s, err := state.Decode(doc.Data)
	switch {
	case errors.Is(err, state.ErrInvalid):
		return "invalid"
	case s.Numbered():
		return "off, revision 4"
	case len(s.Windows) == 1:
		return "on"
	}
	return "off"
}

func TestSaveSaysWhichVariableAndWhere(t *testing.T) {
	b, err := envstate.New(variable)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Save(t.Context(), state.None, []byte("x"))
	if !errors.Is(err, state.ErrReadOnly) || !strings.Contains(err.Error(), variable) || !strings.Contains(err.Error(), "where the process is started") {
		t.Errorf("Save: %v", err)
	}
}

func TestAVariableThatCannotBeIsRefusedWithoutShowingIt(t *testing.T) {
	for _, url := range []string{"env:", "env:A=hunter2", "env:hunter2\x00"} {
		if _, err := state.Open(t.Context(), url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
