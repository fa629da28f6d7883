//go:build unix

package filestate_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/recess-go/recess/core/state"
	"github.com/recess-go/recess/core/state/filestate"
)

// TestMain lets the test binary serve as another process.
func TestMain(m *testing.M) {
	switch os.Getenv("FILESTATE_CHILD") {
	case "":
		os.Exit(m.Run())
	case "save":
		os.Exit(childSave(os.Getenv("FILESTATE_PATH")))
	case "count":
		os.Exit(childCount(os.Getenv("FILESTATE_PATH")))
	}
}

func child(t testing.TB, role, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "FILESTATE_CHILD="+role, "FILESTATE_PATH="+path)
	return cmd
}

// childSave saves once and prints what came of it.
func childSave(path string) int {
	b, err := filestate.New(path, filestate.Config{})
	if err == nil {
		var doc state.Doc
		if doc, err = state.Read(context.Background(), b); err == nil {
			_, err = b.Save(context.Background(), doc.Rev, []byte("on"))
		}
	}
	fmt.Printf("%v\nErrReadOnly %v, ErrPermission %v\n", err, errors.Is(err, state.ErrReadOnly), errors.Is(err, fs.ErrPermission))
	return 0
}

// TestMissingRightsNameTheUserAndTheDirectory drops root's rights, which no mode binds.
func TestMissingRightsNameTheUserAndTheDirectory(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "filestate") // t.TempDir lies in a directory that others may not enter
	must(t, err)
	defer func() { _ = os.RemoveAll(dir) }()
	must(t, os.Chmod(dir, 0o755))
	path := filepath.Join(dir, "recess.json")
	write(t, path, "off")
	self, err := os.Executable()
	must(t, err)
	copyFile(t, self, filepath.Join(dir, "test"))
	as := func() string {
		cmd := child(t, "save", path)
		cmd.Path = filepath.Join(dir, "test")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Skipf("another user cannot run the test binary here: %v: %s", err, out)
		}
		return string(out)
	}
	check := func(what, out string, says ...string) {
		for _, s := range says {
			if !strings.Contains(out, s) {
				t.Errorf("%s: %q does not say %q", what, out, s)
			}
		}
	}
	refused := "ErrReadOnly true, ErrPermission true"
	check("no right to write", as(), "filestate: save "+path, "the directory "+dir+" must be writable by uid 65534", refused)
	write(t, path+".lock", "")
	check("a lock of another user, which can be taken, and no right to write", as(), "must be writable by uid 65534", refused)
	if got := list(t, dir); !slices.Equal(got, []string{"recess.json", "recess.json.lock", "test"}) {
		t.Errorf("it left %v", got)
	}
	must(t, os.Chmod(path, 0o600))
	check("no right to read", as(), "filestate: read "+path, "it must be readable by uid 65534", "ErrReadOnly false, ErrPermission true")
	must(t, os.Chmod(path, 0o644))
	must(t, os.Chmod(dir, 0o777|fs.ModeSticky)) // as /tmp: here Linux forbids to open another's file for creation
	must(t, os.Chown(path, nobody, nobody))
	check("a shared directory with another user's lock", as(), "<nil>")
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	must(t, err)
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, 0o755)
	must(t, err)
	_, err = io.Copy(out, in)
	must(t, errors.Join(err, out.Close()))
}

// childCount counts the document's revision up for ever, and prints each number that it wrote.
func childCount(path string) int {
	b, err := filestate.New(path, filestate.Config{})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for {
		doc, err := state.Read(context.Background(), b)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		s := state.State{Version: state.Version, Epoch: 1}
		if doc.Rev != state.None {
			if s, err = state.Decode(doc.Data); err != nil {
				fmt.Println(err)
				return 1
			}
		}
		s.Revision++
		data, err := state.Encode(s)
		if err == nil {
			_, err = b.Save(context.Background(), doc.Rev, data)
		}
		switch {
		case err == nil:
			fmt.Println(s.Revision)
		case !errors.Is(err, state.ErrConflict):
			fmt.Println(err)
			return 1
		}
	}
}

// TestKilledWritersLoseNothing is faults F12 and F13 with processes: three at a time count the revision up and are
// killed (-9) wherever they are after some numbers, so often between writing and renaming, or holding the lock.
func TestKilledWritersLoseNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "recess.json")
	const lives, rounds = 3, 8
	var (
		mu    sync.Mutex
		times = make(map[int]int) // how often each revision was reported
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

	b := open(t, path, filestate.Config{})
	doc, err := state.Read(t.Context(), b)
	must(t, err)
	s, err := state.Decode(doc.Data)
	if err != nil {
		t.Fatalf("the document that is left: %v", err)
	}
	missing := 0
	for n := 1; n <= int(s.Revision); n++ {
		switch times[n] {
		case 0:
			missing++ // its writer was killed between the renaming and its report
		case 1:
		default:
			t.Errorf("revision %d was written %d times", n, times[n])
		}
		delete(times, n)
	}
	if len(times) > 0 {
		t.Errorf("beyond the last revision, %d, these were written and lost: %v", s.Revision, times)
	}
	if missing > lives*rounds {
		t.Errorf("%d revisions were never reported, by %d killed writers", missing, lives*rounds)
	}
	_, err = b.Save(t.Context(), doc.Rev, document(t, 1)) // the lock is free, and the leftovers are swept
	must(t, err)
	if got := list(t, filepath.Dir(path)); !slices.Equal(got, []string{"recess.json", "recess.json.lock"}) {
		t.Errorf("the directory holds %v", got)
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
