package moment

import (
	"fmt"
	"time"
)

// Format writes an instant as a person reads it, with its zone: "2027-01-31 14:00:00 CET".
func Format(t time.Time, loc *time.Location) string {
	return t.In(loc).Format("2006-01-02 15:04:05 MST")
}

// Zone names the zone in which Format writes at an instant: "CET, UTC+01:00".
func Zone(now time.Time, loc *time.Location) string {
	return now.In(loc).Format("MST, UTC-07:00")
}

// Ago says how long before now an instant lies, and In how long after it: "12 minutes ago", "in 12 minutes".
func Ago(t, now time.Time) string {
	if words := Words(now.Sub(t)); words != "" {
		return words + " ago"
	}
	return "just now"
}

// In is the counterpart of [Ago].
func In(t, now time.Time) string {
	if words := Words(t.Sub(now)); words != "" {
		return "in " + words
	}
	return "now"
}

// Words says a duration in at most two units; "" is less than half a second.
func Words(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d <= 0:
		return ""
	case d < 2*time.Minute && d != time.Minute:
		return count(d, time.Second, "second")
	case d < time.Hour-30*time.Second:
		return count(d.Round(time.Minute), time.Minute, "minute")
	case d < 48*time.Hour:
		return pair(d.Round(time.Minute), time.Hour, "hour", time.Minute, "minute")
	}
	return pair(d.Round(time.Hour), 24*time.Hour, "day", time.Hour, "hour")
}

func pair(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	text := count(d, large, largeName)
	if rest := d % large; rest >= small {
		text += " " + count(rest, small, smallName)
	}
	return text
}

func count(d, unit time.Duration, name string) string {
	n := int64(d / unit)
	if n == 1 {
		return "1 " + name
	}
	return fmt.Sprintf("%d %ss", n, name)
}
