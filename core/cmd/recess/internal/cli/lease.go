package cli

import (
	"context"
	"errors"
	"fmt"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/moment"
	"github.com/recess-go/recess/core/internal/schema"
)

// A lease is what an errand knows of the lease of its window. The zero lease is never lost.
type lease struct {
	letGo   func()        // stops renewing; it may be called again
	lost    chan struct{} // closed when the lease is lost
	why     error         // once it is lost
	trouble chan error    // the first renewal of several that failed
}

// keep renews the window's lease, if it has one, until letGo is called.
func (e *errand) keep() {
	if e.window.Lease == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	e.lost, e.trouble = make(chan struct{}), make(chan error, 1)
	e.letGo = func() {
		cancel()
		<-ended
	}
	go func() {
		defer close(ended)
		told := false
		failing := func(err error) {
			if !told {
				e.trouble <- err
				told = true
			}
		}
		if err := e.controller(e.backend).Keep(ctx, e.window, failing); err != nil {
			e.why = err
			close(e.lost)
		}
	}()
}

func (e *errand) isLost() bool {
	select {
	case <-e.lost:
		return true
	default:
		return false
	}
}

// unlease makes the window one that stays after the command has failed.
func (e *errand) unlease(code int) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := e.controller(e.backend).Unlease(ctx, e.window.ID, fmt.Sprintf("%s failed (exit code %d)", e.name, code))
		return err
	}
}

// unheld says how the site is left if the lease could not be taken off.
func (e *errand) unheld(err error) string {
	if e.isLost() && errors.Is(err, recess.ErrLeaseLost) { // which was said
		return "Maintenance is not kept ON any more."
	}
	text := schema.CleanLines(e.failureOf(err).Message) + "\n"
	if errors.Is(err, recess.ErrLeaseLost) {
		return text + "Maintenance is not kept ON any more."
	}
	return text + "Maintenance is ON until its lease of " + moment.Words(e.window.Lease.TTL) + " is over, and not longer."
}
