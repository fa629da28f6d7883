package command_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/recess-go/recess/core/cmd/recess/command"
)

// mounted is the completion script of an application that mounts the commands under a word of its own.
func mounted(t *testing.T, shell string) string {
	t.Helper()
	if _, err := exec.LookPath(shell); err != nil {
		t.Skipf("there is no %s here", shell)
	}
	got := runWith(t.Context(), command.Options{Program: "myapp maintenance", Backend: newBackend(t)}, nil, "", "completion", shell)
	if got.code != 0 {
		t.Fatalf("exit code %d: %s", got.code, got.err)
	}
	return got.out
}

func output(t *testing.T, script, name string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), name, append(args, file)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func TestAMountedProgramCompletesInBash(t *testing.T) {
	const try = `
try() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _myapp_maintenance_complete
    echo "$* > ${COMPREPLY[*]}"
}
try myapp ''
try myapp serve ''
try myapp maintenance s
try myapp maintenance on --mode f
`
	const want = `myapp  > maintenance
myapp serve  > 
myapp maintenance s > status schedule
myapp maintenance on --mode f > full
`
	if got := output(t, mounted(t, "bash")+try, "bash"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAMountedProgramCompletesInFish(t *testing.T) {
	const try = `
for line in 'myapp maintenance s' 'myapp serve --st' 'myapp maintenance on --mode f' 'myapp maintenance off --st'
    echo $line '>' (complete -C $line | string replace -r '\t.*' '')
end
`
	const want = `myapp maintenance s > schedule status
myapp serve --st >
myapp maintenance on --mode f > full
myapp maintenance off --st >
`
	if got := output(t, mounted(t, "fish")+try, "fish", "--no-config"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAMountedProgramsScriptIsZsh(t *testing.T) {
	script := mounted(t, "zsh")
	output(t, script, "zsh", "-n")
	if !strings.HasPrefix(script, "#compdef myapp\n") {
		t.Errorf("it begins %.40q", script)
	}
}
