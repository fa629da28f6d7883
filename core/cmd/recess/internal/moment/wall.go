package moment

import (
	"fmt"
	"slices"
	"time"
)

// resolve finds the instant at which the clocks of a zone show a wall time.
func resolve(wall time.Time, loc *time.Location) (time.Time, error) {
	near := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, loc)
	var found []time.Time
	for _, offset := range offsets(near) {
		if t := wall.Add(-offset).In(loc); shows(t, wall) {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return time.Time{}, skipped(wall, near)
	}
	slices.SortFunc(found, time.Time.Compare)
	return time.Time{}, fmt.Errorf("%s comes twice in %s, when the clocks are set back: write %s for the first or %s for the second",
		wall.Format("2006-01-02 15:04:05"), zoneName(loc), found[0].Format(time.RFC3339), found[len(found)-1].Format(time.RFC3339))
}

// offsets lists the zone offsets in use just before, at and just after an instant, each once.
func offsets(near time.Time) []time.Duration {
	around := []time.Time{near}
	start, end := near.ZoneBounds()
	if !start.IsZero() {
		around = append(around, start.Add(-time.Second))
	}
	if !end.IsZero() {
		around = append(around, end)
	}
	var all []time.Duration
	for _, t := range around {
		if offset := offsetOf(t); !slices.Contains(all, offset) {
			all = append(all, offset)
		}
	}
	return all
}

func offsetOf(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

func shows(t, wall time.Time) bool {
	return wall.Equal(t.UTC().Add(offsetOf(t)))
}

// skipped is the error for a wall time that no clock shows. It reads it once by the clocks from before the change and
// once by those from after it.
func skipped(wall, near time.Time) error {
	start, end := near.ZoneBounds()
	change := start
	if start.IsZero() || !end.IsZero() && end.Sub(near) < near.Sub(start) {
		change = end
	}
	before, after := offsetOf(change.Add(-time.Second)), offsetOf(change)
	loc := near.Location()
	return fmt.Errorf("%s does not exist in %s, where the clocks are set forward: write %s or %s",
		wall.Format("2006-01-02 15:04:05"), zoneName(loc),
		wall.Add(-after).In(loc).Format(time.RFC3339), wall.Add(-before).In(loc).Format(time.RFC3339))
}

// zoneName names a zone; Go calls the machine's own one "Local".
func zoneName(loc *time.Location) string {
	if name := loc.String(); name != "Local" {
		return name
	}
	return "this machine's time zone"
}
