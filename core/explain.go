package recess

import (
	"fmt"
	"strings"

	"github.com/recess-go/recess/core/clientip"
	"github.com/recess-go/recess/core/internal/rule"
	"github.com/recess-go/recess/core/state"
)

// An Explanation is a decision with the way to it. See [Engine.Explain].
type Explanation struct {
	Decision Decision
	// Windows are the running windows in the order in which they were considered.
	Windows []ConsideredWindow
	// Steps are the rules in the order in which they were asked; the last one hit.
	Steps []Step
	// Notes are remarks: what a real request would also have caused.
	Notes []string
	// Client is how the client's address was found; nil if no rule can ask for it or the application finds it itself.
	Client *clientip.Trace
}

// ConsideredWindow is one running window and whether it covers the request.
type ConsideredWindow struct {
	Window state.Window
	Covers bool
}

// Step is one rule that was asked.
type Step struct {
	Reason Reason
	Rule   string // the rule's text, where it has one
	Hit    bool
}

// Explain decides a request as [Ticket.Evaluate] would, by the same code, and tells the way. It ends no session and
// counts nothing. It is meant for people: it allocates.
func (e *Engine) Explain(r Request) Explanation {
	snap := e.snap.Load()
	if snap == nil {
		snap = e.idle
	}
	t := new(trace)
	t.Decision = snap.evaluate(&inquiry{request: r, rules: e.rules, trace: t})
	if bar := rule.NewPath(r.Path()).Bar(); bar != "" {
		t.note("no path rule can let this request in: " + bar)
	}
	if e.rules.policy.ClientAddress == nil {
		client := e.rules.client.Explain(r.Peer(), r.Header)
		t.Client = &client
	}
	return t.Explanation
}

// String tells the explanation in lines.
func (x *Explanation) String() string {
	var b strings.Builder
	for _, w := range x.Windows {
		verdict := "does not cover the request"
		if w.Covers {
			verdict = "covers the request"
		}
		fmt.Fprintf(&b, "window %s (%s) %s\n", w.Window.ID, describeWindow(&w.Window), verdict)
	}
	for _, s := range x.Steps {
		verdict := "no"
		if s.Hit {
			verdict = "HIT"
		}
		fmt.Fprintf(&b, "%-16s %-4s %s\n", s.Reason, verdict, s.Rule)
	}
	for _, note := range x.Notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	outcome := "pass"
	switch {
	case x.Decision.Refuse:
		outcome = "refuse"
	case x.Decision.WouldRefuse:
		outcome = "pass (the policy only reports; it would have been refused)"
	}
	fmt.Fprintf(&b, "decision: %s\n", outcome)
	return b.String()
}

// trace collects an explanation; a nil trace collects nothing, which is all that an ordinary request pays.
type trace struct{ Explanation }

func (t *trace) note(text string) { t.Notes = append(t.Notes, text) }

func (q *inquiry) hit(reason Reason, rule string) {
	if q.trace != nil {
		q.trace.Steps = append(q.trace.Steps, Step{reason, strings.Clone(rule), true})
	}
}

func (q *inquiry) miss(reason Reason) {
	if q.trace != nil {
		q.trace.Steps = append(q.trace.Steps, Step{Reason: reason})
	}
}

func (q *inquiry) considered(w *window, covers bool) {
	if q.trace != nil {
		q.trace.Windows = append(q.trace.Windows, ConsideredWindow{w.Window, covers})
	}
}
