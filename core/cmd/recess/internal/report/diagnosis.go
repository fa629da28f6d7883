package report

import (
	"fmt"
	"time"

	recess "github.com/recess-go/recess/core"
)

// Diagnosis is what "doctor --json" writes. Members are only ever added.
type Diagnosis struct {
	State     string     `json:"state"`   // the state URL without its secrets; "" if the application brought the backend
	Healthy   bool       `json:"healthy"` // no check is bad
	Checks    []Check    `json:"checks"`
	Instances []Instance `json:"instances"`
}

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"check"`  // "mode", "reading", "document", "instances", "memory", "snapshot"
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

// Instance is one that follows the state.
type Instance struct {
	ID            string               `json:"id"`
	Name          string               `json:"name"`
	Host          string               `json:"host"`
	PID           int                  `json:"pid"`
	Version       string               `json:"version"`
	Epoch         int64                `json:"epoch"`
	Revision      int64                `json:"revision"` // of the state that it decides on
	Follower      recess.FollowerPhase `json:"follower"`
	FollowerSince *time.Time           `json:"follower_since"`
	LastError     string               `json:"last_error"`
	Source        string               `json:"source"` // where it reads the state from; "" if it has one place only
	InFlight      int64                `json:"in_flight"`
	Streams       int64                `json:"streams"`         // of these, long-lived requests
	Closing       int64                `json:"closing"`         // of the streams, those that were told to end
	Held          int64                `json:"held"`            // requests that wait for the end of a window; they are not in flight
	ClockOffset   int64                `json:"clock_offset_ms"` // how far its clock is ahead of the backend's at least
	Remembers     bool                 `json:"remembers"`       // it holds a document that the backend has lost
}

// InstancesOf describes a fleet; the slice is never nil.
func InstancesOf(fleet []recess.Instance) []Instance {
	all := []Instance{}
	for _, i := range fleet {
		all = append(all, Instance{
			i.ID, i.Name, i.Host, i.PID, i.Version, i.Epoch, i.Revision, i.Follower, instant(i.FollowerSince), i.LastError, i.Source, i.InFlight, i.Streams, i.Closing, i.Held, i.ClockOffset,
			len(i.Known) > 0,
		})
	}
	return all
}

// Diagnosis writes the checks, what to do about them, and the instances.
func (p *Printer) Diagnosis(d *Diagnosis, place string) {
	p.printf("State: %s.\n\n", place)
	colors := map[Result]string{OK: green, Note: green, Warning: yellow, Bad: red}
	for _, c := range d.Checks {
		p.printf("%s  %-10s %s\n", p.paint(colors[c.Result], pad(string(c.Result))), c.Name, Clean(c.Text))
		if c.Advice != "" {
			p.printf("%20s%s\n", "", Clean(c.Advice))
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

func (p *Printer) instance(i *Instance) string {
	text := p.paint(bold, Clean(i.ID))
	if i.Host != "" {
		text += " on " + Clean(i.Host)
	}
	text += ": " + Clean(string(i.Follower))
	if i.Revision > 0 {
		text += fmt.Sprintf(", revision %d", i.Revision)
	}
	if i.Source != "" {
		text += ", from " + Clean(i.Source)
	}
	if i.LastError != "" {
		text += "; " + Clean(i.LastError)
	}
	return text
}
