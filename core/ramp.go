package recess

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/recess-go/recess/core/state"
)

// A window with a ramp ends by degrees. Each visitor has a turn, a number that is drawn by the window's id and by who the
// visitor is: it is the same on every instance, and another one at the next window. Whose turn is below the share that the
// window lets in passes. The share only grows, so whoever was let in once is let in again.

// shareOf is the share of a window at an instant, as a part of all turns.
func shareOf(w *state.Window, now time.Time) uint64 {
	share := w.Share(now)
	switch {
	case share <= 0:
		return 0
	case share >= 1:
		return math.MaxUint64
	}
	return uint64(share * math.MaxUint64)
}

// grow raises the share of a window to what it is at an instant. A clock that is set back takes nothing away.
func (w *window) grow(now time.Time) {
	if share := shareOf(&w.Window, now); share > w.share.Load() {
		w.share.Store(share)
	}
}

// keepShares has the windows of a snapshot let in whom those of the one before have let in.
func (s *snapshot) keepShares(before *snapshot) {
	if s == nil || before == nil {
		return
	}
	for _, w := range s.running {
		for _, old := range before.running {
			if w.Ramp > 0 && occurrence(&w.Window) == occurrence(&old.Window) {
				w.share.Store(max(w.share.Load(), old.share.Load()))
			}
		}
	}
}

// turn lets in visitors whose turn has come in every window that covers the request.
func (q *inquiry) turn() string {
	if q.covered == nil || q.covered.share.Load() == 0 {
		return ""
	}
	who, known := q.visitor()
	if !known {
		return "" // all of whom nobody knows who they are come last
	}
	method := q.request.Method()
	for _, w := range q.snap.running {
		if !w.refuses(method, q) {
			continue
		}
		share := w.share.Load()
		turn := turnOf(w.ID, who)
		if q.trace != nil {
			q.trace.note(fmt.Sprintf("window %s lets in %.1f %% of the visitors; this one is let in at %.1f %%", w.ID, percent(share), percent(turn)))
		}
		if turn >= share {
			return ""
		}
	}
	return q.covered.ID
}

func percent(part uint64) float64 { return 100 * float64(part) / math.MaxUint64 }

// turnOf draws a visitor's turn in a window.
func turnOf(window string, who []byte) uint64 {
	var room [256]byte
	text := append(append(append(room[:0], window...), 0), who...)
	sum := sha256.Sum256(text)
	return binary.BigEndian.Uint64(sum[:])
}

// visitor is what tells one visitor from another: the name of who is logged in, or else the client's address, of IPv6 the
// network of one customer (RFC 6177: privacy addresses change within it). It is not known where the application names
// nobody and the address cannot be found.
func (q *inquiry) visitor() (who []byte, known bool) {
	if u := q.whoAsks(); u.Authenticated && u.Name != "" {
		return append([]byte("user "), u.Name...), true
	}
	client := q.client()
	if !client.IsValid() {
		return nil, false
	}
	if client.Is6() {
		if network, err := client.Prefix(64); err == nil {
			client = network.Addr()
		}
	}
	return append([]byte("client "), client.AsSlice()...), true
}

// rampEvery is how often the share of a window grows: in a thousand steps, but neither more often than ten times nor less
// often than once a second.
func rampEvery(ramp time.Duration) time.Duration {
	return min(max(ramp/1000, 100*time.Millisecond), time.Second)
}

// rampRetry is how long who is refused while a window reopens waits before the next try: long enough for the share to have
// grown, and not until the end, when all would come at once.
func rampRetry(ramp time.Duration) time.Duration {
	return min(max(ramp/20, time.Second), time.Minute)
}
