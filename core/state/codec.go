package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Limits of a document. They bound what a reader must hold and what a hostile or broken store can cost.
const (
	MaxSize      = 256 << 10 // bytes, encoded
	MaxDepth     = 12        // nested objects and arrays
	MaxWindows   = 128
	MaxHistory   = 50
	MaxLanguages = 64   // messages of one window
	MaxMessage   = 4096 // bytes of one message
	MaxReason    = 1024 // bytes
)

// document and window are the written form: member names and what is left out when empty.
type document struct {
	Version  int      `json:"version"`
	Epoch    int64    `json:"epoch,omitempty"`
	Revision int64    `json:"revision,omitempty"`
	Windows  []Window `json:"windows"`
	Passes   []Pass   `json:"passes,omitempty"`
	History  []Entry  `json:"history,omitempty"`
}

type window struct {
	ID       string            `json:"id"`
	Name     string            `json:"name,omitempty"`
	Scope    string            `json:"scope,omitempty"`
	Mode     Mode              `json:"mode"`
	Start    time.Time         `json:"start,omitzero"`
	End      time.Time         `json:"end,omitzero"`
	Hold     string            `json:"hold,omitempty"`
	Ramp     string            `json:"ramp,omitempty"`
	Lease    *Lease            `json:"lease,omitempty"`
	Repeat   *Repeat           `json:"repeat,omitempty"`
	Messages map[string]string `json:"messages,omitempty"`
	Reason   string            `json:"reason,omitempty"`
	OpenedBy Actor             `json:"opened_by,omitzero"`
	OpenedAt time.Time         `json:"opened_at,omitzero"`
}

// Decode reads a document. Its error wraps ErrInvalid and says what is wrong and where.
//
// Members that it does not know are kept in Extra and written back by Encode: in a fleet that is being upgraded the
// older half must neither stop following nor drop what the newer half wrote. (Of actors and history entries, which
// decide nothing, it keeps only what it knows.) What would change the meaning of the members known here gets a new
// version instead, and an unknown version is refused. Member names are compared exactly; a name that stands twice
// in one object is refused, since readers disagree about which one counts.
func Decode(data []byte) (State, error) {
	s, err := decode(data)
	if err != nil {
		return State{}, fmt.Errorf("state: %w: %w", ErrInvalid, brief(err))
	}
	return s, nil
}

// brief bounds an error that quotes a hostile document: it ends up in logs and on status pages.
func brief(err error) error {
	const limit = 2 << 10
	if text := err.Error(); len(text) > limit {
		return errors.New(strings.ToValidUTF8(text[:limit], "") + "…")
	}
	return err
}

func decode(data []byte) (State, error) {
	if err := scan(data); err != nil {
		return State{}, err
	}
	known, extra, err := split(data, documentNames)
	if err != nil {
		return State{}, err
	}
	var d document
	err = json.Unmarshal(known, &d)
	if err := checkVersion(known, d.Version); err != nil {
		return State{}, err
	}
	if err != nil {
		return State{}, err
	}
	if len(d.Windows) == 0 { // [], null and no member at all are one value
		d.Windows = nil
	}
	if len(d.Passes) == 0 {
		d.Passes = nil
	}
	s := State{Version: d.Version, Epoch: d.Epoch, Revision: d.Revision, Windows: d.Windows, Passes: d.Passes, History: d.History, Extra: extra}
	return s, errors.Join(s.Validate(), s.checkWritten())
}

// checkWritten finds what may stand in a State but not in a document: the times of a recurring window at some instant.
func (s *State) checkWritten() error {
	var faults []error
	for i := range s.Windows[:min(len(s.Windows), MaxWindows)] {
		if w := &s.Windows[i]; w.Repeat != nil && (!w.Start.IsZero() || !w.End.IsZero()) {
			faults = append(faults, fmt.Errorf("windows[%d]: a recurring window has no start and no end of its own: repeat says when it runs", i))
		}
	}
	return errors.Join(faults...)
}

// checkVersion looks at the version by itself when it is not the one known here: a document of another version may have
// members of other types, and the version is then what is wrong with it.
func checkVersion(data []byte, read int) error {
	if read == Version {
		return nil
	}
	var probe struct {
		Version *int `json:"version"`
	}
	switch err := json.Unmarshal(data, &probe); {
	case err != nil:
		return fmt.Errorf("version: %w", err)
	case probe.Version == nil:
		return fmt.Errorf("it names no version (known: %d)", Version)
	case *probe.Version != Version:
		return fmt.Errorf("it has version %d, this program knows %d: upgrade whichever is older", *probe.Version, Version)
	}
	return nil
}

// Encode writes a document, indented so that a person can read it. It validates first: what Encode wrote, Decode reads.
// The oldest entries of a history that is too long, or too large for MaxSize, are left out: what happened once must not
// stand in the way of a change.
func Encode(s State) ([]byte, error) {
	if over := len(s.History) - MaxHistory; over > 0 {
		s.History = s.History[over:]
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("state: encode: %w", err)
	}
	data, err := layOut(s)
	for err == nil && len(data) > MaxSize && len(s.History) > 0 {
		s.History = s.History[1:]
		data, err = layOut(s)
	}
	if err != nil {
		return nil, fmt.Errorf("state: encode: %w", err)
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("state: encode: the document would have %d bytes, at most %d are allowed: end windows, shorten messages or revoke passes", len(data), MaxSize)
	}
	// Extra and the callers' strings are not checked above: what could not be read back must not be written.
	if _, err := decode(data); err != nil {
		return nil, fmt.Errorf("state: encode: %w", brief(err))
	}
	return data, nil
}

// layOut writes a document of any size.
func layOut(s State) ([]byte, error) {
	d := document{s.Version, s.Epoch, s.Revision, s.Windows, s.Passes, s.History}
	if d.Windows == nil {
		d.Windows = []Window{}
	}
	data, err := join(d, s.Extra)
	if err != nil {
		return nil, err
	}
	if data, err = json.MarshalIndent(json.RawMessage(data), "", "  "); err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}

// MarshalJSON writes the window with the members it does not know, as [Encode] does. Of a recurring one neither start nor
// end is written: they are those of a moment.
func (w Window) MarshalJSON() ([]byte, error) {
	if w.Repeat != nil {
		w.Start, w.End = time.Time{}, time.Time{}
	}
	return join(window{
		w.ID, w.Name, w.Scope, w.Mode, w.Start, w.End, writeLength(w.Hold), writeLength(w.Ramp), w.Lease, w.Repeat, w.Messages, w.Reason,
		w.OpenedBy, w.OpenedAt,
	}, w.Extra)
}

// UnmarshalJSON reads a window as [Decode] does.
func (w *Window) UnmarshalJSON(data []byte) error {
	known, extra, err := split(data, windowNames)
	if err != nil {
		return err
	}
	var v window
	if err := json.Unmarshal(known, &v); err != nil {
		return err
	}
	if len(v.Messages) == 0 {
		v.Messages = nil
	}
	hold, err := optionalLength("hold", v.Hold)
	if err != nil {
		return err
	}
	ramp, err := optionalLength("ramp", v.Ramp)
	if err != nil {
		return err
	}
	*w = Window{v.ID, v.Name, v.Scope, v.Mode, v.Start, v.End, hold, ramp, v.Lease, v.Repeat, v.Messages, v.Reason, v.OpenedBy, v.OpenedAt, extra}
	return nil
}

// readLength reads a length of time.
func readLength(what, text string) (time.Duration, error) {
	length, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %.40q is no length: write it as in 2h, 90m or 1h30m", what, text)
	}
	return length, nil
}

// optionalLength reads a length of time; "" is none.
func optionalLength(what, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	return readLength(what, text)
}

// writeLength writes an optional length.
func writeLength(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return shortLength(d)
}

// shortLength writes a length without the units that are zero: 2h instead of 2h0m0s.
func shortLength(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// UnmarshalJSON reads an entry by the exact names of its members, as [Decode] does everywhere.
func (e *Entry) UnmarshalJSON(data []byte) error {
	type plain Entry
	known, _, err := split(data, entryNames)
	if err != nil {
		return err
	}
	return json.Unmarshal(known, (*plain)(e))
}

// UnmarshalJSON reads an actor by the exact names of its members, as [Decode] does everywhere.
func (a *Actor) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	type plain Actor
	known, _, err := split(data, actorNames)
	if err != nil {
		return err
	}
	return json.Unmarshal(known, (*plain)(a))
}
