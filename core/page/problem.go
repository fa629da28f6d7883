package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ProblemType is the "type" of the problem (RFC 9457, section 3.1.1): a name to compare with, not an address. It is
// no URL because every service that uses Recess would then point its clients at a host that it does not control; and
// it is not about:blank, for that would make maintenance the same problem as any other 503.
const ProblemType = "urn:recess:maintenance"

// problemTitle is the same for every occurrence, as section 3.1.3 asks; the mode is a member of its own.
const problemTitle = "Under maintenance"

// problem holds the members in the order in which they are written. What is not known is left out.
type problem struct {
	Type       string `json:"type"`
	Title      string `json:"title"`
	Status     int    `json:"status"`
	Detail     string `json:"detail"` // the operator's message, else a sentence of ours
	Mode       string `json:"mode"`
	Scope      string `json:"scope,omitempty"`
	StartsAt   string `json:"starts_at,omitempty"` // RFC 3339 in UTC
	EndsAt     string `json:"ends_at,omitempty"`
	RetryAfter int64  `json:"retry_after,omitempty"` // seconds, as in the header
}

// Members that an application's context may not write, even where we leave them out: a client would take its word
// for ours.
var standardMembers = []string{
	"type", "title", "status", "detail", "instance", "mode", "scope", "starts_at", "ends_at", "retry_after",
}

// problemBody is valid JSON whatever the error: members that cannot be written are left out and named in it.
func problemBody(status int, n Notice, v variant, retry int64, extra map[string]any) ([]byte, error) {
	body, err := json.Marshal(problem{
		Type:       ProblemType,
		Title:      problemTitle,
		Status:     status,
		Detail:     v.words(n),
		Mode:       n.Mode,
		Scope:      n.Scope,
		StartsAt:   timestamp(n.Starts),
		EndsAt:     timestamp(n.Ends),
		RetryAfter: retry,
	})
	if err != nil {
		return []byte("{}\n"), fmt.Errorf("page: problem: %w", err)
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		// Without regard to case: Go's own decoder, for one, would read "Status" as "status".
		if slices.ContainsFunc(standardMembers, func(standard string) bool { return strings.EqualFold(name, standard) }) {
			continue
		}
		value, err := marshal(extra[name])
		if err != nil {
			problems = append(problems, fmt.Errorf("page: context: member %q left out: %w", name, err))
			continue
		}
		key, _ := json.Marshal(name) // a string can always be written
		body = slices.Concat(body[:len(body)-1], []byte{','}, key, []byte{':'}, value, []byte{'}'})
	}
	return append(body, '\n'), errors.Join(problems...)
}

// marshal keeps a value whose own MarshalJSON panics from taking the answer with it.
func marshal(value any) (encoded []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return json.Marshal(value)
}
