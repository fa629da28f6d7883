package blobstate

import (
	"context"
	"time"
)

const (
	// kept is how many revisions stay: each look lists them all. A change is called saved only after one more look, and
	// while that is under way this many others would have to be made to leave the outcome open. No backend may keep
	// fewer: settle counts on it.
	kept = 32
	// perSave is how many old revisions one change removes: more than it makes, so that a heap shrinks.
	perSave = 8
	// tidying is how long the writer waits for that.
	tidying = time.Second
)

// prune removes up to limit of the revisions that no longer count, the oldest first, one after the other: while one is
// there, all that are newer are. It stops at the first that cannot be removed.
func (s *store) prune(ctx context.Context, revisions listing, limit int) error {
	for _, r := range revisions[:min(max(len(revisions)-s.keep, 0), limit)] {
		if err := s.remove(ctx, r.key); err != nil {
			return err
		}
	}
	return nil
}

// pruneSome prunes after a change. What it does not manage is left to the next: the change is saved either way.
func (s *store) pruneSome(ctx context.Context, revisions listing) {
	ctx, cancel := context.WithTimeout(ctx, tidying)
	defer cancel()
	_ = s.prune(ctx, revisions, perSave) // Prune tells why
}
