package main

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
)

// A transcript is what a worker has said, line by line.
type transcript struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed at the next line
}

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.lines = append(tr.lines, strings.TrimSuffix(string(p), "\n")) // each line is one write
	close(tr.more)
	tr.more = make(chan struct{})
	return len(p), nil
}

// from returns what was said from the nth line on, and what is closed when more is.
func (tr *transcript) from(n int) ([]string, <-chan struct{}) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.lines[n:], tr.more
}

// waitFor returns once some lines have been said from the nth on that are so, and returns all lines from there.
func (tr *transcript) waitFor(t *testing.T, n, count int, is func(string) bool) []string {
	t.Helper()
	late := time.After(time.Minute)
	for {
		lines, more := tr.from(n)
		found := 0
		for _, line := range lines {
			if is(line) {
				found++
			}
		}
		if found >= count {
			return lines
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("within a minute it has said only %q", lines)
		}
	}
}

func isSent(line string) bool    { return strings.HasSuffix(line, "is sent") }
func isLeftOut(line string) bool { return strings.HasSuffix(line, "is left out") }

// TestNothingIsDoneDuringMaintenance runs the worker as its user does, and closes the site from aside.
func TestNothingIsDoneDuringMaintenance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	ctx, stop := context.WithCancel(t.Context())
	said, log := &transcript{more: make(chan struct{})}, &transcript{more: make(chan struct{})}
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-every", "50ms"}, []string{"RECESS_STATE=file:" + path}, said, log)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the worker ends with %v", err)
		}
		if t.Failed() {
			t.Logf("its log: %q", log.lines)
		}
	})
	backend, err := filestate.New(path, filestate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = backend.Close() })
	operator := recess.NewController(backend, state.Actor{Name: "test"}, recess.NotForced)
	said.waitFor(t, 0, 1, isSent)
	for range 3 {
		if _, err := operator.On(t.Context(), recess.Opening{}); err != nil {
			t.Fatal(err)
		}
		if err := operator.Drain(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		before, _ := said.from(0)
		drained := len(before)
		for _, line := range said.waitFor(t, drained, 5, isLeftOut) {
			if !isLeftOut(line) {
				t.Errorf("all is drained, and it says %q", line)
			}
		}
		if _, err := operator.Off(t.Context(), recess.Ending{}); err != nil {
			t.Fatal(err)
		}
		said.waitFor(t, drained, 2, isSent)
	}
	sent := make(map[string]bool)
	lines, _ := said.from(0)
	for _, line := range lines {
		if isSent(line) && sent[line] {
			t.Errorf("twice: %q", line)
		}
		sent[line] = true
	}
}
