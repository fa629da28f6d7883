package cli

import (
	"fmt"
	"maps"
	"strings"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/moment"
	"github.com/recess-go/recess/core/cmd/recess/internal/report"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

// span is when a window shall run, as it was typed.
type span struct{ start, until, length *string }

// never is what --until takes for "no end".
const never = "never"

// read makes instants of a span: zero where nothing was said.
func (sp span) read(now time.Time, loc *time.Location) (start, end time.Time, noEnd bool, err error) {
	if sp.until != nil && sp.length != nil {
		return start, end, false, usage("--until and --for both say when it ends: give one of them")
	}
	if sp.start != nil {
		if start, err = moment.Parse(*sp.start, now, loc); err != nil {
			return start, end, false, usage("--start: %s", err)
		}
	}
	switch {
	case sp.length != nil:
		length, err := moment.ParseLength(*sp.length)
		if err != nil {
			return start, end, false, usage("--for: %s", err)
		}
		end = now.Add(length)
		if !start.IsZero() {
			end = start.Add(length)
		}
	case sp.until != nil && strings.EqualFold(strings.TrimSpace(*sp.until), never):
		return start, end, true, nil
	case sp.until != nil:
		if end, err = moment.Parse(*sp.until, now, loc); err != nil {
			return start, end, false, usage("--until: %s", err)
		}
	}
	return start, end, false, checkSpan(start, end, now, loc)
}

// checkSpan refuses what can never run, in local time; the controller would refuse it in UTC, after asking the backend.
func checkSpan(start, end, now time.Time, loc *time.Location) error {
	switch {
	case end.IsZero():
	case !start.Before(end):
		return usage("the start %s is not before the end %s", moment.Format(start, loc), moment.Format(end, loc))
	case !end.After(now):
		return usage("the end %s is in the past (%s): it is now %s", moment.Format(end, loc), moment.Ago(end, now), moment.Format(now, loc))
	}
	return nil
}

// opening reads the flags of a window.
func (w *windowFlags) opening(s *session, sp span) (recess.Opening, error) {
	o, err := w.subjectFlags.opening(s, sp)
	o.Name = w.As
	return o, err
}

func (w *subjectFlags) opening(s *session, sp span) (o recess.Opening, err error) {
	o = recess.Opening{Scope: w.Scope, Reason: w.Reason, Messages: maps.Clone(s.messages)}
	if o.Start, o.End, o.NoEnd, err = sp.read(s.printer.Now, s.printer.Loc); err != nil {
		return o, err
	}
	if w.Mode != "" {
		if o.Mode, err = state.ParseMode(w.Mode); err != nil {
			return o, usage("--mode: %.40q is no mode: choose full, readonly, hold or announce", w.Mode)
		}
	}
	if w.Hold != nil {
		if o.Hold, err = readLength("--hold", *w.Hold, time.Second, state.MaxHold); err != nil {
			return o, err
		}
		if o.Mode != "" && o.Mode != state.Hold {
			return o, usage("--hold: a window of mode %s keeps nothing waiting: leave out --mode, or --hold", o.Mode)
		}
	}
	if w.Message != nil {
		o.Messages[""] = *w.Message
	}
	return o, nil
}

// readLength reads a length in whole seconds.
func readLength(flag, text string, least, most time.Duration) (time.Duration, error) {
	length, err := moment.ParseLength(text)
	switch {
	case err != nil:
		return 0, usage("%s: %s", flag, err)
	case length >= least && length <= most && length%time.Second == 0:
		return length, nil
	case least > time.Second:
		return 0, usage("%s: %s: use whole seconds, from %s to %s", flag, text, moment.Words(least), moment.Words(most))
	}
	return 0, usage("%s: %s: use whole seconds, %s at most", flag, text, moment.Words(most))
}

// describe says in words what an opening will do, for the question of --interactive.
func describe(o *recess.Opening, p *report.Printer) string {
	text := schema.Place(o.Scope)
	if o.Name != "" {
		text += fmt.Sprintf(", held as %s", schema.Clean(o.Name))
	}
	if o.Mode != "" {
		text += ", " + string(o.Mode)
	}
	if o.Hold != 0 {
		text += ", requests wait " + moment.Words(o.Hold) + " at most"
	}
	if !o.Start.IsZero() {
		text += ", from " + moment.Format(o.Start, p.Loc)
	}
	if !o.End.IsZero() {
		text += ", until " + moment.Format(o.End, p.Loc)
	}
	if r := o.Repeat; r != nil {
		text += ", " + schema.Clean(r.String())
		for _, start := range r.Upcoming(p.Now, 1) {
			text += ", first from " + moment.Format(start, p.Loc)
		}
	}
	return text
}
