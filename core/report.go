package recess

import (
	"fmt"
	"strconv"
)

// first reports whether this kind is named for the first time.
func (e *Engine) first(kind string) bool {
	_, known := e.reported.LoadOrStore(kind, true)
	return !known
}

// reportOnce logs what went wrong in a callback of the application, once per kind: at a thousand requests a second
// the second line says nothing new.
func (e *Engine) reportOnce(kind string, what any) {
	if e.first("callback " + kind) {
		e.log.Error("a callback failed; requests that need it are refused with the plain answer (logged once per kind)",
			"callback", kind, "error", fmt.Sprint(what))
	}
}

// warnUnknownScope says once that a window is for a scope that this application does not define: it may belong to
// another service that follows the same state, or be a typing error that leaves the site open. It is asked by the first
// request that meets the window, when the routes and their markers are there.
func (e *Engine) warnUnknownScope(w *window) {
	if w.known.Swap(true) {
		return
	}
	e.mu.Lock()
	marked := e.marked[w.Scope]
	e.mu.Unlock()
	if !marked && e.first("scope "+w.Scope) {
		e.log.Warn("a window runs for a scope that neither Policy.Scopes nor a marker defines: it refuses nothing here",
			"scope", w.Scope, "window", w.ID)
	}
}

// logWouldRefuse tells what a policy that only reports would have done.
func (e *Engine) logWouldRefuse(r Request, d *Decision) {
	method := strconv.Quote(clip(r.Method(), 32))
	e.log.Info("would have been refused", "method", method[1:len(method)-1], "path", strconv.Quote(clip(r.Path(), 256)), "reason", string(d.Reason),
		"window", d.Window)
}

// clip returns so much of what a client has sent as goes into a log. The frameworks use its bytes again, and handlers keep
// records: quote it, which copies it too.
func clip(sent string, most int) string { return sent[:min(len(sent), most)] }
