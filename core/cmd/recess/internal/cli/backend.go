package cli

import (
	"cmp"
	"context"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

// stateURL is the URL of the state: the flag's, the environment's, or the default.
func (s *session) stateURL() string {
	if s.globals.State != nil {
		return *s.globals.State
	}
	fromEnv, _ := s.LookupEnv("RECESS_STATE")
	return cmp.Or(fromEnv, s.State)
}

// open makes the backend. done closes it, unless it is the application's.
func (s *session) open(ctx context.Context) (backend state.Backend, done func(), err error) {
	if s.Backend != nil {
		return s.Backend, func() {}, nil
	}
	url := s.stateURL()
	if scheme, _, _ := strings.Cut(url, ":"); scheme == "memory" {
		return nil, nil, usage("the state %s would end with this command: nothing would hear of it, and nothing would be left. "+
			"Name the state that the service follows: --state file:PATH", schema.Clean(shown(url)))
	}
	backend, err = state.Open(ctx, url)
	if err != nil {
		return nil, nil, usage("%s", err)
	}
	return backend, func() { _ = backend.Close() }, nil // what was saved is saved
}

// place says where the state is kept. A relative path means something else in another directory: at the wrong one
// everything is off.
func (s *session) place() string {
	if s.Backend != nil {
		return "the application's own"
	}
	url := s.stateURL()
	text := schema.Clean(shown(url))
	path, isFile := strings.CutPrefix(url, "file:")
	if !isFile || strings.HasPrefix(path, "//") || filepath.IsAbs(path) {
		return text
	}
	if dir, err := os.Getwd(); err == nil {
		text += " in " + schema.Clean(dir)
	}
	return text
}

// publicURL is the state URL as JSON shows it.
func (s *session) publicURL() string {
	if s.Backend != nil {
		return ""
	}
	return shown(s.stateURL())
}

// controller makes the controller that acts for the person at the keyboard.
func (s *session) controller(backend state.Backend) *recess.Controller {
	return recess.NewController(backend, state.Actor{Name: s.person(), Source: "cli"}, s.forced)
}

// person is who is typing: under sudo not root, but whoever called it.
func (s *session) person() string {
	if name, _ := s.LookupEnv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	name, _ := s.LookupEnv("USER")
	return name
}

// status describes a state, as it is under the forced mode.
func (s *session) statusOf(doc state.State) schema.Status {
	status := schema.StatusOf(doc, s.printer.Now)
	status.State = s.publicURL()
	status.Force(s.forced)
	return status
}
