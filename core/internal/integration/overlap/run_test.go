package overlap

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/recess-go/recess/core/cmd/recess/command"
)

// migrationVariable is set for a process that is a migration.
const migrationVariable = "OVERLAP_MIGRATION"

// migrating is what the process of a migration does: it says when it begins, works until its input ends, and says when
// it has ended.
func migrating() (exit int) {
	fmt.Println(time.Now().UnixNano())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return 1
	}
	fmt.Println(time.Now().UnixNano())
	return 0
}

// run has recess run a migration, and asserts that every process refuses while it works. It returns when the site was
// closed and when the command was begun too.
func (s *site) run() (m migration, closed, begun time.Time) {
	s.t.Helper()
	work, enough := io.Pipe() // the migration's input: it works until this ends
	said, out := io.Pipe()
	var watching sync.WaitGroup
	watching.Go(func() {
		lines := bufio.NewScanner(said)
		instants := []*int64{&m.begin, &m.end}
		for n := 0; lines.Scan(); n++ {
			if _, err := fmt.Sscan(lines.Text(), instants[min(n, 1)]); err != nil {
				s.t.Errorf("the migration says %q", lines.Text())
			}
			if n == 0 {
				begun = time.Now()
				s.allRefuse()
				_ = enough.Close()
			}
		}
	})
	stderr := &spoken{words: "maintenance is ON"}
	code := command.Main(s.t.Context(), []string{"run", "--within", "2m", "--lease", "30s", "--state", s.url, "--", "env", migrationVariable + "=yes", os.Args[0]}, command.IO{
		In: work, Out: out, Err: stderr,
		LookupEnv: func(string) (string, bool) { return "", false },
		Environ:   func() []string { return nil },
	}, command.Options{})
	_, _ = out.Close(), enough.Close() // where the migration was not begun
	watching.Wait()
	if code != 0 || m.end == 0 || !strings.Contains(stderr.all.String(), "succeeded") {
		s.t.Errorf("recess run: exit code %d\n%s", code, &stderr.all)
	}
	return m, stderr.at, begun
}

// spoken is a writer that notes when words were said for the first time.
type spoken struct {
	words string
	all   bytes.Buffer
	at    time.Time
}

func (w *spoken) Write(p []byte) (int, error) {
	w.all.Write(p)
	if w.at.IsZero() && strings.Contains(w.all.String(), w.words) {
		w.at = time.Now()
	}
	return len(p), nil
}
