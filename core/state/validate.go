package state

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Validate checks what Decode and Encode promise of a document. The error names every fault and its place.
func (s *State) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if s.Version != Version {
		fault("version: %d, this program knows %d", s.Version, Version)
	}
	if s.Epoch < 0 {
		fault("epoch: %d is negative", s.Epoch)
	}
	if s.Revision < 0 {
		fault("revision: %d is negative", s.Revision)
	}
	if (s.Epoch == 0) != (s.Revision == 0) {
		fault("epoch %d and revision %d: either both are counted or none is", s.Epoch, s.Revision)
	}
	if len(s.Windows) > MaxWindows {
		fault("windows: %d, at most %d are allowed", len(s.Windows), MaxWindows)
	}
	if len(s.History) > MaxHistory {
		fault("history: %d entries, at most %d are allowed", len(s.History), MaxHistory)
	}
	ids := make(map[string]bool, min(len(s.Windows), MaxWindows))
	for i := range s.Windows[:min(len(s.Windows), MaxWindows)] {
		w := &s.Windows[i]
		if err := w.validate(); err != nil {
			fault("windows[%d]: %w", i, err)
		}
		if ids[w.ID] {
			fault("windows[%d]: id %.80q stands twice", i, w.ID)
		}
		ids[w.ID] = true
	}
	return errors.Join(append(faults, s.validatePasses())...)
}

func (w *Window) validate() error {
	var faults []error
	check := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	check(checkID(w.ID))
	if w.Name != "" {
		check(CheckName("name", w.Name))
	}
	if w.Scope != "" {
		check(CheckName("scope", w.Scope))
	}
	if _, err := ParseMode(string(w.Mode)); err != nil || string(w.Mode) != strings.ToLower(string(w.Mode)) {
		check(fmt.Errorf("mode: %.40q is none of announce, readonly, hold, full", w.Mode))
	}
	check(checkYear("start", w.Start))
	check(checkYear("end", w.End))
	if !w.End.IsZero() && !w.Start.IsZero() && !w.Start.Before(w.End) {
		check(fmt.Errorf("end: %s is not after the start, %s", w.End.Format(time.RFC3339), w.Start.Format(time.RFC3339)))
	}
	switch {
	case w.Hold < 0 || w.Hold > MaxHold || w.Hold%time.Second != 0:
		check(fmt.Errorf("hold: %s: use whole seconds, at most %s", w.Hold, MaxHold))
	case w.Hold != 0 && w.Mode != Hold:
		check(fmt.Errorf("hold: a window of mode %s holds nothing: only one of mode hold does", w.Mode))
	}
	check(w.checkRamp())
	check(w.checkLease())
	if w.Repeat != nil {
		if err := w.Repeat.Check(); err != nil {
			check(fmt.Errorf("repeat: %w", err))
		}
	}
	if len(w.Messages) > MaxLanguages {
		check(fmt.Errorf("messages: %d languages, at most %d are allowed", len(w.Messages), MaxLanguages))
	}
	for _, tag := range slices.Sorted(maps.Keys(w.Messages)) {
		check(checkTag(tag))
		check(CheckText(fmt.Sprintf("messages[%.40q]", tag), w.Messages[tag], MaxMessage))
	}
	check(CheckText("reason", w.Reason, MaxReason))
	return errors.Join(faults...)
}

// CheckName checks the name of a scope or a hold: 1 to 64 characters, lower-case letters, digits, '.', '_' and '-',
// a letter or digit first. What says in the error what the name is for.
func CheckName(what, name string) error {
	ok := len(name) >= 1 && len(name) <= 64
	for i := 0; i < len(name) && ok; i++ {
		c := name[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		ok = alnum || i > 0 && (c == '.' || c == '_' || c == '-')
	}
	if !ok {
		return fmt.Errorf("%s: %.80q: use 1 to 64 lower-case letters, digits, '.', '_' or '-', a letter or digit first", what, name)
	}
	return nil
}

func checkID(id string) error {
	ok := len(id) >= 1 && len(id) <= 64
	for i := 0; i < len(id) && ok; i++ {
		c := id[i]
		ok = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
	}
	if !ok {
		return fmt.Errorf("id: %.80q: use 1 to 64 letters, digits, '-' or '_'", id)
	}
	return nil
}

// checkTag checks the shape of a language tag (RFC 5646), not that the language exists.
func checkTag(tag string) error {
	if tag == "" {
		return nil
	}
	ok := len(tag) <= 35
	for part := range strings.SplitSeq(tag, "-") {
		ok = ok && len(part) >= 1 && len(part) <= 8
		for i := 0; i < len(part) && ok; i++ {
			c := part[i]
			ok = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		}
	}
	if !ok {
		return fmt.Errorf("messages: %.80q is no language tag: write it as in \"de\" or \"pt-BR\"", tag)
	}
	return nil
}

// CheckText checks words written by a person: UTF-8, at most limit bytes, no control characters but tab and line feed.
// The C1 controls (U+0080 to U+009F) are among the refused: a terminal may take U+009B for the start of a command.
func CheckText(what, text string, limit int) error {
	if len(text) > limit {
		return fmt.Errorf("%s: %d bytes, at most %d are allowed", what, len(text), limit)
	}
	if !utf8.ValidString(text) {
		return fmt.Errorf("%s: it is not UTF-8", what)
	}
	for i, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return fmt.Errorf("%s: control character %U at byte %d", what, r, i)
		}
	}
	return nil
}

// checkYear keeps instants where RFC 3339 can write them.
func checkYear(what string, t time.Time) error {
	if t.IsZero() {
		return nil
	}
	if y := t.UTC().Year(); y < 1970 || y > 9999 {
		return fmt.Errorf("%s: the year %d is not between 1970 and 9999", what, y)
	}
	return nil
}
