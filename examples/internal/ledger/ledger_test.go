package ledger

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func TestWorkIsTakenDown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	endless := l.Begin() // begins before the others, and never ends
	_ = endless
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { l.Begin()() })
	}
	all.Wait()
	after := time.Now()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	works, err := Read(path)
	if err != nil || len(works) != 51 {
		t.Fatalf("%d works, %v", len(works), err)
	}
	for i, w := range works {
		if w.Ended != (i != 0) || w.From.Before(before.Round(0)) || w.From.After(w.To) || w.Ended && w.To.After(after.Round(0)) {
			t.Errorf("work %d: %+v", i, w)
		}
		if !works[0].Meets(w) || !w.Meets(works[0]) {
			t.Errorf("work %d does not meet what never ended", i)
		}
	}
	if _, err := Open(path); err == nil {
		t.Error("a ledger was opened twice")
	}
}

func TestNoLedgerTakesNothingDown(t *testing.T) {
	var l *Ledger
	l.Begin()()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestMeets(t *testing.T) {
	work := func(from, to int64) Work { return Work{From: time.Unix(0, from), To: time.Unix(0, to)} }
	for _, c := range []struct {
		a, b  Work
		meets bool
	}{
		{work(1, 2), work(3, 4), false},
		{work(1, 3), work(3, 4), true}, // in doubt it does
		{work(1, 9), work(3, 4), true},
		{work(3, 4), work(3, 4), true},
	} {
		if c.a.Meets(c.b) != c.meets || c.b.Meets(c.a) != c.meets {
			t.Errorf("%v and %v should meet: %t", c.a, c.b, c.meets)
		}
	}
	if w := work(3, 5); !w.Runs(time.Unix(0, 3)) || !w.Runs(time.Unix(0, 5)) || w.Runs(time.Unix(0, 6)) {
		t.Error("Runs is wrong")
	}
}

func TestWhatMakesNoSenseIsSaid(t *testing.T) {
	for _, text := range []string{"begin 1\n", "end 1 5\n", "begin 1 5\nbegin 1 6\n", "begin 1 5\nend 1 6\nend 1 7\n", "pause 1 5\n", "begin 1 5"} {
		path := filepath.Join(t.TempDir(), "ledger")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if works, err := Read(path); err == nil {
			t.Errorf("%q is read as %v", text, works)
		}
	}
}
