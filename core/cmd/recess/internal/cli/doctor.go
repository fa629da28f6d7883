package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/moment"
	"github.com/recess-go/recess/core/cmd/recess/internal/report"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

// A doctor looks at a state and all that follows it, and writes down what it finds.
type doctor struct {
	*session
	report.Diagnosis
	newest state.State // the document, as far as it could be read
	exists bool
}

func (doctorCommand) run(ctx context.Context, s *session) error {
	backend, done, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, s.globals.Timeout.Duration)
	defer cancel()
	d := &doctor{session: s, Diagnosis: report.Diagnosis{State: s.publicURL(), Healthy: true, Checks: []report.Check{}, Instances: []schema.Instance{}}}
	d.mode()
	unreachable := d.read(ctx, backend)
	if unreachable == nil {
		d.passes()
		d.fleet(ctx, backend)
	}
	d.snapshot()
	d.configuration(ctx)
	if s.globals.JSON {
		err = schema.WriteJSON(s.Out, d.Diagnosis, true)
	} else {
		s.printer.Diagnosis(&d.Diagnosis, s.place())
	}
	switch {
	case err != nil:
		return err
	case unreachable != nil:
		return errSaid{exitUnreachable}
	case !d.Healthy:
		return errSaid{exitFailed}
	}
	return nil
}

func (d *doctor) find(name string, result report.Result, text, advice string) {
	d.Healthy = d.Healthy && result != report.Bad
	d.Checks = append(d.Checks, report.Check{Name: name, Result: result, Text: d.redact(text), Advice: inWords(advice, d.Program)})
}

// mode tells of a forced mode: whatever else is found, it holds.
func (d *doctor) mode() {
	if d.forced != recess.NotForced {
		d.find("mode", report.Warning, "forced "+d.forced.String()+" by RECESS_MODE or the application: where it is set, the document has no say",
			"Unset it to let the state decide.")
	}
}

// read looks at the document. It returns an error if there was no look.
func (d *doctor) read(ctx context.Context, backend state.Backend) error {
	began := time.Now()
	doc, err := state.Read(ctx, backend)
	took := time.Since(began)
	if err != nil {
		d.find("reading", report.Bad, err.Error(), "The services keep the last state they know, or start on their fallback.")
		return err
	}
	d.find("reading", report.OK, fmt.Sprintf("the backend answered in %s", took.Round(10*time.Microsecond)), "")
	if doc.Rev == state.None {
		d.find("document", report.Note, "there is none, which means off", "")
		return nil
	}
	d.exists = true
	if d.newest, err = decode(doc); err != nil {
		from := ""
		if _, ok := state.As[state.Presence](backend); ok {
			from = "--from-instance or "
		}
		d.find("document", report.Bad, err.Error(), fmt.Sprintf("The services keep the last state that made sense. "+
			`"PROGRAM repair %s--from-file PATH" writes that anew, "PROGRAM off" opens the site; both keep the broken text.`, from))
		return nil
	}
	status := d.statusOf(d.newest)
	text := fmt.Sprintf("%d running and %d planned windows, %d bytes", len(status.Running), len(status.Planned), len(doc.Data))
	if !d.newest.Numbered() {
		d.find("document", report.Note, "written by hand or by Django: "+text, "")
		return nil
	}
	text = fmt.Sprintf("revision %d: %s", d.newest.Revision, text)
	if n := len(status.History); n > 0 {
		text += ", last changed by " + lastChange(&status.History[n-1], d.printer.Now)
	}
	d.find("document", report.OK, text, "")
	return nil
}

func lastChange(e *schema.Entry, now time.Time) string {
	text := fmt.Sprintf("%q", e.Action)
	if who := e.By.Who(); who != "" {
		text += " of " + who
	}
	if e.At != nil {
		text += ", " + moment.Ago(*e.At, now)
	}
	return text
}

// fleet looks at who follows the document, and whether somebody remembers a newer one.
func (d *doctor) fleet(ctx context.Context, backend state.Backend) {
	fleet, err := recess.Fleet(ctx, backend)
	switch {
	case errors.Is(err, recess.ErrNoPresence):
		d.find("instances", report.Note, "this backend does not keep which instances follow it", "")
		return
	case err != nil:
		d.find("instances", report.Warning, err.Error(), "")
		return
	}
	d.Instances = schema.InstancesOf(fleet)
	ailing := 0
	for _, i := range fleet {
		if i.Follower != recess.Valid {
			ailing++
		}
	}
	switch {
	case len(fleet) == 0:
		d.find("instances", report.Note, "none has announced itself here", "Services announce themselves within some seconds; those with a forced mode do not.")
	case ailing > 0:
		d.find("instances", report.Warning, fmt.Sprintf("%d of %d do not follow the state as it is now", ailing, len(fleet)), "What each of them says is below.")
	default:
		d.find("instances", report.OK, fmt.Sprintf("%d follow the state", len(fleet)), "")
	}
	d.clocks(fleet)
	if lost, holder, ok := recess.Remembered(fleet); ok {
		d.remembered("memory", "instance "+holder.ID, lost, "--from-instance")
	}
}

// clockTolerance is how far an instance's clock may be from the backend's. Some backends count in seconds.
const clockTolerance = 2 * time.Second

// clocks tells of instances whose clocks are wrong, or the backend's is.
func (d *doctor) clocks(fleet []recess.Instance) {
	for _, i := range fleet {
		offset, way, when := time.Duration(i.ClockOffset)*time.Millisecond, "ahead of", "early"
		if offset < 0 {
			offset, way, when = -offset, "behind", "late"
		}
		if offset >= clockTolerance {
			d.find("clock", report.Warning, fmt.Sprintf("that of %s is %s %s the backend's", i.ID, moment.Words(offset), way),
				"Windows begin and end there by so much too "+when+": see to the machines' time service (NTP).")
		}
	}
}

// remembered tells of a document that somebody holds and the backend does not.
func (d *doctor) remembered(name, holder string, lost state.State, flag string) {
	has := "no document"
	if d.exists {
		has = fmt.Sprintf("epoch %d revision %d", d.newest.Epoch, d.newest.Revision)
	}
	if d.newest.Numbered() && !d.newest.Older(&lost) {
		return
	}
	d.find(name, report.Bad, fmt.Sprintf("the backend has lost or rolled back the state: it has %s, and %s remembers epoch %d revision %d (%s)",
		has, holder, lost.Epoch, lost.Revision, strings.TrimSuffix(headline(d.statusOf(lost)), ".")),
		fmt.Sprintf(`The services keep what they remember. "PROGRAM repair %s" writes it anew; "PROGRAM repair --off" opens the site.`, flag))
}

func headline(s schema.Status) string { return s.Headline() }

// snapshot looks at the copy that services keep on this machine's disk.
func (d *doctor) snapshot() {
	path, _ := d.LookupEnv("RECESS_SNAPSHOT")
	if path = strings.TrimSpace(path); path == "" {
		return
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		d.find("snapshot", report.Note, path+" is not there yet", "")
		return
	}
	var saved state.State
	if err == nil {
		saved, err = state.Decode(data)
	}
	if err != nil {
		d.find("snapshot", report.Warning, path+": "+err.Error(), "")
		return
	}
	before := len(d.Checks)
	if saved.Numbered() {
		d.remembered("snapshot", "the snapshot "+path, saved, "--from-file "+path)
	}
	if len(d.Checks) == before {
		d.find("snapshot", report.OK, fmt.Sprintf("%s holds revision %d", path, saved.Revision), "")
	}
}
