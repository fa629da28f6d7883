package report

import (
	"fmt"
	"strings"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/moment"
	"github.com/recess-go/recess/core/internal/schema"
)

// Drain is an event of "drain --json" and "on --drain --json". Members are only ever added.
type Drain struct {
	At        time.Time       `json:"at"`
	Event     string          `json:"event"`   // "progress", "drained" or "not_drained"
	Drained   int             `json:"drained"` // of the instances, with those that have ended
	Revision  int64           `json:"revision"`
	Windows   []schema.Window `json:"windows"` // that it is drained for
	Instances []DrainInstance `json:"instances"`
	Trouble   string          `json:"trouble"` // why the backend could not be asked; "" if it was
}

// DrainInstance is an instance in a drain.
type DrainInstance struct {
	schema.Instance
	Phase   recess.DrainPhase `json:"phase"`
	Earlier int64             `json:"earlier"` // requests that it admitted before, and that run still
	Oldest  []recess.Work     `json:"oldest"`  // of these, what has a name: the oldest, at most five
	Text    string            `json:"text"`
}

// DrainOf describes how far a drain has come. The slices are never nil.
func DrainOf(event string, p *recess.Progress, now time.Time) Drain {
	d := Drain{
		At: now.UTC(), Event: event, Drained: p.Count(recess.Drained) + p.Count(recess.Left), Revision: p.Revision,
		Windows: schema.Windows(p.Windows), Instances: []DrainInstance{},
	}
	if p.Trouble != nil {
		d.Trouble = p.Trouble.Error()
	}
	for _, i := range p.Instances {
		about := schema.InstancesOf([]recess.Instance{i.Instance})[0]
		d.Instances = append(d.Instances, DrainInstance{about, i.Phase, i.Earlier, append([]recess.Work{}, i.Oldest...), i.Words()})
	}
	return d
}

// Sum is a drain in half a line: "2 of 3 instances drained, 4 requests to finish".
func (d *Drain) Sum() string {
	text := fmt.Sprintf("%d of %s drained", d.Drained, count(int64(len(d.Instances)), "instance"))
	requests, behind, lost := int64(0), 0, 0
	for _, i := range d.Instances {
		switch i.Phase {
		case recess.Draining:
			requests += i.Earlier
		case recess.Behind:
			behind++
		case recess.Lost:
			lost++
		}
	}
	if requests > 0 {
		text += fmt.Sprintf(", %s to finish", count(requests, "request"))
	}
	if behind > 0 {
		text += fmt.Sprintf(", %d behind", behind)
	}
	if lost > 0 {
		text += fmt.Sprintf(", %d lost", lost)
	}
	if d.Trouble != "" {
		text += "; the backend does not answer"
	}
	return text
}

// oldest names what has run the longest on those that are late; "" if nothing has a name.
func (d *Drain) oldest() string {
	var first recess.Work
	where := ""
	for _, i := range d.Instances {
		if i.Phase == recess.Draining && len(i.Oldest) > 0 && (where == "" || i.Oldest[0].Age > first.Age) {
			first, where = i.Oldest[0], i.ID
		}
	}
	if where == "" {
		return ""
	}
	return fmt.Sprintf(", the oldest: %s on %s", schema.Clean(first.String()), schema.Clean(where))
}

func count(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}

// barWidth is that of a progress bar, in characters.
const barWidth = 30

// DrainBar writes a drain over what stands in the terminal's line, which does not wrap meanwhile: what is too long for it is
// cut off (DECAWM).
func (p *Printer) DrainBar(d *Drain, since time.Time) {
	full := barWidth
	if len(d.Instances) > 0 {
		full = barWidth * d.Drained / len(d.Instances)
	}
	bar := p.paint(green, strings.Repeat("█", full)) + strings.Repeat("░", barWidth-full)
	p.printf("\r\x1b[K\x1b[?7l%s %s (%s)%s\x1b[?7h", bar, d.Sum(), d.At.Sub(since).Round(time.Second), d.oldest())
}

// EndBar takes the bar away.
func (p *Printer) EndBar() { p.printf("\r\x1b[K") }

// DrainChange writes a line for an instance whose phase has changed.
func (p *Printer) DrainChange(d *Drain, i *DrainInstance) {
	color := yellow
	switch i.Phase {
	case recess.Drained, recess.Left:
		color = green
	case recess.Lost, recess.Unable:
		color = red
	}
	text := fmt.Sprintf("%s  %-9s  %s", moment.Format(d.At, p.Loc), i.Phase, schema.Clean(i.ID))
	if i.Phase != recess.Drained && i.Phase != recess.Left {
		text += " " + schema.Clean(i.Text)
	}
	p.printf("%s\n", p.paint(color, text))
}

// DrainTrouble writes a line about a backend that does not answer.
func (p *Printer) DrainTrouble(d *Drain) {
	p.printf("%s\n", p.paint(red, fmt.Sprintf("%s  %-9s  %s", moment.Format(d.At, p.Loc), "waiting", schema.Clean(d.Trouble))))
}
