package state_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	instant, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return instant
}

// TestOccurrencesByTheClocksOfAZone has every change of clocks by hand: a time that is skipped begins with the change, a
// time that comes twice counts the first time, and a length is time that passes.
func TestOccurrencesByTheClocksOfAZone(t *testing.T) {
	for _, c := range []struct {
		name, cron, zone, after string
		want                    string // the next beginnings, in UTC
	}{
		{"every Sunday night", "0 1 * * SUN", "Europe/Berlin", "2026-11-21T12:00:00Z", "2026-11-22T00:00:00Z 2026-11-29T00:00:00Z 2026-12-06T00:00:00Z"},
		{"the same in summer", "0 1 * * SUN", "Europe/Berlin", "2026-06-20T12:00:00Z", "2026-06-20T23:00:00Z 2026-06-27T23:00:00Z"},
		{"UTC has no summer", "30 2 * * *", "UTC", "2027-03-27T12:00:00Z", "2027-03-28T02:30:00Z 2027-03-29T02:30:00Z"},
		{"a zone that left summer time behind", "0 3 * * *", "Asia/Tokyo", "2027-03-27T20:00:00Z", "2027-03-28T18:00:00Z 2027-03-29T18:00:00Z"},

		{"Berlin skips 02:30: it begins at 03:00", "30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", "2027-03-28T01:00:00Z 2027-03-29T00:30:00Z"},
		{"Berlin skips the only 02:30 of a year", "30 2 28 3 *", "Europe/Berlin", "2027-01-01T00:00:00Z", "2027-03-28T01:00:00Z 2028-03-28T00:30:00Z"},
		{"New York skips 02:30: it begins at 03:00", "30 2 * * *", "America/New_York", "2027-03-13T12:00:00Z", "2027-03-14T07:00:00Z 2027-03-15T06:30:00Z"},
		{"Lord Howe skips 02:15: it begins at 02:30", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T15:30:00Z 2026-10-04T15:15:00Z"},
		{"all that was skipped is one occurrence", "*/20 * * * *", "Europe/Berlin", "2027-03-28T00:30:00Z", "2027-03-28T00:40:00Z 2027-03-28T01:00:00Z 2027-03-28T01:20:00Z"},
		{"the last minute before the gap and the first after it", "59,0 1,3 * * *", "Europe/Berlin", "2027-03-28T00:30:00Z", "2027-03-28T00:59:00Z 2027-03-28T01:00:00Z 2027-03-28T01:59:00Z"},
		{"Samoa skipped a whole day", "0 12 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-29T22:00:00Z 2011-12-30T10:00:00Z 2011-12-30T22:00:00Z"},

		{"Berlin has 02:30 twice: the first", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z"},
		{"New York has 01:30 twice: the first", "30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z 2026-11-02T06:30:00Z"},
		{"Lord Howe has 01:45 twice: the first", "45 1 * * *", "Australia/Lord_Howe", "2027-04-03T12:00:00Z", "2027-04-03T14:45:00Z 2027-04-04T15:15:00Z"},
		{"between the two: it is over", "30 2 * * *", "Europe/Berlin", "2026-10-25T01:00:00Z", "2026-10-26T01:30:00Z"},
		{"an hourly one loses one", "15 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", "2026-10-25T00:15:00Z 2026-10-25T02:15:00Z"},
		{"03:00 after the second 02:59", "0 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T02:00:00Z"},

		{"the day of the month or the day of the week", "0 0 13 * FRI", "UTC", "2026-11-01T00:00:00Z", "2026-11-06T00:00:00Z 2026-11-13T00:00:00Z 2026-11-20T00:00:00Z"},
		{"both, where one of the fields begins with a star", "0 0 */2 * FRI", "UTC", "2026-11-01T00:00:00Z", "2026-11-13T00:00:00Z 2026-11-27T00:00:00Z"},
		{"a leap day", "0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
		{"a leap day on a Sunday, 40 years on", "0 0 29 2 */7", "UTC", "2088-03-01T00:00:00Z", "2128-02-29T00:00:00Z"},
		{"the 31st", "0 0 31 * *", "UTC", "2026-08-31T12:00:00Z", "2026-10-31T00:00:00Z 2026-12-31T00:00:00Z"},
		{"names, a range to Sunday, a list and blanks", " 0  1\t* jan,Dec FRI-SUN", "UTC", "2026-12-03T00:00:00Z", "2026-12-04T01:00:00Z 2026-12-05T01:00:00Z 2026-12-06T01:00:00Z 2026-12-11T01:00:00Z"},
		{"Sunday is 7 too", "0 1 * * 7", "UTC", "2026-11-21T00:00:00Z", "2026-11-22T01:00:00Z"},
		{"a step in a range", "10-30/10 5 * * *", "UTC", "2026-11-21T00:00:00Z", "2026-11-21T05:10:00Z 2026-11-21T05:20:00Z 2026-11-21T05:30:00Z 2026-11-22T05:10:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := state.Repeat{Cron: c.cron, Zone: c.zone, For: time.Minute}
			if err := r.Check(); err != nil {
				t.Fatal(err)
			}
			want := strings.Fields(c.want)
			var got []string
			for _, start := range r.Upcoming(at(t, c.after), len(want)) {
				got = append(got, start.Format(time.RFC3339))
			}
			if !slices.Equal(got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestALengthIsTimeThatPasses: whatever the clocks do while an occurrence runs.
func TestALengthIsTimeThatPasses(t *testing.T) {
	r := state.Repeat{Cron: "0 1 * * *", Zone: "Europe/Berlin", For: 2 * time.Hour}
	for _, c := range []struct{ name, now, start, end string }{
		{"over the gap the clocks go from 1 to 4", "2027-03-28T01:30:00Z", "2027-03-28T00:00:00Z", "2027-03-28T02:00:00Z"},
		{"in the hour that comes twice they go from 1 to 2", "2026-10-25T00:30:00Z", "2026-10-24T23:00:00Z", "2026-10-25T01:00:00Z"},
		{"at the end it is over", "2026-10-25T01:00:00Z", "2026-10-26T00:00:00Z", "2026-10-26T02:00:00Z"},
		{"a nanosecond before the end it is not", "2026-10-25T00:59:59.999999999Z", "2026-10-24T23:00:00Z", "2026-10-25T01:00:00Z"},
		{"at the beginning it runs", "2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z", "2026-11-21T02:00:00Z"},
		{"a nanosecond before it does not", "2026-11-20T23:59:59.999999999Z", "2026-11-21T00:00:00Z", "2026-11-21T02:00:00Z"},
	} {
		w := state.Window{Repeat: &r}.At(at(t, c.now))
		if !w.Start.Equal(at(t, c.start)) || !w.End.Equal(at(t, c.end)) {
			t.Errorf("%s: %s to %s", c.name, w.Start.Format(time.RFC3339), w.End.Format(time.RFC3339))
		}
	}
}

func TestAfterMakesOccurrencesVoid(t *testing.T) {
	night := at(t, "2026-11-21T01:00:00Z")
	r := state.Repeat{Cron: "0 1 * * *", Zone: "UTC", For: time.Hour}
	for _, c := range []struct {
		name              string
		after, now, start time.Time
		phase             state.Phase
	}{
		{"none", time.Time{}, night.Add(time.Minute), night, state.Running},
		{"the one that began before", night.Add(-1), night.Add(time.Minute), night, state.Running},
		{"the one that began then", night, night.Add(time.Minute), night.AddDate(0, 0, 1), state.Planned},
		{"at its own beginning", night, night, night.AddDate(0, 0, 1), state.Planned},
		{"all of a week", night.AddDate(0, 0, 7), night, night.AddDate(0, 0, 8), state.Planned},
	} {
		r.After = c.after
		w := state.Window{Repeat: &r}
		if got := w.At(c.now); !got.Start.Equal(c.start) || w.Phase(c.now) != c.phase {
			t.Errorf("%s: phase %d, start %s", c.name, w.Phase(c.now), got.Start)
		}
	}
}

// TestARecurringWindowIsNeverOver but for one without a future, and one that makes no sense never runs.
func TestARecurringWindowIsNeverOver(t *testing.T) {
	s := state.State{Windows: []state.Window{
		{ID: "night", Repeat: &state.Repeat{Cron: "0 1 * * *", Zone: "UTC", For: time.Hour}},
		{ID: "once", Start: noon, End: noon.Add(time.Hour)},
		{ID: "broken", Repeat: &state.Repeat{Cron: "x", Zone: "UTC", For: time.Hour}},
	}}
	var seen []string
	at := noon.Add(-time.Minute)
	for range 5 {
		at = s.NextBoundary(at)
		text := at.Format("02T15")
		for _, phase := range []state.Phase{state.Running, state.Planned} {
			text += "|"
			for _, w := range s.In(phase, at) {
				text += w.ID + w.Start.Format("@02T15")
			}
		}
		seen = append(seen, text)
	}
	want := []string{
		"21T12|once@21T12|night@22T01", "21T13||night@22T01", "22T01|night@22T01|", "22T02||night@23T01", "23T01|night@23T01|",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("got  %q\nwant %q", seen, want)
	}
	if s.Windows[0].Start != (time.Time{}) || s.Windows[0].Phase(time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)) != state.Planned {
		t.Error("looking at the state has changed it, or a recurrence has ended")
	}
	if resolved := s.At(noon); resolved.Windows[0].Start.IsZero() || resolved.Windows[1].Start != noon || !s.Windows[0].Start.IsZero() {
		t.Errorf("%+v", resolved)
	}
}

// TestOccurrencesThatOverlapRunThrough: a document may say what no order can.
func TestOccurrencesThatOverlapRunThrough(t *testing.T) {
	w := state.Window{Repeat: &state.Repeat{Cron: "*/30 8-9 * * *", Zone: "UTC", For: time.Hour}}
	for now := at(t, "2026-11-21T07:55:00Z"); now.Before(at(t, "2026-11-21T11:00:00Z")); now = now.Add(5 * time.Minute) {
		want := state.Planned
		if clock := now.Format("15:04"); clock >= "08:00" && clock < "10:30" {
			want = state.Running
		}
		if got := w.Phase(now); got != want {
			t.Errorf("at %s: phase %d, want %d", now.Format("15:04"), got, want)
		}
	}
	got := w.At(at(t, "2026-11-21T08:45:00Z"))
	if !got.Start.Equal(at(t, "2026-11-21T08:30:00Z")) || !got.End.Equal(at(t, "2026-11-21T09:30:00Z")) {
		t.Errorf("%s to %s: the last that began counts", got.Start, got.End)
	}
}

func TestDistance(t *testing.T) {
	const day = 24 * time.Hour
	for cron, want := range map[string]time.Duration{
		"* * * * *": time.Minute, "0 1 * * *": day, "0 1 * * SUN": 7 * day, "0 1 1 * *": 7 * day, "0 0 * * SAT,SUN": day,
		"*/7 * * * *": 4 * time.Minute, "0 23,1 * * *": 2 * time.Hour, "59,0 0,23 * * *": time.Minute, "0 1 1 * MON": day,
		"0 1 31 1 *": 7 * day, "0 1 28,1 2,3 *": day, "x": 0, "0 12 * * MON,WED": 2 * day, "30 0,23 * * 0,6": time.Hour,
	} {
		r := state.Repeat{Cron: cron, Zone: "UTC", For: time.Minute}
		if got := r.Distance(); got != want {
			t.Errorf("%s: %s, want %s", cron, got, want)
		}
	}
}

func TestRecurrencesThatAreTheSame(t *testing.T) {
	r := func(cron, zone string) *state.Repeat { return &state.Repeat{Cron: cron, Zone: zone} }
	if !r("0 1 * * SUN", "UTC").Same(r("00 1  * 1-12 7", "UTC")) {
		t.Error("spelled otherwise it is another one")
	}
	for _, other := range []*state.Repeat{r("0 1 * * MON", "UTC"), r("0 1 * * SUN", "Etc/UTC"), r("0 1 1-31 * SUN", "UTC"), r("x", "UTC")} {
		if r("0 1 * * SUN", "UTC").Same(other) || other.Same(r("0 1 * * SUN", "UTC")) {
			t.Errorf("%s is taken for another", other)
		}
	}
}

// TestFaultsOfARecurrence: what is wrong, where, and what to write instead.
func TestFaultsOfARecurrence(t *testing.T) {
	for _, c := range []struct{ name, cron, zone, says string }{
		{"nothing", "", "UTC", `cron: "" has 0 fields, it needs 5`},
		{"four fields", "0 1 * *", "UTC", "has 4 fields, it needs 5: minute, hour"},
		{"seconds", "0 0 1 * * SUN", "UTC", "has 6 fields"},
		{"a nickname", "@daily", "UTC", "has 1 fields"},
		{"a minute too far", "60 1 * * *", "UTC", `cron: minute: "60" is not a number between 0 and 59`},
		{"an hour too far in a list", "0 1,24 * * *", "UTC", `cron: hour: "24" is not a number between 0 and 23`},
		{"the day 0", "0 1 0 * *", "UTC", `cron: day of the month: "0" is not a number between 1 and 31`},
		{"a month's name for a weekday", "0 1 * * JAN", "UTC", `cron: day of the week: "JAN" is not a number between 0 and 7 or a name from SUN to SAT`},
		{"a weekday's name for a month", "0 1 * FRI *", "UTC", `cron: month: "FRI" is not a number between 1 and 12 or a name from JAN to DEC`},
		{"a name for a minute", "JAN * * * *", "UTC", "cron: minute"},
		{"a longer name", "0 1 * * MONDAY", "UTC", "cron: day of the week"},
		{"a range backwards", "0 5-1 * * *", "UTC", `"5-1": the range ends before it begins`},
		{"a range of three", "1-2-3 * * * *", "UTC", "cron: minute"},
		{"an open range", "5- * * * *", "UTC", "cron: minute"},
		{"an empty list", ", * * * *", "UTC", "cron: minute"},
		{"a comma too many", "1, * * * *", "UTC", "cron: minute"},
		{"the step 0", "*/0 * * * *", "UTC", `"*/0": the step "0" is not a number between 1 and 59`},
		{"a step of a single value", "5/10 * * * *", "UTC", "a step needs a range or a star before it"},
		{"two steps", "*/5/5 * * * *", "UTC", "the step"},
		{"a sign", "+5 * * * *", "UTC", "cron: minute"},
		{"a negative", "-5 * * * *", "UTC", "cron: minute"},
		{"digits of another script", "٥ * * * *", "UTC", "cron: minute"},
		{"Quartz' last day", "0 1 L * *", "UTC", "cron: day of the month"},
		{"Quartz' question mark", "0 1 ? * SUN", "UTC", "cron: day of the month"},
		{"a control character for a blank", "0\u00851 * * *", "UTC", "has 4 fields"},
		{"a line feed for a blank", "0\n1 * * *", "UTC", "has 4 fields"},
		{"a 30th of February", "0 1 30 2 *", "UTC", `"0 1 30 2 *" never comes`},
		{"31sts of short months", "0 1 31 2,4,6,9,11 */2", "UTC", "never comes"},
		{"too long", strings.Repeat("1,", 300) + "1 * * * *", "UTC", "at most 512 are read"},

		{"no zone", "0 1 * * *", "", "zone: it is missing: write an IANA name, as in Europe/Berlin, or UTC"},
		{"the machine's own zone", "0 1 * * *", "Local", `zone: "Local" is another one on each machine`},
		{"the same by its file", "0 1 * * *", "localtime", "is another one on each machine"},
		{"a zone that is none", "0 1 * * *", "Europe/Berln", `zone: "Europe/Berln" is not known on this machine`},
		{"leap seconds", "0 1 * * *", "right/Europe/Berlin", "is no time zone"},
		{"the default rules", "0 1 * * *", "posixrules", "is no time zone"},
		{"the zone of a machine that was not set up", "0 1 * * *", "Factory", "is no time zone"},
		{"a path", "0 1 * * *", "/etc/localtime", "is no time zone"},
		{"a path upwards", "0 1 * * *", "Europe/../Europe/Berlin", "is no time zone"},
		{"a folder", "0 1 * * *", "Europe", "is not known on this machine"},
		{"an offset", "0 1 * * *", "+01:00", "is no time zone"},
		{"a long name", "0 1 * * *", strings.Repeat("A", 65), "is no time zone"},
	} {
		r := state.Repeat{Cron: c.cron, Zone: c.zone, For: time.Hour}
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 400 {
			t.Errorf("%s: %v, want one that says %q", c.name, err, c.says)
		}
	}
	for length, says := range map[time.Duration]string{
		0: "for: 0s is not between 1s and 168h", -time.Hour: "is not between", 8 * 24 * time.Hour: "for: 192h is not between", 1500 * time.Millisecond: "fraction of a second",
	} {
		r := state.Repeat{Cron: "0 1 * * *", Zone: "UTC", For: length}
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want one that says %q", length, err, says)
		}
	}
	all := state.Repeat{Cron: "x", Zone: "x", After: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	for _, says := range []string{"cron:", "zone:", "for:", "after: the year 9999"} {
		if err := all.Check(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("not every fault is named: %v", err)
		}
	}
}

// naive is crontab(5) a second time, by sets of numbers.
type naive struct {
	minutes, hours, days, months, weekdays map[int]bool
	star                                   bool
}

func readNaive(text string) naive {
	f := strings.Fields(text)
	set := func(field string, low, high int) map[int]bool {
		all := make(map[int]bool)
		for part := range strings.SplitSeq(field, ",") {
			span, step, stepped := strings.Cut(part, "/")
			from, to, _ := strings.Cut(span, "-")
			first, last, by := low, high, 1
			if span != "*" {
				first, _ = strconv.Atoi(from)
				last = first
				if to != "" {
					last, _ = strconv.Atoi(to)
				}
			}
			if stepped {
				by, _ = strconv.Atoi(step)
			}
			for i := first; i <= last; i += by {
				all[i] = true
			}
		}
		return all
	}
	n := naive{set(f[0], 0, 59), set(f[1], 0, 23), set(f[2], 1, 31), set(f[3], 1, 12), set(f[4], 0, 7), f[2][0] == '*' || f[4][0] == '*'}
	n.weekdays[0] = n.weekdays[0] || n.weekdays[7]
	return n
}

func (n *naive) at(wall time.Time) bool {
	day, weekday := n.days[wall.Day()], n.weekdays[int(wall.Weekday())]
	return n.minutes[wall.Minute()] && n.hours[wall.Hour()] && n.months[int(wall.Month())] && (day && weekday || !n.star && (day || weekday))
}

// walk finds the occurrences between two instants minute by minute: each minute on the wall once, when it or a later one
// is shown for the first time.
func (n *naive) walk(loc *time.Location, from, to time.Time) (starts []time.Time) {
	wall := func(t time.Time) time.Time {
		t = t.In(loc)
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
	}
	latest := wall(from.AddDate(0, 0, -2))
	for now := from.AddDate(0, 0, -2); now.Before(to); now = now.Add(time.Minute) {
		begins := false
		for ; latest.Before(wall(now)); latest = latest.Add(time.Minute) {
			begins = begins || n.at(latest.Add(time.Minute))
		}
		if begins && now.After(from) {
			starts = append(starts, now)
		}
	}
	return starts
}

// changes are instants near which the clocks of some zone change, and one near which none does.
var changes = []struct {
	zone string
	near string
}{
	{"Europe/Berlin", "2027-03-28T01:00:00Z"},
	{"Europe/Berlin", "2026-10-25T01:00:00Z"},
	{"America/New_York", "2027-03-14T07:00:00Z"},
	{"America/New_York", "2026-11-01T06:00:00Z"},
	{"Australia/Lord_Howe", "2026-10-03T15:30:00Z"},
	{"Australia/Lord_Howe", "2027-04-03T15:00:00Z"},
	{"Pacific/Apia", "2011-12-30T10:00:00Z"},
	{"America/St_Johns", "2006-10-29T02:31:00Z"},
	{"Africa/Casablanca", "2026-03-22T02:00:00Z"},
	{"Asia/Tokyo", "2027-02-28T15:00:00Z"},
	{"UTC", "2027-12-31T00:00:00Z"},
	{"Asia/Kathmandu", "2028-02-28T18:15:00Z"},
	{"Pacific/Kwajalein", "1993-08-21T12:00:00Z"},
}

func randomField(random *rand.Rand, low, high int) string {
	value := func() int { return low + random.IntN(high-low+1) }
	a, b := value(), value()
	switch a, b := min(a, b), max(a, b); random.IntN(9) {
	case 0, 1, 2, 3:
		return "*"
	case 4:
		return strconv.Itoa(a)
	case 5:
		return fmt.Sprintf("%d-%d", a, b)
	case 6:
		return fmt.Sprintf("*/%d", 1+random.IntN(high))
	case 7:
		return fmt.Sprintf("%d,%d", b, a)
	default:
		return fmt.Sprintf("%d-%d/%d,%d", a, b, 1+random.IntN(5), value())
	}
}

// checkAgainstTheWalk compares what the state says of a recurrence with a walk through all minutes.
func checkAgainstTheWalk(t *testing.T, r state.Repeat, now time.Time) {
	t.Helper()
	const days = 5
	loc, err := time.LoadLocation(r.Zone)
	if err != nil {
		t.Fatal(err)
	}
	n := readNaive(r.Cron)
	from := now.Add(-r.For)
	starts := n.walk(loc, from, now.AddDate(0, 0, days))
	starts = slices.DeleteFunc(starts, func(start time.Time) bool { return !start.After(r.After) })
	var running, planned []time.Time
	for _, start := range starts {
		if start.After(now) {
			planned = append(planned, start)
		} else {
			running = append(running, start)
		}
	}
	upcoming := r.Upcoming(now, len(planned)+1)
	if len(upcoming) > 0 && upcoming[len(upcoming)-1].Before(now.AddDate(0, 0, days)) {
		t.Fatalf("%s, after %s: %s is not among %s", r.String(), now, upcoming[len(upcoming)-1], planned)
	}
	for i, want := range planned {
		if i >= len(upcoming) || !upcoming[i].Equal(want) {
			t.Fatalf("%s, after %s: %v\nwant %v", r.String(), now.Format(time.RFC3339), upcoming, planned)
		}
	}
	w := state.Window{Repeat: &r}
	phase := state.Planned
	var want []time.Time
	switch {
	case len(running) > 0:
		phase, want = state.Running, running[len(running)-1:]
	case len(planned) > 0:
		want = planned[:1]
	}
	got := w.At(now)
	if w.Phase(now) != phase || len(want) > 0 && (!got.Start.Equal(want[0]) || got.End.Sub(got.Start) != r.For) {
		t.Fatalf("%s, at %s: phase %d, %s to %s, want phase %d, from %v", r.String(), now.Format(time.RFC3339), w.Phase(now), got.Start, got.End, phase, want)
	}
}

func TestOccurrencesAreThoseOfAWalkThroughAllMinutes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 600 {
		change := changes[random.IntN(len(changes))]
		r := state.Repeat{Zone: change.zone, For: time.Duration(1+random.IntN(300)) * time.Minute}
		r.Cron = strings.Join([]string{randomField(random, 0, 59), randomField(random, 0, 23), randomField(random, 1, 31), randomField(random, 1, 12), randomField(random, 0, 7)}, " ")
		if random.IntN(2) == 0 { // near the change
			r.Cron = fmt.Sprintf("%s %s * * *", randomField(random, 0, 59), randomField(random, 0, 4))
		}
		now := at(t, change.near).Add(time.Duration(random.IntN(6*24*60)-3*24*60) * time.Minute)
		if random.IntN(2) == 0 {
			now = at(t, change.near).Add(time.Duration(random.IntN(4*60)-2*60) * time.Minute)
		}
		if random.IntN(4) == 0 {
			r.After = now.Add(time.Duration(random.IntN(600)-300) * time.Minute)
		}
		if r.Check() != nil {
			continue // it never comes
		}
		checkAgainstTheWalk(t, r, now)
	}
}

// FuzzRepeat: whatever stands in a recurrence, nothing panics or takes long; what passes the check has occurrences in their
// order, and one of them holds each instant at which the window runs.
func FuzzRepeat(f *testing.F) {
	f.Add("0 1 * * SUN", "Europe/Berlin", int64(7200), int64(1795256452), int64(0))
	f.Add("*/20 0-4 29 2 */7", "Australia/Lord_Howe", int64(60), int64(1791041400), int64(1791041400))
	f.Add("* * * * *", "UTC", int64(604800), int64(1<<40), int64(-1))
	f.Add("59 23 31 12 0-7/7", "Pacific/Apia", int64(1), int64(1325239200), int64(1<<33))
	f.Fuzz(func(t *testing.T, cron, zone string, length, now, after int64) {
		const years = 9900 - 1970
		r := state.Repeat{Cron: cron, Zone: zone, For: time.Duration(length) * time.Second, After: time.Unix(after%(years*365*86400), 0).UTC()}
		instant := time.Unix(now%(years*365*86400), 0).UTC()
		s := state.State{Version: state.Version, Windows: []state.Window{{ID: "w", Mode: state.Full, Repeat: &r}}}
		err := r.Check()
		if (err == nil) != (s.Validate() == nil) {
			t.Fatalf("the recurrence: %v, the state with it: %v", err, s.Validate())
		}
		if err != nil {
			if r.Upcoming(instant, 1) != nil || s.Windows[0].Phase(instant) == state.Running || len(err.Error()) > 1000 {
				t.Fatalf("it comes or runs, or its error is long: %v", err)
			}
			return
		}
		before := instant
		for _, start := range r.Upcoming(instant, 5) {
			if !start.After(before) || !start.After(r.After) || start.Year() > 9999 {
				t.Fatalf("%s begins after %s, after %s", start, before, r.After)
			}
			w := s.Windows[0]
			if got := w.At(start); !got.Start.Equal(start) || w.Phase(start) != state.Running {
				t.Fatalf("at %s it is %+v", start, got)
			}
			before = start
		}
		w := s.Windows[0].At(instant)
		if running := !instant.Before(w.Start) && instant.Before(w.End); running != (w.Phase(instant) == state.Running) {
			t.Fatalf("at %s from %s to %s: phase %d", instant, w.Start, w.End, w.Phase(instant))
		}
		checkRoundTrip(t, s)
		if d := r.Distance(); d < time.Minute || d > state.MaxRepeatFor {
			t.Fatalf("the distance is %s", d)
		}
	})
}

func TestADjangoFileCannotRecur(t *testing.T) {
	s := state.State{Version: state.Version, Windows: []state.Window{{ID: "w", Mode: state.Full, Repeat: &state.Repeat{Cron: "0 1 * * *", Zone: "UTC", For: time.Hour}}}}
	if _, err := state.EncodeDjango(s, noon); !errors.Is(err, state.ErrInexpressible) || !strings.Contains(err.Error(), "window w recurs") {
		t.Error(err)
	}
}

// TestTheTimesOfAMomentAreNotWritten: what an edit made of a window at an instant is the same document.
func TestTheTimesOfAMomentAreNotWritten(t *testing.T) {
	s := full()
	if a, b := mustEncode(t, s), mustEncode(t, s.At(noon)); string(a) != string(b) {
		t.Errorf("%s\nat an instant\n%s", a, b)
	}
}
