package recess_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestTheDependenciesAreThese keeps a framework, a database client or a telemetry SDK from slipping into core: every
// package outside the standard library that any package of core imports, on any platform we build for.
func TestTheDependenciesAreThese(t *testing.T) {
	const golden = "testdata/dependencies.txt"
	seen := make(map[string]bool)
	for _, goos := range []string{"linux", "darwin", "windows"} {
		list := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./...")
		list.Env = append(os.Environ(), "GOWORK=off", "GOOS="+goos, "CGO_ENABLED=0")
		list.Stderr = os.Stderr
		out, err := list.Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		for pkg := range strings.FieldsSeq(string(out)) {
			if !strings.HasPrefix(pkg, "github.com/recess-go/recess/") {
				seen[pkg] = true
			}
		}
	}
	var packages []string
	for pkg := range seen {
		packages = append(packages, pkg)
	}
	slices.Sort(packages)
	got := strings.Join(packages, "\n") + "\n"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("core imports\n%s\nbut the golden list says\n%s\nif that is meant, say why in docs/decisions and run: go test -run Dependencies -update .", got, want)
	}
}

// TestTheStateImportsNoEngine keeps the arrows pointing one way: core imports state, never the other way round.
func TestTheStateImportsNoEngine(t *testing.T) {
	list := exec.Command("go", "list", "-json=ImportPath,Deps", "./state/...", "./clientip", "./page", "./internal/atomicfile", "./internal/rule")
	list.Env = append(os.Environ(), "GOWORK=off")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for dec.More() {
		var pkg struct {
			ImportPath string
			Deps       []string
		}
		if err := dec.Decode(&pkg); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(pkg.Deps, "github.com/recess-go/recess/core") {
			t.Errorf("%s imports the engine", pkg.ImportPath)
		}
	}
}
