package recess

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/recess-go/recess/core/state"
)

// ErrNotDrained is wrapped by the error of a drain that ended before every instance was drained.
var ErrNotDrained = errors.New("not every instance is drained")

// A DrainPhase says how far an instance has come.
type DrainPhase string

// The phases of an instance in a drain. Drained and Left are good ends. Lost is a bad one, unless it is heard of again.
const (
	// Behind: it does not refuse for the windows yet. It has not seen the change, its clock is behind, or it cannot reach
	// the backend.
	Behind DrainPhase = "behind"
	// Draining: it refuses, and requests run that it admitted before.
	Draining DrainPhase = "draining"
	// Drained: every request that it admitted before the windows has ended. That stays so while these windows run.
	Drained DrainPhase = "drained"
	// Left: it has ended in good order, with nothing left to do.
	Left DrainPhase = "left"
	// Lost: its announcement has expired, or it has ended, with requests that may still run. Nobody knows what it does.
	Lost DrainPhase = "lost"
	// Unable: it refuses nothing, whatever runs (Policy.ReportOnly), or what it says makes no sense. It never gets drained.
	Unable DrainPhase = "unable"
)

// Progress is how far a drain has come.
type Progress struct {
	// Windows are those that refuse: what is drained for. Epoch and Revision are the document's.
	Windows         []state.Window
	Epoch, Revision int64
	// Instances are all that have been seen, in the order of their ids.
	Instances []DrainInstance
	// Trouble is why the backend could not be asked this time; nil if it was.
	Trouble error
}

// A DrainInstance is an instance in a drain.
type DrainInstance struct {
	Instance // as it was announced last; the ages in Oldest grow from when that was first seen
	Phase    DrainPhase
	late     bool // it has applied the document, and does not refuse

	announced []Work    // Oldest, as it was announced
	since     time.Time // when that was first seen
}

// Count returns how many instances are in a phase.
func (p *Progress) Count(phase DrainPhase) (n int) {
	for _, i := range p.Instances {
		if i.Phase == phase {
			n++
		}
	}
	return n
}

// Done reports whether every instance is drained, or has left.
func (p *Progress) Done() bool {
	return p.Trouble == nil && p.Count(Drained)+p.Count(Left) == len(p.Instances)
}

// settled reports whether there is nothing to wait for any more, though not all may have gone well.
func (p *Progress) settled() bool {
	return p.Trouble == nil && p.Count(Behind)+p.Count(Draining) == 0
}

// A DrainError says which instances are not drained. It wraps ErrNotDrained, and the context's error if that ended the
// wait.
type DrainError struct {
	Progress Progress
	cause    error
}

func (e *DrainError) Error() string {
	var late []string
	nameless := false
	for _, i := range e.Progress.Instances {
		if i.Phase != Drained && i.Phase != Left {
			late = append(late, i.String())
			nameless = nameless || i.nameless()
		}
	}
	text := "recess: " + ErrNotDrained.Error()
	if e.Progress.Trouble != nil {
		text += ": " + strings.TrimPrefix(e.Progress.Trouble.Error(), "recess: ")
	}
	if more := len(late) - lateNamed; more > 0 {
		late = append(late[:lateNamed], fmt.Sprintf("and %d more", more))
	}
	if len(late) > 0 {
		text += ": " + strings.Join(late, "; ")
	}
	if nameless {
		text += ". " + howToName
	}
	return text
}

// howToName is said where nobody can tell which requests are late.
const howToName = "RECESS_NAME_REQUESTS=true (Policy.NameRequests) has instances say which requests these are"

// lateNamed is how many instances an error names.
const lateNamed = 10

// Unwrap returns what [errors.Is] looks at.
func (e *DrainError) Unwrap() []error {
	causes := []error{ErrNotDrained}
	for _, err := range []error{e.cause, e.Progress.Trouble} {
		if err != nil {
			causes = append(causes, err)
		}
	}
	return causes
}

// OnlyLost reports whether all instances are drained but for such that are lost.
func (e *DrainError) OnlyLost() bool { return e.Progress.settled() && e.Progress.Count(Unable) == 0 }

// String says how far an instance is, and what keeps it.
func (i DrainInstance) String() string { return i.ID + " " + i.Words() }

// Words is String without the instance's id.
func (i DrainInstance) Words() string {
	switch i.Phase {
	case Behind:
		if behind := time.Duration(-i.ClockOffset) * time.Millisecond; i.late && behind > 0 {
			return fmt.Sprintf("knows the change but does not refuse yet: its clock is %s behind the backend's", behind.Round(time.Second/10))
		}
		if i.late {
			return "knows the change but does not refuse yet: is its clock behind, or its version older?"
		}
		return "has not seen the change yet" + i.why()
	case Draining:
		return "has " + requests(i.Earlier) + " to finish" + i.told() + i.oldest() + i.spared()
	case Lost:
		if i.Left {
			return "has ended with " + requests(max(i.Earlier, i.InFlight)) + " running" + i.oldest()
		}
		return "is lost: it is not heard of any more, and may still run"
	case Unable:
		if i.ReportOnly {
			return "refuses nothing: its policy only reports"
		}
		return "announces what makes no sense: is its version another?"
	}
	return fmt.Sprintf("is %s", i.Phase) // drained
}

// told says what part in it long-lived requests have that were told to end.
func (i DrainInstance) told() string {
	if i.Closing <= 0 {
		return ""
	}
	return fmt.Sprintf(", %d of them streams that were told to end", min(i.Closing, i.Earlier))
}

// spared says which long-lived requests go on. They may be among what was admitted before: nobody but a person can say
// whether that matters.
func (i DrainInstance) spared() string {
	if rest := i.Streams - i.Closing; rest > 0 && i.Earlier > i.Closing {
		return fmt.Sprintf("; of streams that the windows let in %d go on", rest)
	}
	return ""
}

// oldest names what is late.
func (i DrainInstance) oldest() string {
	if len(i.Oldest) == 0 {
		return ""
	}
	names := make([]string, len(i.Oldest))
	for n, w := range i.Oldest {
		names[n] = w.String()
	}
	return ", the oldest: " + strings.Join(names, ", ")
}

// nameless reports whether some of what is late has no name because the application did not ask for it.
func (i DrainInstance) nameless() bool {
	return (i.Phase == Draining || i.Left) && !i.NamesRequests && i.Earlier > int64(len(i.Oldest)) && len(i.Oldest) < MaxOldest
}

func (i DrainInstance) why() string {
	if i.LastError == "" {
		return ""
	}
	return " (" + i.LastError + ")"
}

func requests(n int64) string {
	if n == 1 {
		return "1 request"
	}
	return fmt.Sprintf("%d requests", n)
}

// Drain waits until every instance of the fleet refuses for the windows that run now, and every request that it admitted
// before has ended. It asks the fleet again and again and calls tell with what it finds, from its own goroutine; tell may
// be nil. Requests that a rule lets in while the windows run are not waited for. Nor is the scope of a window looked at:
// what an instance was doing before is waited for wherever it goes, a [Stream] of another scope included as long as its
// handler runs.
//
// It returns nil when that is so, or a [*DrainError]: at once when what is not drained is lost, else when ctx ends. An
// instance that does not announce itself (its backend cannot be written, or it was cut off before the drain began) is
// not known, and not waited for. It is an error that wraps ErrInvalidOrder if no window runs that refuses something, or
// if one of them ends in the meantime, and one that wraps ErrNoPresence on a backend that does not keep who follows it.
func (c *Controller) Drain(ctx context.Context, tell func(Progress)) error {
	d, err := c.startDrain(ctx)
	if err != nil {
		return err
	}
	for {
		began := time.Now()
		p, err := d.look(ctx)
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return &DrainError{p, ctx.Err()}
		}
		if tell != nil {
			tell(p)
		}
		switch {
		case p.Done():
			return nil
		case p.settled():
			return &DrainError{p, nil}
		}
		sleep(ctx, min(max(drainPoll, drainShare*time.Since(began)), drainPollLast))
	}
}

const (
	// drainPoll is the least pause between two looks at the fleet, drainPollLast the longest. In between a pause takes
	// drainShare times as long as the look: of a fleet of thousands a look is some megabytes.
	drainPoll     = 100 * time.Millisecond
	drainPollLast = 2 * time.Second
	drainShare    = 10
	// drainAsking bounds one look.
	drainAsking = 10 * time.Second
)

// A drain follows the instances of a fleet from look to look.
type drain struct {
	control *Controller
	state   state.State // the numbers that an instance has to have reached
	windows []state.Window
	seen    map[string]DrainInstance
}

func (c *Controller) startDrain(ctx context.Context) (*drain, error) {
	if c.forced != NotForced {
		return nil, fmt.Errorf("recess: %w", ErrForced)
	}
	loaded, err := c.load(ctx)
	switch {
	case err != nil:
		return nil, err
	case loaded.broken != nil:
		return nil, loaded.broken
	}
	d := &drain{control: c, state: loaded.state, windows: refusing(&loaded.state), seen: make(map[string]DrainInstance)}
	if len(d.windows) == 0 {
		return nil, fmt.Errorf("recess: %w: no window runs that refuses requests, so there is nothing to drain for", ErrInvalidOrder)
	}
	if _, ok := state.As[state.Presence](c.backend); !ok {
		return nil, fmt.Errorf("recess: %w", ErrNoPresence)
	}
	return d, nil
}

// refusing are the windows of a state that refuse requests now.
func refusing(s *state.State) []state.Window {
	return slices.DeleteFunc(s.In(state.Running, time.Now()), func(w state.Window) bool { return w.Mode == state.Announce })
}

// goesOn finds a window among those that refuse now: the same one, or an occurrence that began before the last one ended,
// so that no request has passed in between.
func goesOn(w state.Window, now []state.Window) (state.Window, bool) {
	i := slices.IndexFunc(now, sameID(w))
	if i < 0 || w.Repeat != nil && now[i].Start.After(w.End) {
		return w, false
	}
	return now[i], true
}

// look asks the backend for the document and the fleet. The error is final; a backend that does not answer is none, but
// stands in the progress.
func (d *drain) look(ctx context.Context) (Progress, error) {
	asking, cancel := context.WithTimeout(ctx, drainAsking)
	defer cancel()
	loaded, err := d.control.load(asking)
	switch {
	case err != nil, loaded.broken != nil: // the instances keep the last state that they know
	case loaded.doc.Rev == state.None, loaded.state.Numbered() && loaded.state.Older(&d.state):
		err = fmt.Errorf("recess: %w", errRegression) // and here too
	default:
		now := refusing(&loaded.state)
		for i, w := range d.windows {
			var there bool
			if d.windows[i], there = goesOn(w, now); !there {
				return Progress{}, fmt.Errorf("recess: %w: window %s has ended while its instances were drained: requests pass again", ErrInvalidOrder, w.ID)
			}
		}
	}
	var fleet []Instance
	if err == nil {
		fleet, err = announcements(asking, d.control.backend)
	}
	if err == nil {
		d.meet(fleet)
	}
	p := Progress{Windows: slices.Clone(d.windows), Epoch: d.state.Epoch, Revision: d.state.Revision, Trouble: err}
	for _, i := range d.seen {
		p.Instances = append(p.Instances, i)
	}
	slices.SortFunc(p.Instances, func(a, b DrainInstance) int { return strings.Compare(a.ID, b.ID) })
	return p, nil
}

// meet takes down what a fleet says of itself, and who is missing.
func (d *drain) meet(fleet []Instance) {
	there := make(map[string]bool)
	for _, i := range fleet {
		there[i.ID] = true
		before, known := d.seen[i.ID]
		now := d.judge(i)
		now.grow(&before)
		switch {
		case !known && now.Phase == Left: // it had gone before we came
			continue
		case before.Phase == Drained:
			now.Phase = Drained
		}
		d.seen[i.ID] = now
	}
	for id, i := range d.seen {
		if !there[id] && i.Phase != Drained && i.Phase != Left {
			i.Phase = Lost
			d.seen[id] = i
		}
	}
}

// grow adds to the ages what has passed here since the announcement was first seen: an instance that is late with the same
// work says so again at its next heartbeat only. Durations are added, no clocks compared.
func (i *DrainInstance) grow(before *DrainInstance) {
	i.announced, i.since = i.Oldest, time.Now()
	if len(i.Oldest) > 0 && slices.Equal(i.Oldest, before.announced) {
		i.since = before.since
	}
	i.Oldest = slices.Clone(i.Oldest)
	for n := range i.Oldest {
		i.Oldest[n].Age += time.Since(i.since).Milliseconds()
	}
}

// judge says how far an instance is by what it announces.
func (d *drain) judge(i Instance) DrainInstance {
	seen := DrainInstance{Instance: i, Phase: Drained}
	applied := !(&state.State{Epoch: i.Epoch, Revision: i.Revision}).Older(&d.state)
	refuses := !slices.ContainsFunc(d.windows, func(w state.Window) bool { return !slices.Contains(i.Running, occurrence(&w)) })
	behind := !applied || !refuses
	switch {
	case i.Name == "", i.ReportOnly:
		seen.Phase = Unable
	case i.Left && (i.Earlier > 0 || behind && i.InFlight > 0):
		seen.Phase = Lost
	case i.Left:
		seen.Phase = Left
	case behind:
		seen.Phase, seen.late = Behind, applied
	case i.Earlier > 0:
		seen.Phase = Draining
	}
	return seen
}
