package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	recess "github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/cmd/recess/internal/report"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

// The exit codes. They are promised in the documentation of package command.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitConflict    = 3
	exitNotDrained  = 4
	exitUnreachable = 5
	exitActive      = 10
)

var (
	errHelped      = errors.New("help was shown")
	errActive      = errors.New("something is refused") // "status --exit-code" says so by its exit code alone
	errDeclined    = errors.New("not confirmed: nothing was changed")
	errInterrupted = errors.New("interrupted")
)

// errSaid is the end of a command that has said itself what is wrong.
type errSaid struct{ exit int }

func (errSaid) Error() string { return "something is wrong" }

// A usageError is about what was typed; nothing was changed.
type usageError struct{ text, command string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &usageError{text: fmt.Sprintf(format, args...)} }

// A failure is an error as it is shown.
type failure struct {
	Code    string         `json:"code"`
	Exit    int            `json:"exit_code"`
	Message string         `json:"message"`
	Hint    string         `json:"hint"`
	Status  *schema.Status `json:"status,omitempty"`
}

// kinds are the sentinels in the order in which they count: a conflict whose winner could not be read is a conflict.
var kinds = []struct {
	err  error
	code string
	exit int
	hint string
}{
	{state.ErrConflict, "conflict", exitConflict, ""},
	{recess.ErrInvalidOrder, "usage", exitUsage, "Nothing was changed."},
	{recess.ErrForced, "forced", exitFailed, "Nothing was changed."},
	{errDeclined, "declined", exitFailed, ""},
	{errInterrupted, "interrupted", exitFailed, `"PROGRAM status" shows what holds.`},
	{recess.ErrNotDrained, "not_drained", exitNotDrained, `Maintenance is on and stays on. "PROGRAM drain --wait" goes on waiting, "PROGRAM off" ends it.`},
	{errNobody, "not_drained", exitNotDrained, `Maintenance is on and stays on. "PROGRAM doctor" shows more, "PROGRAM off" ends it.`},
	{recess.ErrNoPresence, "no_presence", exitFailed, "Maintenance is on and stays on. Wait by other means, or keep the state where instances can announce themselves."},
	{state.ErrInvalid, "invalid_state", exitFailed, `The services keep the last state that made sense. "PROGRAM off" keeps the broken text, starts anew and so opens the site.`},
	{state.ErrReadOnly, "read_only", exitFailed, "Nothing was changed."},
	{state.ErrInexpressible, "inexpressible", exitFailed, "Nothing was changed."},
	{recess.ErrUnreachable, "unreachable", exitUnreachable, `The services keep the last state they know. Once it can be reached, "PROGRAM status" shows what holds.`},
}

// lostHint is of a drain in which an instance was lost: the next one cannot know of it, and would succeed.
const lostHint = `Maintenance is on and stays on. Make sure that what is lost does not run: a further drain does not know of it any more. "PROGRAM off" ends maintenance.`

func (s *Setup) failureOf(err error) failure {
	f := failure{Code: "failed", Exit: exitFailed, Message: strings.TrimPrefix(s.redact(err.Error()), "recess: ")}
	var wrong *usageError
	if errors.As(err, &wrong) {
		f.Code, f.Exit = "usage", exitUsage
		f.Hint = fmt.Sprintf("Nothing was changed. Help: %s --help", strings.TrimSpace(s.Program+" "+wrong.command))
		return f
	}
	for _, kind := range kinds {
		if errors.Is(err, kind.err) {
			f.Code, f.Exit, f.Hint = kind.code, kind.exit, inWords(kind.hint, s.Program)
			break
		}
	}
	var late *recess.DrainError
	if errors.As(err, &late) && late.Progress.Count(recess.Lost) > 0 {
		f.Hint = inWords(lostHint, s.Program)
	}
	var conflict *recess.ConflictError
	if errors.As(err, &conflict) {
		status := schema.StatusOf(conflict.Current, time.Now())
		f.Status = &status
	}
	return f
}

// fail shows an error and returns its exit code.
func (s *Setup) fail(err error, json bool, p *report.Printer) int {
	switch {
	case errors.Is(err, errHelped):
		return exitDone
	case errors.Is(err, errActive):
		return exitActive
	}
	var said errSaid
	if errors.As(err, &said) {
		return said.exit
	}
	f := s.failureOf(err)
	if json {
		_ = schema.WriteJSON(s.Err, map[string]failure{"error": f}, true) // an error about the error helps nobody
		return f.Exit
	}
	fmt.Fprintf(s.Err, "%s: %s\n", s.Program, schema.CleanLines(f.Message))
	if f.Hint != "" {
		fmt.Fprintln(s.Err, f.Hint)
	}
	if f.Status != nil {
		onErr := *p
		onErr.W, onErr.Paint = s.Err, false
		fmt.Fprintln(s.Err)
		onErr.Headline(f.Status)
		onErr.Group("Running", f.Status.Running)
		onErr.Group("Planned", f.Status.Planned)
	}
	return f.Exit
}

// interrupted marks an error that is due to the end of the command's own context.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", errInterrupted, err)
	}
	return err
}

// redact hides the secrets of every state URL that this run has seen, wherever an error repeats one.
func (s *Setup) redact(text string) string {
	for _, secret := range s.seen {
		text = strings.ReplaceAll(text, secret, shown(secret))
	}
	return text
}

// shown is a state URL as it may be shown.
func shown(stateURL string) string { return state.Redact(stateURL) }
