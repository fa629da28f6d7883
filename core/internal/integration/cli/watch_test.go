package cli_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestAWatchFollowsTheFileAndEndsWithAnInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no interrupts between processes")
	}
	dir := t.TempDir()
	recess := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "recess"), args...)
		cmd.Dir, cmd.Env = dir, []string{"TZ=UTC", "SUDO_USER=alice", "HOME=" + dir}
		return cmd
	}
	watch := recess("watch")
	out, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	says := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
			if !strings.HasPrefix(lines.Text(), "    ") {
				t.Fatalf("it says %q, want %q", lines.Text(), want)
			}
		}
		t.Fatalf("it ended before it said %q: %v", want, lines.Err())
	}
	does := func(args ...string) {
		t.Helper()
		if out, err := recess(args...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	says("Maintenance is OFF")
	does("on", "--reason", "CH-1")
	says("the whole site, full – by alice on ")
	does("on", "--scope", "eu", "--mode", "readonly")
	says("scope eu, readonly")
	if err := os.WriteFile(filepath.Join(dir, "new"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "recess.json")); err != nil {
		t.Fatal(err)
	}
	says("invalid")
	does("off")
	says("recovered")
	says("ended")
	says("ended")
	if err := watch.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if lines.Scan() {
		t.Errorf("after the interrupt it says %q", lines.Text())
	}
	if err := watch.Wait(); err != nil {
		t.Errorf("an interrupted watch: %v, want exit code 0", err)
	}
}
