package state

import (
	"encoding/json"
	"fmt"
	"time"
)

// The limits of a lease. Below MinLease a store that is slow for a moment would cost it.
const (
	MinLease = 10 * time.Second
	MaxLease = 24 * time.Hour
)

// A Lease makes a window one that lasts only while its holder renews it. Nobody's clocks are compared: each instance counts
// from its own receipt of a renewal, and one that has counted to the end, looks at the store once more and finds no other,
// removes the window from the document. That removal is what a holder fails on that was frozen and comes back.
type Lease struct {
	// TTL is how long the window outlives a renewal: whole seconds, from MinLease to MaxLease.
	TTL time.Duration
	// Renewals counts the renewals. They are no changes: the document keeps its revision, and its history says nothing.
	Renewals int64
	// Extra holds members that a newer Recess wrote; see [State.Extra].
	Extra map[string]json.RawMessage
}

// lease is the written form.
type lease struct {
	TTL      string `json:"ttl"`
	Renewals int64  `json:"renewals,omitempty"`
}

// MarshalJSON writes the lease with the members it does not know, as [Encode] does.
func (l Lease) MarshalJSON() ([]byte, error) {
	return join(lease{shortLength(l.TTL), l.Renewals}, l.Extra)
}

// UnmarshalJSON reads a lease as [Decode] does.
func (l *Lease) UnmarshalJSON(data []byte) error {
	known, extra, err := split(data, leaseNames)
	if err != nil {
		return err
	}
	var v lease
	if err := json.Unmarshal(known, &v); err != nil {
		return err
	}
	ttl, err := readLength("lease: ttl", v.TTL)
	if err != nil {
		return err
	}
	*l = Lease{ttl, v.Renewals, extra}
	return nil
}

// String is the lease in words: "1m, renewed 3 times".
func (l *Lease) String() string {
	switch l.Renewals {
	case 0:
		return shortLength(l.TTL) + ", not renewed yet"
	case 1:
		return shortLength(l.TTL) + ", renewed once"
	}
	return fmt.Sprintf("%s, renewed %d times", shortLength(l.TTL), l.Renewals)
}

func (w *Window) checkLease() error {
	l := w.Lease
	switch {
	case l == nil:
		return nil
	case l.TTL < MinLease || l.TTL > MaxLease || l.TTL%time.Second != 0:
		return fmt.Errorf("lease: %s: use whole seconds, from %s to %s", shortLength(l.TTL), shortLength(MinLease), shortLength(MaxLease))
	case l.Renewals < 0:
		return fmt.Errorf("lease: renewals: %d is negative", l.Renewals)
	case w.Repeat != nil:
		return fmt.Errorf("lease: a recurring window has no holder: it ends by itself")
	case w.Ramp != 0:
		return fmt.Errorf("lease: a window that reopens by degrees ends by itself")
	}
	return nil
}

// Renewed reports whether two versions of a numbered document differ in nothing but that leases were renewed: whatever else
// changes it, numbers it anew.
func Renewed(before, after *State) bool {
	if !before.Numbered() || before.Epoch != after.Epoch || before.Revision != after.Revision || len(before.Windows) != len(after.Windows) {
		return false
	}
	renewed := false
	for i := range before.Windows {
		b, a := before.Windows[i], after.Windows[i]
		if b.ID != a.ID || (b.Lease == nil) != (a.Lease == nil) {
			return false
		}
		renewed = renewed || a.Lease != nil && a.Lease.Renewals != b.Lease.Renewals
	}
	return renewed
}
