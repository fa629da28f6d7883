package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

// call makes a route of the API out of what it does: the request's body is its order, what it returns the answer's.
func call[Order, Answer any](do func(*Panel, context.Context, *caller, *Order) (Answer, error)) func(*Panel, http.ResponseWriter, *http.Request, *caller) error {
	return func(p *Panel, w http.ResponseWriter, r *http.Request, c *caller) error {
		var order Order
		if err := readJSON(r, &order); err != nil {
			return err
		}
		answer, err := do(p, r.Context(), c, &order)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, "application/json", answer)
	}
}

// readJSON reads one JSON object and nothing else. A body of another type is refused: application/json is what no other site
// can send without asking first.
func readJSON(r *http.Request, into any) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return &fault{status: http.StatusUnsupportedMediaType, code: "usage", detail: "send the order as application/json"}
	}
	data, err := io.ReadAll(r.Body)
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		return &fault{status: http.StatusRequestEntityTooLarge, code: "usage", detail: fmt.Sprintf("the order is longer than %d bytes", tooLong.Limit)}
	} else if err != nil {
		return usage("the order could not be read to its end")
	}
	if err := state.ReadObject(data, into); err != nil {
		return usage("the order makes no sense: " + err.Error())
	}
	return nil
}

// An OpeningOrder is the body of on and schedule.
type openingOrder struct {
	Scope    string            `json:"scope"`
	Name     string            `json:"name"`
	Mode     string            `json:"mode"`      // full, readonly, hold or announce
	Hold     length            `json:"hold"`      // as in "20s"
	For      length            `json:"for"`       // as in "30m", from the start; or until
	StartsAt *time.Time        `json:"starts_at"` // RFC 3339; null is now
	EndsAt   *time.Time        `json:"ends_at"`   // RFC 3339; null leaves it as it is
	NoEnd    bool              `json:"no_end"`    // take the end from a window that runs
	Messages map[string]string `json:"messages"`  // by language tag, "" for everybody else
	Reason   string            `json:"reason"`
	Repeat   *repeatOrder      `json:"repeat"` // of schedule
}

type repeatOrder struct {
	Cron string `json:"cron"`
	Zone string `json:"zone"`
	For  length `json:"for"`
}

// length is a length of time as people write it: "90s", "1h30m".
type length time.Duration

// UnmarshalText implements [encoding.TextUnmarshaler].
func (l *length) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*l = 0
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("%.40q is no length of time: write it as in 30m, 2h or 1h30m", text)
	}
	*l = length(d)
	return nil
}

// opening is the order in the words of the engine.
func (o *openingOrder) opening(now time.Time) (recess.Opening, error) {
	out := recess.Opening{
		Scope: o.Scope, Name: o.Name, Hold: time.Duration(o.Hold), NoEnd: o.NoEnd, Messages: o.Messages, Reason: o.Reason,
	}
	if o.Mode != "" {
		mode, err := state.ParseMode(o.Mode)
		if err != nil || string(mode) != o.Mode {
			return out, usage(fmt.Sprintf("mode: %.40q is none of full, readonly, hold, announce", o.Mode))
		}
		out.Mode = mode
	}
	if o.StartsAt != nil {
		out.Start = *o.StartsAt
	}
	switch {
	case o.StartsAt != nil && o.StartsAt.IsZero(), o.EndsAt != nil && o.EndsAt.IsZero(): // the engine takes it for none
		return out, usage("starts_at and ends_at: the year 1 is none that is meant: leave the member out, or write null")
	case o.For != 0 && o.EndsAt != nil:
		return out, usage("for and ends_at: both say when it ends")
	case o.EndsAt != nil:
		out.End = *o.EndsAt
	case o.For != 0 && out.Start.IsZero():
		out.End = now.Add(time.Duration(o.For))
	case o.For != 0:
		out.End = out.Start.Add(time.Duration(o.For))
	}
	if r := o.Repeat; r != nil {
		out.Repeat = &state.Repeat{Cron: r.Cron, Zone: r.Zone, For: time.Duration(r.For)}
	}
	return out, nil
}

func (p *Panel) on(ctx context.Context, c *caller, o *openingOrder) (schema.Change, error) {
	return p.open(ctx, c, "on", o, (*recess.Controller).On)
}

func (p *Panel) schedule(ctx context.Context, c *caller, o *openingOrder) (schema.Change, error) {
	return p.open(ctx, c, "schedule", o, (*recess.Controller).Schedule)
}

func (p *Panel) open(ctx context.Context, c *caller, action string, o *openingOrder, do func(*recess.Controller, context.Context, recess.Opening) (recess.Change, error)) (schema.Change, error) {
	opening, err := o.opening(time.Now())
	if err != nil {
		return schema.Change{}, err
	}
	change, err := do(p.control(c), ctx, opening)
	return p.changed(ctx, c, action, &change, err)
}

// An endingOrder is the body of off.
type endingOrder struct {
	Scope  string `json:"scope"`
	Name   string `json:"name"`
	Ramp   length `json:"ramp"`
	Reason string `json:"reason"`
}

func (p *Panel) off(ctx context.Context, c *caller, o *endingOrder) (schema.Change, error) {
	change, err := p.control(c).Off(ctx, recess.Ending{Scope: o.Scope, Name: o.Name, Ramp: time.Duration(o.Ramp), Reason: o.Reason})
	return p.changed(ctx, c, "off", &change, err)
}

// A cancellingOrder is the body of cancel: ids, or all of them.
type cancellingOrder struct {
	IDs []string `json:"ids"`
	All bool     `json:"all"`
}

func (p *Panel) cancel(ctx context.Context, c *caller, o *cancellingOrder) (schema.Change, error) {
	if o.All == (len(o.IDs) > 0) {
		return schema.Change{}, usage("name the ids of the planned windows, or say all")
	}
	change, err := p.control(c).Cancel(ctx, o.IDs...)
	return p.changed(ctx, c, "cancel", &change, err)
}

func (p *Panel) changed(ctx context.Context, c *caller, action string, change *recess.Change, err error) (schema.Change, error) {
	if err != nil {
		return schema.Change{}, err
	}
	out := schema.ChangeOf(action, change, time.Now())
	if !out.Changed { // there may be no document
		if _, exists, err := p.control(c).Look(ctx); err == nil {
			out.Status.Exists = exists
		}
	}
	return out, nil
}

func (p *Panel) apiStatus(w http.ResponseWriter, r *http.Request, c *caller) error {
	status, err := p.status(r.Context(), c)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, "application/json", status)
}

// status is what the document says now; while a mode is forced, what that says.
func (p *Panel) status(ctx context.Context, c *caller) (schema.Status, error) {
	s, exists, err := p.control(c).Look(ctx)
	forced := p.engine.Forced()
	if err != nil && forced == recess.NotForced {
		return schema.Status{}, err
	}
	status := schema.StatusOf(s, time.Now())
	status.Exists = exists
	if err != nil {
		status.Problem = faultOf(err, time.Now()).detail
	}
	status.Force(forced)
	return status, nil
}

// Fleet is what the API says of the instances.
type fleet struct {
	// Drained is how many instances are drained for the windows that refuse now; null while none does.
	Drained   *int       `json:"drained"`
	Instances []instance `json:"instances"`
}

type instance struct {
	schema.Instance
	Phase string `json:"phase"` // of a drain: behind, draining, drained, left, lost, unable; "" while nothing refuses
	Words string `json:"words"` // the same for people
}

func (p *Panel) apiFleet(w http.ResponseWriter, r *http.Request, c *caller) error {
	f, err := p.fleet(r.Context(), c)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, "application/json", f)
}

// fleet looks at the instances once, and how far each is in a drain.
func (p *Panel) fleet(ctx context.Context, c *caller) (fleet, error) {
	out := fleet{Instances: []instance{}}
	once, cancel := context.WithCancel(ctx)
	defer cancel()
	var seen *recess.Progress
	err := p.control(c).Drain(once, func(progress recess.Progress) {
		seen = &progress
		cancel()
	})
	if seen != nil && seen.Trouble == nil {
		drained := seen.Count(recess.Drained) + seen.Count(recess.Left)
		out.Drained = &drained
		for i := range seen.Instances {
			one := &seen.Instances[i]
			out.Instances = append(out.Instances, instance{schema.InstancesOf([]recess.Instance{one.Instance})[0], string(one.Phase), one.Words()})
		}
		return out, nil
	}
	if seen != nil {
		return out, seen.Trouble
	}
	if err != nil && !errors.Is(err, recess.ErrInvalidOrder) && !errors.Is(err, recess.ErrForced) { // that nothing is drained is no fault
		return out, err
	}
	instances, err := p.control(c).Fleet(ctx)
	for _, one := range schema.InstancesOf(instances) {
		out.Instances = append(out.Instances, instance{Instance: one})
	}
	return out, err
}

// writeJSON answers with a value.
func writeJSON(w http.ResponseWriter, status int, media string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // whoever asked has gone
	return nil
}

// problem is the body of an error (RFC 9457).
type problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Code   string         `json:"code"`
	Now    *schema.Status `json:"current,omitempty"` // of a conflict: what the winner left
}

func writeProblem(w http.ResponseWriter, f *fault) {
	_ = writeJSON(w, f.status, "application/problem+json", problem{"about:blank", http.StatusText(f.status), f.status, f.detail, f.code, f.current})
}
