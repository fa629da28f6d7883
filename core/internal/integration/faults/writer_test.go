package faults

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/state"
)

// writerURL is the variable that makes this program a writer: it opens and closes the shop as fast as it can, and prints
// each revision that was acknowledged.
const writerURL = "RECESS_FAULTS_WRITER"

// runWriter reports whether this process is a writer. It is killed sooner or later.
func runWriter() bool {
	url := os.Getenv(writerURL)
	if url == "" {
		return false
	}
	ctx := context.Background()
	backend, err := state.Open(ctx, url)
	if err != nil {
		fmt.Println(err)
		return true
	}
	controller := recess.NewController(backend, state.Actor{Name: "writer"}, recess.NotForced)
	for closed := true; ; closed = !closed {
		change := opening("shop")
		if !closed {
			change = closing("shop")
		}
		done, err := change(ctx, controller)
		if err != nil {
			fmt.Println(err)
			return true
		}
		fmt.Println(done.After.Revision)
	}
}

// TestAWriterIsKilled is fault F13: kill -9 at any moment of a change, also between its write and what tells of it.
func TestAWriterIsKilled(t *testing.T) {
	eachRig(t, func(t *testing.T, rig rigs.Rig) {
		s := newSite(t, rig)
		s.followTwice(recess.Config{})
		for _, changes := range []int{1, 2, 5, 9, 14} {
			for _, i := range s.instances {
				i.allow(shopOpen)
				i.allow(shopClosed)
			}
			acknowledged := s.killAWriter(changes)
			_, now := s.read()
			if now.Revision != acknowledged && now.Revision != acknowledged+1 {
				t.Fatalf("revision %d was acknowledged to a writer that was killed then, and %d is there", acknowledged, now.Revision)
			}
			s.wholeAndGapless(now)
			s.converge()
		}
		t.Logf("%d revisions", s.revision)
	})
}

// killAWriter starts a writer, kills it when so many changes were acknowledged to it, and returns the last of them.
func (s *site) killAWriter(changes int) (acknowledged int64) {
	t := s.t
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), writerURL+"="+s.rig.URL(s.rig.Server.Addr))
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(output)
	for n := 0; said.Scan(); n++ { // what it said before it died counts too
		if n == changes {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
		revision := int64(0)
		if _, err := fmt.Sscan(said.Text(), &revision); err != nil {
			t.Errorf("the writer said %q", said.Text())
			break
		}
		if acknowledged != 0 && revision != acknowledged+1 {
			t.Errorf("the only writer was told of revision %d after %d", revision, acknowledged)
		}
		acknowledged = revision
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the writer ended by itself: %v", err)
	}
	return acknowledged
}

// wholeAndGapless asserts that a document is a whole one, whose history leaves no revision out, and makes it the one to
// be followed.
func (s *site) wholeAndGapless(now state.State) {
	s.t.Helper()
	last := now.Revision
	for _, entry := range slices.Backward(now.History) {
		if entry.Revision != last {
			s.t.Errorf("the history of revision %d has an entry %d where %d should be", now.Revision, entry.Revision, last)
		}
		last--
	}
	s.newest(now)
}
