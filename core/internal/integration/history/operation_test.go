package history

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/recess-go/recess/core/state"
)

// An operation is one call that a writer made, and what it was told. A read that failed tells nothing and is not kept.
type operation struct {
	writer    int
	call, end int64 // nanoseconds since the start; a save whose outcome is unknown may still happen at any later time
	outcome   outcome

	old, new       document // a read found old; a save was to replace old by new
	oldRev, newRev state.Rev
}

type outcome string

const (
	found    outcome = "found"    // a read
	saved    outcome = "saved"    // a save that was acknowledged
	conflict outcome = "conflict" // a save that came too late
	unknown  outcome = "unknown"  // a save that ended with another error
)

func (o *operation) String() string {
	if o.outcome == found {
		return fmt.Sprintf("writer %d found %v at revision %q", o.writer, o.old, o.oldRev)
	}
	return fmt.Sprintf("writer %d, to replace %v by %v: %s %q", o.writer, o.old, o.new, o.outcome, o.newRev)
}

// A document is one that a writer made, or the zero one, which is none. No two saves write the same.
type document struct {
	id     int // unique
	number int // its place in the chain of revisions: one more than that of the document it is to replace
}

func (d document) String() string {
	if d.id == 0 {
		return "no document"
	}
	return fmt.Sprintf("document %d, revision %d", d.id, d.number)
}

func (d document) encode() []byte {
	data, err := state.Encode(state.State{
		Version: state.Version, Epoch: 1, Revision: int64(d.number),
		Windows: []state.Window{{ID: fmt.Sprintf("w-%d", d.id), Mode: state.Full}},
	})
	if err != nil {
		panic(fmt.Sprintf("history: %v: %v", d, err)) // a fault of this file
	}
	return data
}

// decode returns the document that a backend has read.
func decode(doc state.Doc) (document, error) {
	if doc.Rev == state.None {
		return document{}, nil
	}
	s, err := state.Decode(doc.Data)
	if err != nil || len(s.Windows) != 1 {
		return document{}, fmt.Errorf("revision %q is no document that was written: %w: %.200q", doc.Rev, err, doc.Data)
	}
	id, err := strconv.Atoi(strings.TrimPrefix(s.Windows[0].ID, "w-"))
	return document{id, int(s.Revision)}, err
}
