package recess

import (
	"encoding/json"
	"strconv"

	"github.com/recess-go/recess/core/page"
	"github.com/recess-go/recess/core/state"
)

// Readiness says whether an instance asks to be left out of its load balancer while the site is closed.
type Readiness uint8

// What readiness probes are told.
const (
	// ReadyAlways answers 200 whatever runs. All instances close together: if all of them left the balancer, visitors
	// would get the balancer's own error in place of the maintenance page, and those who may pass would not.
	ReadyAlways Readiness = iota
	// ReadyWhileOpen answers 503 while the whole site is closed to everybody who is not let in by a rule: where something
	// in front shows a page of its own as soon as nobody is ready.
	ReadyWhileOpen
)

// health is the body of the answers to probes.
type health struct {
	Live   bool   `json:"live"`
	Ready  bool   `json:"ready"`
	Reason string `json:"reason"`
}

// LiveAnswer is the answer to a liveness probe, the same in every adapter: 200, always. A process that is closed for
// maintenance lives; one that is restarted for it loses its work in flight, and comes back closed.
func (e *Engine) LiveAnswer() *page.Answer { return e.healthAnswer(200) }

// ReadyAnswer is the answer to a readiness probe, the same in every adapter: 200, or 503 as [Policy].Readiness says. The
// body says why, and is the same as that of [Engine.LiveAnswer].
func (e *Engine) ReadyAnswer() *page.Answer {
	if !e.health().Ready {
		return e.healthAnswer(503)
	}
	return e.healthAnswer(200)
}

func (e *Engine) healthAnswer(status int) *page.Answer { return jsonAnswer(status, e.health()) }

func (e *Engine) health() health {
	h := health{Live: true, Ready: true, Reason: "the site is open"}
	s := e.Situation()
	w := s.primary()
	switch {
	case w == nil:
	case e.config.Policy.ReportOnly:
		h.Reason = "maintenance runs, and the policy only reports what it would refuse"
	case w.Scope != "":
		h.Reason = "maintenance runs for a part of the site"
	case w.Mode == state.ReadOnly:
		h.Reason = "maintenance runs: the site is read-only"
	case e.config.Policy.Readiness == ReadyWhileOpen:
		h.Ready, h.Reason = false, "maintenance runs for the whole site"
	default:
		h.Reason = "maintenance runs for the whole site: requests are answered by the maintenance page"
	}
	return h
}

// jsonAnswer is an answer of the endpoints: never cached. The value holds nothing that JSON cannot express.
func jsonAnswer(status int, value any) *page.Answer {
	body, _ := json.Marshal(value)
	body = append(body, '\n')
	return &page.Answer{Status: status, MediaType: "application/json", Body: body, Header: fields(
		"Content-Type", "application/json; charset=utf-8",
		"Content-Length", strconv.Itoa(len(body)),
		"Cache-Control", "no-store",
		"X-Content-Type-Options", "nosniff",
	)}
}
