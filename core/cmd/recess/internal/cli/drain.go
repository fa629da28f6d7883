package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/moment"
	"github.com/recess-go/recess/core/cmd/recess/internal/report"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

// defaultWithin is how long a drain may take if nobody says how long.
const defaultWithin = 5 * time.Minute

// errNobody is the end of a drain that has seen no instance. To call that drained would be to guess: the state may be
// another one than the service follows.
var errNobody = errors.New("no instance has announced itself here, so nothing can be said to be drained: is this the state that the service " +
	"follows? If the service does not run, say --allow-empty")

// limits reads the flags of a drain; needs says which flag they go with.
func (f *drainFlags) limits(waits bool, needs string) (within time.Duration, err error) {
	switch {
	case !waits && f.Within != nil:
		return 0, usage("--within says how long to wait: it goes with %s", needs)
	case !waits && (f.AllowLost || f.AllowEmpty):
		return 0, usage("--allow-lost and --allow-empty are about the end of a wait: they go with %s", needs)
	case f.Within == nil:
		return defaultWithin, nil
	}
	if within, err = moment.ParseLength(*f.Within); err != nil {
		return 0, usage("--within: %s", err)
	}
	return within, nil
}

// drainsFor refuses a mode that refuses nothing.
func drainsFor(o *recess.Opening) error {
	if o.Mode == state.Announce {
		return usage("a window that announces refuses nothing: there is nothing to drain for")
	}
	return nil
}

func (c *drainCommand) run(ctx context.Context, s *session) error {
	within, err := c.limits(c.Wait, "drain --wait")
	if err != nil {
		return err
	}
	backend, done, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	d := &drainer{session: s, flags: c.drainFlags, once: !c.Wait}
	return d.run(ctx, backend, within)
}

// A drainer shows how far a drain has come, as it goes on.
type drainer struct {
	*session
	flags drainFlags
	once  bool // look once, and do not wait

	began   time.Time
	last    report.Drain
	phases  map[string]recess.DrainPhase // that were told
	trouble string
}

// run drains a fleet, for so long at most; a single look may take as long as the backend may.
func (d *drainer) run(ctx context.Context, backend state.Backend, within time.Duration) error {
	if d.once {
		within = d.globals.Timeout.Duration
	}
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	d.began, d.phases = time.Now(), make(map[string]recess.DrainPhase)
	err := d.controller(backend).Drain(bounded, func(p recess.Progress) {
		d.last = report.DrainOf("progress", &p, time.Now())
		d.last.Trouble = d.redact(d.last.Trouble)
		d.tell()
		if d.once {
			cancel()
		}
	})
	var late *recess.DrainError
	switch {
	case errors.As(err, &late) && late.OnlyLost() && d.flags.AllowLost:
		err = nil
	case err == nil && len(d.last.Instances) == 0 && !d.flags.AllowEmpty:
		err = errNobody
	}
	d.end(err)
	if d.once {
		return err
	}
	return interrupted(ctx, err)
}

// tell shows how far the drain is: every look as a document, or over the last one in a terminal; else what has changed.
func (d *drainer) tell() {
	switch p := d.printer; {
	case d.globals.JSON:
		if !d.once {
			_ = schema.WriteJSON(d.Out, d.last, false) // the end has an error of its own
		}
	case p.Paint && !d.once:
		p.DrainBar(&d.last, d.began)
	default:
		if d.last.Trouble != "" && d.last.Trouble != d.trouble {
			p.DrainTrouble(&d.last)
		}
		d.trouble = d.last.Trouble
		for n := range d.last.Instances {
			i := &d.last.Instances[n]
			if d.phases[i.ID] != i.Phase {
				p.DrainChange(&d.last, i)
			}
			d.phases[i.ID] = i.Phase
		}
	}
}

// end shows how it ended. What is still to be done stands in the error, which is shown by whoever shows errors.
func (d *drainer) end(err error) {
	if d.globals.JSON {
		d.last.At, d.last.Event = time.Now().UTC(), "drained"
		if err != nil {
			d.last.Event = "not_drained"
		}
		if err == nil || errors.Is(err, recess.ErrNotDrained) || errors.Is(err, errNobody) {
			_ = schema.WriteJSON(d.Out, d.last, false)
		}
		return
	}
	if d.printer.Paint && !d.once {
		d.printer.EndBar()
	}
	if err == nil {
		lost := ""
		for _, i := range d.last.Instances {
			if i.Phase == recess.Lost {
				lost += fmt.Sprintf("\n  %s %s", schema.Clean(i.ID), schema.Clean(i.Text))
			}
		}
		fmt.Fprintf(d.Out, "%s. Nothing that they admitted before runs any more.%s\n", d.last.Sum(), lost)
	}
}
