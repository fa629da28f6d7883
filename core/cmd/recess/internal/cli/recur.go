package cli

import (
	"context"
	"strings"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/moment"
	"github.com/recess-go/recess/core/state"
)

// recur plans a window that comes again and again.
func (c *scheduleCommand) recur(ctx context.Context, s *session) error {
	switch {
	case c.Cron == nil:
		return usage("--zone says by which clocks --cron is read: give both, or leave --zone out")
	case c.Start != nil || c.Until != nil:
		return usage("--cron says when it begins, and --for how long it lasts: leave --start and --until out")
	case c.Zone == nil:
		return usage("--cron needs the time zone by whose clocks it is read: --zone Europe/Berlin, or --zone UTC")
	case c.For == nil:
		return usage("--cron needs to know how long it lasts each time: --for D")
	}
	length, err := moment.ParseLength(*c.For)
	if err != nil {
		return usage("--for: %s", err)
	}
	o, err := c.opening(s, span{})
	if err != nil {
		return err
	}
	o.Repeat = &state.Repeat{Cron: strings.Join(strings.Fields(*c.Cron), " "), Zone: strings.TrimSpace(*c.Zone), For: length}
	if err := o.Repeat.Check(); err != nil {
		var faults []string
		for fault := range strings.SplitSeq(err.Error(), "\n") {
			faults = append(faults, "--"+fault) // the faults begin with the flags' own names
		}
		return usage("%s", strings.Join(faults, "\n"))
	}
	return s.change(ctx, proposal{
		action: "schedule", question: c.ask("Plan maintenance for %s?", describe(&o, s.printer)),
		unneeded: "It is planned so already: nothing was changed.",
		do:       func(ctx context.Context, c *recess.Controller) (recess.Change, error) { return c.Schedule(ctx, o) },
	})
}
