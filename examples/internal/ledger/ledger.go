// Package ledger takes down when work began and when it ended, in a file per process, so that one can tell afterwards
// what ran at the same time. The examples' proof that no request meets a migration is made of it.
package ledger

import (
	"fmt"
	"math"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// A Ledger is written by one process. A nil Ledger takes nothing down.
type Ledger struct {
	file *os.File
	last atomic.Int64
}

// Open makes the file. It must not be there yet.
func Open(path string) (*Ledger, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return &Ledger{file: file}, nil
}

// Begin takes down that work begins. What it returns takes down that it has ended.
func (l *Ledger) Begin() (end func()) {
	if l == nil {
		return func() {}
	}
	n := l.last.Add(1)
	l.note("begin", n)
	return func() { l.note("end", n) }
}

// note writes a line by one write(2), so that lines are whole, whoever writes at the same time. A ledger that cannot be
// written is worth nothing, and neither is a program that goes on without it.
func (l *Ledger) note(what string, n int64) {
	if _, err := fmt.Fprintf(l.file, "%s %d %d\n", what, n, time.Now().UnixNano()); err != nil {
		panic(fmt.Errorf("ledger: %w", err))
	}
}

// Close closes the file.
func (l *Ledger) Close() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}

// Work is what ran from an instant to another, by this machine's clock. Ended is false for work that never ended.
type Work struct {
	From, To time.Time
	Ended    bool
}

// Meets reports whether both ran at some instant.
func (w Work) Meets(v Work) bool { return !w.From.After(v.To) && !v.From.After(w.To) }

// Runs reports whether it ran at an instant.
func (w Work) Runs(at time.Time) bool { return w.Meets(Work{From: at, To: at}) }

// never is the end of work that never ended.
var never = time.Unix(0, math.MaxInt64)

// Read returns what was taken down, in the order in which it began.
func Read(path string) (all []Work, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	place := make(map[int64]int)
	for line := range strings.Lines(string(text)) {
		var (
			what     string
			n, nanos int64
		)
		_, err := fmt.Sscanf(line, "%s %d %d\n", &what, &n, &nanos)
		at := time.Unix(0, nanos)
		i, known := place[n]
		switch {
		case !strings.HasSuffix(line, "\n"):
			return nil, fmt.Errorf("ledger: %s: the last line is not whole: %q", path, line)
		case err == nil && what == "begin" && !known:
			place[n] = len(all)
			all = append(all, Work{From: at, To: never})
		case err == nil && what == "end" && known && !all[i].Ended:
			all[i].To, all[i].Ended = at, true
		default:
			return nil, fmt.Errorf("ledger: %s: a line makes no sense: %q", path, line)
		}
	}
	return all, nil
}
