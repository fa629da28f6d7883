package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"modernc.org/sqlite"

	"github.com/recess-go/recess/core/internal/integration/must"
	"github.com/recess-go/recess/core/internal/integration/rigs"
	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/sqlstate"
)

// TestMain lets the test binary serve as another process.
func TestMain(m *testing.M) {
	switch role := os.Getenv("SQLITE_CHILD"); role {
	case "":
		os.Exit(m.Run())
	case "count":
		fmt.Println(count(context.Background(), os.Getenv("SQLITE_PATH")))
	default: // a statement after which it waits until it is told to end
		fmt.Println(hold(context.Background(), os.Getenv("SQLITE_PATH"), role))
	}
	os.Exit(1)
}

func child(t testing.TB, role, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must.Do(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "SQLITE_CHILD="+role, "SQLITE_PATH="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// count counts the document's revision up for ever, and prints each number that was acknowledged.
func count(ctx context.Context, path string) error {
	b, err := state.Open(ctx, "sqlite:"+path)
	if err != nil {
		return err
	}
	for {
		doc, err := state.Read(ctx, b)
		if err != nil {
			return err
		}
		s := state.State{Version: state.Version, Epoch: 1}
		if doc.Rev != state.None {
			if s, err = state.Decode(doc.Data); err != nil {
				return err
			}
		}
		s.Revision++
		data, err := state.Encode(s)
		if err == nil {
			_, err = b.Save(ctx, doc.Rev, data)
		}
		if err == nil {
			fmt.Println(s.Revision)
		} else if !errors.Is(err, state.ErrConflict) {
			return err
		}
	}
}

// TestKilledWritersLoseNothing is faults F12 and F13 with processes: three at a time count the revision up and are
// killed (-9) wherever they are after some numbers: holding a lock, in the middle of a write, before they could say so.
func TestKilledWritersLoseNothing(t *testing.T) {
	path := migrated(t)
	const lives, rounds = 3, 8
	var (
		mu    sync.Mutex
		times = make(map[int]int) // how often each revision was acknowledged
		all   sync.WaitGroup
	)
	for life := range lives {
		all.Go(func() {
			for round := range rounds {
				for _, n := range countAndKill(t, path, 3+(life+round)%5) {
					mu.Lock()
					times[n]++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	doc := must.Read(t, open(t, "sqlite:"+path))
	s, err := state.Decode(doc.Data)
	if err != nil {
		t.Fatalf("the document that is left: %v", err)
	}
	missing := 0
	for n := 1; n <= int(s.Revision); n++ {
		switch times[n] {
		case 0:
			missing++ // its writer was killed between the writing and its report
		case 1:
		default:
			t.Errorf("revision %d was written %d times", n, times[n])
		}
		delete(times, n)
	}
	if len(times) > 0 {
		t.Errorf("beyond the last revision, %d, these were acknowledged and lost: %v", s.Revision, times)
	}
	if missing > lives*rounds {
		t.Errorf("%d revisions were never reported, by %d killed writers", missing, lives*rounds)
	}
	if got := by(t, path, "PRAGMA integrity_check"); got != "ok" {
		t.Errorf("the file is not sound any more: %s", got)
	}
}

// countAndKill runs a counting process, kills it once it has reported some numbers, and returns all that it reported.
func countAndKill(t *testing.T, path string, after int) []int {
	cmd := child(t, "count", path)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	var numbers []int
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Errorf("a counting process says: %s", lines.Text())
			break
		}
		if numbers = append(numbers, n); len(numbers) == after {
			_ = cmd.Process.Kill() // what it reports until it is dead is read nevertheless
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return numbers
}

// hold carries a statement out, says so, and keeps its transaction open until the input ends.
func hold(ctx context.Context, path, statement string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	for _, text := range strings.Split(statement, ";") {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	fmt.Println("held")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// held has another process carry out a statement, and returns what ends it.
func held(t *testing.T, path, statement string) (release func()) {
	t.Helper()
	cmd := child(t, statement, path)
	in, err := cmd.StdinPipe()
	must.Do(t, err)
	out, err := cmd.StdoutPipe()
	must.Do(t, err)
	must.Do(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "held" {
		t.Fatalf("the other process says %q: %v", line, err)
	}
	return sync.OnceFunc(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
}

// TestALockIsWaitedFor: another process holds the file for a while. The connection by itself would not wait at all.
func TestALockIsWaitedFor(t *testing.T) {
	path := migrated(t)
	connector, err := sqlite.NewConnector(path)
	must.Do(t, err)
	var tried atomic.Int64
	again := make(chan struct{})
	db := sql.OpenDB(rigs.Statements{Connector: connector, Tell: func(string) {
		if tried.Add(1) == 10 {
			close(again)
		}
	}})
	defer db.Close()
	b, err := sqlstate.New(db, sqlstate.Config{Timeout: patience})
	must.Do(t, err)
	release := held(t, path, "BEGIN IMMEDIATE")
	defer release()
	go func() { <-again; release() }()
	must.Save(t, b, state.None, "on")
}
