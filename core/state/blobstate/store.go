package blobstate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"gocloud.dev/blob"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/driver"
)

// store is the driver.Store: how the document is read and replaced.
type store struct {
	bucket *blob.Bucket
	owned  bool   // the bucket is closed with the store
	prefix string // ends with '/'
	keep   int    // how many revisions stay
	local  bool   // the bucket is a directory: fileblob

	makeLink func(from, to string) error // os.Link

	conditional atomic.Bool // the store was seen to refuse what exists
	met         atomic.Bool // the store has answered before
	suspect     atomic.Bool // a call was not answered in time, maybe since its connection is dead

	mu    sync.Mutex
	known revision // the revision that was read last
	doc   state.Doc
}

// Read implements driver.Store. As long as the newest revision is the one that was read last, it is one request.
func (s *store) Read(ctx context.Context) (state.Doc, error) {
	s.replaceConnections(ctx)
	_, doc, err := s.look(ctx)
	s.judgeConnections(ctx, err)
	return doc, err
}

// judgeConnections casts suspicion on the connections after a call that was not answered in time. (Where none was ever
// answered, no connection is known to have lived; and the client may still be making what hangUp looks for.)
func (s *store) judgeConnections(ctx context.Context, err error) {
	switch {
	case err == nil:
		s.met.Store(true)
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && s.met.Load():
		s.suspect.Store(true)
	}
}

// replaceConnections has the next call go over another connection than one that is suspected: HTTP/2 would go on with a
// dead one until the operating system gives it up. A connection is hung up once it is idle, and net/http takes some
// moments to forget a request that was given up: so it is told several times.
func (s *store) replaceConnections(ctx context.Context) {
	if !s.suspect.Swap(false) {
		return
	}
	const times, moment = 5, 20 * time.Millisecond
	for range times {
		hangUp(s.bucket)
		select {
		case <-time.After(moment):
		case <-ctx.Done():
		}
	}
}

// looks is how often a look begins anew because the newest revision was removed before it could be read. That takes a
// fleet that makes 32 revisions in the meantime, or an operator who removes the newest.
const looks = 5

// look returns the revisions there are and the document of the newest.
func (s *store) look(ctx context.Context) (listing, state.Doc, error) {
	var vanished error
	for range looks {
		revisions, err := s.list(ctx)
		if err != nil {
			return nil, state.Doc{}, err
		}
		if len(revisions) == 0 {
			return nil, state.Doc{}, nil
		}
		newest := revisions.newest()
		doc, err := s.fetch(ctx, newest)
		switch {
		case err == nil:
			return revisions, doc, nil
		case !missing(err):
			return nil, state.Doc{}, s.explain(toRead(newest.key), err)
		}
		vanished = s.explain(toRead(newest.key), err)
	}
	return nil, state.Doc{}, fmt.Errorf("the newest revision was listed %d times and could not be found: %w", looks, vanished)
}

// fetch returns the document of a revision, from memory if it was read last.
func (s *store) fetch(ctx context.Context, r revision) (state.Doc, error) {
	s.mu.Lock()
	known, doc := s.known, s.doc
	s.mu.Unlock()
	if known == r {
		return doc, nil
	}
	reader, err := s.bucket.NewReader(ctx, r.key, nil)
	if err != nil {
		return state.Doc{}, err
	}
	defer func() { _ = reader.Close() }()
	data, err := io.ReadAll(io.LimitReader(reader, state.MaxSize+1)) // what is larger makes no sense, whatever follows
	if err != nil {
		return state.Doc{}, err
	}
	doc = state.Doc{Rev: driver.Numbered(r.number, data), Data: data}
	// An object that was replaced since it was listed is read again next time. HTTP tells full seconds only.
	if age := reader.ModTime().Sub(time.Unix(0, r.made)); reader.Size() == r.size && age.Abs() < 2*time.Second {
		s.remember(r, doc)
	}
	return doc, nil
}

func (s *store) remember(r revision, doc state.Doc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known, s.doc = r, doc
}

// Save implements driver.Store. What is created is looked at once more before it is called saved: see settle.
func (s *store) Save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	s.replaceConnections(ctx)
	rev, err := s.save(ctx, old, data)
	s.judgeConnections(ctx, err)
	return rev, err
}

func (s *store) save(ctx context.Context, old state.Rev, data []byte) (state.Rev, error) {
	before, current, err := s.look(ctx)
	if err != nil {
		return state.None, err
	}
	base := before.newest()
	if current.Rev != old {
		return state.None, fmt.Errorf("%w: %s: read the state again", state.ErrConflict, newestIs(base))
	}
	if base.number >= maxNumber {
		return state.None, fmt.Errorf("%s has the highest number that there can be: remove what is under %s, and begin anew", base.key, s.prefix)
	}
	number := base.number + 1
	mine := s.claim(number, base, data)
	if err := s.create(ctx, mine); err != nil {
		return state.None, err
	}
	after, err := s.settle(ctx, base, number, mine)
	if err != nil {
		return state.None, err
	}
	rev := driver.Numbered(number, data)
	if saved, _ := after.find(number); saved.holds(data) {
		s.remember(saved, state.Doc{Rev: rev, Data: bytes.Clone(data)})
	}
	s.pruneSome(ctx, after)
	return rev, nil
}

func newestIs(r revision) string {
	if r.number == 0 {
		return "there is no revision"
	}
	return r.key + " is the newest revision"
}

// remove deletes an object. That it is not there is no error.
func (s *store) remove(ctx context.Context, key string) error {
	if err := s.bucket.Delete(ctx, key); err != nil && !missing(err) {
		return s.explain(toRemove(key), err)
	}
	return nil
}

// Close implements driver.Store.
func (s *store) Close() error {
	if !s.owned {
		return nil
	}
	connections := transportOf(s.bucket)
	err := s.bucket.Close()
	if connections != nil {
		connections.CloseIdleConnections()
	}
	return err
}
