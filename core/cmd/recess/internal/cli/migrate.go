package cli

import (
	"context"
	"fmt"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

// migration is what "migrate --json" writes.
type migration struct {
	State  string `json:"state"`
	Needed bool   `json:"needed"` // the backend is of a kind that needs preparing
}

func (migrateCommand) run(ctx context.Context, s *session) error {
	backend, done, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	bounded, cancel := context.WithTimeout(ctx, s.globals.Timeout.Duration)
	defer cancel()
	m, ok := state.As[state.Migrator](backend)
	if ok {
		if err := m.Migrate(bounded); err != nil {
			return interrupted(ctx, fmt.Errorf("%w: %w", recess.ErrUnreachable, err))
		}
	}
	if s.globals.JSON {
		return schema.WriteJSON(s.Out, migration{s.publicURL(), ok}, true)
	}
	text := "needs no preparing."
	if ok {
		text = "is ready to keep the state."
	}
	_, err = fmt.Fprintf(s.Out, "%s %s\n", s.place(), text)
	return err
}
