package state

import (
	"context"
	"errors"
	"time"
)

// Rev is a backend's own name for one version of the document: a counter, an entity tag, a hash. Only the backend
// that gave it can read it; everybody else compares it. Two different documents never share a Rev, not even across a
// store that was emptied in between: where a store's counters can start again, the Rev has something of the content.
type Rev string

const (
	// None is the revision of a document that does not exist.
	None Rev = ""
	// Unseen is what a caller passes to [Backend.Next] that has seen nothing yet, and wants the answer at once.
	// No backend ever returns it.
	Unseen Rev = "\x00unseen"
)

// A Doc is one version of the document as a backend keeps it. The zero Doc is "there is none".
type Doc struct {
	Rev  Rev
	Data []byte // for [Decode]; the caller must not change it
}

// A Backend keeps the document. It is all that a store must do to carry Recess; it moves bytes and compares
// revisions, while validity, numbering, polling, jitter, back-off and the last known state are the engine's. The
// suite in statetest says in tests what this comment says in words.
//
// All methods may be called at the same time by any number of goroutines. Every call ends soon after its context
// does. A backend holds no goroutine after Close, and none at all while nobody waits in Next unless its
// connection needs one.
type Backend interface {
	// Next returns the document once its revision differs from since.
	//
	// It reads first: a call is one fresh look at the store, and an error says that there was none. (One that was told
	// of this very revision a moment ago, by a watch that goes on, may spare itself the look.) If the revision differs
	// from since, it returns the document (the zero Doc if there is none) and no error.
	// Otherwise a backend that can be told of changes waits for one, until ctx ends, and then returns
	// ErrUnchanged. It must not lose a change between its look and its wait: subscribe, then read, then wait. A
	// hint without a change is no reason to return. A backend that can only poll returns ErrUnchanged at once.
	//
	// The duration goes with ErrUnchanged: how long the caller should wait before it asks again, for a backend
	// that knows better (its watch failed and it polls for now); 0 leaves it to the caller. An error that wraps
	// ErrUnchanged may say why.
	//
	// A document that cannot be read as one (a half-written file) is returned as it is: judging it is [Decode]'s work.
	Next(ctx context.Context, since Rev) (Doc, time.Duration, error)

	// Save replaces the document if its revision is still old, and returns the new revision; otherwise, or if
	// somebody else is first, nothing changes and the error wraps ErrConflict. Old None means: there is none yet.
	// A saved document is durable as far as the store can make it so, and is what every later Next returns. An
	// error that does not wrap ErrConflict leaves open whether the document was saved only where the store
	// itself cannot know (a connection cut while it answered).
	Save(ctx context.Context, old Rev, data []byte) (Rev, error)

	// Close ends every waiting call with ErrClosed and frees what the backend made. What the caller handed in (a
	// client, a connection) stays open. Closing twice is no error.
	Close() error
}

var (
	// ErrUnchanged is Next's answer when the revision is still the one given.
	ErrUnchanged = errors.New("the document is unchanged")
	// ErrConflict is Save's answer when the document is no longer the one that was read.
	ErrConflict = errors.New("the document was changed by somebody else")
	// ErrReadOnly is Save's answer from a backend that can only be read, or not be written by this process.
	ErrReadOnly = errors.New("the state cannot be changed here")
	// ErrInexpressible is Save's answer when the store's own format has no words for the document.
	ErrInexpressible = errors.New("the store's format cannot express this")
	// ErrClosed is the answer of a backend after Close.
	ErrClosed = errors.New("the backend is closed")
	// ErrInvalid is wrapped by every error about a document that makes no sense.
	ErrInvalid = errors.New("the document makes no sense")
)

// Read returns the document as it is now, without waiting for a change.
func Read(ctx context.Context, b Backend) (Doc, error) {
	doc, _, err := b.Next(ctx, Unseen)
	return doc, err
}

// A Salvager is a Backend that can set a document that makes no sense aside before it is overwritten: the file
// backend copies it beside the state file. Where a backend cannot, the beginning of the text goes into the history.
type Salvager interface {
	// Salvage keeps the bytes of the document somewhere safe and says where, in words for the operator.
	Salvage(ctx context.Context, doc Doc) (where string, err error)
}
