package statetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/recess-go/recess/core/state"
)

// century is the end of window 0. It lies so far ahead that no store takes the window for ended.
var century = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// document returns the n-th document, from 1. Each is different, and within what the narrowest format can express:
// it carries its number as the end of a plain switch's window.
func document(n int) []byte {
	s := state.Switched(true, time.Time{}, century.Add(time.Duration(n)*time.Second))
	s.Epoch, s.Revision = 1, int64(n)
	data, err := state.Encode(s)
	if err != nil {
		panic(fmt.Sprintf("statetest: document %d: %v", n, err)) // a fault of this file, whatever the backend
	}
	return data
}

// number returns which document a Doc is. No document is number 0.
func number(doc state.Doc) (int, error) {
	if doc.Rev == state.None {
		if doc.Data != nil {
			return 0, fmt.Errorf("the revision is None, but the document is %.100q", doc.Data)
		}
		return 0, nil
	}
	s, err := state.Decode(doc.Data)
	if err != nil {
		return 0, fmt.Errorf("revision %q is none of the documents written: %.100q: %w", doc.Rev, doc.Data, err)
	}
	if len(s.Windows) != 1 {
		return 0, fmt.Errorf("revision %q is none of the documents written: %.100q", doc.Rev, doc.Data)
	}
	return int(s.Windows[0].End.Sub(century) / time.Second), nil
}

// large returns a valid document of exactly the largest size.
func large() []byte {
	data := document(1)
	return append(data, strings.Repeat(" ", state.MaxSize-len(data))...)
}
