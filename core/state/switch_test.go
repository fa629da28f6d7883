package state_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/state"
)

func TestParseWord(t *testing.T) {
	for text, want := range map[string][2]bool{
		"on": {true, true}, "yes": {true, true}, "true": {true, true}, "1": {true, true}, " ON\n": {true, true}, "Yes": {true, true},
		"off": {false, true}, "no": {false, true}, "false": {false, true}, "0": {false, true}, "OFF\r\n": {false, true},
		"": {}, "o": {}, "onn": {}, "01": {}, "2": {}, "on off": {}, "enabled": {}, "\ufeffon": {}, "true,": {}, "-1": {},
	} {
		if on, ok := state.ParseWord(text); on != want[0] || ok != want[1] {
			t.Errorf("ParseWord(%q) = %v, %v, want %v, %v", text, on, ok, want[0], want[1])
		}
	}
}

// djangoTexts are texts of the Django format: what they mean ("off", "on", or start..end), or what the error says.
var djangoTexts = []struct{ name, text, means, says string }{
	{"nothing is off, as there", "", "off", ""},
	{"blanks are off", " \n", "off", ""},
	{"0 is off", "0", "off", ""},
	{"1 is on", "1", "on", ""},
	{"a final newline does not matter", "1\n", "on", ""},
	{"a schedule as Django writes it", `{"start": "2026-11-21T10:00:00+00:00", "end": "2026-11-21T12:30:00.250000+01:00"}`, "2026-11-21T10:00:00Z..2026-11-21T11:30:00.25Z", ""},
	{"a start alone", `{"start": "2026-11-21T10:00:00+00:00", "end": null}`, "2026-11-21T10:00:00Z..", ""},
	{"an end alone", `{"end": "2026-11-21T10:00:00Z"}`, "..2026-11-21T10:00:00Z", ""},
	{"a blank in place of the T", `{"end": "2026-11-21 10:00:00+00:00"}`, "..2026-11-21T10:00:00Z", ""},
	{"an empty start counts as none", `{"start": "", "end": "2026-11-21T10:00:00Z"}`, "..2026-11-21T10:00:00Z", ""},
	{"a word of ours", "on", "", "neither 0 nor 1"},
	{"another number", "2", "", "neither 0 nor 1"},
	{"Python's True", "True", "", "neither 0 nor 1"},
	{"a byte order mark", "\xef\xbb\xbf1", "", "neither 0 nor 1"},
	{"NUL", "1\x00", "", "neither 0 nor 1"},
	{"an empty schedule", "{}", "", "neither start nor end"},
	{"a schedule of nulls", `{"start": null, "end": null}`, "", "neither start nor end"},
	{"another member", `{"start": "2026-11-21T10:00:00Z", "scope": "eu"}`, "", `"scope"`},
	{"a name that differs by case", `{"Start": "2026-11-21T10:00:00Z"}`, "", `did you mean "start"`},
	{"a start twice", `{"start": "2026-11-21T10:00:00Z", "start": "2027-11-21T10:00:00Z"}`, "", "stands twice"},
	{"a time without a zone", `{"start": "2026-11-21T10:00:00"}`, "", "no time with a zone"},
	{"a date", `{"start": "2026-11-21"}`, "", "no time with a zone"},
	{"a number for a time", `{"start": 1763733600}`, "", "number"},
	{"end before start", `{"start": "2026-11-21T10:00:00Z", "end": "2026-11-21T09:00:00Z"}`, "", "not after the start"},
	{"year 0", `{"start": "0000-01-01T00:00:00Z"}`, "", "year 0"},
	{"half a schedule", `{"start": "2026-11-21T10:0`, "", "ends too early"},
	{"256 KiB", strings.Repeat("1", state.MaxSize+1), "", "at most 262144"},
}

func TestTheDjangoFormatIsReadAsDjangoMeansIt(t *testing.T) {
	for _, c := range djangoTexts {
		t.Run(c.name, func(t *testing.T) {
			s, err := state.DecodeDjango([]byte(c.text))
			if c.says != "" {
				if !errors.Is(err, state.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("error %v, want ErrInvalid that says %q", err, c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := meaning(s); got != c.means || s.Numbered() {
				t.Errorf("means %s (revision %d), want %s, unnumbered", got, s.Revision, c.means)
			}
		})
	}
}

func meaning(s state.State) string {
	if len(s.Windows) == 0 {
		return "off"
	}
	w := s.Windows[0]
	if w.Start.IsZero() && w.End.IsZero() {
		return "on"
	}
	format := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	return format(w.Start) + ".." + format(w.End)
}

func TestTheDjangoFormatHasNoPlaceForPasses(t *testing.T) {
	s := state.State{Version: 1, Passes: []state.Pass{{ID: "p1", For: "alice", Key: "k", Expires: noon.Add(time.Hour)}}}
	if _, err := state.EncodeDjango(s, noon); !errors.Is(err, state.ErrInexpressible) {
		t.Errorf("error %v", err)
	}
	if got, err := state.EncodeDjango(s, noon.Add(time.Hour)); err != nil || string(got) != "0" {
		t.Errorf("once it has expired: %q, %v", got, err)
	}
}

func TestTheDjangoFormatIsWrittenAsDjangoWritesIt(t *testing.T) {
	berlin := time.FixedZone("", 3600)
	window := func(change func(*state.Window)) []state.Window {
		w := state.Window{ID: "a", Mode: state.Full}
		change(&w)
		return []state.Window{w}
	}
	running := state.Window{ID: "r", Mode: state.Full}
	planned := state.Window{ID: "p", Mode: state.Full, Start: noon.Add(time.Hour)}
	for _, c := range []struct {
		name    string
		windows []state.Window
		want    string // "" is ErrInexpressible
	}{
		{"no window", nil, "0"},
		{"an open window", []state.Window{running}, "1"},
		{"a name", window(func(w *state.Window) { w.Name = "deploy" }), ""},
		{"a message", window(func(w *state.Window) { w.Messages = map[string]string{"": "y"} }), ""},
		{"a message in a language", window(func(w *state.Window) { w.Messages = map[string]string{"de": "y"} }), ""},
		{"a reason", window(func(w *state.Window) { w.Reason = "x" }), ""},
		{"a ramp", window(func(w *state.Window) { w.End, w.Ramp = noon.Add(time.Hour), time.Minute }), ""},
		{"a lease", window(func(w *state.Window) { w.Lease = &state.Lease{TTL: time.Minute} }), ""},
		{"an ended window with all of them", window(func(w *state.Window) {
			w.End, w.Name, w.Reason, w.Messages = noon, "deploy", "x", map[string]string{"": "y"}
		}), "0"},
		{"who opened it, which nobody claims to keep", window(func(w *state.Window) { w.OpenedBy.Name = "alice" }), "1"},
		{"an ended window", window(func(w *state.Window) { w.End = noon }), "0"},
		{"an ended window of a scope", window(func(w *state.Window) { w.End, w.Scope = noon, "eu" }), "0"},
		{"a start", window(func(w *state.Window) { w.Start = noon.In(berlin) }), `{"start": "2026-11-21T13:00:00+01:00", "end": null}`},
		{"an end", window(func(w *state.Window) { w.End = noon.Add(time.Second) }), `{"start": null, "end": "2026-11-21T12:00:01+00:00"}`},
		{"microseconds, six digits or none", window(func(w *state.Window) {
			w.Start, w.End = noon.Add(250*time.Millisecond+999), noon.Add(time.Hour+999)
		}), `{"start": "2026-11-21T12:00:00.250000+00:00", "end": "2026-11-21T13:00:00+00:00"}`},
		{"the end that comes last", []state.Window{
			{ID: "a", Mode: state.Full, End: noon.Add(time.Hour)}, {ID: "b", Mode: state.Full, End: noon.Add(2 * time.Hour)}, {ID: "c", Mode: state.Full, End: noon.Add(time.Minute)},
		}, `{"start": null, "end": "2026-11-21T14:00:00+00:00"}`},
		{"no end comes last", []state.Window{{ID: "a", Mode: state.Full, End: noon.Add(time.Hour)}, running, {ID: "c", Mode: state.Full, End: noon.Add(time.Minute)}}, "1"},
		{"a scope", window(func(w *state.Window) { w.Scope = "eu" }), ""},
		{"another mode", window(func(w *state.Window) { w.Mode = state.Announce }), ""},
		{"a running and a planned window", []state.Window{running, planned}, ""},
		{"two planned windows", []state.Window{planned, planned}, ""},
		{"less than a microsecond", window(func(w *state.Window) { w.Start, w.End = noon.Add(1).In(berlin), noon.Add(2) }), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := state.EncodeDjango(state.State{Version: 1, Windows: c.windows}, noon)
			if c.want == "" && !errors.Is(err, state.ErrInexpressible) || c.want != "" && err != nil || string(got) != c.want {
				t.Errorf("wrote %q, error %v, want %q", got, err, c.want)
			}
		})
	}
}
