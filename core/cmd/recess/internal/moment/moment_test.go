package moment_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/recess-go/recess/core/cmd/recess/internal/moment"
)

// noon is a Saturday noon in Berlin.
var noon = time.Date(2026, 11, 21, 11, 0, 0, 0, time.UTC)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestParse(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, c := range []struct{ name, text, want, says string }{
		{"RFC 3339 in UTC", "2027-01-31T14:00:00Z", "2027-01-31T14:00:00Z", ""},
		{"RFC 3339 with an offset", "2027-01-31T14:00:00+05:30", "2027-01-31T08:30:00Z", ""},
		{"RFC 3339 with a fraction", "2027-01-31T14:00:00.250Z", "2027-01-31T14:00:00.25Z", ""},
		{"RFC 3339 with a blank and small letters", "2027-01-31 14:00:00z", "2027-01-31T14:00:00Z", ""},
		{"an offset without seconds", "2027-01-31T14:00+01:00", "2027-01-31T13:00:00Z", ""},
		{"local winter time", "2027-01-31 14:00", "2027-01-31T13:00:00Z", ""},
		{"local summer time", "2027-07-31 14:00:30", "2027-07-31T12:00:30Z", ""},
		{"local time with a T", "2027-01-31T14:00", "2027-01-31T13:00:00Z", ""},
		{"blanks around", " 30m ", "2026-11-21T11:30:00Z", ""},
		{"minutes from now", "30m", "2026-11-21T11:30:00Z", ""},
		{"hours and minutes from now", "1h30m", "2026-11-21T12:30:00Z", ""},

		{"the last minute before clocks go forward", "2027-03-28 01:59", "2027-03-28T00:59:00Z", ""},
		{"an hour that does not exist", "2027-03-28 02:30", "", "does not exist in Europe/Berlin, where the clocks are set forward: write 2027-03-28T01:30:00+01:00 or 2027-03-28T03:30:00+02:00"},
		{"the first minute after clocks went forward", "2027-03-28 03:00", "2027-03-28T01:00:00Z", ""},
		{"the last minute before an hour that comes twice", "2027-10-31 01:59", "2027-10-30T23:59:00Z", ""},
		{"an hour that comes twice", "2027-10-31 02:30", "", "comes twice in Europe/Berlin, when the clocks are set back: write 2027-10-31T02:30:00+02:00 for the first or 2027-10-31T02:30:00+01:00 for the second"},
		{"the first minute after it", "2027-10-31 03:00", "2027-10-31T02:00:00Z", ""},
		{"an instant in that hour by RFC 3339", "2027-10-31T02:30:00+01:00", "2027-10-31T01:30:00Z", ""},

		{"zero", "0s", "", "not a duration above zero"},
		{"a negative duration", "-5m", "", "not a duration above zero"},
		{"a clock time", "14:30", "", `did you mean "2026-11-21 14:30"`},
		{"a short clock time", "9:05", "", `did you mean "2026-11-21 09:05"`},
		{"a date", "2027-01-31", "", `did you mean "2027-01-31 00:00"`},
		{"a day", "1d", "", `did you mean "24h"`},
		{"two days in words", "2 days", "", `did you mean "48h"`},
		{"ISO 8601 days", "P1D", "", `did you mean "24h"`},
		{"ISO 8601 hours and minutes", "PT1H30M", "", `did you mean "1h30m"`},
		{"a missing unit", "1h30", "", `did you mean "1h30m"`},
		{"a number", "30", "", `did you mean "30m"`},
		{"minutes in words", "30 min", "", `did you mean "30m"`},
		{"nothing", "", "", moment.Forms},
		{"a word", "tomorrow", "", moment.Forms},
		{"ISO 8601's empty duration", "P", "", moment.Forms},
		{"a 30th of February", "2027-02-30 10:00", "", moment.Forms},
		{"the 24th hour", "2027-01-31 24:00", "", moment.Forms},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := moment.Parse(c.text, noon, berlin)
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("got %v, error %v, want one that says %q", got, err, c.says)
				}
				return
			}
			if err != nil || got.UTC().Format(time.RFC3339Nano) != c.want {
				t.Errorf("got %s, %v, want %s", got.UTC().Format(time.RFC3339Nano), err, c.want)
			}
		})
	}
}

// A change for good is followed by no change back, so that the offset on one side of it stands nowhere else.
func TestAChangeOfClocksForGoodIsSeenToo(t *testing.T) {
	for _, c := range []struct{ zone, wall, says string }{
		{"Europe/Moscow", "2014-10-26 01:30", "write 2014-10-26T01:30:00+04:00 for the first or 2014-10-26T01:30:00+03:00 for the second"},
		{"Pacific/Galapagos", "1985-12-31 23:30", "write 1985-12-31T23:30:00-05:00 for the first or 1985-12-31T23:30:00-06:00 for the second"},
		{"Pacific/Apia", "2011-12-30 12:00", "write 2011-12-29T12:00:00-10:00 or 2011-12-31T12:00:00+14:00"}, // Samoa left out a day
	} {
		if _, err := moment.Parse(c.wall, noon, zone(t, c.zone)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s in %s: %v", c.wall, c.zone, err)
		}
	}
}

func TestSuggestionsCanBeParsed(t *testing.T) {
	for _, text := range []string{"14:30", "2027-01-31", "1d", "P2DT3H", "PT90S", "1h30", "45", "90 min", "3 hrs"} {
		_, err := moment.Parse(text, noon.AddDate(0, 0, -1), time.UTC)
		if err == nil {
			t.Fatalf("%q was parsed: the test needs another text", text)
		}
		_, rest, ok := strings.Cut(err.Error(), `did you mean "`)
		suggestion, _, _ := strings.Cut(rest, `"`)
		if _, err := moment.Parse(suggestion, noon, time.UTC); !ok || err != nil {
			t.Errorf("%q: the suggestion %q: %v", text, suggestion, err)
		}
	}
}

func TestParseLength(t *testing.T) {
	for text, want := range map[string]time.Duration{"30m": 30 * time.Minute, " 1h30m": 90 * time.Minute, "0.5h": 30 * time.Minute} {
		if got, err := moment.ParseLength(text); err != nil || got != want {
			t.Errorf("ParseLength(%q) = %s, %v, want %s", text, got, err, want)
		}
	}
	for text, says := range map[string]string{
		"0": "above zero", "-1s": "above zero", "1d": `"24h"`, "1h30": `"1h30m"`, "P1D": `"24h"`, "2027-01-31 14:00": "write a number with a unit", "": "write a number",
	} {
		if _, err := moment.ParseLength(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("ParseLength(%q): error %v, want one that says %q", text, err, says)
		}
	}
}

// FuzzWallTime compares Parse with a search through all offsets that zones have had since 1980.
func FuzzWallTime(f *testing.F) {
	zones := []string{"Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca", "UTC"}
	for i := range zones {
		f.Add(uint8(i), uint32(24_600_000+i*60))
	}
	f.Add(uint8(0), uint32(24_757_350))
	f.Add(uint8(4), uint32(16_804_800)) // Samoa left a day out at the end of 2011
	f.Fuzz(func(t *testing.T, which uint8, minutes uint32) {
		loc := zone(t, zones[int(which)%len(zones)])
		wall := time.Date(1980, 1, 1, 0, int(minutes%36_000_000), 0, 0, time.UTC)
		text := wall.Format("2006-01-02 15:04")
		var found []time.Time
		for offset := -16 * time.Hour; offset <= 16*time.Hour; offset += 15 * time.Minute {
			if u := wall.Add(-offset); u.In(loc).Format("2006-01-02 15:04") == text {
				found = append(found, u)
			}
		}
		got, err := moment.Parse(text, noon, loc)
		switch len(found) {
		case 1:
			if err != nil || !got.Equal(found[0]) {
				t.Errorf("%s in %s: %v, %v, want %v", text, loc, got, err, found[0])
			}
		case 0:
			if err == nil || !strings.Contains(err.Error(), "does not exist") {
				t.Errorf("%s in %s does not exist: got %v, %v", text, loc, got, err)
			}
		default:
			if err == nil || !strings.Contains(err.Error(), "comes twice") {
				t.Errorf("%s in %s comes %d times: got %v, %v", text, loc, len(found), got, err)
			}
		}
	})
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "", 0: "", 400 * time.Millisecond: "", time.Second: "1 second", 59600 * time.Millisecond: "1 minute",
		90 * time.Second: "90 seconds", 2 * time.Minute: "2 minutes", 12*time.Minute + 20*time.Second: "12 minutes",
		29*time.Minute + 59*time.Second + 900*time.Millisecond: "30 minutes", 59*time.Minute + 40*time.Second: "1 hour",
		time.Hour: "1 hour", 90 * time.Minute: "1 hour 30 minutes", 47*time.Hour + 59*time.Minute: "47 hours 59 minutes",
		48 * time.Hour: "2 days", 49 * time.Hour: "2 days 1 hour", 7 * 24 * time.Hour: "7 days",
	} {
		if got := moment.Words(d); got != want {
			t.Errorf("Words(%s) = %q, want %q", d, got, want)
		}
	}
	if got := fmt.Sprint(moment.In(noon.Add(12*time.Minute), noon), ", ", moment.Ago(noon, noon.Add(time.Hour)), ", ", moment.Ago(noon, noon)); got != "in 12 minutes, 1 hour ago, just now" {
		t.Error(got)
	}
}

func TestFormatNamesTheZone(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	if got := moment.Format(noon, berlin); got != "2026-11-21 12:00:00 CET" {
		t.Error(got)
	}
	if got := moment.Zone(noon, berlin); got != "CET, UTC+01:00" {
		t.Error(got)
	}
}
