package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// SwitchID is the id of the one window that a plain switch can open.
const SwitchID = "switch"

// ParseWord reads the words by which people switch: on, yes, true, 1 and off, no, false, 0, in any case, as
// django-maintenance-mode's command does. ok is false for anything else.
func ParseWord(text string) (on, ok bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "on", "yes", "true", "1":
		return true, true
	case "off", "no", "false", "0":
		return false, true
	}
	return false, false
}

// Switched is the unnumbered state of a plain switch: the whole site closed, from start to end where they are set, or open.
func Switched(on bool, start, end time.Time) State {
	s := State{Version: Version}
	if on {
		s.Windows = []Window{{ID: SwitchID, Mode: Full, Start: start, End: end}}
	}
	return s
}

// djangoSchedule is the JSON form of django-maintenance-mode's state file (0.23).
type djangoSchedule struct {
	Start *string `json:"start"`
	End   *string `json:"end"`
}

// DecodeDjango reads django-maintenance-mode's state: "0", "1" or {"start": …, "end": …} with at least one of the two,
// ISO 8601 with an offset; an empty text counts as "0", as it does there. A time without an offset is refused: which
// zone it means only the Django project's settings know.
func DecodeDjango(data []byte) (State, error) {
	s, err := decodeDjango(bytes.TrimSpace(data))
	if err != nil {
		return State{}, fmt.Errorf("state: django format: %w: %w", ErrInvalid, brief(err))
	}
	return s, nil
}

func decodeDjango(text []byte) (State, error) {
	switch {
	case len(text) > MaxSize:
		return State{}, fmt.Errorf("it has %d bytes, at most %d are read", len(text), MaxSize)
	case len(text) == 0 || string(text) == "0":
		return Switched(false, time.Time{}, time.Time{}), nil
	case string(text) == "1":
		return Switched(true, time.Time{}, time.Time{}), nil
	case text[0] != '{':
		return State{}, fmt.Errorf(`%.40q is neither 0 nor 1 nor {"start": …, "end": …}`, text)
	}
	if err := scan(text); err != nil {
		return State{}, err
	}
	known, extra, err := split(text, djangoNames)
	if err != nil {
		return State{}, err
	}
	for name := range extra {
		return State{}, fmt.Errorf("member %.40q: only start and end are known", name)
	}
	var schedule djangoSchedule
	if err := json.Unmarshal(known, &schedule); err != nil {
		return State{}, err
	}
	start, err1 := parseDjangoTime("start", schedule.Start)
	end, err2 := parseDjangoTime("end", schedule.End)
	if err := errors.Join(err1, err2); err != nil {
		return State{}, err
	}
	if start.IsZero() && end.IsZero() {
		return State{}, errors.New("neither start nor end is set")
	}
	s := Switched(true, start, end)
	return s, s.Validate()
}

func parseDjangoTime(what string, text *string) (time.Time, error) {
	if text == nil || *text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00"} {
		if t, err := time.Parse(layout, *text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s: %.40q is no time with a zone, as in 2026-11-21T10:00:00+00:00", what, *text)
}

// EncodeDjango writes the state in django-maintenance-mode's form, byte for byte as version 0.23 does: "0", "1" or
// Python's json.dumps of start and end, in microseconds, without a final newline. That form knows one window of mode
// full over the whole site, without a name, messages or a reason; anything else is refused with ErrInexpressible, so that
// nobody is told of what is not kept. Windows that all run now are written as one, the one that ends last. Who opened
// a window and the history are not kept.
func EncodeDjango(s State, now time.Time) ([]byte, error) {
	var live []Window
	for _, w := range s.Windows {
		if w.Phase(now) != Ended {
			live = append(live, w)
		}
	}
	for _, w := range live {
		switch {
		case w.Repeat != nil:
			return nil, inexpressible("window %s recurs: django's state file knows one start and one end: schedule each window by itself", w.ID)
		case w.Scope != "":
			return nil, inexpressible("scope %q: django's state file knows only the whole site", w.Scope)
		case w.Mode != Full:
			return nil, inexpressible("mode %s: django's state file knows only full", w.Mode)
		case w.Name != "":
			return nil, inexpressible("window %s is held as %s: django's state file knows no names: leave out --as", w.ID, w.Name)
		case w.Ramp > 0:
			return nil, inexpressible("window %s reopens by degrees: django's state file knows no ramps: leave out --ramp", w.ID)
		case w.Lease != nil:
			return nil, inexpressible("window %s has a lease: django's state file knows no leases: leave out --lease", w.ID)
		case len(w.Messages) > 0:
			return nil, inexpressible("window %s has a message: django's state file knows no messages: leave out --message", w.ID)
		case w.Reason != "":
			return nil, inexpressible("window %s has a reason: django's state file knows no reasons: leave out --reason", w.ID)
		}
	}
	if len(s.LivePasses(now)) > 0 {
		return nil, inexpressible("django's state file knows no passes")
	}
	union, ok := unite(live, now)
	switch {
	case !ok:
		return nil, inexpressible("%d windows: django's state file holds a single one", len(live))
	case len(live) == 0:
		return []byte("0"), nil
	case union.Start.IsZero() && union.End.IsZero():
		return []byte("1"), nil
	}
	if union.Start.Truncate(time.Microsecond).Equal(union.End.Truncate(time.Microsecond)) {
		return nil, inexpressible("window %s: django's state file counts microseconds, and it is shorter", union.ID)
	}
	return fmt.Appendf(nil, `{"start": %s, "end": %s}`, djangoTime(union.Start), djangoTime(union.End)), nil
}

func inexpressible(format string, args ...any) error {
	return fmt.Errorf("state: django format: %w: %w", ErrInexpressible, fmt.Errorf(format, args...))
}

// djangoTime writes an instant as Python's datetime.isoformat does, in JSON.
func djangoTime(t time.Time) string {
	if t.IsZero() {
		return "null"
	}
	layout := `"2006-01-02T15:04:05-07:00"`
	if t.Truncate(time.Microsecond).Nanosecond() != 0 {
		layout = `"2006-01-02T15:04:05.000000-07:00"`
	}
	return t.Format(layout)
}

// unite makes one window of several that all run now: the one that ends last.
func unite(windows []Window, now time.Time) (union Window, ok bool) {
	for i, w := range windows {
		if len(windows) > 1 && w.Phase(now) != Running {
			return Window{}, false
		}
		if i == 0 || w.End.IsZero() || !union.End.IsZero() && w.End.After(union.End) {
			union = w
		}
	}
	return union, true
}
