package overlap

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/command"
)

// An event is a document that a drain writes with --json.
type event struct {
	Action    string `json:"action"` // "on", of the first
	Event     string `json:"event"`  // of the others: progress, and at last drained or not_drained
	Instances []struct {
		ID    string            `json:"id"`
		Name  string            `json:"name"`
		Phase recess.DrainPhase `json:"phase"`
	} `json:"instances"`
}

// phase returns the id under which a process is in the drain, and how far it is; "" if it is not in there.
func (e *event) phase(p *process) (id string, phase recess.DrainPhase) {
	for _, i := range e.Instances {
		if i.Name == p.name {
			return i.ID, i.Phase
		}
	}
	return "", ""
}

// A result is how a run of the command line ended.
type result struct {
	code int
	last event  // of a drain
	err  string // what it wrote to standard error
}

// recess runs the command line. tell is called with each document as soon as it is written; nil for commands whose
// documents have more than one line.
func (s *site) recess(tell func(event), args ...string) (r result) {
	s.t.Helper()
	var stderr bytes.Buffer
	out := documents(func(line []byte) {
		if tell == nil {
			return
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			s.t.Errorf("%q says %q: %v", args, line, err)
		}
		r.last = e
		tell(e)
	})
	r.code = command.Main(s.t.Context(), slices.Concat(args, []string{"--json", "--state", s.url}), command.IO{
		In: strings.NewReader(""), Out: out, Err: &stderr,
		LookupEnv: func(string) (string, bool) { return "", false },
		Environ:   func() []string { return nil },
	}, command.Options{})
	r.err = stderr.String()
	return r
}

// documents is a writer that is written a document at a time.
type documents func([]byte)

func (d documents) Write(p []byte) (int, error) {
	d(p)
	return len(p), nil
}
