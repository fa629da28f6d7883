package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/moment"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

// A proposal is a change that a command would make.
type proposal struct {
	action   string
	question string                   // what to ask; "" asks nothing
	unneeded string                   // what to say when there was nothing to do
	kept     func(schema.Window) bool // the windows whose end nobody mentioned, so that they keep it; nil for none
	do       func(context.Context, *recess.Controller) (recess.Change, error)
	then     func(context.Context, state.Backend) error // what follows once the change is shown; nil for nothing
}

// change makes a change and shows it.
func (s *session) change(ctx context.Context, p proposal) error {
	if s.forced != recess.NotForced {
		return fmt.Errorf("%s: %w", p.action, recess.ErrForced) // before the backend is asked, and before a person is
	}
	backend, done, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	if p.question != "" {
		if err := s.confirm(ctx, p.question); err != nil {
			return err
		}
	}
	bounded, cancel := context.WithTimeout(ctx, s.globals.Timeout.Duration)
	defer cancel()
	change, err := p.do(bounded, s.controller(backend))
	if err != nil {
		return interrupted(ctx, err)
	}
	s.printer.Now = time.Now() // a question may have waited long for its answer
	shown := schema.ChangeOf(p.action, &change, s.printer.Now)
	shown.Status = s.statusOf(change.After)
	if !change.Changed() {
		doc, err := state.Read(bounded, backend) // only to say whether there is a document at all
		shown.Status.Exists = err != nil || doc.Rev != state.None
	}
	if s.globals.JSON {
		err = schema.WriteJSON(s.Out, shown, p.then == nil)
	} else {
		s.show(&shown, p)
	}
	if err != nil || p.then == nil {
		return err
	}
	return p.then(ctx, backend)
}

// show writes a change for people: first how things stand, then what was done, then what is still to be done.
func (s *session) show(c *schema.Change, asked proposal) {
	p := s.printer
	if !c.Changed {
		fmt.Fprintln(s.Out, asked.unneeded)
	}
	p.Headline(&c.Status)
	var running, planned []schema.Window
	for _, w := range c.Opened {
		if w.StartsAt != nil && w.StartsAt.After(p.Now) {
			planned = append(planned, w)
		} else {
			running = append(running, w)
		}
	}
	p.Group("Opened", running)
	p.Group("Planned", planned)
	p.Group("Changed", c.Updated)
	p.List("Ended", c.Ended, p.Title)
	p.List("Cancelled", c.Cancelled, p.Brief)
	for _, w := range c.Recurring {
		fmt.Fprintf(s.Out, "\nIt comes again: %s, from %s. To remove it for good: %s cancel %s\n",
			schema.Clean(w.Repeat.Words), moment.Format(*w.StartsAt, p.Loc), s.Program, schema.Clean(w.ID))
	}
	if c.Salvaged != "" {
		fmt.Fprintf(s.Out, "\nThe state made no sense and was replaced. The broken text is kept in %s.\n", schema.Clean(c.Salvaged))
	}
	if c.Started && !c.Anew {
		fmt.Fprintln(s.Out, "\nThere was no document. One that says off was written, so that services which remember an older one follow it.")
	}
	switch {
	case c.Anew && c.Unasked != "":
		fmt.Fprintf(s.Out, "\nThe document was written anew, numbered by this machine's clock: the services could not be asked what they remember (%s).\n"+
			"Should one still say that the state was lost, repeat this on a machine whose clock is right.\n", schema.Clean(c.Unasked))
	case c.Anew:
		fmt.Fprintln(s.Out, "\nThe document was written anew, numbered after all that the services remember: they follow it.")
	}
	switch {
	case c.Action == "off":
		s.remaining(&c.Status, c.Updated)
	case c.Action == "cancel" && len(c.Updated) > 0:
		fmt.Fprintf(s.Out, "\nWhat runs of it goes on to its end. To end it now: %s\n", s.commandFor("off", c.Updated[0]))
	case !c.Changed:
		p.Group("Running", c.Status.Running)
	}
	p.Footer(&c.Status, s.place())
	if asked.kept != nil {
		s.ending(c, asked.kept)
	}
	if c.Changed {
		s.wayBack(running, planned)
	}
}

// remaining names what "off" did not touch: at three in the morning nobody remembers the other scopes. What it has begun to
// reopen is no such thing, and can be opened at once.
func (s *session) remaining(status *schema.Status, reopening []schema.Window) {
	p := s.printer
	others := slices.DeleteFunc(slices.Clone(status.Running), func(w schema.Window) bool {
		return slices.ContainsFunc(reopening, func(r schema.Window) bool { return r.ID == w.ID })
	})
	p.List("Still running", others, p.Brief)
	p.List("Still planned", status.Planned, p.Brief)
	if len(reopening) > 0 {
		fmt.Fprintf(s.Out, "\nTo open it at once: %s\n", s.commandFor("off", reopening[0]))
	}
	if len(others) > 0 {
		fmt.Fprintf(s.Out, "\nTo end that too: %s\n", s.commandFor("off", others[0]))
	}
}

// ending points at an end that nobody mentioned: a window that was running already keeps the one it has, and whoever
// just typed "on" may think that it has none.
func (s *session) ending(c *schema.Change, kept func(schema.Window) bool) {
	if len(c.Opened) > 0 {
		return
	}
	for _, w := range c.Status.Running {
		if w.EndsAt != nil && kept(w) {
			fmt.Fprintf(s.Out, "It still ends by itself. To keep it until somebody says off: %s --until never\n", s.commandFor("on", w))
			return
		}
	}
}

// wayBack says how to undo what was just opened.
func (s *session) wayBack(running, planned []schema.Window) {
	switch {
	case len(running) > 0:
		fmt.Fprintf(s.Out, "To end it: %s\n", s.commandFor("off", running[0]))
	case len(planned) > 0:
		fmt.Fprintf(s.Out, "To cancel it: %s cancel %s\n", s.Program, schema.Clean(planned[0].ID))
	}
}

func (s *session) commandFor(verb string, w schema.Window) string {
	command := s.Program + " " + verb
	if w.Scope != "" {
		command += " --scope " + schema.Clean(w.Scope)
	}
	if w.Name != "" {
		command += " --as " + schema.Clean(w.Name)
	}
	return command
}

func (c *onCommand) run(ctx context.Context, s *session) error {
	if c.Lease != nil {
		return usage("--lease needs somebody who renews it while the work goes on: it goes with run. Here, say --for")
	}
	o, err := c.opening(s, span{c.Start, c.Until, c.For})
	if err != nil {
		return err
	}
	p := proposal{
		action: "on", question: c.ask("Turn maintenance ON for %s?", describe(&o, s.printer)),
		unneeded: "It is so already: nothing was changed.", kept: keptEnds(&o),
		do: func(ctx context.Context, c *recess.Controller) (recess.Change, error) { return c.On(ctx, o) },
	}
	within, err := c.limits(c.Drain, "on --drain")
	switch {
	case err != nil:
		return err
	case c.Drain && !o.Start.IsZero():
		return usage("--drain waits for a window that runs: leave --start out, or use drain --wait once it has begun")
	case c.Drain:
		if err := drainsFor(&o); err != nil {
			return err
		}
		p.then = func(ctx context.Context, backend state.Backend) error {
			if !s.globals.JSON {
				fmt.Fprintln(s.Out)
			}
			d := &drainer{session: s, flags: c.drainFlags}
			return d.run(ctx, backend, within)
		}
	}
	return s.change(ctx, p)
}

// keptEnds are the windows that an opening is about, if it says nothing of their end.
func keptEnds(o *recess.Opening) func(schema.Window) bool {
	if !o.End.IsZero() || o.NoEnd {
		return nil
	}
	return func(w schema.Window) bool { return w.Scope == o.Scope && w.Name == o.Name && w.Repeat == nil }
}

func (c *scheduleCommand) run(ctx context.Context, s *session) error {
	if c.Cron != nil || c.Zone != nil {
		return c.recur(ctx, s)
	}
	o, err := c.opening(s, span{c.Start, c.Until, c.For})
	switch {
	case err != nil:
		return err
	case o.Start.IsZero():
		return usage("a planned window needs a beginning: --start T, or --cron EXPR for one that recurs")
	case o.End.IsZero():
		return usage("a planned window needs an end: --until T or --for D")
	}
	return s.change(ctx, proposal{
		action: "schedule", question: c.ask("Plan maintenance for %s?", describe(&o, s.printer)),
		do: func(ctx context.Context, c *recess.Controller) (recess.Change, error) { return c.Schedule(ctx, o) },
	})
}

func (c *offCommand) run(ctx context.Context, s *session) error {
	if c.Start != nil || c.Until != nil || c.For != nil {
		return usage("off ends maintenance now: --start, --until and --for go with on and schedule")
	}
	o := recess.Ending{Scope: c.Scope, Name: c.As, Reason: c.Reason}
	what := schema.Place(c.Scope)
	if c.Ramp != nil {
		var err error
		if o.Ramp, err = readLength("--ramp", *c.Ramp, time.Second, state.MaxRamp); err != nil {
			return err
		}
	}
	if c.As != "" {
		what += ", held as " + schema.Clean(c.As)
	}
	return s.change(ctx, proposal{
		action: "off", question: c.ask("Turn maintenance OFF for %s?", what),
		unneeded: fmt.Sprintf("There is nothing to end for %s: nothing was changed.", what),
		do:       func(ctx context.Context, c *recess.Controller) (recess.Change, error) { return c.Off(ctx, o) },
	})
}

func (c *cancelCommand) run(ctx context.Context, s *session) error {
	what := "every planned window"
	switch {
	case len(c.ID) > 0 && c.All:
		return usage("give ids or --all, not both")
	case len(c.ID) > 0:
		what = fmt.Sprintf("%q", c.ID)
	case !c.All:
		return usage("which window? Give its id, as status shows it, or --all")
	}
	return s.change(ctx, proposal{
		action: "cancel", question: c.ask("Cancel %s?", what), unneeded: "Nothing is planned: nothing was changed.",
		do: func(ctx context.Context, ctl *recess.Controller) (recess.Change, error) {
			return ctl.Cancel(ctx, c.ID...)
		},
	})
}

// ask is the question to be asked; "" without --interactive.
func (a askFlag) ask(question, what string) string {
	if !a.Interactive {
		return ""
	}
	return fmt.Sprintf(question, what)
}
