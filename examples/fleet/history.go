//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/recess-go/recess/examples/internal/ledger"
)

// A history is what the ledgers say.
type history struct {
	work       map[string][]ledger.Work // of each instance
	migrations []migration
}

// A migration is when it was called for, and when it ran.
type migration struct {
	called time.Time
	ledger.Work
}

// migration reads the ledger of one migration.
func (s *site) migration(n int, called time.Time) (migration, error) {
	work, err := ledger.Read(s.migrationLedger(n))
	if err == nil && (len(work) != 1 || !work[0].Ended) {
		err = fmt.Errorf("migration %d did not run to its end", n+1)
	}
	if err != nil {
		return migration{}, err
	}
	return migration{called, work[0]}, nil
}

// history reads the ledgers of the instances, which must have ended.
func (s *site) history(migrations []migration) (*history, error) {
	h := &history{work: make(map[string][]ledger.Work), migrations: migrations}
	for _, framework := range frameworks {
		work, err := ledger.Read(s.shopLedger(framework))
		if err != nil {
			return nil, err
		}
		h.work[framework] = work
	}
	return h, nil
}

// waitedFor is how many requests ran when migrations were called for.
func (h *history) waitedFor() (n int) {
	for _, work := range h.work {
		for _, w := range work {
			for _, m := range h.migrations {
				if w.Runs(m.called) {
					n++
				}
			}
		}
	}
	return n
}

// overlaps describes every request that ran while a migration did.
func (h *history) overlaps() (found []string) {
	const clock = "15:04:05.000"
	for framework, work := range h.work {
		for _, w := range work {
			for n, m := range h.migrations {
				if w.Meets(m.Work) {
					found = append(found, fmt.Sprintf("on %s a request ran from %s to %s, and migration %d from %s to %s",
						framework, w.From.Format(clock), w.To.Format(clock), n+1, m.From.Format(clock), m.To.Format(clock)))
				}
			}
		}
	}
	return found
}

// errBroken is the end of a run that went as it should, and shows what must not be.
var errBroken = errors.New("the promise is broken")

// judge tells how it went. Its error says what of the promise was broken.
func (h *history) judge(c *crowd, out io.Writer) error {
	var begun, ended int
	for _, work := range h.work {
		for _, w := range work {
			begun++
			if w.Ended {
				ended++
			}
		}
	}
	overlaps := h.overlaps()
	served, refused, failed := c.served.Load(), c.refused.Load(), c.failed
	fmt.Fprintf(out, "\n%6d requests through nginx to %d instances, %d migrations\n", served+refused+failed, len(frameworks), len(h.migrations))
	fmt.Fprintf(out, "%6d served (200, 201)\n", served)
	fmt.Fprintf(out, "%6d refused for maintenance (503)\n", refused)
	fmt.Fprintf(out, "%6d failed otherwise\n", failed)
	fmt.Fprintf(out, "%6d ran when a migration was called for\n", h.waitedFor())
	fmt.Fprintf(out, "%6d ran during a migration\n", len(overlaps))
	var broken []error
	for _, reason := range c.reasons {
		broken = append(broken, errors.New("a request failed: "+reason))
	}
	for _, overlap := range overlaps[:min(5, len(overlaps))] {
		broken = append(broken, errors.New(overlap))
	}
	if failed == 0 && (int64(begun) != served || begun != ended) {
		broken = append(broken, fmt.Errorf("%d requests were served, but the instances have begun %d and ended %d", served, begun, ended))
	}
	if len(broken) > 0 {
		return fmt.Errorf("%w:\n%w", errBroken, errors.Join(broken...))
	}
	return nil
}
