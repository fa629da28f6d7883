package state

import (
	"fmt"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the rules of all zones: what a window means must not depend on what a container image brings
)

// maxZone bounds the name of a zone, in bytes; the longest in use has 32.
const maxZone = 64

// zones keeps the zones that were loaded: at most as many as there are.
var zones sync.Map // string → *time.Location

// loadZone returns the zone of an IANA name, by the machine's own rules where it has some, else by those that are linked
// in. The names that mean another zone on each machine are refused, and those that only some machines know.
func loadZone(name string) (*time.Location, error) {
	if loc, ok := zones.Load(name); ok {
		return loc.(*time.Location), nil
	}
	const how = `write an IANA name, as in Europe/Berlin, or UTC`
	switch {
	case name == "":
		return nil, fmt.Errorf("zone: it is missing: %s", how)
	case strings.EqualFold(name, "local"), strings.EqualFold(name, "localtime"):
		return nil, fmt.Errorf("zone: %q is another one on each machine: %s", name, how)
	case !plainZone(name):
		return nil, fmt.Errorf("zone: %.80q is no time zone: %s", name, how)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("zone: %.80q is not known on this machine: %s", name, how)
	}
	zones.Store(name, loc)
	return loc, nil
}

// plainZone reports whether a name has the form of IANA's: parts of letters, digits, '_', '+' and '-', a capital first.
// The files beside them ("right/…", "posixrules", "tzdata.zi") begin otherwise.
func plainZone(name string) bool {
	if len(name) > maxZone || name == "Factory" {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" {
			return false
		}
		for i := range len(part) {
			c := part[i]
			letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
			other := c >= '0' && c <= '9' || c == '_' || c == '+' || c == '-'
			if !letter && (i == 0 || !other) {
				return false
			}
		}
	}
	return name[0] >= 'A' && name[0] <= 'Z'
}

// farthest is more than any zone's clocks are from Greenwich.
const farthest = 26 * time.Hour

// first returns the first instant at which the clocks of a zone show a time on the wall or a later one. So a time that a
// change of clocks skips is the instant of the change, and one that it repeats is the first of the two. The time is given
// as if the clock stood in Greenwich.
func first(wall time.Time, loc *time.Location) time.Time {
	for at := wall.Add(-farthest).In(loc); ; {
		start, end := at.ZoneBounds()
		reached := wall.Add(-offset(at))
		if start.After(reached) {
			reached = start // the change to these clocks skipped it
		}
		if end.IsZero() || reached.Before(end) {
			return reached.UTC()
		}
		at = end
	}
}

// shown returns the latest time on the wall that the clocks of a zone have shown up to an instant: later than what they
// show now in the hour after they were set back. It is the counterpart of first: first(wall) is at or before an instant
// exactly if the wall time is at or before what is shown up to then.
func shown(until time.Time, loc *time.Location) time.Time {
	at := until.In(loc)
	latest := at.UTC().Add(offset(at))
	for {
		start, _ := at.ZoneBounds()
		if start.IsZero() || until.Sub(start) > farthest {
			return latest
		}
		at = start.Add(-1)
		if before := at.UTC().Add(offset(at)); before.After(latest) {
			latest = before
		}
	}
}

func offset(at time.Time) time.Duration {
	_, seconds := at.Zone()
	return time.Duration(seconds) * time.Second
}
