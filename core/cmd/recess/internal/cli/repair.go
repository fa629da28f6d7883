package cli

import (
	"context"
	"fmt"
	"os"
	"slices"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

func (c *repairCommand) run(ctx context.Context, s *session) error {
	ways := 0
	for _, way := range []bool{c.FromInstance || c.Instance != "", c.FromFile != "", c.Off} {
		if way {
			ways++
		}
	}
	if ways != 1 {
		return usage("say how: --from-instance, --from-file PATH or --off")
	}
	if c.Off {
		return s.change(ctx, proposal{
			action: "repair", question: c.ask("Write the state anew, with %s?", "nothing running and nothing planned"),
			do: func(ctx context.Context, ctl *recess.Controller) (recess.Change, error) {
				return ctl.Reset(ctx, c.Reason)
			},
		})
	}
	if s.forced != recess.NotForced {
		return fmt.Errorf("repair: %w", recess.ErrForced)
	}
	lost, holder, err := c.lost(ctx, s)
	if err != nil {
		return err
	}
	status := s.statusOf(lost)
	what := fmt.Sprintf("revision %d of %s (%s)", lost.Revision, holder, headline(status))
	return s.change(ctx, proposal{
		action: "repair", question: c.ask("Write %s anew?", what),
		do: func(ctx context.Context, ctl *recess.Controller) (recess.Change, error) {
			return ctl.Restore(ctx, lost, c.Reason)
		},
	})
}

// lost finds the state to write anew, and says who remembers it.
func (c *repairCommand) lost(ctx context.Context, s *session) (lost state.State, holder string, err error) {
	if c.FromFile != "" {
		data, err := os.ReadFile(c.FromFile)
		if err != nil {
			return lost, "", usage("--from-file: %s", err)
		}
		if lost, err = state.Decode(data); err != nil {
			return lost, "", usage("--from-file: %s: %s", c.FromFile, err)
		}
		return lost, schema.Clean(c.FromFile), nil
	}
	backend, done, err := s.open(ctx)
	if err != nil {
		return lost, "", err
	}
	defer done()
	bounded, cancel := context.WithTimeout(ctx, s.globals.Timeout.Duration)
	defer cancel()
	fleet, err := recess.Fleet(bounded, backend)
	if err != nil {
		return lost, "", interrupted(ctx, err)
	}
	if c.Instance != "" {
		named := slices.DeleteFunc(slices.Clone(fleet), func(i recess.Instance) bool { return i.ID != c.Instance && i.Name != c.Instance })
		if len(named) == 0 {
			return lost, "", fmt.Errorf("no instance %q has announced itself: %q shows those that have", c.Instance, s.Program+" doctor")
		}
		fleet = named
	}
	lost, from, ok := recess.Remembered(fleet)
	if !ok {
		return lost, "", fmt.Errorf("no instance remembers a state that the backend has lost (%d have announced themselves): nothing was changed", len(fleet))
	}
	return lost, "instance " + schema.Clean(from.ID), nil
}
