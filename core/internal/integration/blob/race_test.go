package blob_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/state"
)

// writerURL names the document to the process that runWriter is.
const writerURL = "RECESS_TEST_BLOB_WRITER"

// runWriter makes this process, if it was started for that, one that counts the document up until it is killed. It
// prints each number that it was told is saved.
func runWriter() bool {
	stateURL := os.Getenv(writerURL)
	if stateURL == "" {
		return false
	}
	b, err := state.Open(context.Background(), stateURL)
	for err == nil {
		var n int
		if n, err = countUp(b); err == nil && n > 0 {
			fmt.Println(n)
		}
	}
	fmt.Println(err)
	return true
}

// countUp replaces the document by its successor and returns the successor's number, 0 if somebody else was first.
func countUp(b state.Backend) (int, error) {
	doc, err := state.Read(context.Background(), b)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi("0" + string(doc.Data))
	if err != nil {
		return 0, err
	}
	_, err = b.Save(context.Background(), doc.Rev, fmt.Append(nil, n+1))
	if errors.Is(err, state.ErrConflict) {
		return 0, nil
	}
	return n + 1, err
}

// A writer is a process that counts the document up.
type writer struct {
	cmd  *exec.Cmd
	said chan string // closed when it is gone
}

func startWriter(t *testing.T, stateURL string) *writer {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{cmd: exec.Command(path), said: make(chan string)}
	w.cmd.Env = append(os.Environ(), writerURL+"="+stateURL)
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			w.said <- lines.Text()
		}
	}()
	t.Cleanup(w.kill)
	return w
}

// kill ends the process as a power cut would, and returns when it is gone.
func (w *writer) kill() {
	if w.cmd.ProcessState != nil {
		return
	}
	_ = w.cmd.Process.Kill()
	for range w.said {
		// what it said last does not matter any more
	}
	_ = w.cmd.Wait()
}

// Fault F13, and F12 between processes: of two writers one is killed in the midst of it, again and again.
func TestOfRacingProcessesThatAreKilledNoneWinsTheSameRevision(t *testing.T) {
	server := newServer(t)
	stateURL := at(server.Addr)
	deadline := time.After(patience)
	steady := startWriter(t, stateURL)
	won := make(map[int]string)
	take := func(who, line string) {
		n, err := strconv.Atoi(line)
		if err != nil {
			t.Fatalf("the %s writer ends: %s", who, line)
		}
		if won[n] != "" {
			t.Errorf("number %d was won twice: by the %s writer and by the %s", n, won[n], who)
		}
		won[n] = who
	}
	for kills := range 8 {
		victim := startWriter(t, stateURL)
		for wins, ripe := 0, false; !ripe; {
			select {
			case line := <-steady.said: // which says nothing of what the other is about just now
				take("steady", line)
				ripe = wins >= 4
			case line, running := <-victim.said:
				if !running {
					t.Fatal("a writer has ended by itself")
				}
				take(fmt.Sprintf("killed (%d)", kills), line)
				wins++
			case <-deadline:
				t.Fatalf("the writers have come to %d numbers only", len(won))
			}
		}
		drained := make(chan struct{})
		go func() { defer close(drained); victim.kill() }()
		for waiting := true; waiting; {
			select {
			case line := <-steady.said:
				take("steady", line)
			case <-drained:
				waiting = false
			}
		}
	}
	steady.kill()
	b := open(t, stateURL)
	doc := must.Read(t, b)
	last, err := strconv.Atoi(string(doc.Data))
	if err != nil {
		t.Fatal(err)
	}
	missing := 0 // a writer that is killed cannot say what it has won last
	for n := 1; n <= last; n++ {
		if won[n] == "" {
			missing++
		}
	}
	t.Logf("%d numbers, %d of them claimed by nobody", last, missing)
	if rev := string(doc.Rev); !strings.HasPrefix(rev, fmt.Sprintf("%d-", last)) {
		t.Errorf("number %d is revision %s: a revision was saved that nobody built on", last, rev)
	}
	if n, err := countUp(b); n != last+1 || err != nil {
		t.Errorf("the next number is %d, %v", n, err)
	}
	if keys := rigs.S3Keys(t, rigs.S3Operator(t, server.Addr), "recess"); len(keys) > kept+9 {
		t.Errorf("%d objects stay", len(keys))
	}
}
