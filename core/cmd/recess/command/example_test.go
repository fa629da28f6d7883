package command_test

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/recess-go/recess/core/cmd/recess/command"
	"github.com/recess-go/recess/core/state/memstate"
)

// An application mounts the commands beside its own: "myapp maintenance on", as a Django project has
// "manage.py maintenance_mode on".
func Example_mounted() {
	// The application's main, with its own backend. Where the service is another process, leave Backend out and
	// set State, and import the package of its scheme.
	backend := memstate.New(memstate.Config{})
	defer backend.Close()
	myapp := func(args ...string) int {
		if len(args) == 0 || args[0] != "maintenance" {
			return 0 // … its own commands
		}
		return command.Main(context.Background(), args[1:],
			command.IO{Out: io.Discard, Err: os.Stdout}, command.Options{Program: "myapp maintenance", Backend: backend})
	}

	fmt.Println("on:", myapp("maintenance", "on", "--for", "30m", "--message", "Back soon."))
	fmt.Println("status:", myapp("maintenance", "status", "--exit-code"))
	fmt.Println("off:", myapp("maintenance", "off"))
	fmt.Println("status:", myapp("maintenance", "status", "--exit-code"))
	fmt.Println("a mistake:", myapp("maintenance", "on", "--for", "1d"))
	// Output:
	// on: 0
	// status: 10
	// off: 0
	// status: 0
	// myapp maintenance: --for: "1d" is no duration: did you mean "24h"? Otherwise write a number with a unit, s, m or h, as in 30m, 2h or 1h30m
	// Nothing was changed. Help: myapp maintenance on --help
	// a mistake: 2
}
