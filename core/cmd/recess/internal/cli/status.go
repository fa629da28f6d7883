package cli

import (
	"context"
	"fmt"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

func (c *statusCommand) run(ctx context.Context, s *session) error {
	status, err := s.look(ctx)
	switch {
	case err != nil && s.forced == recess.NotForced:
		return err
	case err != nil:
		// What is forced holds whatever the backend says, and must be told without it.
		status = s.statusOf(state.State{})
		status.Exists, status.Problem = false, s.redact(err.Error())
	}
	if s.globals.JSON {
		if err := schema.WriteJSON(s.Out, status, true); err != nil {
			return err
		}
	} else {
		s.printer.Status(&status, s.place())
		if !status.Exists && s.forced == recess.NotForced {
			fmt.Fprintf(s.Out, "Services that have seen a document keep its last state; \"%s off\" makes sure that they open.\n", s.Program)
		}
	}
	if c.ExitCode && status.Active {
		return errActive
	}
	return nil
}

// look reads the state once.
func (s *session) look(ctx context.Context) (schema.Status, error) {
	backend, done, err := s.open(ctx)
	if err != nil {
		return schema.Status{}, err
	}
	defer done()
	bounded, cancel := context.WithTimeout(ctx, s.globals.Timeout.Duration)
	defer cancel()
	doc, err := state.Read(bounded, backend)
	if err != nil {
		return schema.Status{}, interrupted(ctx, fmt.Errorf("%w: %w", recess.ErrUnreachable, err))
	}
	current, err := decode(doc)
	if err != nil {
		return schema.Status{}, err
	}
	status := s.statusOf(current)
	status.Exists = doc.Rev != state.None
	return status, nil
}

// decode reads a document; one that never existed means off.
func decode(doc state.Doc) (state.State, error) {
	if doc.Rev == state.None {
		return state.State{Version: state.Version}, nil
	}
	return state.Decode(doc.Data)
}
