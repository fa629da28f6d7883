package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/recess-go/recess/core/cmd/recess/internal/completion"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

// module is the path of the module that these commands are released in.
const module = "github.com/recess-go/recess/core/cmd/recess"

// build is what "version --json" writes.
type build struct {
	Version  string `json:"version"`  // of this module: "v0.1.0", or "(devel)"
	Go       string `json:"go"`       // the toolchain it was built with
	Platform string `json:"platform"` // operating system and architecture
	Schema   int    `json:"schema"`   // the version of the state document that it reads and writes
}

func (versionCommand) run(_ context.Context, s *session) error {
	b := build{moduleVersion(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, state.Version}
	if s.globals.JSON {
		return schema.WriteJSON(s.Out, b, true)
	}
	_, err := fmt.Fprintf(s.Out, "%s %s (%s, %s; state document version %d)\n", s.Program, b.Version, b.Go, b.Platform, b.Schema)
	return err
}

// moduleVersion finds the version whether the module is the program itself or part of an application.
func moduleVersion() string {
	const unknown = "(devel)"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknown
	}
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path == module && m.Version != "" {
			return m.Version
		}
	}
	return unknown
}

func (c *completionCommand) run(_ context.Context, s *session) error {
	var g grammar
	parser, err := newParser(&g, s.Setup, s.Out)
	if err != nil {
		return err
	}
	return completion.Write(s.Out, c.Shell, parser.Model)
}
