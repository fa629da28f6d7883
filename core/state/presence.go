package state

import (
	"context"
	"fmt"
	"time"
)

// An Instance is one process that has announced itself and whose announcement has not expired.
type Instance struct {
	ID   string
	Data []byte // what it says of itself; the caller must not change it
}

// Presence is what a Backend has that can also keep who follows the document: it carries the fleet's status and drain.
// Announcements are no part of the document: they change no revision and wake nobody who waits in Next.
//
// All methods may be called at the same time by any number of goroutines, end soon after their context does, and
// answer ErrClosed after Close.
type Presence interface {
	// Announce keeps what an instance says of itself until ttl has passed on the store's clock, in place of what it
	// said before. It returns the store's time at the announcement, as good as one message can tell it; the zero
	// Time from a store that does not tell. What CheckAnnouncement refuses is an error. A store
	// may keep an announcement longer than asked, by a second or so, never shorter.
	Announce(ctx context.Context, id string, data []byte, ttl time.Duration) (time.Time, error)

	// Withdraw forgets an instance that ends in good order. One that is not there is no error.
	Withdraw(ctx context.Context, id string) error

	// Instances returns those that are there, in the order of their ids.
	Instances(ctx context.Context) ([]Instance, error)
}

// The limits of announcements.
const (
	MinTTL      = time.Second
	MaxInstance = 128         // bytes of an id
	MaxReport   = 2 * MaxSize // bytes of an announcement: it may hold a document
)

// CheckAnnouncement returns an error for an announcement that no store has to take: an empty or long id, one with other
// characters than letters, digits, '.', '_' and '-', a report that is too large, or a ttl that is too short.
func CheckAnnouncement(id string, data []byte, ttl time.Duration) error {
	switch {
	case id == "":
		return fmt.Errorf("an instance needs a name")
	case len(id) > MaxInstance:
		return fmt.Errorf("the instance's id has %d bytes, at most %d are allowed", len(id), MaxInstance)
	case len(data) > MaxReport:
		return fmt.Errorf("the announcement has %d bytes, at most %d are allowed", len(data), MaxReport)
	case ttl < MinTTL:
		return fmt.Errorf("the announcement is to last %s, at least %s is needed", ttl, MinTTL)
	}
	for _, c := range []byte(id) {
		if !isIDByte(c) {
			return fmt.Errorf("the instance's name %q holds %q: letters, digits, '.', '_' and '-' are allowed", id, c)
		}
	}
	return nil
}

func isIDByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}
