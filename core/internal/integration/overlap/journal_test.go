package overlap

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/internal/integration/must"
)

// A request is when a handler ran, on this machine's clock.
type request struct {
	id         int64
	start, end int64 // end is never of one that runs
}

const never = math.MaxInt64

func (r request) at(instant int64) bool { return r.start <= instant && instant < r.end }

// read returns the requests in a process's journal. One that ran when its process died has ended with it.
func (p *process) read(t *testing.T) []request {
	t.Helper()
	text, err := os.ReadFile(p.journal)
	must.Do(t, err)
	died := int64(never)
	select {
	case <-p.exited:
		died = p.gone
	default:
	}
	var requests []request
	place := make(map[int64]int)
	for line := range strings.Lines(string(text)) {
		var (
			what, name string
			id, at     int64
		)
		if _, err := fmt.Sscanf(line, "%s %s %d %d\n", &what, &name, &id, &at); err != nil || name != p.name {
			t.Fatalf("the journal of %s says %q: %v", p.name, line, err)
		}
		n, known := place[id]
		switch {
		case what == "start" && !known:
			place[id] = len(requests)
			requests = append(requests, request{id, at, died})
		case what == "end" && known && requests[n].start <= at:
			requests[n].end = at
		default:
			t.Fatalf("the journal of %s says %q, out of order", p.name, line)
		}
	}
	return requests
}

// A migration is work that must not meet a request.
type migration struct {
	begin, end int64
	lost       *process // whose requests may run: nobody knows; nil for none
}

func (m migration) meets(r request) bool { return r.start <= m.end && r.end >= m.begin }

// A history is what all journals say.
type history map[*process][]request

func (s *site) history() history {
	s.t.Helper()
	h := make(history)
	for _, p := range s.all {
		h[p] = p.read(s.t)
	}
	return h
}

// overlaps describes the requests that a migration meets.
func (h history) overlaps(m migration) (found []string) {
	for p, requests := range h {
		for _, r := range requests {
			if p != m.lost && m.meets(r) {
				found = append(found, fmt.Sprintf("request %d of %s, from %d to %d, meets the migration from %d to %d", r.id, p.name, r.start, r.end, m.begin, m.end))
			}
		}
	}
	return found
}

// running returns how many requests ran at an instant.
func (h history) running(instant int64) (n int) {
	for _, requests := range h {
		for _, r := range requests {
			if r.at(instant) {
				n++
			}
		}
	}
	return n
}
