package shop

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/examples/internal/ledger"
)

// A Shop is one running application, whatever its framework.
type Shop struct {
	Engine   *recess.Engine
	Sessions *Sessions
	Orders   *Orders
	// Requests is where the framework's request logger writes.
	Requests io.Writer
	// Panel is Recess's admin panel, with the status endpoint and the probes.
	Panel http.Handler
	// Closing is done when the process is told to end: streams then say goodbye, requests are finished.
	Closing context.Context
	// Ending is done when what is left must give up.
	Ending context.Context

	goodbyes goodbyes
	ledger   *ledger.Ledger // nil: none is kept
	log      *slog.Logger
}

// OnClosing calls f, in a goroutine of its own, when the process is told to end; the process waits for it. The function
// returned forgets f.
func (s *Shop) OnClosing(f func()) (forget func()) { return s.goodbyes.add(f) }

// ControlPath is where the panel is mounted, with the status endpoint, the probes and the page behind links to passes.
const ControlPath = "/maintenance"

// policy is what the shop says in code; RECESS_* variables are laid over it.
func policy() recess.Policy {
	return recess.Policy{
		ControlPath: ControlPath,
		Scopes:      map[string][]string{"api": {"/api/**"}},
	}
}
