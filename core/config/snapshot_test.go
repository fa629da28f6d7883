package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/config"
)

func TestAStateThatCannotBeOpenedIsOneFaultAmongOthers(t *testing.T) {
	for _, url := range []string{"file:testdata/none/x.json", "file:", "file:testdata", "env:", "env:A=B", "memory:A B"} {
		_, err := loadOver(t, recess.Config{}, "RECESS_STATE="+url, "RECESS_TYPO=1")
		var bad *config.Error
		if !errors.As(err, &bad) || len(bad.Faults) != 2 {
			t.Errorf("%s: error %v, want one of two faults", url, err)
			continue
		}
		if !strings.Contains(err.Error(), "\n  RECESS_TYPO: ") || !strings.Contains(err.Error(), "\n  RECESS_STATE=") {
			t.Errorf("%s: error %v does not name both", url, err)
		}
	}
}

func TestTheSnapshotIsNotTheStateFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink("recess.json", filepath.Join(dir, "alias.json")); err != nil {
		t.Skip(err)
	}
	t.Chdir(dir)
	for name, c := range map[string]struct {
		exists   bool
		snapshot string
		fault    bool
	}{
		"the same path":                             {false, "recess.json", true},
		"the same path, of a file that exists":      {true, "recess.json", true},
		"the same path in full":                     {false, filepath.Join(dir, "recess.json"), true},
		"the same path by a link":                   {false, filepath.Join("link", "recess.json"), true},
		"the same path by a link, of a file":        {true, filepath.Join("link", "recess.json"), true},
		"a link to the file":                        {true, "alias.json", true},
		"another name beside it":                    {true, "snapshot.json", false},
		"a name that is not there, of a state file": {false, "recess.json.last", false},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove("recess.json")
			if c.exists {
				if err := os.WriteFile("recess.json", []byte("off"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := loadOver(t, recess.Config{}, "RECESS_SNAPSHOT="+c.snapshot)
			if !c.fault {
				if err != nil || got.SnapshotFile != c.snapshot {
					t.Errorf("the snapshot is %q, error %v", got.SnapshotFile, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "RECESS_SNAPSHOT=") || !strings.Contains(err.Error(), "it is the state file itself") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestASnapshotThatStandsInCodeIsToldFromTheEnvironment(t *testing.T) {
	_, err := loadOver(t, recess.Config{SnapshotFile: "testdata"}, "RECESS_STATE=memory:")
	if err == nil || !strings.Contains(err.Error(), "in code: SnapshotFile: it is a directory") {
		t.Errorf("error %v", err)
	}
}

func TestNamesCanBeCheckedAlone(t *testing.T) {
	for _, c := range []struct{ name, lines, stateURL, says string }{
		{"nothing", "PATH=/bin", "", ""},
		{"known names, whatever their values", "RECESS_STATE=gopher:\x00RECESS_MODE=x", "", ""},
		{"a typing error", "RECESS_STAET=file:x", "", "RECESS_STAET: there is no such variable: did you mean RECESS_STATE?"},
		{"what comes later", "RECESS_CORS_ORIGINS=a", "", "RECESS_CORS_ORIGINS: this release does not have answers to requests from other origins (CORS) yet"},
		{"the variable of RECESS_STATE", "RECESS_STATE=env:RECESS_SWITCH\x00RECESS_SWITCH=on", "", ""},
		{"the variable of another state URL", "RECESS_SWITCH=on", "env:RECESS_SWITCH", ""},
		{"the variable of no state URL", "RECESS_SWITCH=on", "file:x", "RECESS_SWITCH: there is no such variable"},
	} {
		err := config.CheckNames(strings.Split(c.lines, "\x00"), c.stateURL)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.says)
		}
	}
}
