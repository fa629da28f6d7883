package config_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/config"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

// design are the variables that design.md promises and this release has.
const design = `RECESS_STATE RECESS_MODE RECESS_FALLBACK RECESS_ALLOW_ADMIN_SITE RECESS_ALLOW_ANONYMOUS RECESS_ALLOW_AUTHENTICATED
RECESS_ALLOW_STAFF RECESS_ALLOW_SUPERUSER RECESS_ALLOW_ROLES RECESS_ALLOW_NETWORKS RECESS_TRUSTED_PROXIES RECESS_CLIENT_IP_HEADER
RECESS_ALLOW_PATHS RECESS_ALLOW_HOSTS RECESS_ALLOW_TESTS RECESS_LOGOUT_AUTHENTICATED RECESS_LOGOUT_STAFF RECESS_LOGOUT_SUPERUSER
RECESS_REDIRECT_URL RECESS_TEMPLATE RECESS_RESPONSE_TYPE RECESS_STATUS_CODE RECESS_RETRY_AFTER RECESS_INSTANCE RECESS_POLL
RECESS_START_WAIT RECESS_SNAPSHOT RECESS_SCOPES RECESS_ADMIN_TOKENS RECESS_PASS_KEYS`

// ours are the additions that the package comment names.
const ours = "RECESS_ALLOW_HEADERS RECESS_CONTENT_SECURITY_POLICY RECESS_GRACE RECESS_HOLD_BYTES RECESS_HOLD_REQUESTS RECESS_NAME_REQUESTS RECESS_PASS_AUDIENCE RECESS_READINESS RECESS_REPORT_ONLY RECESS_UNSAFE"

func TestTheVariablesAreThoseOfTheDesignAndOurs(t *testing.T) {
	var got []string
	for _, v := range config.Variables() {
		got = append(got, v.Name)
		if v.Meaning == "" || strings.Contains(v.Meaning, "\n") {
			t.Errorf("%s means %q, want one line", v.Name, v.Meaning)
		}
	}
	want := strings.Fields(design + " " + ours)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestEveryVariableIsReadAndCheckedByTheTables(t *testing.T) {
	good := map[string]bool{"RECESS_STATE": true, "RECESS_CONTENT_SECURITY_POLICY": true} // they have tests of their own
	for _, c := range usable {
		good[c.variable] = true
	}
	takesAnything := map[string]bool{"RECESS_SNAPSHOT": true} // a file that cannot be written is found by the engine
	for _, v := range config.Variables() {
		if !good[v.Name] {
			t.Errorf("no value of %s is tested that can be used", v.Name)
		}
		if alwaysBad[v.Name] == "" && !takesAnything[v.Name] {
			t.Errorf("no value of %s is tested that cannot be used", v.Name)
		}
		delete(good, v.Name)
	}
	for name := range good {
		t.Errorf("%s is tested, but Variables does not list it", name)
	}
}

// TestTheDefaultsAreWhatCountsWhileAVariableIsUnset sets each variable to what is documented as its default: the
// engine must not tell the difference.
func TestTheDefaultsAreWhatCountsWhileAVariableIsUnset(t *testing.T) {
	words := map[string]bool{ // defaults in words, not values
		"RECESS_LOGOUT_STAFF": true, "RECESS_LOGOUT_SUPERUSER": true, "RECESS_TEMPLATE": true,
		"RECESS_CONTENT_SECURITY_POLICY": true, "RECESS_INSTANCE": true,
	}
	zero := recess.Config{Poll: recess.DefaultPoll, StartWait: recess.DefaultStartWait}
	zero.Policy.Status, zero.Policy.RetryAfter, zero.Policy.ResponseType = 503, 3600e9, "auto"
	zero.Policy.ClientIPHeader = "X-Forwarded-For"
	zero.Policy.HoldRequests, zero.Policy.HoldBytes = recess.DefaultHoldRequests, recess.DefaultHoldBytes
	zero.Policy.Grace = recess.DefaultGrace
	var lines []string
	for _, v := range config.Variables() {
		if v.Default != "" && !words[v.Name] && v.Name != "RECESS_STATE" {
			lines = append(lines, v.Name+"="+v.Default)
		}
	}
	got, err := load(t, lines...)
	if err != nil {
		t.Fatal(err)
	}
	got.Backend = nil
	if !reflect.DeepEqual(got, zero) {
		t.Errorf("the defaults give\n%+v\nwant\n%+v", got, zero)
	}
}

// TestEverySettingThatIsNotCodeHasAVariable finds fields that a newer release added and nobody gave a variable.
func TestEverySettingThatIsNotCodeHasAVariable(t *testing.T) {
	code := map[string]bool{
		"Policy.ControlPath": true,                                                                                        // where the code mounts the panel
		"Policy.Allow":       true, "Policy.ClientAddress": true, "Policy.ResponseTypeFunc": true, "Policy.Context": true, // callbacks
		"Backend": true, // has its own tests
		"Logger":  true,
	}
	reached := make(map[string]bool)
	reach(reached, "", reflect.ValueOf(recess.Config{Policy: recess.Policy{ContentSecurityPolicy: "set by a test of its own"}}))
	for _, c := range usable {
		reach(reached, "", reflect.ValueOf(with(c.want)))
	}
	for name, set := range reached {
		if set == code[name] {
			t.Errorf("%s: set by a variable: %t, only by code: %t", name, set, code[name])
		}
	}
}

// reach notes which fields of a configuration are not zero.
func reach(reached map[string]bool, path string, v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Name == "Policy" || field.Name == "Logout" {
			reach(reached, path+field.Name+".", v.Field(i))
			continue
		}
		name := path + field.Name
		reached[name] = reached[name] || !v.Field(i).IsZero()
	}
}

const configurationPage = "../../docs/configuration.md"

func TestTheDocumentationListsEveryVariable(t *testing.T) {
	want := configuration()
	if *update {
		if err := os.WriteFile(configurationPage, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(configurationPage)
	if os.IsNotExist(err) {
		t.Skip("docs/ is not part of the released module")
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what Variables says: run go test ./config -update in core", configurationPage)
	}
}

// configuration writes docs/configuration.md.
func configuration() []byte {
	var b bytes.Buffer
	b.WriteString(configurationHead)
	b.WriteString("| variable | default | meaning | django-maintenance-mode |\n|---|---|---|---|\n")
	for _, v := range config.Variables() {
		value := "–"
		switch {
		case strings.HasPrefix(v.Default, "as ") || strings.Contains(v.Default, " ") || v.Default == "host-pid":
			value = v.Default
		case v.Default != "":
			value = "`" + v.Default + "`"
		}
		django := v.Django
		if django == "" {
			django = "–"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", v.Name, value, v.Meaning, django)
	}
	b.WriteString(configurationTail)
	return b.Bytes()
}

const configurationHead = `# Configuration by environment

<!-- Made from config.Variables by: cd core && go test ./config -update -->

` + "`config.FromEnv`" + ` reads these variables. Each is also a field of ` + "`recess.Policy` or `recess.Config`" + `, for programs that are
configured in code; an application may do both, and then the environment wins.

`

const configurationTail = `
## How values are written

- **Switches** are ` + "`true`, `yes`, `on`, `1` or `false`, `no`, `off`, `0`" + `, in any case.
- **Durations** are seconds (` + "`3600`" + `) or Go's form (` + "`1h30m`" + `).
- **Lists** are separated by commas. A value that holds a line break is separated by line breaks alone, so an entry that holds
  a comma (a regular expression with ` + "`{1,2}`" + `) goes on a line of its own, and a single one ends with a line break.
  ` + "`RECESS_ALLOW_HEADERS`" + ` has one entry a line, always: secrets hold commas.
- **Blanks** around values and entries do not matter. An **empty value** counts as unset.
- Of a variable that is given **twice** the last counts.

## What is refused

The program does not start, and one error names every variable that is at fault, for

- a value that cannot be used,
- a variable that does not exist: a typing error must not open a site. The variable that a state of ` + "`env:NAME`" + ` is kept in
  may begin with ` + "`RECESS_`" + `. If Kubernetes adds variables for a Service whose name begins with "recess", set
  ` + "`enableServiceLinks: false`" + ` in the pod's spec,
- a policy that disarms itself (` + "`RECESS_ALLOW_PATHS=/**`" + `), unless ` + "`RECESS_UNSAFE`" + ` names the rule,
- ` + "`RECESS_CORS_ORIGINS`" + `: this release does not have CORS yet, and does not pretend to.

Secrets never stand in an error: neither the values of ` + "`RECESS_ALLOW_HEADERS`, `RECESS_ADMIN_TOKENS` and `RECESS_PASS_KEYS`" + ` nor user,
password and query of ` + "`RECESS_STATE`" + `.

## What only code can set

` + "`ControlPath`" + ` (where the admin panel and the status endpoint are mounted), and the callbacks ` + "`Allow`, `ClientAddress`, `ResponseTypeFunc` and `Context`" + `
of ` + "`recess.Policy`" + `; who is logged in (django-maintenance-mode's GET_AUTHENTICATED_USER) is ` + "`Hooks.User`" + ` of the adapter.
`
