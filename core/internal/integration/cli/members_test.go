package cli_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// The members of the JSON that the commands write, as the documentation of package command lists them. A member that
// vanishes or is renamed breaks somebody's script.
var documented = map[string]string{
	"status":     "state exists active mode forced epoch revision running planned history problem",
	"window":     "id name scope mode starts_at ends_at hold ramp_at share lease repeat messages reason opened_by opened_at",
	"lease":      "ttl_seconds renewals",
	"repeat":     "cron zone for_seconds after next_at",
	"actor":      "name host source",
	"verdict":    "refused reason rule window client steps notes text",
	"step":       "reason rule hit",
	"history":    "revision history",
	"entry":      "revision at by action windows reason replaced",
	"change":     "action changed opened updated ended cancelled recurring started anew unasked salvaged status",
	"diagnosis":  "state healthy checks instances",
	"check":      "check result text advice",
	"issued":     "pass link token",
	"passes":     "passes revision",
	"revocation": "revoked passes revision",
	"pass":       "id for scope window occurrence_at expires_at uses key issued_by issued_at",
	"migration":  "state needed",
	"version":    "version go platform schema",
	"error":      "code exit_code message hint",
}

// within says which kind the members of a kind are, or their elements.
var within = map[string]string{
	"running": "window", "planned": "window", "opened": "window", "updated": "window", "ended": "window", "cancelled": "window",
	"recurring": "window", "lease": "lease", "repeat": "repeat",
	"opened_by": "actor", "by": "actor", "history": "entry", "status": "status", "error": "error",
	"checks": "check", "steps": "step", "pass": "pass", "passes": "pass", "revoked": "pass", "issued_by": "actor",
}

// members KIND [stdout|stderr] checks that the output is one JSON document with exactly the members of that kind, at all depths.
func members(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: members KIND [stdout|stderr]")
	}
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(append(args, "stdout")[1])))
	var value map[string]any
	ts.Check(dec.Decode(&value))
	if dec.More() {
		ts.Fatalf("something follows the document")
	}
	if args[0] == "error" {
		if len(value) != 1 {
			ts.Fatalf("the members are %q", slices.Sorted(maps.Keys(value)))
		}
		value = value["error"].(map[string]any)
	}
	compare(ts, args[0], value)
}

func compare(ts *testscript.TestScript, kind string, value map[string]any) {
	want := strings.Fields(documented[kind])
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(value)); !slices.Equal(got, want) {
		ts.Fatalf("%s: the members are %q, documented are %q", kind, got, want)
	}
	for name, inner := range value {
		switch inner := inner.(type) {
		case map[string]any:
			if within[name] != "" {
				compare(ts, within[name], inner)
			}
		case []any:
			for _, element := range inner {
				if object, ok := element.(map[string]any); ok {
					compare(ts, within[name], object)
				}
			}
		case nil:
			if !strings.HasSuffix(name, "at") && name != "after" && name != "repeat" && name != "hold" && name != "lease" {
				ts.Fatalf("%s.%s is null", kind, name)
			}
		}
	}
}
