// Package schema is what the command line and the admin API say of states, changes and instances: to machines in JSON, to
// people in words.
package schema

import (
	"math"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
)

// Status is what "status --json" writes. Members are only ever added.
type Status struct {
	State    string   `json:"state"`    // the state URL without its secrets; "" if the application brought the backend
	Exists   bool     `json:"exists"`   // a document was ever written
	Active   bool     `json:"active"`   // something is refused; announcements refuse nothing
	Mode     string   `json:"mode"`     // the strongest mode that runs; "" if none does
	Forced   string   `json:"forced"`   // "on" or "off" while RECESS_MODE or the application forces it, else ""
	Epoch    int64    `json:"epoch"`    // of the document; 0 if it is unnumbered
	Revision int64    `json:"revision"` // of the document; 0 if it is unnumbered
	Running  []Window `json:"running"`
	Planned  []Window `json:"planned"`
	History  []Entry  `json:"history"` // oldest first
	Problem  string   `json:"problem"` // why the state could not be read, while a forced mode makes that unimportant
}

// Window is one window.
type Window struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`  // "" is the scope's own window
	Scope    string            `json:"scope"` // "" is the whole site
	Mode     string            `json:"mode"`
	StartsAt *time.Time        `json:"starts_at"` // null: it has begun
	EndsAt   *time.Time        `json:"ends_at"`   // null: until somebody ends it
	Hold     *int              `json:"hold"`      // seconds for which a request waits at most; null unless the mode is hold
	RampAt   *time.Time        `json:"ramp_at"`   // null: everybody is let in at the end; else since when a growing share is
	Share    float64           `json:"share"`     // of the visitors, that it lets in now: 0 to 1
	Lease    *Lease            `json:"lease"`     // null: it needs no holder; else it lasts only while that renews it
	Repeat   *Repeat           `json:"repeat"`    // null: it runs once; else starts_at and ends_at are those of what runs or comes next
	Messages map[string]string `json:"messages"`  // by language tag, "" for everybody else
	Reason   string            `json:"reason"`
	OpenedBy Actor             `json:"opened_by"`
	OpenedAt *time.Time        `json:"opened_at"`

	reopening bool // its ramp has begun
}

// Repeat is how a window recurs.
type Repeat struct {
	Cron   string      `json:"cron"`
	Zone   string      `json:"zone"`
	For    float64     `json:"for_seconds"`
	After  *time.Time  `json:"after"`   // what begins at this instant or before is void; null: nothing is
	NextAt []time.Time `json:"next_at"` // the three beginnings after starts_at
	Words  string      `json:"-"`
}

// Lease is how long a window outlives its holder.
type Lease struct {
	TTL      int    `json:"ttl_seconds"`
	Renewals int64  `json:"renewals"`
	Words    string `json:"-"`
}

// Actor is who did something; members are "" where that is not known.
type Actor struct {
	Name   string `json:"name"`
	Host   string `json:"host"`
	Source string `json:"source"`
}

// Entry is one change in the history.
type Entry struct {
	Revision int64      `json:"revision"`
	At       *time.Time `json:"at"`
	By       Actor      `json:"by"`
	Action   string     `json:"action"`
	Windows  []string   `json:"windows"`
	Reason   string     `json:"reason"`
	Replaced string     `json:"replaced"`
}

// History is what "history --json" writes.
type History struct {
	Revision int64   `json:"revision"` // of the document; 0 if it is unnumbered
	History  []Entry `json:"history"`  // oldest first
}

// Change is what every command that changes something writes with --json.
type Change struct {
	Action    string   `json:"action"`  // "on", "off", "schedule", "cancel", "repair"
	Changed   bool     `json:"changed"` // false: it was so already, and nothing was written
	Opened    []Window `json:"opened"`  // running or planned
	Updated   []Window `json:"updated"`
	Ended     []Window `json:"ended"`     // ran until now
	Cancelled []Window `json:"cancelled"` // were planned
	Recurring []Window `json:"recurring"` // of those in ended: they come again, as given here
	Started   bool     `json:"started"`   // there was no document, and off wrote one
	Anew      bool     `json:"anew"`      // a repair wrote the document anew
	Unasked   string   `json:"unasked"`   // why a repair could not ask the instances how far they are; "" if it could
	Salvaged  string   `json:"salvaged"`  // where the broken document is kept that was replaced; "" if it was not broken
	Status    Status   `json:"status"`    // as it is now
}

// StatusOf describes a state at an instant.
func StatusOf(s state.State, now time.Time) Status {
	running := s.In(state.Running, now)
	windows := Windows(running)
	for i := range running {
		windows[i].Share = math.Round(running[i].Share(now)*1000) / 1000
		windows[i].reopening = running[i].Reopening(now)
	}
	status := Status{
		Exists: true, Epoch: s.Epoch, Revision: s.Revision,
		Running: windows, Planned: Windows(s.In(state.Planned, now)), History: []Entry{},
	}
	if mode, ok := strongest(running); ok {
		status.Mode, status.Active = string(mode), mode != state.Announce
	}
	for _, e := range s.History {
		status.History = append(status.History, Entry{
			e.Revision, instant(e.At), Actor(e.By), e.Action, append([]string{}, e.Windows...), e.Reason, e.Replaced,
		})
	}
	return status
}

// Force lays a forced mode over a status.
func (s *Status) Force(forced recess.Force) {
	s.Forced = forced.String()
	switch forced {
	case recess.ForcedOn:
		s.Active, s.Mode = true, string(state.Full)
	case recess.ForcedOff:
		s.Active, s.Mode = false, ""
	}
}

func strongest(running []state.Window) (mode state.Mode, ok bool) {
	for i := range running {
		if w := &running[i]; !ok || w.Mode.Strength() > mode.Strength() {
			mode, ok = w.Mode, true
		}
	}
	return mode, ok
}

// ChangeOf describes a change. What was ended after its time had come to run has ended; the rest was cancelled.
func ChangeOf(action string, c *recess.Change, now time.Time) Change {
	change := Change{
		Action: action, Changed: c.Changed(), Opened: Windows(c.Opened), Updated: Windows(c.Updated), Started: c.Started, Anew: c.Anew, Salvaged: c.Salvaged,
		Ended: []Window{}, Cancelled: []Window{}, Recurring: Windows(c.Recurring), Status: StatusOf(c.After, now),
	}
	if c.Unasked != nil {
		change.Unasked = c.Unasked.Error()
	}
	for _, w := range c.Ended {
		if w.Phase(now) == state.Planned {
			change.Cancelled = append(change.Cancelled, WindowOf(w))
		} else {
			change.Ended = append(change.Ended, WindowOf(w))
		}
	}
	return change
}

// Windows describes windows; the slice is never nil, so that JSON has [] and not null.
func Windows(windows []state.Window) []Window {
	all := []Window{}
	for _, w := range windows {
		all = append(all, WindowOf(w))
	}
	return all
}

// WindowOf describes a window, as [state.Window.At] has it at some instant.
func WindowOf(w state.Window) Window {
	messages := w.Messages
	if messages == nil {
		messages = map[string]string{}
	}
	var hold *int
	if w.Mode == state.Hold {
		seconds := int(w.HoldFor() / time.Second)
		hold = &seconds
	}
	return Window{
		w.ID, w.Name, w.Scope, string(w.Mode), instant(w.Start), instant(w.End), hold, rampOf(w), 0, leaseOf(w), repeatOf(w), messages, w.Reason, Actor(w.OpenedBy), instant(w.OpenedAt), false,
	}
}

func leaseOf(w state.Window) *Lease {
	if w.Lease == nil {
		return nil
	}
	return &Lease{int(w.Lease.TTL / time.Second), w.Lease.Renewals, w.Lease.String()}
}

func repeatOf(w state.Window) *Repeat {
	r := w.Repeat
	if r == nil {
		return nil
	}
	next := append([]time.Time{}, r.Upcoming(w.Start, shownNext)...)
	return &Repeat{Cron: r.Cron, Zone: r.Zone, For: r.For.Seconds(), After: instant(r.After), NextAt: next, Words: r.String()}
}

// shownNext is how many of the beginnings are shown that follow the one that runs or comes next.
const shownNext = 3

// instant is a time in UTC; null if there is none, or none that RFC 3339 can write: a document's history may say anything.
func instant(t time.Time) *time.Time {
	t = t.UTC()
	if y := t.Year(); t.IsZero() || y < 0 || y > 9999 {
		return nil
	}
	return &t
}

// rampOf is when a window begins to let visitors in; null if it does not before its end.
func rampOf(w state.Window) *time.Time {
	if w.Ramp == 0 || w.End.IsZero() {
		return nil
	}
	return instant(w.End.Add(-w.Ramp))
}
