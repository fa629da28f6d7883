package cli

import (
	"context"
	"slices"

	"github.com/recess-go/recess/core/internal/schema"
)

func (c *historyCommand) run(ctx context.Context, s *session) error {
	if c.Last < 0 {
		return usage("--last: %d: write how many changes to show, as in --last 3", c.Last)
	}
	status, err := s.look(ctx)
	if err != nil {
		return err
	}
	entries := status.History
	if over := len(entries) - c.Last; c.Last > 0 && over > 0 {
		entries = slices.Clone(entries[over:])
	}
	if s.globals.JSON {
		return schema.WriteJSON(s.Out, schema.History{Revision: status.Revision, History: entries}, true)
	}
	s.printer.History(entries)
	s.printer.Footer(&status, s.place())
	return nil
}
