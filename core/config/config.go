package config

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
	_ "github.com/recess-go/recess/core/state/envstate"   // env:NAME
	_ "github.com/recess-go/recess/core/state/filestate"  // file:PATH
	_ "github.com/recess-go/recess/core/state/httpstate"  // http: and https:
	"github.com/recess-go/recess/core/state/memstate"     // memory:
	_ "github.com/recess-go/recess/core/state/multistate" // multi:
)

// DefaultState is where the state lives while neither RECESS_STATE nor the base configuration says so.
const DefaultState = "file:recess.json"

// FromEnv is [Load] with the environment of this process.
func FromEnv(ctx context.Context, base recess.Config) (recess.Config, error) {
	return Load(ctx, os.Environ(), base)
}

// Load lays an environment, lines of NAME=value, over a base configuration and opens the state backend. A list that
// is set replaces the base's; RECESS_SCOPES replaces the base's scopes of the same names and leaves the others.
//
// The error is an [*Error] that names everything that cannot be used. Without an error the configuration is one that
// [recess.New] accepts, and its Backend is never nil: the caller closes it, after the engine. It is the base's own if
// that has one and RECESS_STATE is unset. While a mode is forced (RECESS_MODE) no backend is opened; an empty one in
// memory stands in, which the engine does not read.
//
// The context is handed to [state.Open]. A backend that is down is no error. A state in the environment (env:NAME) is
// read from this process's environment, whatever the lines are.
func Load(ctx context.Context, environ []string, base recess.Config) (recess.Config, error) {
	values, faults := read(environ, "")
	var usable []*setting
	for i := range settings {
		s := &settings[i]
		value, isSet := values[s.Name]
		if !isSet {
			continue
		}
		// A draft of its own: what one variable got wrong half-way must not be part of what is judged next.
		if err := s.set(newDraft(base), value); err != nil {
			faults = append(faults, s.fault(value, err))
			continue
		}
		if s.Name == unsafeVariable { // it is about the others, so it is set before them
			usable = slices.Insert(usable, 0, s)
			continue
		}
		usable = append(usable, s)
	}
	draft, refused := judge(base, usable, values)
	faults = append(faults, refused...)
	backend, err := draft.open(ctx)
	if err != nil {
		faults = append(faults, Fault{Variable: stateVariable, Value: state.Redact(draft.stateURL), Err: err})
	}
	if fault := snapshotFault(draft.SnapshotFile, backend, values); fault != nil {
		faults = append(faults, *fault)
	}
	if len(faults) > 0 {
		if backend != nil && backend != base.Backend {
			if err := backend.Close(); err != nil {
				faults = append(faults, Fault{Variable: stateVariable, Value: state.Redact(draft.stateURL), Err: err})
			}
		}
		return recess.Config{}, &Error{Faults: faults}
	}
	draft.Backend = backend
	return draft.Config, nil
}

// draft is a configuration in the making.
type draft struct {
	recess.Config
	stateURL string
}

// newDraft copies what a variable may change in place.
func newDraft(base recess.Config) *draft {
	d := &draft{Config: base}
	if base.Backend == nil {
		d.stateURL = DefaultState
	}
	return d
}

func (d *draft) open(ctx context.Context) (state.Backend, error) {
	switch {
	case d.Policy.Force != recess.NotForced && d.Backend == nil:
		return memstate.New(memstate.Config{}), nil
	case d.Policy.Force != recess.NotForced || d.stateURL == "":
		return d.Backend, nil
	}
	return state.Open(ctx, d.stateURL)
}

// CheckNames finds fault with the variables of an environment that nobody knows, or that this release has no feature for,
// for programs that use some of the variables without an engine, as the command line does: a typing error must not be
// overlooked there either. stateURL is the state URL that such a program uses in place of RECESS_STATE, or "". The
// error is an [*Error].
func CheckNames(environ []string, stateURL string) error {
	if _, faults := read(environ, ownVariable(stateURL)); len(faults) > 0 {
		return &Error{Faults: faults}
	}
	return nil
}

// read picks the variables that are ours and set, and finds fault with the names that nobody knows. A variable called
// alsoOwn may stand there too.
func read(environ []string, alsoOwn string) (map[string]string, []Fault) {
	values := make(map[string]string)
	var names []string // in the order of the environment, for errors
	for _, line := range environ {
		name, value, ok := strings.Cut(line, "=")
		if !ok || len(name) < len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
			continue
		}
		if _, seen := values[name]; !seen {
			names = append(names, name)
		}
		values[name] = value
	}
	own := ownVariable(values[stateVariable])
	var faults []Fault
	for _, name := range names {
		empty := strings.TrimSpace(values[name]) == ""
		switch feature, comes := later[name]; {
		case comes && !empty:
			faults = append(faults, Fault{Variable: name, Err: fmt.Errorf("this release does not have %s yet: unset it", feature)})
		case !comes && !isKnown(name) && name != own && name != alsoOwn:
			faults = append(faults, Fault{Variable: name, Err: unknown(name)})
		}
		if empty {
			delete(values, name)
		}
	}
	return values, faults
}

// ownVariable is the variable that a state in the environment is kept in: it may be called RECESS_SWITCH.
func ownVariable(stateURL string) string {
	name, ok := strings.CutPrefix(strings.TrimSpace(stateURL), "env:")
	if !ok {
		return ""
	}
	return name
}

// An Error names everything in an environment that cannot be used.
type Error struct {
	Faults []Fault
}

// A Fault is what is wrong with one variable.
type Fault struct {
	// Variable is its name; "" if the base configuration, which stands in code, is at fault.
	Variable string
	// Value is what may be shown of its value: "" for a secret and for a variable that nobody knows.
	Value string
	// Err says what is wrong and what to write instead.
	Err error
}

// Error has one line for each variable.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("config: the environment cannot be used:")
	for _, f := range e.Faults {
		b.WriteString("\n  " + f.Error())
	}
	return b.String()
}

// Unwrap returns the faults' errors.
func (e *Error) Unwrap() []error {
	errs := make([]error, len(e.Faults))
	for i, f := range e.Faults {
		errs[i] = f.Err
	}
	return errs
}

// Error is one line: the variable, its value and what is wrong.
func (f Fault) Error() string {
	switch {
	case f.Variable == "":
		return "in code: " + f.Err.Error()
	case f.Value == "":
		return f.Variable + ": " + f.Err.Error()
	}
	return fmt.Sprintf("%s=%s: %s", f.Variable, excerpt(f.Value), f.Err)
}

// excerpt quotes a value and keeps it short: it ends up in a log.
func excerpt(value string) string {
	const limit = 120
	if len(value) <= limit {
		return fmt.Sprintf("%q", value)
	}
	return fmt.Sprintf("%q…", strings.ToValidUTF8(value[:limit], ""))
}
