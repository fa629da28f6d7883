package recess

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"

	"github.com/recess-go/recess/core/state"
)

// statusKeys are the attribute names under which loggers write a response's status.
var statusKeys = map[string]bool{
	"status": true, "status_code": true, "statusCode": true, "code": true,
	"http.status_code": true, "http.response.status_code": true,
}

// LogFilter returns a handler that leaves expected refusals out of a log: records that carry the refusal's status code
// while a window closes the whole site. While only a part of it is closed, or only writing, nothing is left out: a 503
// may then be a real one, and a record does not say. A record whose context says that the visitor was let in is kept: its 503 is a real
// one. It is django-maintenance-mode's RequireNotMaintenanceMode503 for log/slog.
func (e *Engine) LogFilter(next slog.Handler) slog.Handler { return &logFilter{next, e, false} }

type logFilter struct {
	next    slog.Handler
	engine  *Engine
	refusal bool // an attribute given beforehand is the refusal's status
}

func (f *logFilter) Enabled(ctx context.Context, level slog.Level) bool {
	return f.next.Enabled(ctx, level)
}

func (f *logFilter) Handle(ctx context.Context, r slog.Record) error {
	if f.engine.closedWhole() && f.isRefusal(r) {
		if m := FromContext(ctx); m == nil || !m.Allowed {
			return nil
		}
	}
	return f.next.Handle(ctx, r)
}

func (f *logFilter) WithAttrs(attrs []slog.Attr) slog.Handler {
	refusal := f.refusal
	for _, a := range attrs {
		refusal = refusal || f.engine.isRefusalStatus(a)
	}
	return &logFilter{f.next.WithAttrs(attrs), f.engine, refusal}
}

func (f *logFilter) WithGroup(name string) slog.Handler {
	return &logFilter{f.next.WithGroup(name), f.engine, f.refusal}
}

func (f *logFilter) isRefusal(r slog.Record) bool {
	found := f.refusal
	r.Attrs(func(a slog.Attr) bool {
		found = found || f.engine.isRefusalStatus(a)
		return !found
	})
	return found
}

// isRefusalStatus reports whether an attribute, or one within it, is the status code of a refusal.
func (e *Engine) isRefusalStatus(a slog.Attr) bool {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		for _, inner := range value.Group() {
			if e.isRefusalStatus(inner) {
				return true
			}
		}
		return false
	}
	status := int64(cmp.Or(e.rules.policy.Status, http.StatusServiceUnavailable))
	switch {
	case !statusKeys[a.Key]:
		return false
	case value.Kind() == slog.KindInt64:
		return value.Int64() == status
	case value.Kind() == slog.KindUint64:
		return value.Uint64() == uint64(status)
	}
	return false
}

// closedWhole reports whether some window closes the whole site now.
func (e *Engine) closedWhole() bool {
	snap := e.snap.Load()
	return snap != nil && slices.ContainsFunc(snap.running, func(w *window) bool {
		return w.Scope == "" && w.Mode != state.ReadOnly
	})
}
