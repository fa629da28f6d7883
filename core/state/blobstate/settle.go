package blobstate

import (
	"context"
	"errors"
	"fmt"

	"github.com/recess-go/recess/core/state"
)

// settle says whether a revision that was just created on base counts: it may have come so late that its number had
// been used, and removed, long ago. It returns the revisions there are then. Its errors are a conflict only where
// nothing of the change stays, and has been built on; where that cannot be known they are another.
//
// The newest revision is never removed. So if nothing is newer, nothing ever was, and base was the newest when this one
// was created.
func (s *store) settle(ctx context.Context, base revision, number uint64, c *claim) (listing, error) {
	after, err := s.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s was created, but whether it counts could not be seen: %w", c.key, err)
	}
	mine, there := after.find(number)
	switch newest := after.newest(); {
	case !there:
		return nil, fmt.Errorf("%s was created and is not there any more: somebody has removed it, or the store lists "+
			"what is there only later, and cannot carry the state: read the state again", c.key)
	case newest != mine:
		return after, s.overtaken(ctx, base, mine, after, c)
	case !s.local && !s.conditional.Load() && !s.owns(ctx, c, mine):
		return nil, fmt.Errorf("%s was created, but may since have been replaced, and whether this store refuses that could not be "+
			"tried: read the state again", c.key)
	case base.number == 0 || after.keeps(base):
		return after, nil
	}
	return nil, s.withdraw(ctx, base, mine, c)
}

// overtaken says whether a revision counted that is not the newest: whether the next was built on it. The oldest are
// removed first, so where there is no next one it was removed before this one was created, that is, too late.
func (s *store) overtaken(ctx context.Context, base, mine revision, after listing, c *claim) error {
	tooLate := fmt.Errorf("%w: %s: read the state again", state.ErrConflict, newestIs(after.newest()))
	unknown := fmt.Errorf("%s was created, but %s, and whether that is built on this change cannot be told: read the state again",
		c.key, newestIs(after.newest()))
	if !s.owns(ctx, c, mine) {
		return unknown // another came even later, under the same name
	}
	next, there := after.find(mine.number + 1)
	var of origin
	if there {
		var err error
		if of, there, err = s.originOf(ctx, next.key); err != nil || !there {
			return unknown
		}
	}
	switch {
	case !there || of.base != "" && of.base != mine.identity():
		_ = s.remove(ctx, mine.key) // where it stays it does no harm: it is not the newest, and will soon be the oldest
		return tooLate
	case of.base == "": // it was made by hand, or by a link
		if s.local && s.untouched(base, after) {
			return nil
		}
		return unknown
	case base.number == 0 || after.keeps(base) || len(after) >= s.keep:
		return nil
	}
	return unknown // what it was made from was not pruned, but removed or replaced by hand, and others built on it
}

// untouched reports whether nothing that is as new as base has been removed so far, so that a revision after it came
// first of its number. It is what there is to go by where revisions do not say what they were made from.
func (s *store) untouched(base revision, after listing) bool {
	if base.number == 0 {
		return len(after) <= s.keep
	}
	return after.keeps(base)
}

// withdraw takes back the newest revision, since what it was built on was removed or replaced while it was made. Only
// a hand can have done that.
func (s *store) withdraw(ctx context.Context, base, mine revision, c *claim) error {
	err := errors.New("it was replaced, too")
	if s.owns(ctx, c, mine) {
		err = s.remove(ctx, mine.key)
	}
	if err == nil {
		var now listing
		if now, err = s.list(ctx); err == nil && now.newest().number < mine.number {
			return fmt.Errorf("%w: %s was removed or replaced: read the state again", state.ErrConflict, base.key)
		}
	}
	if err == nil {
		err = errors.New("others have built on it")
	}
	return fmt.Errorf("%s was removed or replaced while %s was made from it, and that could not be taken back: %w: read the state again",
		base.key, mine.key, err)
}
