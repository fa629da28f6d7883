package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// split parts a JSON object into the members of the given names, compared exactly, and the others. encoding/json alone
// would match names without regard to case and forget what it does not know. An object that has no others, as nearly
// all have, is returned as it is.
func split(data []byte, names map[string]bool) (known []byte, extra map[string]json.RawMessage, err error) {
	if onlyKnown(data, names) {
		return data, nil, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, nil, err
	}
	if members == nil {
		return nil, nil, errors.New("it is null instead of an object")
	}
	declared := make(map[string]json.RawMessage)
	for name := range names {
		if value, ok := members[name]; ok {
			declared[name] = value
			delete(members, name)
		}
	}
	for name, value := range members {
		// In the form in which join writes it, so that a value is the same before and after a round trip.
		if members[name], err = json.Marshal(value); err != nil {
			return nil, nil, err
		}
		for field := range names {
			if strings.EqualFold(name, field) {
				return nil, nil, fmt.Errorf("member %q: did you mean %q", name, field)
			}
		}
	}
	if len(members) == 0 {
		members = nil
	}
	known, err = json.Marshal(declared)
	return known, members, err
}

// onlyKnown reports whether every member of a JSON object has one of the names, spelled without escapes. The data must
// be valid JSON, as everything is that has passed scan.
func onlyKnown(data []byte, names map[string]bool) bool {
	depth, isName := 0, false
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			depth++
			isName = depth == 1 && data[i] == '{'
			if depth == 1 && !isName {
				return false
			}
		case '}', ']':
			depth--
		case ',':
			isName = depth == 1
		case '"':
			start := i + 1
			for i++; data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
			if isName && !names[string(data[start:i])] {
				return false
			}
			isName = false
		}
	}
	return depth == 0 && len(data) > 0 && bytes.IndexByte(data, '{') >= 0
}

// join writes an object with the members that split left over; v's own members win.
func join(v any, extra map[string]json.RawMessage) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil || len(extra) == 0 {
		return data, err
	}
	var own map[string]json.RawMessage
	if err := json.Unmarshal(data, &own); err != nil {
		return nil, err
	}
	all := maps.Clone(extra)
	maps.Copy(all, own)
	return json.Marshal(all)
}

// The names of the members of each object of a document.
var (
	documentNames = memberNames[document]()
	windowNames   = memberNames[window]()
	passNames     = memberNames[pass]()
	entryNames    = memberNames[Entry]()
	actorNames    = memberNames[Actor]()
	repeatNames   = memberNames[repeat]()
	leaseNames    = memberNames[lease]()
	djangoNames   = memberNames[djangoSchedule]()
)

func memberNames[T any]() map[string]bool {
	names := make(map[string]bool)
	t := reflect.TypeFor[T]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names[name] = true
	}
	return names
}

// scan checks the size, the depth and the syntax of a document, and that no object names a member twice, before
// anything is built from it.
func scan(data []byte) error {
	switch {
	case len(data) > MaxSize:
		return fmt.Errorf("it has %d bytes, at most %d are read", len(data), MaxSize)
	case len(bytes.TrimSpace(data)) == 0:
		return errors.New("it is empty")
	case json.Valid(data) && plain(data):
		return nil
	}
	return scanTokens(data)
}

// scanTokens is scan for every document: the slow way, with words for what is wrong.
func scanTokens(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := scanValue(dec, 0); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("it ends too early, after %d bytes", len(data))
		}
		return fmt.Errorf("at byte %d: %w", dec.InputOffset(), err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("at byte %d: something follows the document", dec.InputOffset())
	}
	return nil
}

// plain reports whether valid JSON is as our own documents are: no deeper than MaxDepth, few members to an object, their
// names different and in plain ASCII, and numbers that any type can hold. It takes a tenth of the time of scanTokens.
func plain(data []byte) bool {
	const fewMembers = 16
	var names [MaxDepth][fewMembers][]byte // of the objects that are open
	var members [MaxDepth]int              // how many each has; -1 for an array
	depth, isName := -1, false
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if depth++; depth == MaxDepth {
				return false
			}
			isName, members[depth] = data[i] == '{', -1
			if isName {
				members[depth] = 0
			}
		case '}', ']':
			depth, isName = depth-1, false
		case ',':
			isName = members[depth] >= 0
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			start := i
			for i++; i < len(data) && data[i] >= '0' && data[i] <= '9'; i++ {
			}
			if i-start > len("1763733600000000000") || i < len(data) && bytes.IndexByte([]byte(".eE"), data[i]) >= 0 {
				return false
			}
			i--
		case '"':
			start, odd := i+1, false
			for i++; data[i] != '"'; i++ {
				odd = odd || data[i] == '\\' || data[i] >= utf8.RuneSelf
				if data[i] == '\\' {
					i++
				}
			}
			if !isName {
				continue
			}
			isName = false
			n, name := members[depth], data[start:i]
			if odd || n == fewMembers || slices.ContainsFunc(names[depth][:n], func(other []byte) bool { return bytes.Equal(name, other) }) {
				return false
			}
			names[depth][n] = name
			members[depth]++
		}
	}
	return true
}

func scanValue(dec *json.Decoder, depth int) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth == MaxDepth {
		return fmt.Errorf("it is nested deeper than %d levels", MaxDepth)
	}
	seen := make(map[any]bool)
	for dec.More() {
		if open == '{' {
			name, err := dec.Token()
			if err != nil {
				return err
			}
			if seen[name] {
				return fmt.Errorf("member %q stands twice", name)
			}
			seen[name] = true
		}
		if err := scanValue(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token() // the closing delimiter
	return err
}
