package report

import (
	"fmt"

	"github.com/recess-go/recess/core/internal/schema"
)

// Diagnosis is what "doctor --json" writes. Members are only ever added.
type Diagnosis struct {
	State     string            `json:"state"`   // the state URL without its secrets; "" if the application brought the backend
	Healthy   bool              `json:"healthy"` // no check is bad
	Checks    []Check           `json:"checks"`
	Instances []schema.Instance `json:"instances"`
}

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"check"`  // "mode", "reading", "document", "instances", "memory", "snapshot", "configuration", …
	Result Result `json:"result"` // "ok", "note", "warning" or "bad"
	Text   string `json:"text"`
	Advice string `json:"advice"` // what to do; "" if nothing has to be done
}

// A Result says how bad a check's finding is.
type Result string

// The results, from good to bad. A note is worth knowing and no fault.
const (
	OK      Result = "ok"
	Note    Result = "note"
	Warning Result = "warning"
	Bad     Result = "bad"
)

// Diagnosis writes the checks, what to do about them, and the instances.
func (p *Printer) Diagnosis(d *Diagnosis, place string) {
	p.printf("State: %s.\n\n", place)
	colors := map[Result]string{OK: green, Note: green, Warning: yellow, Bad: red}
	for _, c := range d.Checks {
		p.printf("%s  %-10s %s\n", p.paint(colors[c.Result], pad(string(c.Result))), c.Name, schema.Clean(c.Text))
		if c.Advice != "" {
			p.printf("%20s%s\n", "", schema.Clean(c.Advice))
		}
	}
	if len(d.Instances) > 0 {
		p.printf("\nInstances:\n")
	}
	for _, i := range d.Instances {
		p.printf("  %s\n", p.instance(&i))
	}
}

func pad(result string) string {
	const width = len(Warning)
	return result + "       "[:width-len(result)]
}

func (p *Printer) instance(i *schema.Instance) string {
	text := p.paint(bold, schema.Clean(i.ID))
	if i.Host != "" {
		text += " on " + schema.Clean(i.Host)
	}
	text += ": " + schema.Clean(string(i.Follower))
	if i.Revision > 0 {
		text += fmt.Sprintf(", revision %d", i.Revision)
	}
	if i.Source != "" {
		text += ", from " + schema.Clean(i.Source)
	}
	if i.LastError != "" {
		text += "; " + schema.Clean(i.LastError)
	}
	return text
}
