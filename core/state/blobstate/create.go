package blobstate

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/recess-go/recess/core/state"
)

// What a revision says of itself in its metadata: which call made it, and on which object. Only letters: what else a
// name may hold differs from store to store.
const (
	writerKey = "recesswriter"
	baseKey   = "recessbase"
)

const contentType = "application/json"

// A claim is an object that a call makes, and by which it knows it again.
type claim struct {
	key    string
	data   []byte
	base   string // the revision that it replaces
	writer string // of this call alone
	made   int64  // the file's time, where a link was made and there is no metadata; else 0
}

func (s *store) claim(number uint64, base revision, data []byte) *claim {
	return &claim{key: s.key(number), data: data, base: base.identity(), writer: rand.Text()}
}

// tries is how often a revision is created anew that a store could not decide on: Amazon S3 asks for that when two
// requests for one key meet (409 ConditionalRequestConflict).
const tries = 3

// create makes an object that must not exist. A nil error means that this call made it: the client repeats a request
// whose answer was lost, and is then told that the object exists, which is true and no conflict.
func (s *store) create(ctx context.Context, c *claim) error {
	for try := 1; ; try++ {
		err := s.put(ctx, c)
		if err == nil {
			return s.tryCondition(ctx, c)
		}
		if unconditional(err) {
			return fmt.Errorf("%w: %w", errUnconditional, s.explain(toCreate(c.key), err))
		}
		if exists(err) {
			s.conditional.Store(true)
		}
		of, there, unseen := s.originOf(ctx, c.key)
		switch {
		case unseen == nil && there && of.writer == c.writer:
			return nil
		case unseen == nil && there, errors.Is(err, fs.ErrExist): // fileblob repeats nothing
			return fmt.Errorf("%w: somebody else has created %s: read the state again", state.ErrConflict, c.key)
		case unseen == nil && exists(err):
			return fmt.Errorf("%s was there, and is gone again: read the state again", c.key)
		case unseen == nil && undecided(err) && try < tries:
			continue
		case unseen != nil && (exists(err) || unanswered(err)), !s.local && underWay(err):
			return fmt.Errorf("%w: whether it was created is not known: read the state again", s.explain(toCreate(c.key), err))
		}
		return s.explain(toCreate(c.key), err)
	}
}

// put asks the store to create an object that must not exist. It is an Upload, since a Writer of azureblob panics when
// the store refuses the object (gocloud.dev v0.47.0, writer.Close).
func (s *store) put(ctx context.Context, c *claim) error {
	if s.local {
		return s.putFile(ctx, c)
	}
	return s.bucket.Upload(ctx, c.key, bytes.NewReader(c.data), &blob.WriterOptions{
		IfNotExist:   true,
		ContentType:  contentType,
		CacheControl: "no-store",
		Metadata:     map[string]string{writerKey: c.writer, baseKey: c.base},
	})
}

// errUnconditional is the answer where two writers could both succeed.
var errUnconditional = fmt.Errorf("%w: this store creates objects in the place of others (it does not know If-None-Match: *), "+
	"and of two changes at the same time both would seem to succeed: use another store", state.ErrReadOnly)

// tryCondition creates an object again that was just created, once in a backend's life: a store that succeeds does not
// understand the condition, and would let two writers win. One success may mean that the object was removed meanwhile.
func (s *store) tryCondition(ctx context.Context, c *claim) error {
	if s.local || s.conditional.Load() {
		return nil
	}
	trial := *c
	trial.writer = rand.Text()
	for range 2 {
		if err := s.put(ctx, &trial); err != nil {
			s.conditional.Store(exists(err))
			return nil // an error of another kind says nothing: settle looks whose the object is, and the next change tries again
		}
	}
	_ = s.remove(ctx, c.key)
	return errUnconditional
}

// An origin is what a revision says of itself. It is empty for one that was made by hand, or by a link.
type origin struct{ writer, base string }

// originOf asks a revision for its origin, and whether it is there.
func (s *store) originOf(ctx context.Context, key string) (of origin, there bool, err error) {
	attributes, err := s.bucket.Attributes(ctx, key)
	switch {
	case err == nil:
		return origin{attributes.Metadata[writerKey], attributes.Metadata[baseKey]}, true, nil
	case missing(err):
		return origin{}, false, nil
	}
	return origin{}, false, err
}

// owns reports whether an object is certainly the one that was claimed.
func (s *store) owns(ctx context.Context, c *claim, r revision) bool {
	if c.made != 0 {
		return r.made == c.made
	}
	of, there, err := s.originOf(ctx, r.key)
	return err == nil && there && of.writer == c.writer
}

// exists reports whether a store refused to create an object since there is one.
func exists(err error) bool {
	code := gcerrors.Code(err)
	return code == gcerrors.FailedPrecondition || code == gcerrors.AlreadyExists || errors.Is(err, fs.ErrExist)
}
