package driver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/recess-go/recess/core/state"
)

// A Store is one document in a store. All methods may be called at the same time by any number of goroutines, and each
// ends soon after its context does: the driver gives every context a deadline, and ends it when the backend is closed.
//
// Errors are prose for an operator: what failed and what to do. The driver puts the backend's name and the operation
// before them, so they begin with neither, and they never hold a password.
type Store interface {
	// Read returns the document as it is now, the zero Doc if there is none: one round trip, past every cache.
	Read(ctx context.Context) (state.Doc, error)

	// Save replaces the document as [state.Backend] says.
	Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error)

	// Close frees what the store made itself. It is called once, when no other call is under way.
	Close() error
}

// A Watcher is a [Store] that can tell of changes.
type Watcher interface {
	Store

	// Watch subscribes, and returns when the server has confirmed it: every change from then on is told. The context
	// is for the subscribing alone: it ends as soon as Watch has returned. An error leaves the backend polling until a
	// later attempt succeeds; attempts are made ever more rarely, up to 8 times [Config].Probe apart.
	Watch(ctx context.Context) (Watch, error)

	// Newer reports that revision a is certainly a later one than b. When in doubt it is false: the driver then reads.
	// It makes the document that came with a change usable without a look at the store. Changes may be told twice, and
	// in another order than they happened in.
	Newer(a, b state.Rev) bool
}

// A Watch is one subscription. Its methods are called one at a time, all from the same goroutine.
type Watch interface {
	// Wait returns when the document may have changed: with the document, if it came with the message, or else with
	// the zero Doc, and the driver reads. When the context ends it returns an error and the watch stays usable; any
	// other error means that the watch is lost.
	Wait(ctx context.Context) (state.Doc, error)

	// Ping returns nil once the server has answered over the very connection on which changes arrive. A change that
	// arrives meanwhile must not be lost. An error means that the watch is lost.
	Ping(ctx context.Context) error

	// Close ends the subscription, without waiting for a server that does not answer.
	Close()
}

// ErrNoWatch is wrapped by the error of a [Watcher] that will never be told of changes where it is, because of its
// configuration or of what stands between it and the server. The backend then polls, and does not ask for a watch again.
var ErrNoWatch = errors.New("this store cannot be watched")

// Numbered returns a revision made of a store's own counter and of the content: the counter orders revisions, the
// content keeps two documents apart whose store has counted from 1 again.
func Numbered(n uint64, data []byte) state.Rev {
	sum := sha256.Sum256(data)
	return state.Rev(strconv.FormatUint(n, 10) + "-" + hex.EncodeToString(sum[:8]))
}

// Number returns the counter in a revision that [Numbered] made, 0 for [state.None], and false for any other.
func Number(rev state.Rev) (uint64, bool) {
	if rev == state.None {
		return 0, true
	}
	digits, _, ok := strings.Cut(string(rev), "-")
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, ok && err == nil
}

// NewerNumber is [Watcher].Newer for revisions that [Numbered] made.
func NewerNumber(a, b state.Rev) bool {
	of, isNumber := Number(a)
	over, isNumberToo := Number(b)
	return isNumber && isNumberToo && of > over
}
