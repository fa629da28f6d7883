package state

import (
	"fmt"
	"testing"
	"time"
)

// full is a document as a busy year leaves it behind.
func full() State {
	s := State{Version: Version, Epoch: 1, Revision: 50}
	for i := range 3 {
		s.Windows = append(s.Windows, Window{ID: fmt.Sprint("w", i), Mode: Full, Messages: map[string]string{"": "We are moving house.", "de": "Wir ziehen um."}})
	}
	for i := range MaxHistory {
		s.History = append(s.History, Entry{
			Revision: int64(i + 1), At: time.Date(2026, 11, 21, 10, 0, i, 0, time.UTC), Action: "on", Reason: "OPS-1311",
			By: Actor{Name: "alice", Host: "web-1", Source: "cli"}, Windows: []string{"w1: site, full, until 2026-11-21T11:00:00Z"},
		})
	}
	return s
}

func BenchmarkDecode(b *testing.B) {
	data, err := Encode(full())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	s := full()
	for b.Loop() {
		if _, err := Encode(s); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHostile is what a document full of the costliest recurrences takes to be read and to be looked at.
func BenchmarkHostile(b *testing.B) {
	s := State{Version: Version}
	for i := range MaxWindows {
		s.Windows = append(s.Windows, Window{ID: fmt.Sprint("w", i), Mode: Full, Repeat: &Repeat{Cron: "59 23 29 2 */7", Zone: "Africa/Casablanca", For: MaxRepeatFor}})
	}
	now := time.Date(2089, 3, 1, 0, 0, 0, 0, time.UTC) // the next is 39 years away
	data, err := Encode(s)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Decode(data)
		if err != nil {
			b.Fatal(err)
		}
		s.In(Planned, now)
		s.NextBoundary(now)
	}
}
