package report

import (
	"fmt"
	"time"

	"github.com/recess-go/recess/core/cmd/recess/internal/moment"
	"github.com/recess-go/recess/core/internal/schema"
)

// Event is a line of "watch --json".
type Event struct {
	At       time.Time      `json:"at"`
	Event    string         `json:"event"`
	Active   bool           `json:"active"`           // after the event
	Revision int64          `json:"revision"`         // after the event; 0 if the document is unnumbered
	Window   *schema.Window `json:"window,omitempty"` // the one concerned
	Pass     *schema.Pass   `json:"pass,omitempty"`   // the one concerned
	Action   string         `json:"action,omitempty"` // the command that caused it
	By       *schema.Actor  `json:"by,omitempty"`     // who gave it
	Reason   string         `json:"reason,omitempty"` // as given with it
	Error    string         `json:"error,omitempty"`  // of unreachable, invalid and lost
	Status   *schema.Status `json:"status,omitempty"` // of watching
}

// Event writes an event as one line; "watching" also lists what there is.
func (p *Printer) Event(e *Event, place string) error {
	if e.Status != nil {
		return p.watching(e, place)
	}
	text := fmt.Sprintf("%s  %-11s", moment.Format(e.At, p.Loc), e.Event)
	switch {
	case e.Window != nil:
		text += "  " + p.about(e)
	case e.Pass != nil:
		text += fmt.Sprintf("  %s  for %s, until %s", schema.Clean(e.Pass.ID), schema.Clean(e.Pass.For), moment.Format(e.Pass.ExpiresAt, p.Loc))
	case e.Error != "":
		text += "  " + schema.Clean(e.Error)
	}
	if e.By != nil {
		if who := e.By.Who(); who != "" {
			text += " – by " + who
		}
	}
	if e.Reason != "" {
		text += " – " + schema.Clean(e.Reason)
	}
	color := yellow
	switch {
	case e.Error != "" || e.Event == "opened" || e.Event == "started":
		color = red
	case e.Event == "ended" || e.Event == "expired" || e.Event == "recovered":
		color = green
	}
	_, err := fmt.Fprintln(p.W, p.paint(color, text))
	return err
}

// about is the window of an event; of one that is over its times say nothing any more.
func (p *Printer) about(e *Event) string {
	if e.Event == "ended" {
		return p.Title(e.Window)
	}
	return p.Brief(e.Window)
}

func (p *Printer) watching(e *Event, place string) error {
	p.printf("%s  watching     %s. %s\n", moment.Format(e.At, p.Loc), place, p.paint(colorOf(e.Status), e.Status.Headline()))
	for i := range e.Status.Running {
		p.printf("    running  %s\n", p.Brief(&e.Status.Running[i]))
	}
	for i := range e.Status.Planned {
		p.printf("    planned  %s\n", p.Brief(&e.Status.Planned[i]))
	}
	_, err := fmt.Fprintln(p.W, "    Press Ctrl-C to end.")
	return err
}
