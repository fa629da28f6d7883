package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The limits of what recurs.
const (
	MinRepeatFor = time.Second
	MaxRepeatFor = 7 * 24 * time.Hour
)

// lastAfter is the last year of [Repeat].After: what comes next must still have a year of four digits.
const lastAfter = 9900

// A Repeat makes a window recur: it runs again and again, each time for the same length.
type Repeat struct {
	// Cron says when an occurrence begins: the five fields of crontab(5), minute, hour, day of the month, month, day of the
	// week, with names, ranges, steps and lists, as in "0 1 * * SUN". If both days are restricted either will do.
	Cron string
	// Zone is the IANA name of the time zone by whose clocks Cron is read, as in "Europe/Berlin", or "UTC". A time that a
	// change of clocks skips counts as the instant of the change; one that it repeats counts once, the first time.
	Zone string
	// For is how long an occurrence lasts: whole seconds that pass, whatever the clocks do in the meantime. From
	// MinRepeatFor to MaxRepeatFor.
	For time.Duration
	// After makes every occurrence void that begins at or before it. Zero: none.
	After time.Time
	// Extra holds members that a newer Recess wrote; see [State.Extra].
	Extra map[string]json.RawMessage
}

// repeat is the written form.
type repeat struct {
	Cron  string    `json:"cron"`
	Zone  string    `json:"zone"`
	For   string    `json:"for"`
	After time.Time `json:"after,omitzero"`
}

// MarshalJSON writes the recurrence with the members it does not know, as [Encode] does.
func (r Repeat) MarshalJSON() ([]byte, error) {
	return join(repeat{r.Cron, r.Zone, shortLength(r.For), r.After}, r.Extra)
}

// UnmarshalJSON reads a recurrence as [Decode] does.
func (r *Repeat) UnmarshalJSON(data []byte) error {
	known, extra, err := split(data, repeatNames)
	if err != nil {
		return err
	}
	var v repeat
	if err := json.Unmarshal(known, &v); err != nil {
		return err
	}
	length, err := readLength("repeat: for", v.For)
	if err != nil {
		return err
	}
	*r = Repeat{v.Cron, v.Zone, length, v.After, extra}
	return nil
}

// String is the recurrence in words: `every "0 1 * * SUN" in Europe/Berlin for 2h`.
func (r *Repeat) String() string {
	return fmt.Sprintf("every %q in %s for %s", r.Cron, r.Zone, shortLength(r.For))
}

// Check returns an error that names every fault of the recurrence, and what to write instead.
func (r *Repeat) Check() error {
	_, errCron := parseCron(r.Cron)
	_, errZone := loadZone(r.Zone)
	return errors.Join(errCron, errZone, r.checkFor(), r.checkAfter())
}

func (r *Repeat) checkFor() error {
	switch {
	case r.For < MinRepeatFor || r.For > MaxRepeatFor:
		return fmt.Errorf("for: %s is not between %s and %s", shortLength(r.For), shortLength(MinRepeatFor), shortLength(MaxRepeatFor))
	case r.For%time.Second != 0:
		return fmt.Errorf("for: %s has a fraction of a second: leave it out", r.For)
	}
	return nil
}

func (r *Repeat) checkAfter() error {
	if year := r.After.UTC().Year(); year > lastAfter {
		return fmt.Errorf("after: the year %d is not between 1970 and %d", year, lastAfter)
	}
	return checkYear("after", r.After)
}

// Distance returns the least distance of two occurrences that follow each other, by the clocks on the wall: a change of
// clocks can bring them closer together. It is MaxRepeatFor at most, and 0 for a recurrence that makes no sense.
func (r *Repeat) Distance() time.Duration {
	c, err := parseCron(r.Cron)
	if err != nil {
		return 0
	}
	// While every fourth year is a leap year the calendar comes again after 28 years, weekdays included.
	wall := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Minute)
	end := wall.AddDate(28, 0, 0)
	least := MaxRepeatFor
	before := time.Time{}
	for day := c.next(wall); !day.IsZero() && day.Before(end); day = c.next(midnight(day).Add(24*time.Hour - time.Minute)) {
		if !before.IsZero() {
			least = min(least, day.Sub(before))
		}
		before = c.last(midnight(day).Add(24*time.Hour - time.Minute))
	}
	// Every day has the same times: one is enough to compare them.
	for at := c.next(wall); ; {
		next := c.next(at)
		if next.IsZero() || !midnight(next).Equal(midnight(at)) {
			return least
		}
		least = min(least, next.Sub(at))
		at = next
	}
}

// A recurrence is a Repeat, made ready.
type recurrence struct {
	cron
	*Repeat
	loc *time.Location
}

// ready returns false for a recurrence that makes no sense, which no decoded document has.
func (r *Repeat) ready() (recurrence, bool) {
	c, errCron := parseCron(r.Cron)
	loc, errZone := loadZone(r.Zone)
	return recurrence{c, r, loc}, errors.Join(errCron, errZone, r.checkFor(), r.checkAfter()) == nil
}

// current returns when the last occurrence began that runs at an instant; false if none does.
func (r *recurrence) current(now time.Time) (time.Time, bool) {
	tick := r.last(shown(now, r.loc))
	if tick.IsZero() {
		return time.Time{}, false
	}
	start := first(tick, r.loc)
	return start, start.After(r.After) && now.Before(start.Add(r.For))
}

// following returns the first occurrence that begins after an instant; false if there is none before the year 10000.
func (r *recurrence) following(after time.Time) (time.Time, bool) {
	if after.Before(r.After) {
		after = r.After
	}
	tick := r.next(shown(after, r.loc))
	if tick.IsZero() || tick.Year() > 9999 {
		return time.Time{}, false
	}
	return first(tick, r.loc), true
}

// At returns the window as it is at an instant. A recurring one gets the start and the end of the occurrence that runs
// then, or of the next one; it keeps its Repeat. Any other is returned as it is. Where a length is greater than the
// distance of two occurrences, the one that began last counts.
func (w Window) At(now time.Time) Window {
	if w.Repeat == nil {
		return w
	}
	w.Start, w.End = now, now // over: what makes no sense never runs
	r, ok := w.Repeat.ready()
	if !ok {
		return w
	}
	start, ok := r.current(now)
	if !ok {
		start, ok = r.following(now)
	}
	if ok {
		w.Start, w.End = start, start.Add(w.Repeat.For)
	}
	return w
}

// At returns the state with each of its windows as it is at an instant: see [Window.At].
func (s *State) At(now time.Time) State {
	at := *s
	for i := range s.Windows {
		if s.Windows[i].Repeat == nil {
			continue
		}
		if &at.Windows[0] == &s.Windows[0] {
			at.Windows = append([]Window(nil), s.Windows...)
		}
		at.Windows[i] = s.Windows[i].At(now)
	}
	return at
}

// Upcoming returns the next occurrences that begin after an instant, n at most.
func (r *Repeat) Upcoming(after time.Time, n int) []time.Time {
	ready, ok := r.ready()
	var starts []time.Time
	for len(starts) < n && ok {
		if after, ok = ready.following(after); ok {
			starts = append(starts, after)
		}
	}
	return starts
}

// Same reports whether two recurrences have the same times in the same zone, however their expressions are spelled. Their
// lengths, and what is void of them, may differ.
func (r *Repeat) Same(other *Repeat) bool {
	a, err1 := parseCron(r.Cron)
	b, err2 := parseCron(other.Cron)
	return err1 == nil && err2 == nil && a == b && r.Zone == other.Zone
}
