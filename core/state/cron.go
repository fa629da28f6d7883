package state

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxCron bounds a cron expression, in bytes. The longest that says something new lists 60 minutes, 24 hours and so on.
const maxCron = 512

// A cron is a cron expression, made ready: one bit for each value that a field names. Two expressions that mean the same
// are equal.
type cron struct {
	minutes uint64
	hours   uint32
	days    uint32 // of the month
	months  uint16
	weekday uint8 // bit 0 is Sunday
	// anyDay and anyWeekday say that the field begins with a star: see on.
	anyDay, anyWeekday bool
}

// A cronField is what one field of an expression may hold.
type cronField struct {
	name     string
	min, max int
	names    []string // of the values from min on
}

var cronFields = [5]cronField{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of the month", 1, 31, nil},
	{"month", 1, 12, []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{"day of the week", 0, 7, []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
}

// parseCron reads the five fields of crontab(5): numbers, names of months and weekdays in any case, ranges, steps and
// lists. It takes nothing else: no seconds, no years, no @daily, no L, W, # or ?. The error names the field, what is
// wrong with it, and what it may hold.
func parseCron(text string) (cron, error) {
	if len(text) > maxCron {
		return cron{}, fmt.Errorf("cron: %d bytes, at most %d are read", len(text), maxCron)
	}
	fields := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(fields) != len(cronFields) {
		return cron{}, fmt.Errorf(`cron: %.80q has %d fields, it needs 5: minute, hour, day of the month, month, day of the week, as in "0 1 * * SUN"`, text, len(fields))
	}
	var sets [5]uint64
	for i, field := range fields {
		var err error
		if sets[i], err = cronFields[i].parse(field); err != nil {
			return cron{}, fmt.Errorf("cron: %s: %w", cronFields[i].name, err)
		}
	}
	const week = 1<<7 - 1
	c := cron{
		minutes: sets[0], hours: uint32(sets[1]), days: uint32(sets[2]), months: uint16(sets[3]),
		weekday: uint8(sets[4]&week | sets[4]>>7), // 7 is Sunday too
		anyDay:  fields[2][0] == '*', anyWeekday: fields[4][0] == '*',
	}
	if !c.comes() {
		return cron{}, fmt.Errorf("cron: %.80q never comes: none of its months has such a day", text)
	}
	return c, nil
}

// parse reads a list of values, ranges and steps as the bits of a set.
func (f *cronField) parse(text string) (set uint64, err error) {
	for part := range strings.SplitSeq(text, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		first, last, ranged := f.min, f.max, true
		if span != "*" {
			if first, last, ranged, err = f.span(span); err != nil {
				return 0, err
			}
		}
		step := 1
		if stepped {
			if !ranged {
				return 0, fmt.Errorf("%.40q: a step needs a range or a star before it, as in */5", part)
			}
			step, err = number(stepText)
			if err != nil || step < 1 || step > f.max {
				return 0, fmt.Errorf("%.40q: the step %.40q is not a number between 1 and %d", part, stepText, f.max)
			}
		}
		for value := first; value <= last; value += step {
			set |= 1 << value
		}
	}
	return set, nil
}

// span reads a value or a range.
func (f *cronField) span(text string) (first, last int, ranged bool, err error) {
	from, to, ranged := strings.Cut(text, "-")
	if first, err = f.value(from); err != nil || !ranged {
		return first, first, false, err
	}
	if last, err = f.value(to); err != nil {
		return 0, 0, false, err
	}
	if f.max == 7 && last == 0 && first > 0 {
		last = 7 // FRI-SUN
	}
	if last < first {
		return 0, 0, false, fmt.Errorf("%.40q: the range ends before it begins", text)
	}
	return first, last, true, nil
}

func (f *cronField) value(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.min + i, nil
		}
	}
	value, err := number(text)
	if err != nil || value < f.min || value > f.max {
		return 0, fmt.Errorf("%.40q is not %s", text, f.allowed())
	}
	return value, nil
}

func (f *cronField) allowed() string {
	text := fmt.Sprintf("a number between %d and %d", f.min, f.max)
	if n := len(f.names); n > 0 {
		text += fmt.Sprintf(" or a name from %s to %s", f.names[0], f.names[n-1])
	}
	return text
}

// number reads one or two digits and nothing else: no sign, no blank.
func number(text string) (int, error) {
	if len(text) < 1 || len(text) > 2 || strings.Trim(text, "0123456789") != "" {
		return 0, errors.New("not a number")
	}
	return strconv.Atoi(text)
}

// comes reports whether any year has a day for the expression. In 400 years each date falls on each weekday, so that the
// weekday cannot keep a date from coming.
func (c *cron) comes() bool {
	if !c.anyDay && !c.anyWeekday {
		return true // the weekday alone will do
	}
	longest := [...]int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	for i, days := range longest {
		if c.months>>(i+1)&1 != 0 && uint64(c.days)&(1<<(days+1)-1) != 0 {
			return true
		}
	}
	return false
}

// on reports whether the expression has a day. If both the day of the month and the day of the week are restricted, that
// is if neither field begins with a star, either will do (crontab(5)).
func (c *cron) on(day time.Time) bool {
	byDate, byWeekday := c.days>>day.Day()&1 != 0, c.weekday>>day.Weekday()&1 != 0
	switch {
	case c.months>>day.Month()&1 == 0:
		return false
	case c.anyDay || c.anyWeekday:
		return byDate && byWeekday
	}
	return byDate || byWeekday
}

const (
	// searchedMonths is how far ahead next looks. The rarest day, a 29 February that is a given weekday, comes after 40
	// years at the latest.
	searchedMonths = 50 * 12
	// searchedDays is how far back last looks: as far as an occurrence can reach.
	searchedDays = int(MaxRepeatFor/(24*time.Hour)) + 3
)

// next returns the first tick after a time. Both are what a clock on the wall shows, written as if it stood in Greenwich.
// It returns the zero time if there is none within searchedMonths.
func (c *cron) next(wall time.Time) time.Time {
	day, minute := midnight(wall), minuteOf(wall)+1
	for months := 0; months < searchedMonths; {
		if c.months>>day.Month()&1 == 0 {
			day, minute = time.Date(day.Year(), day.Month()+1, 1, 0, 0, 0, 0, time.UTC), 0
			months++
			continue
		}
		if c.on(day) {
			for ; minute < 24*60; minute++ {
				if c.hours>>(minute/60)&1 == 0 {
					minute += 59 - minute%60
				} else if c.minutes>>(minute%60)&1 != 0 {
					return day.Add(time.Duration(minute) * time.Minute)
				}
			}
		}
		month := day.Month()
		if day, minute = day.AddDate(0, 0, 1), 0; day.Month() != month {
			months++
		}
	}
	return time.Time{}
}

// last returns the last tick at or before a time, as next does; the zero time if there is none within searchedDays.
func (c *cron) last(wall time.Time) time.Time {
	day, minute := midnight(wall), minuteOf(wall)
	for range searchedDays {
		if c.on(day) {
			for ; minute >= 0; minute-- {
				if c.hours>>(minute/60)&1 == 0 {
					minute -= minute % 60
				} else if c.minutes>>(minute%60)&1 != 0 {
					return day.Add(time.Duration(minute) * time.Minute)
				}
			}
		}
		day, minute = day.AddDate(0, 0, -1), 24*60-1
	}
	return time.Time{}
}

func midnight(wall time.Time) time.Time {
	return time.Date(wall.Year(), wall.Month(), wall.Day(), 0, 0, 0, 0, time.UTC)
}

func minuteOf(wall time.Time) int { return wall.Hour()*60 + wall.Minute() }
