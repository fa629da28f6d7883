package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/recess-go/recess/core/cmd/recess/internal/moment"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

// A Printer writes for people. Errors of the writer are the writer's to keep.
type Printer struct {
	W     io.Writer
	Paint bool // a terminal that shows colours
	Now   time.Time
	Loc   *time.Location
}

// shownHistory is how many changes "status" shows.
const shownHistory = 5

func (p *Printer) printf(format string, args ...any) { fmt.Fprintf(p.W, format, args...) }

// Status writes all that is known. place says where the state is kept.
func (p *Printer) Status(s *schema.Status, place string) {
	p.Headline(s)
	if s.Problem != "" {
		p.printf("The state itself could not be read: %s\n", schema.CleanLines(s.Problem))
	}
	p.Group("Running", s.Running)
	p.Group("Planned", s.Planned)
	p.history(s.History)
	p.Footer(s, place)
}

// Headline writes the one sentence that counts.
func (p *Printer) Headline(s *schema.Status) {
	p.printf("%s\n", p.paint(colorOf(s), s.Headline()))
}

// Group writes windows with all that is known of them; nothing if there are none.
func (p *Printer) Group(title string, windows []schema.Window) {
	if len(windows) == 0 {
		return
	}
	p.printf("\n%s:\n", title)
	for i := range windows {
		p.window(&windows[i])
	}
}

func (p *Printer) window(w *schema.Window) {
	p.printf("  %s  %s, %s\n", p.paint(bold, schema.Clean(w.ID)), schema.Place(w.Scope), schema.Clean(w.Mode))
	p.detail("held as", schema.Clean(w.Name))
	if w.Repeat != nil {
		p.detail("repeats", schema.Clean(w.Repeat.Words))
	}
	p.times(w)
	p.next(w)
	if w.RampAt != nil {
		p.detail("reopening", "from "+moment.Format(*w.RampAt, p.Loc)+" a growing share of the visitors is let in")
	}
	if w.Lease != nil {
		p.detail("lease", "of "+schema.Clean(w.Lease.Words)+": without a renewal it ends by itself")
	}
	if w.Hold != nil {
		p.detail("waiting", "a request waits "+moment.Words(time.Duration(*w.Hold)*time.Second)+" at most")
	}
	for _, tag := range slices.Sorted(maps.Keys(w.Messages)) {
		label := "message"
		if tag != "" {
			label = "message " + schema.Clean(tag)
		}
		p.detail(label, schema.CleanLines(w.Messages[tag]))
	}
	p.detail("reason", schema.CleanLines(w.Reason))
	p.detail("opened by", w.OpenedBy.Who())
}

func (p *Printer) times(w *schema.Window) {
	switch {
	case w.StartsAt == nil && w.OpenedAt != nil:
		p.detail("since", p.moment(*w.OpenedAt, moment.Ago(*w.OpenedAt, p.Now)))
	case w.StartsAt == nil:
	case w.StartsAt.After(p.Now):
		p.detail("from", p.moment(*w.StartsAt, "starts "+moment.In(*w.StartsAt, p.Now)))
	default:
		p.detail("since", p.moment(*w.StartsAt, moment.Ago(*w.StartsAt, p.Now)))
	}
	switch {
	case w.EndsAt == nil:
		p.detail("until", "somebody ends it")
	case w.StartsAt != nil && w.StartsAt.After(p.Now):
		p.detail("until", p.moment(*w.EndsAt, moment.Words(w.EndsAt.Sub(*w.StartsAt))+" later"))
	case w.EndsAt.After(p.Now):
		p.detail("until", p.moment(*w.EndsAt, "ends "+moment.In(*w.EndsAt, p.Now)))
	default:
		p.detail("until", p.moment(*w.EndsAt, "ended "+moment.Ago(*w.EndsAt, p.Now)))
	}
}

// shownNext is how many of the occurrences of a window are shown.
const shownNext = 3

// next writes the occurrences that come next by the clocks of their zone, and in local time where that is another one.
func (p *Printer) next(w *schema.Window) {
	if w.Repeat == nil {
		return
	}
	loc, err := time.LoadLocation(w.Repeat.Zone)
	if err != nil || w.StartsAt == nil {
		return
	}
	starts := w.Repeat.NextAt
	if w.StartsAt.After(p.Now) {
		starts = append([]time.Time{*w.StartsAt}, starts...)
	}
	var lines []string
	for _, start := range starts[:min(len(starts), shownNext)] {
		line := start.In(loc).Format("Mon ") + moment.Format(start, loc)
		if local := start.In(p.Loc).Format("Mon ") + moment.Format(start, p.Loc); local != line {
			line += ", local " + local
		}
		lines = append(lines, line)
	}
	p.detail("next", strings.Join(lines, "\n"))
}

func (p *Printer) moment(t time.Time, words string) string {
	return fmt.Sprintf("%s (%s)", moment.Format(t, p.Loc), words)
}

// detail writes a labelled line, or several with the later ones indented; nothing for an empty text.
func (p *Printer) detail(label, text string) {
	if text == "" {
		return
	}
	const indent = "                   "
	p.printf("    %-13s  %s\n", label, strings.ReplaceAll(text, "\n", "\n"+indent))
}

// history writes the last changes, the newest first.
func (p *Printer) history(entries []schema.Entry) {
	if len(entries) == 0 {
		return
	}
	p.printf("\nLast changes:\n")
	for _, e := range slices.Backward(entries[max(0, len(entries)-shownHistory):]) {
		p.printf("  %s\n", p.entry(&e))
	}
}

// History writes changes with all that is known of them, the newest first.
func (p *Printer) History(entries []schema.Entry) {
	if len(entries) == 0 {
		p.printf("Nothing was changed yet.\n")
	}
	for _, e := range slices.Backward(entries) {
		head := fmt.Sprintf("revision %d  %s", e.Revision, schema.Clean(e.Action))
		if e.At != nil {
			head = p.moment(*e.At, moment.Ago(*e.At, p.Now)) + "  " + head
		}
		p.printf("%s\n", p.paint(bold, head))
		p.detail("by", e.By.Who())
		for _, w := range e.Windows {
			p.detail("about", schema.Clean(w))
		}
		p.detail("reason", schema.CleanLines(e.Reason))
		p.detail("replaced", schema.CleanLines(e.Replaced))
	}
}

func (p *Printer) entry(e *schema.Entry) string {
	text := "          "
	if e.At != nil {
		text = moment.Format(*e.At, p.Loc)
	}
	text += "  " + schema.Clean(e.Action)
	if who := e.By.Who(); who != "" {
		text += " by " + who
	}
	if len(e.Windows) > 0 {
		text += ": " + schema.Clean(strings.Join(e.Windows, "; "))
	}
	if e.Reason != "" {
		text += " – " + schema.Clean(e.Reason)
	}
	return text
}

// Footer says where the state is kept, which one it is, and which zone the times are in.
func (p *Printer) Footer(s *schema.Status, place string) {
	switch {
	case s.Problem != "":
		p.printf("\nState: %s.", place)
	case !s.Exists:
		p.printf("\nState: %s: there is no document yet, which means off.", place)
	case s.Revision == 0:
		p.printf("\nState: %s, written by hand or by Django.", place)
	default:
		p.printf("\nState: %s, revision %d.", place, s.Revision)
	}
	p.printf(" Times are local (%s).\n", moment.Zone(p.Now, p.Loc))
}

// List writes windows on a line each; nothing if there are none.
func (p *Printer) List(title string, windows []schema.Window, line func(*schema.Window) string) {
	if len(windows) == 0 {
		return
	}
	p.printf("\n%s:\n", title)
	for i := range windows {
		p.printf("  %s\n", line(&windows[i]))
	}
}

// Title is a window's name, place and mode.
func (p *Printer) Title(w *schema.Window) string {
	text := fmt.Sprintf("%s  %s, %s", schema.Clean(w.ID), schema.Place(w.Scope), schema.Clean(w.Mode))
	if w.Name != "" {
		text += ", held as " + schema.Clean(w.Name)
	}
	return text
}

// Brief is a window on one line, with the times that are yet to come.
func (p *Printer) Brief(w *schema.Window) string {
	text := p.Title(w)
	if w.StartsAt != nil && w.StartsAt.After(p.Now) {
		text += ", from " + moment.Format(*w.StartsAt, p.Loc)
	}
	if w.EndsAt != nil && w.EndsAt.After(p.Now) {
		text += ", until " + moment.Format(*w.EndsAt, p.Loc)
	}
	if w.Lease != nil {
		text += ", on a lease of " + moment.Words(time.Duration(w.Lease.TTL)*time.Second)
	}
	if w.Repeat != nil {
		text += ", " + schema.Clean(w.Repeat.Words)
	}
	return text
}

// The colours: red for what is refused, yellow for what is announced, green for an open site.
const (
	bold   = "1"
	red    = "1;31"
	green  = "1;32"
	yellow = "1;33"
)

func colorOf(s *schema.Status) string {
	switch {
	case s.Active:
		return red
	case s.Mode == string(state.Announce), len(s.Planned) > 0:
		return yellow
	}
	return green
}

func (p *Printer) paint(color, text string) string {
	if !p.Paint {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}
