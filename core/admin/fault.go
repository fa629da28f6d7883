package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/recess-go/recess/core"
	"github.com/recess-go/recess/core/internal/schema"
	"github.com/recess-go/recess/core/state"
)

// fault is why a request cannot be done.
type fault struct {
	status  int
	code    string // for programs: one of the codes in openapi.json
	detail  string // for people
	retry   time.Duration
	current *schema.Status // of a conflict: what the winner left
}

func (f *fault) Error() string { return f.detail }

// faultOf says what an error means to who asked.
func faultOf(err error, now time.Time) *fault {
	var own *fault
	if errors.As(err, &own) {
		return own
	}
	f := &fault{detail: strings.ReplaceAll(strings.TrimPrefix(err.Error(), "recess: "), "\nrecess: ", "\n")}
	var conflict *recess.ConflictError
	switch {
	case errors.As(err, &conflict):
		f.status, f.code = http.StatusConflict, "conflict"
		current := schema.StatusOf(conflict.Current, now)
		f.current = &current
	case errors.Is(err, recess.ErrForced):
		f.status, f.code = http.StatusConflict, "forced"
	case errors.Is(err, state.ErrReadOnly):
		f.status, f.code = http.StatusConflict, "read_only"
	case errors.Is(err, state.ErrInvalid):
		f.status, f.code = http.StatusConflict, "invalid_state"
	case errors.Is(err, recess.ErrNoPresence):
		f.status, f.code = http.StatusConflict, "no_presence"
	case errors.Is(err, state.ErrInexpressible):
		f.status, f.code = http.StatusUnprocessableEntity, "inexpressible"
	case errors.Is(err, recess.ErrInvalidOrder):
		f.status, f.code = http.StatusUnprocessableEntity, "usage"
	case errors.Is(err, recess.ErrUnreachable), errors.Is(err, context.DeadlineExceeded):
		f.status, f.code = http.StatusBadGateway, "unreachable"
	default:
		f.status, f.code = http.StatusInternalServerError, "failed"
	}
	return f
}

// usage is what is wrong with a request's words.
func usage(detail string) error {
	return &fault{status: http.StatusUnprocessableEntity, code: "usage", detail: detail}
}
