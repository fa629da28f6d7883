// Command recess turns maintenance on and off, from wherever the state can be reached. "recess --help" tells the rest.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // TZ=Europe/Berlin works in a container that brings no time zones

	"github.com/recess-go/recess/core/cmd/recess/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second ^C ends the process at once
	os.Exit(command.Main(ctx, os.Args[1:], command.IO{}, command.Options{}))
}
