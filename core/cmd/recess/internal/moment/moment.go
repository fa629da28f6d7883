// Package moment reads the times that people type, and says times in words that people read.
package moment

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Forms says in one line what [Parse] understands, for error messages and help.
const Forms = `write 2027-01-31T14:00:00Z (RFC 3339), "2027-01-31 14:00" (local time) or a duration from now (30m, 2h, 1h30m)`

// Parse reads an instant: RFC 3339 with its zone, "2006-01-02 15:04" with or without seconds in loc, or a positive
// duration from now in the grammar of [time.ParseDuration]. A local time that a change of clocks skips or repeats is an
// error that names both instants it could mean.
func Parse(text string, now time.Time, loc *time.Location) (time.Time, error) {
	text = strings.TrimSpace(text)
	if t, ok := parseZoned(text); ok {
		return t, nil
	}
	if wall, ok := parseWall(text); ok {
		return resolve(wall, loc)
	}
	if length, err := time.ParseDuration(text); err == nil {
		if err := positive(text, length); err != nil {
			return time.Time{}, err
		}
		return now.Add(length), nil
	}
	return time.Time{}, fmt.Errorf("%.60q is no time: %s", text, advice(suggest(text, now.In(loc)), Forms))
}

// ParseLength reads a positive duration in the grammar of [time.ParseDuration].
func ParseLength(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	length, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%.60q is no duration: %s", text,
			advice(suggestLength(text), "write a number with a unit, s, m or h, as in 30m, 2h or 1h30m"))
	}
	return length, positive(text, length)
}

func positive(text string, length time.Duration) error {
	if length <= 0 {
		return fmt.Errorf("%.60q is not a duration above zero", text)
	}
	return nil
}

// parseZoned reads RFC 3339, with the blank and the lower-case letters that its section 5.6 allows.
func parseZoned(text string) (time.Time, bool) {
	canonical := strings.Replace(strings.ToUpper(text), " ", "T", 1)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, canonical); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// parseWall reads what a clock on the wall shows. The time is given as if the clock stood in Greenwich.
func parseWall(text string) (time.Time, bool) {
	canonical := strings.Replace(strings.ToUpper(text), "T", " ", 1)
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if t, err := time.Parse(layout, canonical); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func advice(suggestion, forms string) string {
	if suggestion == "" {
		return forms
	}
	return fmt.Sprintf("did you mean %q? Otherwise %s", suggestion, forms)
}

var (
	clockShape    = regexp.MustCompile(`^([01]?\d|2[0-3]):([0-5]\d)$`)
	dateShape     = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	unitlessShape = regexp.MustCompile(`^(\d+h)(\d+)$`)
	numberShape   = regexp.MustCompile(`^\d{1,4}$`)
	daysShape     = regexp.MustCompile(`^(?i)(?:P(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?)?|(\d{1,4})\s*(?:d|days?))$`)
	wordsShape    = regexp.MustCompile(`^(?i)(\d{1,5})\s*(sec|secs|seconds?|min|mins|minutes?|hrs?|hours?)$`)
)

// suggest guesses what was meant by a text that Parse does not understand; "" if it has no idea.
func suggest(text string, now time.Time) string {
	switch clock := clockShape.FindStringSubmatch(text); {
	case clock != nil:
		return fmt.Sprintf("%s %02s:%s", now.Format("2006-01-02"), clock[1], clock[2])
	case dateShape.MatchString(text):
		return text + " 00:00"
	}
	return suggestLength(text)
}

// suggestLength knows ISO 8601's durations, days, missing units and units in words.
func suggestLength(text string) string {
	if numberShape.MatchString(text) {
		return text + "m"
	}
	if m := unitlessShape.FindStringSubmatch(text); m != nil {
		return m[1] + m[2] + "m"
	}
	if m := wordsShape.FindStringSubmatch(text); m != nil {
		return m[1] + strings.ToLower(m[2][:1])
	}
	m := daysShape.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	length, err := time.ParseDuration(fmt.Sprintf("%dh%dm%ds", number(m[1])*24+number(m[5])*24+number(m[2]), number(m[3]), number(m[4])))
	if err != nil || length == 0 {
		return ""
	}
	return short(length)
}

func number(digits string) (n int) {
	for _, d := range digits {
		n = n*10 + int(d-'0')
	}
	return n
}

// short writes a duration without the units that are zero: 24h instead of 24h0m0s.
func short(length time.Duration) string {
	text := length.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
